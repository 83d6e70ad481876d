use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use hitesh_domain::{Message, ProviderId, Status, StepFormat};
use tokio::time::{Instant, timeout_at};

use crate::{
    CompletionRequest, DeltaStream, Phase, PromptSize, Provider, ProviderError, ProviderEvent, ProviderState, Sampling,
};

/// How long each phase of a call may take. Connecting has its deadline in the provider, which alone knows when it
/// connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineSettings {
    /// Waiting in the provider's queue or for its model to load, as its statuses tell.
    pub queue: Duration,
    /// From the call on to the first piece of the answer or of the reasoning, without the time in the queue.
    pub first_token: Duration,
    /// Between two events after the first token.
    pub silence: Duration,
    /// The whole call.
    pub total: Duration,
}

impl DeadlineSettings {
    /// For a server: 5 s in a queue, 15 s to the first token, 20 s of silence, 30 s in all.
    pub const REMOTE: Self = Self {
        queue: Duration::from_secs(5),
        first_token: Duration::from_secs(15),
        silence: Duration::from_secs(20),
        total: Duration::from_secs(30),
    };

    /// For a model in this process: 120 s in its queue, 60 s to the first token, 20 s of silence, 300 s in all.
    pub const LOCAL: Self = Self {
        queue: Duration::from_secs(120),
        first_token: Duration::from_secs(60),
        silence: Duration::from_secs(20),
        total: Duration::from_secs(300),
    };
}

/// A provider whose calls end in time: with a [`ProviderError::Timeout`] that names the phase, upon which the work
/// of the provider inside is dropped. After the answer's orderly end a deadline only ends the stream.
#[derive(Debug)]
pub struct Deadlines {
    inner: Arc<dyn Provider>,
    settings: DeadlineSettings,
}

impl Deadlines {
    /// Holds `inner` to `settings`.
    pub fn new(inner: Arc<dyn Provider>, settings: DeadlineSettings) -> Self {
        Self { inner, settings }
    }
}

// Methods with a default are passed on as well: a decorator that forgot one would change the provider.
#[async_trait]
impl Provider for Deadlines {
    fn id(&self) -> &ProviderId {
        self.inner.id()
    }

    fn model(&self) -> &str {
        self.inner.model()
    }

    fn waiting(&self) -> usize {
        self.inner.waiting()
    }

    fn step_format(&self) -> StepFormat {
        self.inner.step_format()
    }

    fn prompt_size(&self) -> PromptSize {
        self.inner.prompt_size()
    }

    fn prompt_window(&self) -> Option<usize> {
        self.inner.prompt_window()
    }

    fn total_deadline(&self) -> Option<Duration> {
        Some(self.settings.total)
    }

    fn sampling(&self) -> &Sampling {
        self.inner.sampling()
    }

    fn state(&self) -> ProviderState {
        self.inner.state()
    }

    async fn warm_up(&self, prefix: &[Message]) -> Result<(), ProviderError> {
        self.inner.warm_up(prefix).await
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.inner.probe().await
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        let clock = Clock::start(self.settings);
        let (at, timeout) = clock.deadline();
        let inner = timeout_at(at, self.inner.stream(request)).await.map_err(|_| timeout)??;
        let timed = Timed { inner: Some(inner), clock };
        Ok(stream::unfold(timed, |mut timed| async move { Some((timed.next().await?, timed)) }).fuse().boxed())
    }
}

struct Timed {
    inner: Option<DeltaStream>,
    clock: Clock,
}

impl Timed {
    async fn next(&mut self) -> Option<Result<ProviderEvent, ProviderError>> {
        let inner = self.inner.as_mut()?;
        // `timeout_at` asks the stream first, so one that always has something would never be late.
        let event = match self.clock.overtime() {
            Some(timeout) => Err(timeout),
            None => {
                let (at, timeout) = self.clock.deadline();
                timeout_at(at, inner.next()).await.map_err(|_| timeout)
            }
        };
        match event {
            Ok(Some(Ok(event))) => {
                self.clock.hear(&event);
                Some(Ok(event))
            }
            Ok(Some(Err(error))) => {
                self.inner = None;
                Some(Err(error))
            }
            Ok(None) => {
                self.inner = None;
                None
            }
            Err(timeout) => {
                self.inner = None;
                // The answer is whole; only its usage did not come.
                if self.clock.waits_for == Wait::Nothing { None } else { Some(Err(timeout)) }
            }
        }
    }
}

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Queue,
    FirstToken,
    NextToken,
    /// The answer has ended.
    Nothing,
}

#[derive(Debug)]
struct Clock {
    settings: DeadlineSettings,
    total_at: Instant,
    waits_for: Wait,
    /// Since when it waits for that.
    since: Instant,
    /// What was spent of the first token's time before the queue.
    first_token_spent: Duration,
    /// What was spent of the queue's time before.
    queue_spent: Duration,
}

impl Clock {
    fn start(settings: DeadlineSettings) -> Self {
        let now = Instant::now();
        Self {
            settings,
            total_at: after(now, settings.total),
            waits_for: Wait::FirstToken,
            since: now,
            first_token_spent: Duration::ZERO,
            queue_spent: Duration::ZERO,
        }
    }

    /// The error of a call whose time is up, whatever it waits for.
    fn overtime(&self) -> Option<ProviderError> {
        let timeout = ProviderError::Timeout { phase: Phase::Total, limit: self.settings.total };
        (Instant::now() >= self.total_at).then_some(timeout)
    }

    /// When the present wait ends, and the error that it ends with.
    fn deadline(&self) -> (Instant, ProviderError) {
        let DeadlineSettings { queue, first_token, silence, total } = self.settings;
        let (phase, limit, spent) = match self.waits_for {
            Wait::Queue => (Phase::Queue, queue, self.queue_spent),
            Wait::FirstToken => (Phase::FirstToken, first_token, self.first_token_spent),
            Wait::NextToken | Wait::Nothing => (Phase::Silence, silence, Duration::ZERO),
        };
        let at = after(self.since, limit.saturating_sub(spent));
        if at < self.total_at {
            (at, ProviderError::Timeout { phase, limit })
        } else {
            (self.total_at, ProviderError::Timeout { phase: Phase::Total, limit: total })
        }
    }

    fn hear(&mut self, event: &ProviderEvent) {
        let next = match event {
            _ if self.waits_for == Wait::Nothing => Wait::Nothing,
            ProviderEvent::Status(Status::Working | Status::Retrying { .. }) => Wait::FirstToken,
            ProviderEvent::Status(Status::Queued { .. } | Status::Loading) => Wait::Queue,
            ProviderEvent::Status(Status::Reasoning) => Wait::NextToken,
            ProviderEvent::Delta(_) | ProviderEvent::Reasoning(_) => Wait::NextToken,
            ProviderEvent::Usage(_) => self.waits_for,
            ProviderEvent::Finish(_) => Wait::Nothing,
        };
        let now = Instant::now();
        let spent = now - self.since;
        match self.waits_for {
            Wait::Queue => self.queue_spent += spent,
            Wait::FirstToken => self.first_token_spent += spent,
            Wait::NextToken | Wait::Nothing => {}
        }
        self.waits_for = next;
        self.since = now;
    }
}

/// A deadline that was set to be no deadline must not overflow the clock.
fn after(start: Instant, wait: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start + wait.min(YEARS)
}

#[cfg(test)]
mod tests {
    use hitesh_domain::Usage;
    use tokio::sync::mpsc;

    use super::*;
    use crate::FinishReason;

    type Script = Vec<(u64, Result<ProviderEvent, ProviderError>)>;

    /// Accepts after `accepts_after` seconds; then plays its events, each after so many seconds more; then is
    /// silent, unless `ends`. Tells when its stream is dropped.
    #[derive(Debug)]
    struct Scripted {
        id: ProviderId,
        sampling: Sampling,
        accepts_after: u64,
        script: Script,
        ends: bool,
        dropped: mpsc::UnboundedSender<()>,
    }

    struct Guard(mpsc::UnboundedSender<()>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    async fn seconds(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
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
        fn prompt_size(&self) -> PromptSize {
            PromptSize::Compact
        }
        fn prompt_window(&self) -> Option<usize> {
            Some(7)
        }
        fn sampling(&self) -> &Sampling {
            &self.sampling
        }
        fn state(&self) -> ProviderState {
            ProviderState::Loading
        }
        async fn warm_up(&self, _: &[Message]) -> Result<(), ProviderError> {
            Err(ProviderError::Overloaded)
        }
        async fn probe(&self) -> Result<(), ProviderError> {
            Err(ProviderError::Unauthorized)
        }
        async fn stream(&self, _: CompletionRequest) -> Result<DeltaStream, ProviderError> {
            let guard = Guard(self.dropped.clone());
            seconds(self.accepts_after).await;
            let (script, ends) = (self.script.clone(), self.ends);
            let played = stream::iter(script).then(|(after, event)| async move {
                seconds(after).await;
                event
            });
            let silence = if ends { stream::empty().boxed() } else { stream::pending().boxed() };
            let guarded = played.chain(silence).map(move |event| {
                let _ = &guard;
                event
            });
            Ok(guarded.boxed())
        }
    }

    type Row = (&'static str, DeadlineSettings, u64, Script, (String, u64));

    fn scripted(accepts_after: u64, script: Script, ends: bool) -> (Arc<Scripted>, mpsc::UnboundedReceiver<()>) {
        let (dropped, drops) = mpsc::unbounded_channel();
        let id = ProviderId::try_from("scripted").unwrap();
        (Arc::new(Scripted { id, sampling: Sampling::default(), accepts_after, script, ends, dropped }), drops)
    }

    fn request() -> CompletionRequest {
        CompletionRequest {
            messages: Vec::new(),
            stable: 0,
            step_format: StepFormat::Tagged,
            scaffold: hitesh_domain::Scaffold::default(),
        }
    }

    /// How the call ended and after how many seconds; its upstream work is dropped by then.
    async fn ended(settings: DeadlineSettings, accepts_after: u64, script: Script, ends: bool) -> (String, u64) {
        let start = Instant::now();
        let (inner, mut drops) = scripted(accepts_after, script, ends);
        let timed = Deadlines::new(inner, settings);
        let end = match timed.stream(request()).await {
            Err(error) => error.to_string(),
            Ok(mut stream) => loop {
                match stream.next().await {
                    None => {
                        assert!(stream.next().await.is_none());
                        break "end".to_owned();
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        assert!(drops.try_recv().is_ok(), "dropped while its reader still holds the stream");
                        assert!(stream.next().await.is_none());
                        break error.to_string();
                    }
                }
            },
        };
        (end, start.elapsed().as_secs())
    }

    fn delta() -> Result<ProviderEvent, ProviderError> {
        Ok(ProviderEvent::Delta("x".into()))
    }

    fn working() -> Result<ProviderEvent, ProviderError> {
        Ok(ProviderEvent::Status(Status::Working))
    }

    fn queued(position: u32) -> Result<ProviderEvent, ProviderError> {
        Ok(ProviderEvent::Status(Status::Queued { position, wait_seconds: None }))
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_deadline() {
        let remote = DeadlineSettings::REMOTE;
        let local = DeadlineSettings::LOCAL;
        let reasoning = Ok(ProviderEvent::Reasoning("hm".into()));
        let loading = Ok(ProviderEvent::Status(Status::Loading));
        let finish = Ok(ProviderEvent::Finish(FinishReason::Stop));
        let usage = Ok(ProviderEvent::Usage(Usage::default()));
        let dripping: Script = (0..40).map(|_| (1, delta())).collect();
        let first = "no first token within";
        let rows: Vec<Row> = vec![
            ("never accepted", remote, 99, vec![], (format!("{first} 15s"), 15)),
            ("accepted, then silent", remote, 10, vec![], (format!("{first} 15s"), 15)),
            ("usage is no token", remote, 0, vec![(9, usage.clone())], (format!("{first} 15s"), 15)),
            ("silent after a token", remote, 2, vec![(1, delta())], ("no further token within 20s".into(), 23)),
            ("silent after reasoning", remote, 0, vec![(1, reasoning)], ("no further token within 20s".into(), 21)),
            ("dripping", remote, 0, dripping, ("no end of the answer within 30s".into(), 30)),
            ("silent in the queue", local, 0, vec![(0, queued(2))], ("no place in the queue within 120s".into(), 120)),
            (
                "the queue's statuses do not prolong it",
                local,
                0,
                vec![(0, queued(3)), (50, queued(2)), (50, queued(1)), (50, delta())],
                ("no place in the queue within 120s".into(), 120),
            ),
            (
                "the queue's time is not the first token's",
                local,
                0,
                vec![(5, queued(1)), (100, working())],
                (format!("{first} 60s"), 5 + 100 + 55),
            ),
            ("loading", local, 0, vec![(0, loading), (110, delta())], ("no further token within 20s".into(), 130)),
            ("no usage after the end", remote, 0, vec![(1, delta()), (1, finish.clone())], ("end".into(), 22)),
            (
                "too late in all",
                local,
                0,
                vec![(0, queued(1)), (119, working()), (59, delta())],
                ("no further token within 20s".into(), 198),
            ),
        ];
        for (name, settings, accepts_after, script, expected) in rows {
            assert_eq!(ended(settings, accepts_after, script, false).await, expected, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_time_passes_unchanged() {
        let script: Script = vec![
            (1, queued(1)),
            (3, delta()),
            (19, delta()),
            (1, Ok(ProviderEvent::Finish(FinishReason::Stop))),
            (1, Ok(ProviderEvent::Usage(Usage::default()))),
        ];
        let (inner, _drops) = scripted(1, script.clone(), true);
        let stream = Deadlines::new(inner, DeadlineSettings::REMOTE).stream(request()).await.unwrap();
        let events: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(events, script.into_iter().map(|(_, event)| event.unwrap()).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_passed_on_and_is_the_end() {
        let script = vec![(1, Err(ProviderError::Overloaded)), (1, delta())];
        assert_eq!(ended(DeadlineSettings::REMOTE, 0, script, true).await, (ProviderError::Overloaded.to_string(), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_always_has_something_ends_in_time() {
        let (inner, _drops) = scripted(0, (0..100).map(|_| (0, delta())).collect(), true);
        let mut stream = Deadlines::new(inner, DeadlineSettings::REMOTE).stream(request()).await.unwrap();
        stream.next().await.unwrap().unwrap();
        seconds(30).await;
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, ProviderError::Timeout { phase: Phase::Total, .. }), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_was_slow_still_gets_what_was_ready() {
        let (inner, _drops) = scripted(0, vec![(0, delta()), (0, delta())], true);
        let mut stream = Deadlines::new(inner, DeadlineSettings::REMOTE).stream(request()).await.unwrap();
        stream.next().await.unwrap().unwrap();
        seconds(25).await;
        assert!(stream.next().await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_deadline_at_all_is_one_that_can_be_set() {
        let never = Duration::MAX;
        let settings = DeadlineSettings { queue: never, first_token: never, silence: never, total: never };
        assert_eq!(ended(settings, 9_999, vec![(9_999, delta())], true).await, ("end".to_owned(), 19_998));
    }

    #[tokio::test]
    async fn everything_else_is_the_provider_inside() {
        let (inner, _drops) = scripted(0, Vec::new(), true);
        let timed = Deadlines::new(inner, DeadlineSettings::LOCAL);
        assert_eq!((timed.id().as_str(), timed.model()), ("scripted", "scripted"));
        assert_eq!((timed.prompt_size(), timed.prompt_window()), (PromptSize::Compact, Some(7)));
        assert_eq!((timed.step_format(), timed.state()), (StepFormat::Tagged, ProviderState::Loading));
        assert_eq!(timed.sampling(), &Sampling::default());
        assert!(matches!(timed.probe().await, Err(ProviderError::Unauthorized)));
        assert!(matches!(timed.warm_up(&[]).await, Err(ProviderError::Overloaded)));
    }
}
