//! Smaller JSON for callers that accept it. Only bodies that are there as a whole are touched, which an event stream
//! never is.

use std::io::Write;

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, AcceptEncoding, Encoding, HeaderValue},
    middleware::Next,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// What is smaller gains nothing.
const WORTH_IT: usize = 1024;
/// Brotli's quality and window (as a power of two): about gzip's speed, and smaller.
const BROTLI: (u32, u32) = (4, 20);

/// The outermost middleware.
pub(super) async fn compress<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let accepted = request.get_header::<AcceptEncoding>();
    let response = next.call(request).await?.map_into_boxed_body();
    if !is_json(&response) {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    let (mut response, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return Ok(ServiceResponse::new(request, response.set_body(body))),
    };
    if bytes.len() <= WORTH_IT {
        return Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(bytes))));
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let smaller = encoding(accepted).and_then(|encoding| Some((encoding, encoding.apply(&bytes)?)));
    let body = match smaller {
        Some((encoding, smaller)) => {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            Bytes::from(smaller)
        }
        None => bytes,
    };
    Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(body))))
}

fn is_json(response: &ServiceResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
        && !response.headers().contains_key(header::CONTENT_ENCODING)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Brotli,
    Gzip,
}

fn encoding(accepted: Option<AcceptEncoding>) -> Option<Form> {
    let ours = [Encoding::brotli(), Encoding::gzip(), Encoding::identity()];
    match accepted?.negotiate(ours.iter())? {
        chosen if chosen == Encoding::brotli() => Some(Form::Brotli),
        chosen if chosen == Encoding::gzip() => Some(Form::Gzip),
        _ => None,
    }
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Brotli => "br",
            Form::Gzip => "gzip",
        }
    }

    /// Writing to memory does not fail; if it did, the body would leave as it is.
    fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let out = Vec::with_capacity(bytes.len() / 2);
        match self {
            Form::Brotli => {
                let (quality, window) = BROTLI;
                let mut writer = brotli::CompressorWriter::new(out, 4096, quality, window);
                writer.write_all(bytes).ok()?;
                Some(writer.into_inner())
            }
            Form::Gzip => {
                let mut writer = GzEncoder::new(out, Compression::fast());
                writer.write_all(bytes).ok()?;
                writer.finish().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use actix_web::{App, HttpResponse, middleware::from_fn, test, web};

    use super::*;

    async fn reply(accept: &'static str, bytes: usize) -> (Option<String>, Bytes) {
        let body = format!("[{}0]", "1,".repeat(bytes / 2));
        let handler = move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(body) }
        };
        let app = test::init_service(App::new().wrap(from_fn(compress)).route("/", web::get().to(handler))).await;
        let request = test::TestRequest::get().insert_header((header::ACCEPT_ENCODING, accept)).to_request();
        let response = test::call_service(&app, request).await;
        let encoding = response.headers().get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap().to_owned());
        (encoding, test::read_body(response).await)
    }

    #[actix_web::test]
    async fn large_json_is_compressed_as_the_caller_accepts() {
        let (encoding, body) = reply("gzip", 4000).await;
        assert_eq!(encoding.as_deref(), Some("gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), 4003);

        let (encoding, body) = reply("gzip, br", 4000).await;
        assert_eq!(encoding.as_deref(), Some("br"));
        let mut text = String::new();
        brotli::Decompressor::new(&body[..], 4096).read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), 4003);
    }

    #[actix_web::test]
    async fn small_json_and_callers_that_accept_nothing_get_it_plain() {
        assert_eq!(reply("gzip", 100).await.0, None);
        assert_eq!(reply("identity", 4000).await.0, None);
        assert_eq!(reply("zstd", 4000).await.0, None);
    }
}
