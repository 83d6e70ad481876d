//! Who asks, and whether they may.

use std::net::IpAddr;

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Uri, header},
    web::Data,
};
use futures::{FutureExt, future::LocalBoxFuture};
use hitesh_domain::{ErrorCode, Owner};

use super::{
    Http,
    client_address::{client_address, is_local},
    error::{ApiError, Code},
    rate_limit::Who,
};

/// Somebody who may ask now. A route that takes it needs a key when keys are configured, and counts against the rate
/// limit.
#[derive(Debug)]
pub(super) struct Caller {
    /// Whose sessions these are.
    pub(super) owner: Owner,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { Self::of(&request).await }.boxed_local()
    }
}

impl Caller {
    async fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let http = http(request)?;
        let owner = http.keys.owner(request.headers());
        // Before the key is refused: guessing keys is asking too.
        charge(http, request, owner.as_ref()).await?;
        owner.map(|owner| Self { owner }).ok_or_else(|| ApiError::new(Code::Unauthorized))
    }
}

/// Counts the request for the owner of its key, or for the address that it came from.
async fn charge(http: &Http, request: &HttpRequest, owner: Option<&Owner>) -> Result<(), ApiError> {
    let Some(limit) = &http.request_limit else { return Ok(()) };
    let who = match owner.filter(|owner| **owner != Owner::public()) {
        Some(owner) => Who::Owner(owner.clone()),
        None => peer(request)
            .map_or(Who::Others, |peer| Who::at(client_address(peer, request.headers(), &http.trusted_proxies))),
    };
    limit.check(who).await.map_err(|wait| ApiError::new(Code::RateLimited).after(wait))
}

/// The operator: who shows the admin key, or, when none is configured, who asks from the server's own machine.
#[derive(Debug)]
pub(super) struct Admin;

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { Self::of(&request).await }.boxed_local()
    }
}

impl Admin {
    async fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let http = http(request)?;
        let may = if http.keys.has_admin() {
            http.keys.is_admin(request.headers())
        } else {
            peer(request).is_some_and(|peer| is_local(peer, request.headers())) && !is_from_another_page(request)
        };
        if may {
            return Ok(Self);
        }
        charge(http, request, None).await?;
        Err(ApiError::new(Code::Forbidden))
    }
}

/// Whether a browser sent it for a page of another origin: any page can make the operator's browser ask this machine.
fn is_from_another_page(request: &HttpRequest) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return false };
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    origin.as_ref().and_then(|origin| origin.authority()).map(|authority| authority.as_str()) != host
}

fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip())
}

fn http(request: &HttpRequest) -> Result<&Data<Http>, ApiError> {
    request.app_data::<Data<Http>>().ok_or_else(|| ApiError::new(Code::Turn(ErrorCode::Internal)))
}
