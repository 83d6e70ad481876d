use futures::{StreamExt, stream};
use hitesh_tests_api::{Answer, Server, ServerBuilder, Upstream};
use serde_json::json;

use crate::{
    before_a_token, before_the_head,
    row::{Deadline, Row},
};

const TURNS: usize = 1000;
const AT_ONCE: usize = 16;

/// A server whose first provider has one fault for good, and whose second is healthy.
struct Pair {
    what: &'static str,
    server: Server,
    faulty: Upstream,
    _healthy: Upstream,
}

async fn pair(row: Row) -> Pair {
    let faulty = row.fault.upstream().await;
    let healthy = Upstream::answering(Answer::about("healthy")).await;
    // Without a breaker every turn meets the fault.
    let settings = format!("breaker = false\n{}", row.deadline.map(Deadline::settings).unwrap_or_default());
    let server = ServerBuilder::bare().listed("first", &faulty, &settings).listed("second", &healthy, "");
    Pair { what: row.what, server: server.start().await, faulty, _healthy: healthy }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_turns_are_all_answered_when_one_of_two_providers_has_any_fault_before_its_first_token() {
    let rows = before_the_head::rows().into_iter().chain(before_a_token::rows());
    let pairs: Vec<_> =
        stream::iter(rows.filter(|row| row.becomes.is_mended_elsewhere())).map(pair).buffered(6).collect().await;
    let turns = stream::iter(0..TURNS).map(|number| {
        let pair = &pairs[number % pairs.len()];
        async move {
            let body = json!({"content": format!("Sawaal {number}"), "cache": "off"});
            let reply = pair.server.client().send(&body).await;
            let whole = reply.status == 200
                && reply.json()["message"]["content"] == Answer::about("healthy").output.as_str()
                && reply.json()["provider"] == "second";
            (!whole).then(|| format!("{}: {} {}", pair.what, reply.status, reply.text()))
        }
    });
    let failures: Vec<_> = turns.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    let (faults, answered) = (pairs.len(), TURNS - failures.len());
    let calls: usize = pairs.iter().map(|pair| pair.faulty.count()).sum();
    println!("{TURNS} turns, {faults} faults, {answered} answered; the providers at fault were asked {calls} times");
    assert!(failures.is_empty(), "{} turns failed:\n{}", failures.len(), failures.join("\n"));
}
