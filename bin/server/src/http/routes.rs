//! Every route, in one table: what is registered, what `/api` lists, and what the OpenAPI document is checked against.

use std::fmt;

use actix_web::{
    Route,
    http::Method,
    web::{self, ServiceConfig},
};

use super::{about, chat, dashboard, docs, feedback, figures, health, history, metrics, page, replace, turns};

/// One method of one address.
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    method: Method,
    path: &'static str,
    kind: Kind,
    route: fn(Route) -> Route,
}

/// What an endpoint gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A whole reply.
    Reply,
    /// An event stream: a `HEAD` of it would mean to wait for its end.
    Events,
    /// A page or file for browsers, which the OpenAPI document does not describe.
    Page,
}

pub(super) static ENDPOINTS: [Endpoint; 29] = [
    get("welcome", "/", |route| route.to(about::welcome)),
    get("api", "/api", |route| route.to(about::api)),
    get("personas", "/api/personas", |route| route.to(about::personas)),
    post("send", "/api/chat/send", |route| route.to(chat::send)),
    post("stream", "/api/chat/stream", |route| route.to(chat::stream)).of(Kind::Events),
    get("stream_test", "/api/chat/stream/test", |route| route.to(chat::stream_test)).of(Kind::Events),
    get("history", "/api/chat/history", |route| route.to(history::read)),
    delete("erase_history", "/api/chat/history", |route| route.to(history::erase)),
    get("turn", "/api/chat/turns/{id}", |route| route.to(turns::read)),
    get("turn_events", "/api/chat/turns/{id}/events", |route| route.to(turns::events)).of(Kind::Events),
    post("stop_turn", "/api/chat/turns/{id}/stop", |route| route.to(turns::stop)),
    post("regenerate_turn", "/api/chat/turns/{id}/regenerate", |route| route.to(replace::regenerate)),
    post("edit_turn", "/api/chat/turns/{id}/edit", |route| route.to(replace::edit)),
    post("turn_feedback", "/api/chat/turns/{id}/feedback", |route| route.to(feedback::feedback)),
    get("health", "/api/chat/health", |route| route.to(health::health)),
    get("performance", "/api/chat/performance", |route| route.to(figures::performance)),
    post("clear_cache", "/api/chat/cache/clear", |route| route.to(figures::clear_cache)),
    get("cache_stats", "/api/chat/cache/stats", |route| route.to(figures::cache_stats)),
    get("dashboard_figures", "/api/dashboard", |route| route.to(dashboard::figures)),
    get("dashboard", "/dashboard", |route| route.to(dashboard::dashboard)).of(Kind::Page),
    get("metrics", "/metrics", |route| route.to(metrics::metrics)),
    get("livez", "/livez", |route| route.to(health::livez)),
    get("readyz", "/readyz", |route| route.to(health::readyz)),
    get("openapi", "/openapi.json", |route| route.to(docs::openapi)).of(Kind::Page),
    get("docs", "/docs", |route| route.to(docs::swagger)).of(Kind::Page),
    get("redoc", "/redoc", |route| route.to(docs::redoc)).of(Kind::Page),
    get("chat_page", "/chat", |route| route.to(page::chat)).of(Kind::Page),
    get("static", "/static/{path:.*}", |route| route.to(page::asset)).of(Kind::Page),
    get("docs_asset", "/docs/assets/{name}", |route| route.to(docs::asset)).of(Kind::Page),
];

const fn get(name: &'static str, path: &'static str, route: fn(Route) -> Route) -> Endpoint {
    Endpoint { name, method: Method::GET, path, kind: Kind::Reply, route }
}

const fn post(name: &'static str, path: &'static str, route: fn(Route) -> Route) -> Endpoint {
    Endpoint { name, method: Method::POST, path, kind: Kind::Reply, route }
}

const fn delete(name: &'static str, path: &'static str, route: fn(Route) -> Route) -> Endpoint {
    Endpoint { name, method: Method::DELETE, path, kind: Kind::Reply, route }
}

impl Endpoint {
    const fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Whether a `HEAD` is answered as well.
    fn has_head(&self) -> bool {
        self.method == Method::GET && self.kind != Kind::Events
    }
}

/// `METHOD path`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Registers all of them: one resource for each path, so that a wrong method is told which ones there are.
pub(super) fn configure(config: &mut ServiceConfig) {
    for (index, first) in ENDPOINTS.iter().enumerate() {
        if ENDPOINTS.iter().take(index).any(|earlier| earlier.path == first.path) {
            continue;
        }
        let of_path = ENDPOINTS.iter().filter(|endpoint| endpoint.path == first.path);
        let resource = of_path.fold(web::resource(first.path), |resource, endpoint| {
            let resource = resource.route((endpoint.route)(web::method(endpoint.method.clone())));
            if endpoint.has_head() { resource.route((endpoint.route)(web::head())) } else { resource }
        });
        config.service(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use utoipa::OpenApi;

    use super::*;
    use crate::http::openapi::ApiDocument;

    #[test]
    fn the_document_describes_exactly_the_routes() {
        let document = serde_json::to_value(ApiDocument::openapi()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        let registered: BTreeSet<_> =
            ENDPOINTS.iter().filter(|endpoint| endpoint.kind != Kind::Page).map(ToString::to_string).collect();
        assert_eq!(described, registered);
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
        assert_eq!(names.len(), ENDPOINTS.len());
    }
}
