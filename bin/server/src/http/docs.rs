//! The interactive API pages. All that they load is in the binary.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ContentType},
    web::Path,
};
use utoipa::OpenApi;

use super::{
    assets::{Asset, Content, HTML, SCRIPT, STYLE},
    error::{ApiError, Code},
    openapi::ApiDocument,
};

const DOCS: &str = include_str!("../../web/docs.html");
const REDOC: &str = include_str!("../../web/redoc.html");
/// Nothing from elsewhere, whatever a script may try. Both pages style inline; Redoc searches in a worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static ASSETS: [Asset; 5] = [
    Asset::new("docs.js", SCRIPT, Content::Plain(include_str!("../../web/docs.js"))),
    Asset::new("redoc.js", SCRIPT, Content::Plain(include_str!("../../web/redoc.js"))),
    Asset::new("swagger-ui.css", STYLE, Content::Gzipped(include_bytes!("../../web/vendor/swagger-ui.css.gz"))),
    Asset::new(
        "swagger-ui-bundle.js",
        SCRIPT,
        Content::Gzipped(include_bytes!("../../web/vendor/swagger-ui-bundle.js.gz")),
    ),
    Asset::new(
        "redoc.standalone.js",
        SCRIPT,
        Content::Gzipped(include_bytes!("../../web/vendor/redoc.standalone.js.gz")),
    ),
];

/// The OpenAPI document.
pub(super) async fn openapi() -> HttpResponse {
    // The same for as long as the process lives.
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| ApiDocument::openapi().to_json().unwrap_or_default());
    HttpResponse::Ok().content_type(ContentType::json()).body(DOCUMENT.as_str())
}

/// Swagger UI.
pub(super) async fn swagger() -> HttpResponse {
    page(DOCS)
}

/// Redoc.
pub(super) async fn redoc() -> HttpResponse {
    page(REDOC)
}

/// A script or style of the two.
pub(super) async fn asset(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, ApiError> {
    let asset = ASSETS.iter().find(|asset| asset.name == name.as_str()).ok_or_else(|| ApiError::new(Code::NotFound))?;
    asset.serve(&request, "public, max-age=86400")
}

fn page(html: &'static str) -> HttpResponse {
    HttpResponse::Ok().content_type(HTML).insert_header((header::CONTENT_SECURITY_POLICY, POLICY)).body(html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::assets::tests::assert_unpackable;

    #[test]
    fn the_pages_load_nothing_that_is_not_in_the_binary() {
        for page in [DOCS, REDOC] {
            assert!(!page.contains("://"), "{page}");
            for (_, rest) in page.match_indices("/docs/assets/").map(|(at, found)| page.split_at(at + found.len())) {
                let name = rest.split('"').next().unwrap();
                assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
            }
        }
    }

    #[test]
    fn the_packed_files_can_be_unpacked() {
        assert_unpackable(&ASSETS);
    }
}
