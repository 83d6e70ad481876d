use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Frame, Recorded, Script, Server, ServerBuilder, UPSTREAM_SECRET, Upstream};
use serde_json::json;

use crate::asking_in_turn;

/// One fault in one phase, and what becomes of a question that meets it.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) fault: Fault,
    pub(crate) becomes: Becomes,
    /// The deadline that is to end the call, if one is.
    pub(crate) deadline: Option<Deadline>,
}

/// What the provider does.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// It replies in this way.
    Replies(fn(&Recorded) -> Script),
    /// It refuses connections.
    Refuses,
    /// It takes connections and leaves their TLS handshakes unanswered.
    LeavesHandshakes,
}

/// What becomes of the question: who is asked how often, and what the caller gets. The status and the code are those
/// of a caller for whom nobody is left.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Becomes {
    /// Asked a second time of the same provider, then of the next.
    TriedAgain(u16, &'static str),
    /// Asked of the next provider at once.
    PassedOn(u16, &'static str),
    /// Not asked again, of nobody: another provider would say the same.
    Refused(u16, &'static str),
    /// A part of an answer, which nobody goes on with.
    Partial(u16, &'static str),
    /// The answer, whole, from the provider that has the fault.
    Whole,
}

/// A deadline that is set to be short.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deadline {
    Connect,
    FirstToken,
    Silence,
    Total,
}

/// How much later than its deadline a call may end, as its caller sees it: while other rows start their servers.
const SLACK: Duration = Duration::from_secs(1);

/// How long everything takes at most that waits for no deadline, those that are not set to be short being far longer.
const AT_ONCE: Duration = Duration::from_secs(5);

impl Deadline {
    pub(crate) fn limit(self) -> Duration {
        Duration::from_millis(if matches!(self, Deadline::Total) { 1500 } else { 400 })
    }

    pub(crate) fn settings(self) -> String {
        let name = match self {
            Deadline::Connect => "connect",
            Deadline::FirstToken => "first_token",
            Deadline::Silence => "silence",
            Deadline::Total => "total",
        };
        format!("[providers.deadlines]\n{name}_seconds = {}\n", self.limit().as_secs_f64())
    }
}

impl Fault {
    pub(crate) async fn upstream(self) -> Upstream {
        match self {
            Fault::Replies(script) => Upstream::start(script).await,
            Fault::Refuses => Upstream::refusing(),
            Fault::LeavesHandshakes => Upstream::without_handshake().await,
        }
    }
}

impl Becomes {
    /// How often the provider with the fault is asked.
    fn calls(self) -> usize {
        if matches!(self, Becomes::TriedAgain(..)) { 2 } else { 1 }
    }

    /// Whether a healthy provider behind it gives the answer.
    pub(crate) fn is_mended_elsewhere(self) -> bool {
        matches!(self, Becomes::TriedAgain(..) | Becomes::PassedOn(..))
    }
}

/// A row without a deadline.
pub(crate) fn row(what: &'static str, script: fn(&Recorded) -> Script, becomes: Becomes) -> Row {
    Row { what, fault: Fault::Replies(script), becomes, deadline: None }
}

impl Row {
    pub(crate) fn ended_by(self, deadline: Deadline) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Plays the row to the end, with the fault alone and with a healthy provider behind it.
    pub(crate) async fn play(&self) {
        self.alone().await;
        self.beside_a_healthy_one().await;
    }

    fn settings(&self, format: &str) -> String {
        format!("step_format = \"{format}\"\n{}", self.deadline.map(Deadline::settings).unwrap_or_default())
    }

    async fn alone(&self) {
        let faulty = self.fault.upstream().await;
        let server = asking_in_turn(&[&faulty], &self.settings("json_schema")).start().await;
        let asked = Instant::now();
        self.expect_stream(&server, self.becomes).await;
        self.expect_in_time(asked);
        self.expect_calls(&faulty).await;
        expect_kept(&server, self.becomes).await;
    }

    async fn beside_a_healthy_one(&self) {
        let faulty = self.fault.upstream().await;
        let answer = Answer::about("healthy");
        let healthy = Upstream::answering(answer.clone()).await;
        let server = ServerBuilder::bare()
            .listed("first", &faulty, &self.settings("tagged"))
            .listed("second", &healthy, "")
            .start()
            .await;
        let asked = Instant::now();
        let mended = self.becomes.is_mended_elsewhere();
        if mended {
            let reply = server.client().ask("s", QUESTION).await;
            assert_eq!((&reply["provider"], &reply["message"]["content"]), (&json!("second"), &json!(answer.output)));
        } else {
            self.expect_reply(&server, self.becomes).await;
        }
        self.expect_in_time(asked);
        self.expect_calls(&faulty).await;
        assert_eq!(healthy.count(), usize::from(mended), "calls of the healthy provider");
        expect_kept(&server, if mended { Becomes::Whole } else { self.becomes }).await;
    }

    async fn expect_stream(&self, server: &Server, becomes: Becomes) {
        let body = json!({"content": QUESTION, "session_id": "s", "deltas": true});
        match becomes {
            Becomes::Whole => {
                let frames = server.client().stream(&body).await.rest().await;
                let end = expect_one_end(&frames).json();
                assert_eq!((&end["step"], &end["content"]), (&json!("output"), &json!(Answer::about("fault").output)));
            }
            Becomes::Partial(_, code) => {
                let frames = server.client().stream(&body).await.rest().await;
                let end = expect_one_end(&frames).json();
                assert_eq!((&end["step"], &end["error"]), (&json!("error"), &json!(code)), "{end}");
                assert!(frames.iter().any(|frame| frame.name() == "delta"), "nothing had come: {frames:#?}");
                assert!(!frames.iter().any(|frame| frame.raw.contains(UPSTREAM_SECRET)), "{frames:#?}");
            }
            Becomes::TriedAgain(status, code) | Becomes::PassedOn(status, code) | Becomes::Refused(status, code) => {
                let reply = server.client().post("/api/chat/stream", &body).await;
                expect_failure(&reply, status, code);
            }
        }
    }

    async fn expect_reply(&self, server: &Server, becomes: Becomes) {
        let reply = server.client().send(&json!({"content": QUESTION, "session_id": "s"})).await;
        match becomes {
            Becomes::Whole => {
                assert_eq!(reply.status, 200, "{}", reply.text());
                let body = reply.json();
                assert_eq!(body["provider"], "first");
                assert_eq!(body["message"]["content"], Answer::about("fault").output.as_str());
            }
            Becomes::Partial(status, code) => {
                expect_failure(&reply, status, code);
                let steps = reply.json()["processing_steps"].clone();
                assert_eq!(steps[0]["content"], Answer::about("fault").analyze.as_str(), "what came is told");
            }
            Becomes::TriedAgain(status, code) | Becomes::PassedOn(status, code) | Becomes::Refused(status, code) => {
                expect_failure(&reply, status, code);
            }
        }
    }

    fn expect_in_time(&self, asked: Instant) {
        let took = asked.elapsed();
        match self.deadline.map(Deadline::limit) {
            Some(limit) => assert!((limit..=limit + SLACK).contains(&took), "{took:?} for a deadline of {limit:?}"),
            None => assert!(took <= AT_ONCE, "{took:?}"),
        }
    }

    async fn expect_calls(&self, faulty: &Upstream) {
        match self.fault {
            Fault::Replies(_) => assert_eq!(faulty.count(), self.becomes.calls(), "calls of the faulty provider"),
            Fault::LeavesHandshakes => assert_eq!(faulty.connections(), self.becomes.calls()),
            // Nobody counts what is refused.
            Fault::Refuses => {}
        }
        if self.deadline.is_some() {
            faulty.abandoned(self.becomes.calls()).await;
        }
    }
}

const QUESTION: &str = "Docker kya hota hai?";

fn expect_failure(reply: &hitesh_tests_api::Reply, status: u16, code: &str) {
    reply.expect_error(status, code);
    assert!(!reply.text().contains(UPSTREAM_SECRET), "{}", reply.text());
    if status == 503 {
        assert!(reply.retry_after() >= 1);
    }
}

fn expect_one_end(frames: &[Frame]) -> &Frame {
    let ends: Vec<_> = frames.iter().filter(|frame| frame.is_end()).collect();
    assert_eq!(ends.len(), 1, "{frames:#?}");
    assert_eq!(ends.first().copied(), frames.last(), "something comes after the end");
    ends[0]
}

/// What is left behind: only whole answers are cached and called complete, and the part that came is kept.
async fn expect_kept(server: &Server, becomes: Becomes) {
    let history = server.client().history("s").await;
    let whole = matches!(becomes, Becomes::Whole);
    assert!(history.iter().all(|message| (message["status"] == "completed") == whole), "{history:?}");
    assert_eq!(server.client().cache_size().await, u64::from(whole));
    if let Becomes::Partial(..) = becomes {
        let kept = history.last().unwrap();
        let (content, whole) = (kept["content"].as_str().unwrap(), Answer::about("fault").output);
        assert!(!content.is_empty() && whole.starts_with(content) && content != whole, "{kept}");
    }
    server.expect_no_secret_in_log(&[]);
}
