//! Who asks, and whether they may.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Uri, header},
    web::Data,
};
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
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Caller {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let http = http(request)?;
        let owner = http.keys.owner(request.headers()).ok_or_else(|| ApiError::new(Code::Unauthorized))?;
        if let Some(limit) = &http.request_limit {
            let who = if owner == Owner::public() {
                peer(request)
                    .map_or(Who::Others, |peer| Who::at(client_address(peer, request.headers(), &http.trusted_proxies)))
            } else {
                Who::Owner(owner.clone())
            };
            limit.check(who).map_err(|wait| ApiError::new(Code::RateLimited).after(wait))?;
        }
        Ok(Self { owner })
    }
}

/// The operator: who shows the admin key, or, when none is configured, who asks from the server's own machine.
#[derive(Debug)]
pub(super) struct Admin;

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Admin {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let http = http(request)?;
        let may = if http.keys.has_admin() {
            http.keys.is_admin(request.headers())
        } else {
            peer(request).is_some_and(|peer| is_local(peer, request.headers())) && !is_from_another_page(request)
        };
        if may { Ok(Self) } else { Err(ApiError::new(Code::Forbidden)) }
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
