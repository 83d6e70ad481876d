use std::{error::Error, io, time::Duration};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{Phase, ProviderError};

/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What a server says went wrong, as far as it decides what the caller does. The words stay here: they may quote
/// the prompt or a part of the key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaint {
    status: Option<u16>,
    codes: Vec<String>,
    /// What the words are about where no code says it.
    about: Option<About>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Length,
    Key,
    Credit,
    Model,
}

/// Words by which servers say what they have no code for.
const WORDS: &[(&str, About)] = &[
    // vLLM.
    ("maximum context length", About::Length),
    // Anthropic, as the next two.
    ("prompt is too long", About::Length),
    ("exceed context limit", About::Length),
    ("credit balance is too low", About::Credit),
    // Gemini and xAI, with the status of a request that makes no sense.
    ("api key not valid", About::Key),
    ("incorrect api key", About::Key),
    // Ollama, and Anthropic, which names it after a colon.
    ("model '", About::Model),
    ("model: ", About::Model),
];

impl Complaint {
    /// Of the value of an `error` field: an object with `code` and `type`, or a sentence.
    pub(crate) fn of(error: &Value) -> Self {
        let mut complaint = Self::default();
        for field in ["code", "type"] {
            match error.get(field) {
                Some(Value::String(code)) => complaint.codes.push(code.to_ascii_lowercase()),
                Some(Value::Number(code)) => complaint.status = code.as_u64().and_then(|code| code.try_into().ok()),
                _ => {}
            }
        }
        let words = error.get("message").unwrap_or(error).as_str().unwrap_or_default().to_ascii_lowercase();
        complaint.about = WORDS.iter().find(|(part, _)| words.contains(part)).map(|(_, about)| *about);
        complaint
    }

    /// Of the body of an error response; of anything else that is no complaint, an empty one.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        // Gemini wraps it into a list.
        let value = value.get(0).unwrap_or(&value);
        Self::of(value.get("error").unwrap_or(value))
    }

    /// Whether it says that the model is at fault.
    pub(super) fn names_model(&self) -> bool {
        self.about == Some(About::Model) || self.codes.iter().any(|code| code == "model_not_found")
    }

    /// What the caller is told of an error inside a stream.
    pub(crate) fn in_a_stream(&self) -> ProviderError {
        self.known_code(None)
            .or_else(|| self.status.filter(|status| *status >= 400).map(|status| by_status(status, None)))
            .unwrap_or(ProviderError::Broken { reason: "it reported an error within its stream" })
    }

    /// What the caller is told of a response with `status`.
    pub(super) fn of_status(&self, status: u16, retry_after: Option<Duration>) -> ProviderError {
        self.known_code(retry_after).unwrap_or_else(|| by_status(status, retry_after))
    }

    fn known_code(&self, retry_after: Option<Duration>) -> Option<ProviderError> {
        match self.about {
            Some(About::Length) => return Some(ProviderError::ContextTooLong),
            Some(About::Key) => return Some(ProviderError::Unauthorized),
            Some(About::Credit) => return Some(no_credit()),
            Some(About::Model) | None => {}
        }
        self.codes.iter().find_map(|code| match code.as_str() {
            "context_length_exceeded" | "exceed_context_size_error" | "request_too_large" => {
                Some(ProviderError::ContextTooLong)
            }
            "rate_limit_exceeded" | "rate_limit_error" => Some(ProviderError::RateLimited { retry_after }),
            // Comes with the status of a rate limit, and no wait ends it.
            "insufficient_quota" | "billing_error" => Some(no_credit()),
            "invalid_api_key" | "authentication_error" | "permission_error" => Some(ProviderError::Unauthorized),
            "model_not_found" | "not_found_error" => Some(unknown_model()),
            "server_error"
            | "internal_error"
            | "api_error"
            | "overloaded_error"
            | "timeout_error"
            | "service_unavailable" => Some(unavailable("it answers with a server error")),
            _ => None,
        })
    }
}

fn by_status(status: u16, retry_after: Option<Duration>) -> ProviderError {
    match status {
        401 | 403 => ProviderError::Unauthorized,
        402 => no_credit(),
        // Another provider has other models: the answer need not be lost to a wrong name in the settings.
        404 => unknown_model(),
        407 => proxy_refuses(),
        408 | 409 | 425 | 500.. => ProviderError::Unavailable { reason: format!("it answers with status {status}") },
        // Groq's answer to a prompt above the limit.
        413 => ProviderError::ContextTooLong,
        429 => ProviderError::RateLimited { retry_after },
        300..=399 => misconfigured("it redirects, which is not followed: base_url must be the final one"),
        _ => ProviderError::Rejected { status: Some(status) },
    }
}

pub(super) fn unknown_model() -> ProviderError {
    misconfigured("it knows no such model or path (check model and base_url)")
}

fn proxy_refuses() -> ProviderError {
    misconfigured("its proxy asks for other credentials (check proxy)")
}

fn no_credit() -> ProviderError {
    misconfigured("the account has no credit left")
}

pub(super) fn misconfigured(reason: &str) -> ProviderError {
    ProviderError::Misconfigured { reason: reason.to_owned() }
}

pub(super) fn unavailable(reason: &str) -> ProviderError {
    ProviderError::Unavailable { reason: reason.to_owned() }
}

/// How long a response asks to wait: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let until = OffsetDateTime::parse(text, &Rfc2822).ok()?;
            Duration::try_from(until - now).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// What the caller is told of a request that got no response. In words of ours: the library's hold the URL.
pub(super) fn of_transport(error: &reqwest::Error, connect_timeout: Duration, has_proxy: bool) -> ProviderError {
    if error.is_connect() && error.is_timeout() {
        return ProviderError::Timeout { phase: Phase::Connect, limit: connect_timeout };
    }
    // Behind a proxy it is the proxy that is connected to.
    let either = |directly: &'static str, by_proxy: &'static str| if has_proxy { by_proxy } else { directly };
    if error.is_dns() {
        return unavailable(either("its host name can't be resolved", "the host name of its proxy can't be resolved"));
    }
    for cause in std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source()) {
        if let Some(tls) = find_tls(cause) {
            return match tls {
                rustls::Error::InvalidCertificate(_) => misconfigured("its certificate is not trusted"),
                _ => unavailable("no secure connection can be made"),
            };
        }
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.kind() == io::ErrorKind::ConnectionRefused
        {
            return unavailable(either("it refuses connections", "its proxy refuses connections"));
        }
        // The type of it is not the library's own, and nobody else's words are these.
        if has_proxy && cause.to_string().contains("proxy authorization required") {
            return proxy_refuses();
        }
    }
    if error.is_connect() {
        return unavailable(either("no connection can be made", "no connection can be made through its proxy"));
    }
    unavailable("the connection broke off before it answered")
}

/// An `io::Error` hides its inner error from `source`, and the connector wraps one in another.
fn find_tls<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.downcast_ref().or_else(|| find_tls(inner?))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use time::macros::datetime;

    use super::*;

    fn told(status: u16, body: &str) -> String {
        format!("{:?}", Complaint::of_body(body.as_bytes()).of_status(status, None))
    }

    #[test]
    fn each_status_says_what_the_caller_does() {
        let rows = [
            (400, "Rejected { status: Some(400) }"),
            (401, "Unauthorized"),
            (402, "Misconfigured { reason: \"the account has no credit"),
            (403, "Unauthorized"),
            (404, "Misconfigured { reason: \"it knows no such model or path"),
            (407, "Misconfigured { reason: \"its proxy asks for other credentials"),
            (408, "Unavailable"),
            (409, "Unavailable"),
            (413, "ContextTooLong"),
            (422, "Rejected { status: Some(422) }"),
            (429, "RateLimited"),
            (500, "Unavailable"),
            (503, "Unavailable"),
            (529, "Unavailable"),
            (307, "Misconfigured { reason: \"it redirects"),
        ];
        for (status, expected) in rows {
            for body in ["", "<html>", "null", "[]", r#"{"error":{"message":"secret words"}}"#] {
                let told = told(status, body);
                assert!(told.contains(expected) && !told.contains("secret"), "{status} {body}: {told}");
            }
        }
    }

    #[test]
    fn a_code_says_more_than_the_status() {
        let rows = [
            (r#"{"error":{"code":"context_length_exceeded","type":"invalid_request_error"}}"#, "ContextTooLong"),
            (r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#, "ContextTooLong"),
            (
                r#"{"object":"error","message":"This model's maximum context length is 4096","code":400}"#,
                "ContextTooLong",
            ),
            (r#"{"error":"This model's maximum context length is 4096"}"#, "ContextTooLong"),
            (r#"{"error":{"code":"insufficient_quota"}}"#, "Misconfigured"),
            (r#"{"error":{"code":"model_not_found"}}"#, "no such model"),
            (r#"{"error":{"code":"invalid_api_key"}}"#, "Unauthorized"),
            (r#"{"error":{"code":"something_new"}}"#, "Rejected"),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}"#,
                "ContextTooLong",
            ),
            (r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#, "no credit"),
            (r#"{"error":{"type":"permission_error"}}"#, "Unauthorized"),
            (r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, "Unavailable"),
            (r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#, "Unauthorized"),
        ];
        for (body, expected) in rows {
            assert!(told(400, body).contains(expected), "{body}: {}", told(400, body));
        }
    }

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date_and_capped() {
        let now = datetime!(2026-01-02 03:04:05 UTC);
        let rows = [
            ("7", Some(7_000)),
            ("0.5", Some(500)),
            ("86400", Some(60_000)),
            ("Fri, 02 Jan 2026 03:04:15 GMT", Some(10_000)),
            ("Fri, 02 Jan 2026 03:04:00 GMT", Some(0)),
            ("Sun, 02 Jan 2028 03:04:00 GMT", Some(60_000)),
            ("-3", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ];
        for (text, millis) in rows {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), millis.map(Duration::from_millis), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
