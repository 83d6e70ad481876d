//! The chat page and the dashboard, and the files that they are made of. Those of the chat page come in bundles, which
//! `tests/browser/bundle.js` makes of them.
//!
//! Their addresses hold a digest of all of them, `/static/DIGEST/…`, so a browser may keep them for ever and never mixes
//! two versions. The stream client is for other pages too, and has an address that stays: `/static/hitesh-client.js`.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, Accept, Header, Quality},
    web::{Bytes, Data, Path},
};

use super::{
    Http,
    assets::{Asset, Content, HTML, SCRIPT, STYLE, SVG, packed, takes_gzip},
    error::{ApiError, Code},
};
use crate::settings::Settings;

const PAGE: &str = include_str!("../../web/chat/index.html");
const DASHBOARD: &str = include_str!("../../web/dashboard/index.html");
/// What stands for the digest in the page.
const PLACE: &str = "{digest}";
/// What stands for [`Sharing`] in the page: it needs no request to know, and no script of its own.
const SHARING: &str = "{sharing}";
/// The client's own name under `/static/`.
const CLIENT: &str = "hitesh-client.js";
/// Nothing inline, nothing evaluated, nothing from or to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_AN_HOUR: &str = "public, max-age=3600";
/// Of an address with another version's digest: a page that was loaded before an update asks for it.
const NOT_AT_ALL: &str = "no-store";

macro_rules! own {
    ($kind:expr, $name:literal) => {
        Asset::new($name, $kind, Content::Plain(include_str!(concat!("../../web/", $name))))
    };
}

macro_rules! packed {
    ($kind:expr, $name:literal) => {
        Asset::new($name, $kind, Content::Gzipped(include_bytes!(concat!("../../web/", $name, ".gz"))))
    };
}

static ASSETS: [Asset; 18] = [
    own!(SCRIPT, "hitesh-client.js"),
    packed!(SCRIPT, "bundles/chat.js"),
    packed!(STYLE, "bundles/chat.css"),
    packed!(SCRIPT, "vendor/marked.js"),
    packed!(SCRIPT, "vendor/dompurify.js"),
    packed!(SCRIPT, "vendor/highlight.js"),
    packed!(SCRIPT, "vendor/uplot.js"),
    packed!(STYLE, "vendor/uplot.css"),
    own!(SVG, "chat/icon.svg"),
    own!(STYLE, "chat/theme.css"),
    own!(SCRIPT, "chat/js/dom.js"),
    own!(SCRIPT, "chat/js/theme-early.js"),
    own!(STYLE, "dashboard/dashboard.css"),
    own!(SCRIPT, "dashboard/js/charts.js"),
    own!(SCRIPT, "dashboard/js/figures.js"),
    own!(SCRIPT, "dashboard/js/key.js"),
    own!(SCRIPT, "dashboard/js/main.js"),
    own!(SCRIPT, "dashboard/js/words.js"),
];

/// Sixteen hexadecimal digits that are others when any file is.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for asset in &ASSETS {
        hasher.update(asset.name.as_bytes()).update(asset.content.stored());
    }
    hasher.finalize().to_hex().chars().take(16).collect()
});

/// Whether the caller would rather have the page than JSON: it names `text/html`, and JSON with less weight or not at
/// all.
pub(super) fn is_preferred(request: &HttpRequest) -> bool {
    let Ok(Accept(accepted)) = Accept::parse(request) else { return false };
    let weight =
        |kind: &str| accepted.iter().filter(|item| item.item.essence_str() == kind).map(|item| item.quality).max();
    let html = weight("text/html").unwrap_or(Quality::ZERO);
    html > weight("application/json").unwrap_or(Quality::ZERO)
}

/// Links to chats, as the page is told of them.
#[derive(Debug, Clone, Copy)]
enum Sharing {
    /// None are made, and none followed.
    Off,
    /// Whoever has one can use it.
    Open,
    /// Who has one and the API key that the chat was begun with can use it.
    SameKey,
}

impl Sharing {
    fn of(settings: &Settings) -> Self {
        match (settings.page.sharing, settings.auth.keys.is_empty()) {
            (false, _) => Self::Off,
            (true, true) => Self::Open,
            (true, false) => Self::SameKey,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Open => "open",
            Self::SameKey => "same-key",
        }
    }
}

/// The chat page, as the settings make it.
#[derive(Debug)]
pub(super) struct ChatPage(Bytes);

impl ChatPage {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(PAGE.replace(PLACE, &DIGEST).replace(SHARING, Sharing::of(settings).as_str()).into())
    }
}

/// The chat page.
pub(super) async fn chat(http: Data<Http>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    html(&request, &http.page.0)
}

/// The operator's page.
pub(super) fn dashboard(request: &HttpRequest) -> Result<HttpResponse, ApiError> {
    static DASHBOARD_PAGE: LazyLock<Bytes> = LazyLock::new(|| DASHBOARD.replace(PLACE, &DIGEST).into());
    html(request, &DASHBOARD_PAGE)
}

fn html(request: &HttpRequest, text: &Bytes) -> Result<HttpResponse, ApiError> {
    let mut response = HttpResponse::Ok();
    response
        .content_type(HTML)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::VARY, "accept, accept-encoding"));
    Ok(match takes_gzip(request) {
        true => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(packed(text)?),
        false => response.body(text.clone()),
    })
}

/// A file of the page.
pub(super) async fn asset(request: HttpRequest, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let (name, caching) = match path.split_once('/') {
        None if path.as_str() == CLIENT => (CLIENT, FOR_AN_HOUR),
        Some((digest, name)) if digest == DIGEST.as_str() => (name, FOR_EVER),
        Some((_, name)) => (name, NOT_AT_ALL),
        None => return Err(ApiError::new(Code::NotFound)),
    };
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(|| ApiError::new(Code::NotFound))?;
    asset.serve(&request, caching)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::assets::tests::assert_unpackable;

    fn prefers_the_page(accept: &str) -> bool {
        is_preferred(&TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request())
    }

    #[test]
    fn browsers_prefer_the_page_and_programs_do_not() {
        assert!(prefers_the_page("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(prefers_the_page("application/json;q=0.5, text/html"));
        for program in
            ["*/*", "application/json", "application/json, text/html", "text/html;q=0, */*", "", "text/plain"]
        {
            assert!(!prefers_the_page(program), "{program}");
        }
        assert!(!is_preferred(&TestRequest::default().to_http_request()));
    }

    #[test]
    fn the_pages_load_nothing_that_is_not_in_the_binary() {
        for page in [PAGE, DASHBOARD] {
            let listens = |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_lowercase()).starts_with('=');
            let is_inline = page.contains("<style") || page.contains(" style=") || page.split(" on").any(listens);
            assert!(!is_inline, "nothing is inline");
            let mut found = 0;
            for quoted in page.split('"').filter(|quoted| quoted.contains('/') && !quoted.contains([' ', '<'])) {
                let name = quoted.strip_prefix("/static/{digest}/");
                let known = name.is_some_and(|name| ASSETS.iter().any(|asset| asset.name == name));
                found += usize::from(known);
                assert!(known || ["/", "/docs", "http://www.w3.org/2000/svg"].contains(&quoted), "{quoted}");
            }
            assert!(found > 3);
        }
    }

    #[test]
    fn every_file_of_the_dashboard_is_in_the_table() {
        let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        for folder in ["dashboard", "dashboard/js"] {
            for entry in std::fs::read_dir(web.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&web).unwrap().to_str().unwrap();
                let known = name.ends_with("/index.html") || ASSETS.iter().any(|asset| asset.name == name);
                assert!(path.is_dir() || known, "{name}");
            }
        }
    }

    #[test]
    fn the_packed_files_can_be_unpacked() {
        assert_unpackable(&ASSETS);
    }
}
