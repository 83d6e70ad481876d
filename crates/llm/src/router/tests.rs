use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use hitesh_domain::{ProviderId, Scaffold, StepFormat};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;
use crate::{DeltaStream, FinishReason, Phase, ProviderEvent, Sampling};

/// What a provider does when it is asked.
#[derive(Debug, Clone)]
enum Does {
    /// It refuses.
    Refuse(ProviderError),
    /// It says this much, and then this happens.
    Say(&'static str, Then),
    /// Nothing, for ever.
    Nothing,
}

#[derive(Debug, Clone)]
enum Then {
    Finish,
    Cut,
    Fail(ProviderError),
}

#[derive(Debug)]
struct Scripted {
    id: ProviderId,
    sampling: Sampling,
    script: Mutex<VecDeque<Does>>,
    /// The history that each request had.
    asked: Mutex<Vec<usize>>,
    total: Option<Duration>,
}

#[async_trait]
impl Provider for Scripted {
    fn id(&self) -> &ProviderId {
        &self.id
    }
    fn model(&self) -> &str {
        "scripted"
    }
    fn step_format(&self) -> StepFormat {
        StepFormat::Tagged
    }
    fn sampling(&self) -> &Sampling {
        &self.sampling
    }
    fn total_deadline(&self) -> Option<Duration> {
        self.total
    }
    async fn probe(&self) -> Result<(), ProviderError> {
        Ok(())
    }
    /// Does what the script says next; its last line again and again.
    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        self.asked.lock().push(request.stable);
        let does = {
            let mut script = self.script.lock();
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }.unwrap()
        };
        match does {
            Does::Refuse(error) => Err(error),
            Does::Nothing => std::future::pending().await,
            Does::Say(text, then) => {
                let text = (!text.is_empty()).then(|| Ok(ProviderEvent::Delta(text.to_owned())));
                let end = match then {
                    Then::Finish => Some(Ok(ProviderEvent::Finish(FinishReason::Stop))),
                    Then::Fail(error) => Some(Err(error)),
                    Then::Cut => None,
                };
                Ok(stream::iter(text.into_iter().chain(end)).boxed())
            }
        }
    }
}

fn provider(id: &str, script: &[Does]) -> Arc<Scripted> {
    Arc::new(unshared(id, script))
}

fn unshared(id: &str, script: &[Does]) -> Scripted {
    Scripted {
        id: id.parse().unwrap(),
        sampling: Sampling::default(),
        script: Mutex::new(script.iter().cloned().collect()),
        asked: Mutex::default(),
        total: Some(Duration::from_secs(30)),
    }
}

/// Answers one call at once; another one waits for its place, for 5 s.
fn one_at_once(provider: &Arc<Scripted>) -> Listed {
    Listed {
        max_in_flight: Some(1),
        queue: Duration::from_secs(5),
        ..Listed::unlimited(Arc::clone(provider) as Arc<dyn Provider>)
    }
}

fn router(providers: &[&Arc<Scripted>]) -> Router {
    let listed = providers.iter().map(|provider| Listed::unlimited(Arc::clone(*provider) as Arc<dyn Provider>));
    Router::new(listed.collect())
}

fn request(history: usize) -> CompletionRequest {
    CompletionRequest {
        messages: Vec::new(),
        stable: history,
        step_format: StepFormat::Tagged,
        scaffold: Scaffold::default(),
    }
}

/// Asks; everything that is said counts as shown. Gives what was said by whom, or what went wrong.
async fn ask(router: &Router) -> Result<String, Failure> {
    ask_with(router, true).await
}

async fn ask_with(router: &Router, has_history: bool) -> Result<String, Failure> {
    let mut call = router.call(has_history, |_, history| request(if history == History::Full { 10 } else { 4 }));
    let mut said = String::new();
    loop {
        match call.next().await {
            Some(Ok(CallEvent::Asked(provider))) => said = format!("{}:", provider.id()),
            Some(Ok(CallEvent::Answer(ProviderEvent::Delta(text)))) => {
                said.push_str(&text);
                call.commit();
            }
            Some(Ok(_)) => {}
            Some(Err(failure)) => {
                assert!(call.next().await.is_none(), "after an error nothing comes");
                return Err(failure);
            }
            None if said.ends_with(':') => call.reject("nothing was said"),
            None => return Ok(said),
        }
    }
}

fn away() -> ProviderError {
    ProviderError::Unavailable { reason: "it answers with status 500".to_owned() }
}

fn limited(seconds: Option<u64>) -> ProviderError {
    ProviderError::RateLimited { retry_after: seconds.map(Duration::from_secs) }
}

const CHAI: Does = Does::Say("chai", Then::Finish);

#[tokio::test(start_paused = true)]
async fn each_failure_before_the_first_token_has_its_remedy() {
    let timeout = ProviderError::Timeout { phase: Phase::FirstToken, limit: Duration::from_secs(15) };
    let wrong = ProviderError::Misconfigured { reason: "it redirects".to_owned() };
    // What the only, or the first, provider does; how often it is asked; whether a second one would answer.
    let rows = [
        (Does::Refuse(away()), 2, true),
        (Does::Say("", Then::Cut), 2, true),
        (Does::Say("", Then::Finish), 2, true),
        (Does::Say("", Then::Fail(ProviderError::Broken { reason: "it sent no completion chunk" })), 2, true),
        (Does::Say("", Then::Fail(timeout.clone())), 1, true),
        (Does::Refuse(timeout), 1, true),
        (Does::Refuse(limited(None)), 1, true),
        (Does::Refuse(limited(Some(86_400))), 1, true),
        (Does::Refuse(ProviderError::Unauthorized), 1, true),
        (Does::Refuse(wrong), 1, true),
        (Does::Refuse(ProviderError::Overloaded), 1, true),
        (Does::Refuse(ProviderError::Rejected { status: Some(400) }), 1, false),
    ];
    for (does, calls, is_mendable) in rows {
        let alone = provider("alone", std::slice::from_ref(&does));
        assert!(ask(&router(&[&alone])).await.is_err(), "{does:?}");
        assert_eq!(alone.asked.lock().len(), calls, "{does:?}");
        let (first, second) = (provider("first", std::slice::from_ref(&does)), provider("second", &[CHAI]));
        let told = ask(&router(&[&first, &second])).await;
        assert_eq!(told.ok(), is_mendable.then(|| "second:chai".to_owned()), "{does:?}");
        assert_eq!(first.asked.lock().len(), calls, "{does:?}");
        assert_eq!(second.asked.lock().len(), usize::from(is_mendable), "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_mended_by_asking_once_more() {
    let first = provider("first", &[Does::Refuse(away()), CHAI]);
    let second = provider("second", &[CHAI]);
    assert_eq!(ask(&router(&[&first, &second])).await.unwrap(), "first:chai");
    assert_eq!(second.asked.lock().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_first_token_nobody_else_is_asked() {
    for then in [Then::Cut, Then::Fail(away())] {
        let first = provider("first", &[Does::Say("half", then)]);
        let second = provider("second", &[CHAI]);
        assert!(ask(&router(&[&first, &second])).await.is_err());
        assert_eq!((first.asked.lock().len(), second.asked.lock().len()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_too_long_is_sent_once_more_with_less_history() {
    let refuses = Does::Refuse(ProviderError::ContextTooLong);
    let first = provider("first", &[refuses.clone(), CHAI]);
    assert_eq!(ask(&router(&[&first])).await.unwrap(), "first:chai");
    assert_eq!(*first.asked.lock(), [10, 4]);
    let stubborn = provider("first", std::slice::from_ref(&refuses));
    let second = provider("second", &[CHAI]);
    let failure = ask(&router(&[&stubborn, &second])).await.unwrap_err();
    assert!(matches!(failure.error, ProviderError::ContextTooLong));
    assert_eq!((stubborn.asked.lock().len(), second.asked.lock().len()), (2, 0));
    let alone = provider("first", &[refuses]);
    assert!(ask_with(&router(&[&alone]), false).await.is_err());
    assert_eq!(alone.asked.lock().len(), 1, "without history there is nothing to leave out");
}

#[tokio::test(start_paused = true)]
async fn a_provider_at_fault_gets_a_fifth_more_than_is_offered_and_then_nothing() {
    let broken = provider("broken", &[Does::Refuse(away())]);
    let router = router(&[&broken]);
    let mut offered = 0;
    // The breaker lets few calls through: each of them counts as offered.
    while offered < 200 {
        if router.first_available().is_ok() {
            offered += 1;
            assert!(ask(&router).await.is_err());
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let asked = broken.asked.lock().len();
    assert!((201..=240).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_that_is_asked_for_is_kept_when_there_is_nobody_else() {
    let start = Instant::now();
    let busy = provider("busy", &[Does::Refuse(limited(Some(2))), CHAI]);
    assert_eq!(ask(&router(&[&busy])).await.unwrap(), "busy:chai");
    assert!(start.elapsed() >= Duration::from_secs(2));
    let (busy, second) = (provider("busy", &[Does::Refuse(limited(Some(2))), CHAI]), provider("second", &[CHAI]));
    assert_eq!(ask(&router(&[&busy, &second])).await.unwrap(), "second:chai");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_wants_to_be_left_alone_is_passed_over_until_then() {
    let busy = provider("busy", &[Does::Refuse(limited(Some(30))), CHAI]);
    let alone = router(&[&busy]);
    assert_eq!(ask(&alone).await.unwrap_err().retry_after, Some(Duration::from_secs(30)));
    tokio::time::advance(Duration::from_secs(10)).await;
    let refusal = alone.first_available().unwrap_err();
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(20)));
    assert!(matches!(refusal.error, ProviderError::RateLimited { .. }));
    assert_eq!(busy.asked.lock().len(), 1);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(ask(&alone).await.unwrap(), "busy:chai");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_failed_too_often_is_passed_over() {
    let (broken, second) =
        (provider("broken", &[Does::Refuse(ProviderError::Unauthorized)]), provider("second", &[CHAI]));
    let both = router(&[&broken, &second]);
    for _ in 0..20 {
        assert_eq!(ask(&both).await.unwrap(), "second:chai");
    }
    assert_eq!(broken.asked.lock().len(), 5);
    let states: Vec<_> = both.statuses().map(|status| status.breaker).collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
    let alone = router(&[&broken]);
    for _ in 0..6 {
        assert!(matches!(ask(&alone).await.unwrap_err().error, ProviderError::Unauthorized), "the code stays");
    }
    assert_eq!(broken.asked.lock().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_seen_at_its_end_only_is_a_success_like_any_other() {
    let third = [Does::Refuse(ProviderError::Unauthorized), Does::Say("", Then::Finish), Does::Say("", Then::Finish)];
    let shaky = provider("shaky", &third.iter().cycle().take(60).cloned().collect::<Vec<_>>());
    let router = router(&[&shaky]);
    for _ in 0..60 {
        let mut call = router.call(false, |_, _| request(10));
        while let Some(Ok(_)) = call.next().await {}
        call.commit();
    }
    assert_eq!(shaky.asked.lock().len(), 60);
    assert_eq!(router.statuses().next().unwrap().breaker, BreakerState::Closed, "two thirds were well");
}

#[tokio::test(start_paused = true)]
async fn all_attempts_together_end_in_time() {
    let start = Instant::now();
    let (silent, also) = (provider("silent", &[Does::Nothing]), provider("also", &[Does::Nothing]));
    let failure = ask(&router(&[&silent, &also])).await.unwrap_err();
    assert!(matches!(failure.error, ProviderError::Timeout { phase: Phase::Total, .. }), "{failure:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_full_provider_is_passed_over_and_waited_for_only_if_there_is_no_other() {
    let (slow, second) = (provider("slow", &[Does::Nothing, CHAI]), provider("second", &[CHAI]));
    let both = Router::new(vec![one_at_once(&slow), one_at_once(&second)]);
    let mut first = Box::pin(ask(&both));
    assert!(futures::poll!(&mut first).is_pending());
    assert_eq!(ask(&both).await.unwrap(), "second:chai");
    let alone = both.relisted(vec![both.routes[0].listed.clone()]);
    let start = Instant::now();
    let failure = ask(&alone).await.unwrap_err();
    assert!(matches!(failure.error, ProviderError::Timeout { phase: Phase::Queue, .. }), "{failure:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let mut waiting = Box::pin(ask(&alone));
    assert!(futures::poll!(&mut waiting).is_pending());
    let failure = ask(&alone).await.unwrap_err();
    assert!(matches!(failure.error, ProviderError::Overloaded), "the queue is full: {failure:?}");
    drop(first);
    assert_eq!(waiting.await.unwrap(), "slow:chai");
}

#[tokio::test(start_paused = true)]
async fn a_full_provider_that_was_passed_over_is_waited_for_when_the_others_fail() {
    let (slow, broken) = (provider("slow", &[Does::Nothing, CHAI]), provider("broken", &[Does::Refuse(away())]));
    let both = Router::new(vec![one_at_once(&slow), one_at_once(&broken)]);
    let mut first = Box::pin(ask(&both));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = Box::pin(ask(&both));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut second).await.is_err(), "it waits");
    assert_eq!(broken.asked.lock().len(), 2);
    drop(first);
    assert_eq!(second.await.unwrap(), "slow:chai");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_place_longer_than_for_the_answer() {
    let slow = provider("slow", &[Does::Nothing]);
    let patient = Listed { queue: Duration::from_secs(120), ..one_at_once(&slow) };
    let router = Router::new(vec![patient]);
    let mut first = Box::pin(ask(&router));
    assert!(futures::poll!(&mut first).is_pending());
    tokio::time::advance(Duration::from_secs(1)).await;
    let start = Instant::now();
    let mut second = Box::pin(ask(&router));
    assert!(futures::poll!(&mut second).is_pending());
    let failure = second.await.unwrap_err();
    assert!(matches!(failure.error, ProviderError::Timeout { phase: Phase::Queue, .. }), "{failure:?}");
    assert_eq!((start.elapsed(), slow.asked.lock().len()), (Duration::from_secs(30), 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_asked_when_the_time_is_almost_up_is_not_blamed() {
    let slow = provider("slow", &[Does::Nothing]);
    let late = Arc::new(Scripted { total: Some(Duration::from_secs(31)), ..unshared("late", &[Does::Nothing]) });
    let both = router(&[&slow, &late]);
    for _ in 0..5 {
        assert!(ask(&both).await.is_err());
    }
    assert_eq!(late.asked.lock().len(), 5);
    let states: Vec<_> = both.statuses().map(|status| status.breaker).collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
}

#[tokio::test(start_paused = true)]
async fn a_new_list_keeps_what_is_known_of_the_same_provider() {
    let broken = provider("broken", &[Does::Refuse(away())]);
    let old = router(&[&broken]);
    for _ in 0..5 {
        let _ = ask(&old).await;
    }
    let second = provider("second", &[CHAI]);
    let listed = [&second, &broken].map(|provider| Listed::unlimited(Arc::clone(provider) as Arc<dyn Provider>));
    let states: Vec<_> = old.relisted(listed.to_vec()).statuses().map(|status| status.breaker).collect();
    assert_eq!(states, [BreakerState::Closed, BreakerState::Open]);
}

#[tokio::test(start_paused = true)]
async fn a_new_list_that_says_otherwise_how_a_provider_is_used_forgets_nothing_else() {
    let broken = provider("broken", &[Does::Refuse(away()), Does::Nothing]);
    let old = Router::new(vec![one_at_once(&broken)]);
    let prices = Some(Prices { prompt: 1.0, cached: 1.0, completion: 1.0 });
    let dearer = |router: &Router| router.relisted(vec![Listed { prices, ..one_at_once(&broken) }]);
    let mut asked = Box::pin(ask(&old));
    let _ = tokio::time::timeout(Duration::from_secs(1), &mut asked).await;
    assert_eq!(dearer(&old).statuses().next().unwrap().in_flight, 1, "its place is taken");
    drop(asked);
    *broken.script.lock() = VecDeque::from([Does::Refuse(away())]);
    for _ in 0..5 {
        let _ = ask(&old).await;
    }
    assert_eq!(dearer(&old).statuses().next().unwrap().breaker, BreakerState::Open);
}

#[tokio::test]
async fn without_providers_that_can_be_asked_it_says_why() {
    let failure = Router::new(Vec::new()).first_available().unwrap_err();
    assert!(failure.error.to_string().contains("no provider is configured"));
    let absent = crate::AbsentProvider::new("local".parse().unwrap(), "m", "pull it");
    let router = Router::new(vec![Listed::unlimited(Arc::new(absent))]);
    assert!(router.first_available().unwrap_err().error.to_string().contains("local: pull it"));
    assert!(ask(&router).await.unwrap_err().error.to_string().contains("local: pull it"));
}
