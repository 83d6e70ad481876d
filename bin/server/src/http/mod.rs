//! The HTTP side: routes, wire forms, and who may ask. Data goes one way here: bytes become a validated request once
//! (`extract`, `chat_body`), the engine answers with events, and an encoder makes bytes of them (`sse`, the bodies).
//!
//! Routes that take a `Caller` need an API key when keys are configured: all of `/api/chat` but `health`
//! (open) and `cache/clear` (the admin's). `/`, `/api`, `/api/personas`, the probes and the pages are open.

mod about;
mod assets;
mod bodies;
mod caller;
mod chat;
mod chat_body;
mod client_address;
mod compression;
mod cors;
mod dashboard;
mod docs;
mod error;
mod extract;
mod feedback;
mod figures;
mod health;
mod history;
mod hosts;
mod keys;
mod metrics;
mod observe;
mod openapi;
mod page;
mod rate_limit;
mod replace;
mod routes;
mod sse;
#[cfg(test)]
mod tests;
mod turns;

use std::{sync::Arc, time::Duration};

use actix_web::{
    App, Error,
    body::BoxBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web::{Data, QueryConfig},
};
use hitesh_chat::Engine;
use ipnet::IpNet;

pub use self::rate_limit::SharedLimit;
use self::{
    dashboard::Samples, error::ApiError, keys::Keys, metrics::Requests, page::ChatPage, rate_limit::RequestLimit,
};
use crate::settings::{AllowedHost, CorsSettings, Settings};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Comments in a silent event stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What all handlers share.
#[derive(Debug)]
pub struct Http {
    engine: Engine,
    keys: Keys,
    page: ChatPage,
    request_limit: Option<RequestLimit>,
    requests: Requests,
    samples: Arc<Samples>,
    trusted_proxies: Vec<IpNet>,
    allowed_hosts: Vec<AllowedHost>,
    cors: CorsSettings,
    debug: bool,
    body_timeout: Duration,
    keep_alive: Duration,
}

impl Http {
    /// The HTTP side of `engine`. `shared_limit`: where other instances count the requests of one caller too.
    pub fn new(settings: &Settings, engine: Engine, shared_limit: Option<Arc<dyn SharedLimit>>) -> Self {
        Self {
            engine,
            keys: Keys::new(&settings.auth),
            page: ChatPage::new(settings),
            request_limit: settings.limits.rate().map(|rate| RequestLimit::new(rate, shared_limit)),
            requests: Requests::default(),
            samples: Arc::default(),
            trusted_proxies: settings.limits.trusted_proxies.clone(),
            allowed_hosts: settings.server.allowed_hosts.clone(),
            cors: settings.cors.clone(),
            debug: settings.server.debug,
            body_timeout: settings.server.body_timeout,
            keep_alive: KEEP_ALIVE,
        }
    }
}

/// Keeps the dashboard's samples, for ever. For a task that ends with the server.
pub fn sampling(http: &Data<Http>) -> impl Future<Output = ()> + Send + 'static {
    dashboard::sampling(http)
}

/// One worker's application. The order of the middlewares is what each of them relies on: a refusal of the host check
/// gets its CORS headers, whatever is answered is observed, and errors are compressed as well.
pub fn app(
    http: Data<Http>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>,
> {
    let cors = cors::cors(&http.cors);
    let query = QueryConfig::default().error_handler(|error, _| {
        ApiError::new(error::Code::InvalidRequest)
            .saying("The query has the wrong shape; see /docs.")
            .because(error)
            .into()
    });
    App::new()
        .app_data(http)
        .app_data(query)
        .configure(routes::configure)
        .wrap(from_fn(hosts::check_host))
        .wrap(cors)
        .wrap(from_fn(observe::observe))
        .wrap(from_fn(compression::compress))
}
