use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper bounds in seconds: of a reply out of memory, of one that a model is waited for.
const BOUNDS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The requests that were answered. Clones count together.
#[derive(Clone)]
pub(in crate::http) struct Requests {
    answered: Family<Answered, Counter>,
    took: Family<Route, Histogram>,
    /// All, and those that were answered with a 5xx.
    totals: Arc<[AtomicU64; 2]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            took: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            totals: Arc::default(),
        }
    }
}

impl Requests {
    /// Counts a reply by the path as it was registered: what a caller wrote in its place is nobody's label.
    pub(in crate::http) fn answered(&self, method: &Method, path: Option<&str>, status: StatusCode, took: Duration) {
        let route = path.unwrap_or("unmatched").to_owned();
        let labels = Answered { route: route.clone(), method: known(method), status: status.as_u16() };
        self.answered.get_or_create(&labels).inc();
        self.took.get_or_create(&Route { route }).observe(took.as_secs_f64());
        let [all, failed] = self.totals.as_ref();
        all.fetch_add(1, Relaxed);
        failed.fetch_add(u64::from(status.is_server_error()), Relaxed);
    }

    /// How many there were, and how many were answered with a 5xx.
    pub(in crate::http) fn totals(&self) -> (u64, u64) {
        let [all, failed] = self.totals.as_ref();
        (all.load(Relaxed), failed.load(Relaxed))
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests that were answered", self.answered.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From a request to the head of its reply; an event stream goes on after that",
            Unit::Seconds,
            self.took.clone(),
        );
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

/// A method that routes have; any token may be one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
