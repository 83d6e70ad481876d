//! Files of the web pages. All of them are in the binary.

use std::{
    io::{Read, Write},
    sync::OnceLock,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, AcceptEncoding, Encoding, Header},
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use hitesh_domain::ErrorCode;

use super::error::{ApiError, Code};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const STYLE: &str = "text/css; charset=utf-8";
pub(super) const SVG: &str = "image/svg+xml";

/// A file of a page; see `web/vendor/README.md` for where the large ones come from.
#[derive(Debug)]
pub(super) struct Asset {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) content: Content,
    /// A plain file once it was asked for, compressed.
    packed: OnceLock<Vec<u8>>,
}

/// How a file lies in the binary.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Plain(&'static str),
    Gzipped(&'static [u8]),
}

impl Content {
    /// The bytes in the binary: what tells one version of a file from another.
    pub(super) fn stored(self) -> &'static [u8] {
        match self {
            Content::Plain(text) => text.as_bytes(),
            Content::Gzipped(bytes) => bytes,
        }
    }
}

impl Asset {
    pub(super) const fn new(name: &'static str, kind: &'static str, content: Content) -> Self {
        Self { name, kind, content, packed: OnceLock::new() }
    }

    /// The file, compressed if the caller takes that, to be kept as `caching` says.
    ///
    /// # Errors
    /// `internal`, if what is in the binary can't be unpacked.
    pub(super) fn serve(&'static self, request: &HttpRequest, caching: &'static str) -> Result<HttpResponse, ApiError> {
        let mut response = HttpResponse::Ok();
        response
            .content_type(self.kind)
            .insert_header((header::CACHE_CONTROL, caching))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::VARY, "accept-encoding"));
        Ok(match (self.content, takes_gzip(request)) {
            (Content::Gzipped(bytes), true) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(bytes),
            (Content::Gzipped(bytes), false) => response.body(unpacked(bytes)?),
            (Content::Plain(text), true) => {
                let bytes = match self.packed.get() {
                    Some(bytes) => bytes,
                    None => {
                        let bytes = packed(text.as_bytes())?;
                        self.packed.get_or_init(|| bytes)
                    }
                };
                response.insert_header((header::CONTENT_ENCODING, "gzip")).body(bytes.as_slice())
            }
            (Content::Plain(text), false) => response.body(text),
        })
    }
}

/// `text` as gzip.
pub(super) fn packed(text: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut writer = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::best());
    writer.write_all(text).and_then(|()| writer.finish()).map_err(internal)
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text).map_err(internal)?;
    Ok(text)
}

fn internal(error: std::io::Error) -> ApiError {
    ApiError::new(Code::Turn(ErrorCode::Internal)).because(error)
}

/// Whether the caller takes gzip.
pub(super) fn takes_gzip(request: &HttpRequest) -> bool {
    let ours = [Encoding::gzip(), Encoding::identity()];
    let chosen = AcceptEncoding::parse(request).ok().and_then(|accepted| accepted.negotiate(ours.iter()));
    request.headers().contains_key(header::ACCEPT_ENCODING) && chosen == Some(Encoding::gzip())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Asserts that the compressed files of a table can be unpacked.
    pub(in crate::http) fn assert_unpackable(assets: &[Asset]) {
        for asset in assets {
            if let Content::Gzipped(bytes) = asset.content {
                assert!(unpacked(bytes).unwrap().len() > bytes.len(), "{}", asset.name);
            }
        }
    }

    #[test]
    fn what_is_packed_is_the_same_unpacked() {
        let text = "chai ☕ ".repeat(500);
        assert_eq!(unpacked(&packed(text.as_bytes()).unwrap()).unwrap(), text.as_bytes());
    }
}
