//! Whom to ask: the providers in the operator's order, what is known of each, and the one retry loop of the system.

mod breaker;
mod budget;
mod call;
mod hints;
mod places;
#[cfg(test)]
mod tests;
mod window;

use std::{sync::Arc, time::Duration};

use hitesh_domain::ProviderId;

pub use self::{
    breaker::BreakerState,
    call::{Call, CallEvent, Failure, History},
    hints::{BoardError, BreakerBoard, Hint, Notice},
};
use self::{
    breaker::{Breaker, Pass, Refusal},
    budget::Budget,
    places::Places,
};
use crate::{CompletionRequest, Prices, Provider, ProviderError, ProviderState};

/// The providers in the operator's order of preference. A cheap handle; clones are one router.
#[derive(Debug, Clone)]
pub struct Router {
    routes: Arc<[Arc<Route>]>,
}

/// A provider with what the operator says of how it is used.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Whom to ask.
    pub provider: Arc<dyn Provider>,
    /// How many calls it answers at once; as many again wait for a place. `None`: as many as come.
    pub max_in_flight: Option<usize>,
    /// How long a call waits for a place.
    pub queue: Duration,
    /// Whether it is left alone for a while when it fails too often.
    pub breaker: bool,
    /// Whether other processes ask the very same server: then each is told what the others find.
    pub shared: bool,
    /// What it charges.
    pub prices: Option<Prices>,
    /// Whether its model reasons in the text of its answer before it answers. `None`: told by the model's name.
    pub reasons: Option<bool>,
}

impl Listed {
    /// Without a limit of calls, with a breaker of its own.
    pub fn unlimited(provider: Arc<dyn Provider>) -> Self {
        Self {
            provider,
            max_in_flight: None,
            queue: Duration::ZERO,
            breaker: true,
            shared: false,
            prices: None,
            reasons: None,
        }
    }
}

/// How a provider does.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderStatus {
    /// Its configured name.
    pub id: ProviderId,
    /// Its exact model.
    pub model: String,
    /// What it says of itself.
    pub state: ProviderState,
    /// Whether calls are let through to it.
    pub breaker: BreakerState,
    /// Calls that it is answering, or that wait in a line of its own.
    pub in_flight: usize,
    /// Calls that wait for a place, or in a line of its own.
    pub waiting: usize,
}

/// One provider and what is known of it.
#[derive(Debug)]
struct Route {
    listed: Listed,
    breaker: Arc<Breaker>,
    budget: Arc<Budget>,
    places: Arc<Places>,
}

impl Route {
    fn new(listed: Listed) -> Self {
        let places = Arc::new(Places::new(listed.max_in_flight));
        let breaker = Arc::new(Breaker::new(listed.breaker));
        Self { listed, breaker, budget: Arc::new(Budget::new()), places }
    }

    /// The same provider as `listed` says. What it has taken and how it fails is known of it however it is used, unless
    /// that is counted in another way from now on.
    fn relisted(&self, listed: Listed) -> Self {
        let mut route = Self::new(listed);
        route.budget = Arc::clone(&self.budget);
        if route.listed.max_in_flight == self.listed.max_in_flight {
            route.places = Arc::clone(&self.places);
        }
        if route.listed.breaker == self.listed.breaker {
            route.breaker = Arc::clone(&self.breaker);
        }
        route
    }

    fn provider(&self) -> &Arc<dyn Provider> {
        &self.listed.provider
    }

    /// Why it is not asked now, if it is not.
    fn check(&self) -> Result<(), Refusal> {
        if let ProviderState::Unavailable(reason) = self.provider().state() {
            return Err(Refusal { error: ProviderError::Unavailable { reason }, wait: Duration::ZERO });
        }
        self.breaker.check()
    }

    fn enter(&self) -> Result<Pass, Refusal> {
        self.check()?;
        self.breaker.enter()
    }
}

impl Router {
    /// Asks `listed` in their order.
    pub fn new(listed: Vec<Listed>) -> Self {
        Self { routes: listed.into_iter().map(|listed| Arc::new(Route::new(listed))).collect() }
    }

    /// Asks `listed` from now on. What is known of a provider that was listed before, the very same one, is kept.
    #[must_use]
    pub fn relisted(&self, listed: Vec<Listed>) -> Self {
        let routes = listed.into_iter().map(|listed| {
            let known = self.routes.iter().find(|route| Arc::ptr_eq(route.provider(), &listed.provider));
            Arc::new(match known {
                Some(route) => route.relisted(listed),
                None => Route::new(listed),
            })
        });
        Self { routes: routes.collect() }
    }

    /// All providers.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<dyn Provider>> {
        self.routes.iter().map(|route| route.provider())
    }

    /// What the operator says of how the provider of this name is used.
    pub fn listed(&self, id: &ProviderId) -> Option<&Listed> {
        self.routes.iter().map(|route| &route.listed).find(|listed| listed.provider.id() == id)
    }

    /// How each of them does, in their order.
    pub fn statuses(&self) -> impl Iterator<Item = ProviderStatus> + '_ {
        self.routes.iter().map(|route| ProviderStatus {
            id: route.provider().id().clone(),
            model: route.provider().model().to_owned(),
            state: route.provider().state(),
            breaker: route.breaker.state(),
            in_flight: route.places.taken(),
            waiting: route.places.waiting() + route.provider().waiting(),
        })
    }

    /// Tells other processes which of the shared providers are to be left alone, and hears the same from them. For every
    /// second or so.
    ///
    /// # Errors
    /// If `board` is away; then each goes by what it finds itself, and nothing is forgotten that was to be told.
    pub async fn share(&self, board: &dyn BreakerBoard) -> Result<(), BoardError> {
        let shared: Vec<_> = self.routes.iter().filter(|route| route.listed.shared).collect();
        if shared.is_empty() {
            return Ok(());
        }
        let told: Vec<_> = shared.iter().map(|route| route.breaker.tell()).collect();
        let names: Vec<_> = shared.iter().map(|route| hints::name(route.provider().as_ref())).collect();
        let notices: Vec<_> =
            names.iter().zip(&told).map(|(provider, told)| Notice { provider, told: told.notice() }).collect();
        let heard = board.exchange(&notices).await?;
        for ((route, told), hint) in shared.iter().zip(&told).zip(&heard) {
            route.breaker.hear(told, hint.as_ref());
        }
        Ok(())
    }

    /// The one that is asked first; if there is nobody to ask, why.
    ///
    /// # Errors
    /// With what the provider that may be asked again first failed with.
    pub fn first_available(&self) -> Result<&Arc<dyn Provider>, Failure> {
        match self.routes.iter().find(|route| route.check().is_ok()) {
            Some(route) => Ok(route.provider()),
            None => Err(call::refusal(&self.routes)),
        }
    }

    /// Puts a question to the providers. `build` makes the request in a provider's own step format and size;
    /// `has_history` says whether [`History::Less`] makes a difference.
    pub fn call(
        &self,
        has_history: bool,
        build: impl Fn(&dyn Provider, History) -> CompletionRequest + Send + Sync + 'static,
    ) -> Call {
        Call::new(Arc::clone(&self.routes), has_history, Box::new(build))
    }
}
