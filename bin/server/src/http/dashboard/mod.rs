//! The operator's page: figures of the last quarter of an hour, from memory.

mod body;
mod samples;

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    web::{Data, Json},
};

use self::body::DashboardBody;
pub(super) use self::samples::Samples;
use super::{
    Http,
    caller::Admin,
    error::{ApiError, ErrorBody},
    page,
};

/// The page. It holds no figure, so that with an admin key it opens for anybody, and asks for that key itself: a browser
/// that follows a link can't show one. Without a key configured it is for this machine only, as its figures are.
pub(super) async fn dashboard(request: HttpRequest, http: Data<Http>) -> Result<HttpResponse, ApiError> {
    if !http.keys.has_admin() {
        Admin::from_request(&request, &mut Payload::None).await?;
    }
    page::dashboard(&request)
}

/// The dashboard's figures: the last fifteen minutes in samples, and how things are now. For the admin. Takes at most a second, also
/// when a dependency is away.
#[utoipa::path(
    get, path = "/api/dashboard", tag = "operations",
    responses((status = 200, body = DashboardBody), (status = "4XX", body = ErrorBody)),
)]
pub(super) async fn figures(http: Data<Http>, _: Admin) -> Json<DashboardBody> {
    let (health, cache) = futures::join!(http.engine.health(), http.engine.cache_stats());
    Json(DashboardBody::new(http.samples.columns(), health, cache, http.engine.performance()))
}

/// Takes samples of `http` for ever.
pub(super) fn sampling(http: &Data<Http>) -> impl Future<Output = ()> + Send + 'static {
    let (samples, engine, requests) = (Arc::clone(&http.samples), http.engine.clone(), http.requests.clone());
    async move { samples.take(&engine, &requests).await }
}
