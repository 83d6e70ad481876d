use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{about, chat, dashboard, feedback, figures, health, history, metrics, replace, turns};

/// The OpenAPI document. Schemas come from the bodies themselves; a test compares the paths with the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hitesh AI Chat API",
        description = "Your tech mentor and chai companion: an answer in three steps, streamed as it is made.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        about::welcome, about::api, about::personas,
        chat::send, chat::stream, chat::stream_test,
        history::read, history::erase,
        turns::read, turns::events, turns::stop,
        replace::regenerate, replace::edit, feedback::feedback,
        health::health, health::livez, health::readyz,
        figures::performance, figures::clear_cache, figures::cache_stats, metrics::metrics, dashboard::figures,
    ),
    modifiers(&Keys),
)]
pub(super) struct ApiDocument;

/// The two ways to show a key; none is needed when the server has none configured.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
        components
            .add_security_scheme("x-api-key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key"))));
        let none: [&str; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("bearer", none),
            SecurityRequirement::new("x-api-key", none),
        ]);
    }
}
