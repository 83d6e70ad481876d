//! Readers come and go; the answer does not go with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::Duration;

use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, Upstream, eventually, within_time};
use serde_json::json;

async fn gated(gate: &Gate, at: usize) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| Script::gated(&Answer::about("readers"), request.format(), at, &gate)).await
}

#[tokio::test]
async fn a_reader_gone_and_back_gets_the_rest_without_gap_or_double() {
    for at in [12, 25, 40] {
        let gate = Gate::new();
        let upstream = gated(&gate, at).await;
        let server = Server::start(&upstream).await;
        let mut stream = server.client().deltas("s", "Kya main wapas aa sakta hoon?").await;
        let mut seen = vec![stream.next().await.unwrap()];
        seen.push(stream.until("a delta", |frame| frame.name() == "delta").await);
        let last = seen.last().unwrap().id.clone().unwrap();
        let turn = seen[0].json()["turn_id"].as_str().unwrap().to_owned();
        gate.reached(1).await;
        drop(stream);
        let mut back = server.client().events(&turn, Some(&last)).await;
        gate.open();
        seen.extend(back.rest().await);
        let whole = server.client().events(&turn, None).await.rest().await;
        assert_eq!(seen, whole);
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn a_cursor_by_number_works_while_the_turn_runs() {
    let gate = Gate::new();
    let upstream = gated(&gate, 12).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Aur main?").await;
    let first = stream.next().await.unwrap();
    let delta = stream.until("a delta", |frame| frame.name() == "delta").await;
    let turn = first.json()["turn_id"].as_str().unwrap().to_owned();
    let path = format!("/api/chat/turns/{turn}/events?after={}", delta.number());
    let client = server.fresh_client();
    let (tail, rest) = tokio::join!(client.get(&path), async {
        gate.open();
        stream.rest().await
    });
    assert_eq!(tail.text(), rest.iter().map(|frame| frame.raw.as_str()).collect::<String>());
}

#[tokio::test]
async fn many_readers_of_one_turn_see_the_same() {
    let gate = Gate::new();
    let upstream = gated(&gate, 12).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Sab dekho").await;
    let first = stream.next().await.unwrap();
    let turn = first.json()["turn_id"].as_str().unwrap().to_owned();
    let mut readers = Vec::new();
    for _ in 0..20 {
        readers.push(server.client().events(&turn, None).await);
    }
    gate.open();
    let mut expected = vec![first];
    expected.extend(stream.rest().await);
    for mut reader in readers {
        assert_eq!(reader.rest().await, expected);
    }
}

#[tokio::test]
async fn when_the_last_reader_has_left_for_good_the_upstream_call_ends_and_the_part_is_kept() {
    let gate = Gate::new();
    let upstream = gated(&gate, 45).await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_TURNS__DISCONNECT_GRACE_SECONDS", 0).start().await;
    let mut stream = server.client().deltas("s", "Main ja raha hoon").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    stream.until("a delta", |frame| frame.name() == "delta").await;
    gate.reached(1).await;
    drop(stream);
    upstream.abandoned(1).await;
    let shown = eventually("the turn to end", || async {
        let turn = server.client().turn(&turn).await;
        (!turn.to_string().contains("\"running\"")).then_some(turn)
    })
    .await;
    assert!(shown.to_string().contains("\"incomplete\""), "{shown}");
    assert!(shown.to_string().contains("readers"), "what came is kept: {shown}");
    let history = server.client().history("s").await;
    assert_eq!(history[0]["content"], "Main ja raha hoon");
    assert!(history.iter().all(|message| message["status"] == "incomplete"), "{history:?}");
    assert_eq!(server.client().cache_size().await, 0);
    let replay = server.client().events(&turn, None).await.rest().await;
    assert_eq!(replay.iter().filter(|frame| frame.is_end()).count(), 1);
    assert_eq!(replay.last().unwrap().json()["error"], "incomplete");
}

#[tokio::test]
async fn a_caller_of_send_that_leaves_is_a_reader_that_left() {
    let gate = Gate::new();
    let upstream = gated(&gate, 12).await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_TURNS__DISCONNECT_GRACE_SECONDS", 0).start().await;
    let client = server.fresh_client();
    let body = json!({"content": "Main bhi ja raha hoon", "session_id": "s"});
    tokio::select! {
        reply = client.send(&body) => panic!("the upstream holds the answer, but {reply:?} came"),
        () = gate.reached(1) => {}
    }
    upstream.abandoned(1).await;
}

#[tokio::test]
async fn within_the_grace_time_an_answer_is_finished_without_a_reader() {
    let gate = Gate::new();
    let upstream = gated(&gate, 12).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Chai lene gaya").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    drop(stream);
    gate.open();
    let history = eventually("the turn to end", || async {
        let history = server.client().history("s").await;
        history.last().is_some_and(|message| message["status"] == "completed").then_some(history)
    })
    .await;
    assert_eq!(history.last().unwrap()["content"], Answer::about("readers").output.as_str());
    assert!(server.client().events(&turn, None).await.rest().await.last().unwrap().is_end());
}

#[tokio::test]
async fn an_empty_cursor_or_one_of_another_turn_is_no_reason_to_fail_silently() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    let reply = server.client().ask("s", "Cursor?").await;
    let turn = reply["turn_id"].as_str().unwrap();
    let path = format!("/api/chat/turns/{turn}/events");
    for (header, query) in
        [(Some("nonsense"), ""), (Some("0198c0de-0000-7000-8000-000000000000:1"), ""), (None, "?after=x")]
    {
        let headers = header.map(|id| ("last-event-id", id));
        let reply = server.client().request("GET", &format!("{path}{query}"), headers.as_slice(), []).await;
        // Either it says that the cursor is wrong, or it gives everything: never a part.
        if reply.status == 200 {
            assert!(reply.text().contains("event: turn"), "{}", reply.text());
        } else {
            assert!((400..500).contains(&reply.status), "{}", reply.text());
        }
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_with_comments() {
    let gate = Gate::new();
    let upstream = gated(&gate, 12).await;
    let server = Server::start(&upstream).await;
    let body = json!({"content": "Chup kyon ho?", "session_id": "s"});
    let mut stream = server.client().stream(&body).await;
    // Nothing of the answer is whole yet, and the contract wants a sign of life every 15 seconds at least.
    let comment = within_time(Duration::from_secs(17), "a keep-alive", stream.next_raw()).await.expect("a frame");
    assert!(comment.is_comment(), "{comment:?}");
    assert_eq!(comment.raw.trim_end(), ":", "{comment:?}");
    gate.open();
    assert!(stream.rest().await.last().unwrap().is_end());
}

#[tokio::test]
async fn a_reader_that_takes_nothing_holds_up_nobody() {
    // Far more than the sockets between them can hold.
    let paragraph = "Chai ke saath samjho. ".repeat(4000);
    let paragraph = paragraph.trim_end();
    let answer = Answer::short("a", "b", paragraph);
    let upstream = Upstream::answering(answer).await;
    let server = Server::start(&upstream).await;
    let body = json!({"content": "Bahut lamba jawab", "session_id": "lazy", "deltas": true});
    let lazy = server.client().stream(&body).await;
    let eager = server.client().ask("eager", "Bahut lamba jawab").await;
    assert_eq!(eager["message"]["content"], paragraph);
    let history = eventually("the lazy reader's turn to end", || async {
        let history = server.client().history("lazy").await;
        history.last().is_some_and(|message| message["status"] == "completed").then_some(history)
    })
    .await;
    assert_eq!(history.last().unwrap()["content"], paragraph);
    drop(lazy);
    assert_eq!(upstream.count(), 1);
}
