//! Many sessions, any instance for each request, and instances that die all the time.
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::future::join_all;
use hitesh_redis::testing::RedisCluster;
use hitesh_tests_api::{Answer, Client, Frame, RedisServer, Script, ServerBuilder, Upstream, eventually};
use serde_json::{Value, json};

use crate::{builder, servers::on_cluster};

/// Questions of each session, one after the other.
const QUESTIONS: usize = 3;

/// The addresses of the instances that live; one that died has a new address.
type Instances = Arc<Mutex<[Client; 3]>>;

/// A stream as its reader saw it, on however many instances.
#[derive(Default)]
struct Story {
    turn: String,
    mark: String,
    text: String,
    /// None if it had no end: the reader gave up.
    error: Option<Option<String>>,
    moves: usize,
}

/// Echoes the mark that the question carries, slowly enough to be interrupted.
fn echo(request: &hitesh_tests_api::Recorded) -> Script {
    let question = request.question();
    let start = question.find("mark-").unwrap();
    let mark: String = question[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Script::answer(&Answer::about(&mark), request.format()).dripping(Duration::from_millis(5))
}

fn any(instances: &Instances, dice: &AtomicU64) -> Client {
    let roll = dice.fetch_add(7, Relaxed);
    instances.lock().unwrap()[usize::try_from(roll % 3).unwrap()].with_patience(Duration::from_secs(20))
}

async fn one(instances: &Instances, dice: &AtomicU64, session: usize, number: usize) -> Story {
    let mark = format!("mark-{session}-{number}-");
    let body = json!({
        "content": format!("Batao {mark} kya hai?"), "session_id": format!("s{session}"), "deltas": true,
        "idempotency_key": mark,
    });
    let mut story = Story { mark, ..Story::default() };
    let mut last: Option<String> = None;
    for attempt in 0..60 {
        let client = any(instances, dice);
        let stream = if story.turn.is_empty() {
            client.try_stream(&body).await
        } else {
            story.moves += 1;
            let path = format!("/api/chat/turns/{}/events?after={}", story.turn, number_of(last.as_deref()));
            client.try_events(&path).await
        };
        if let Ok(mut stream) = stream
            && stream.status == 200
        {
            while let Some(frame) = stream.next().await {
                take(&mut story, &frame);
                last = frame.id.clone().or(last);
                if story.error.is_some() {
                    return story;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20 * (attempt + 1))).await;
    }
    story
}

fn number_of(id: Option<&str>) -> &str {
    id.and_then(|id| id.rsplit_once(':')).map_or("0", |(_, number)| number)
}

fn take(story: &mut Story, frame: &Frame) {
    let value = frame.json();
    match frame.name() {
        "turn" => story.turn = value["turn_id"].as_str().unwrap().to_owned(),
        "delta" if value["step"] == "output" => story.text.push_str(value["delta"].as_str().unwrap()),
        "resync" => story.text.clear(),
        _ if value["is_complete"] == true => story.error = Some(value["error"].as_str().map(str::to_owned)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anothers_text_and_every_stream_ends_truthfully_while_instances_die() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::start(echo).await);
    storm(|| builder(&redis, &upstream), 300, 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_a_cluster_whose_shards_have_a_part_of_the_sessions_each() {
    let (cluster, upstream) = (RedisCluster::start(), Upstream::start(echo).await);
    storm(|| on_cluster(&cluster, &upstream, ""), 100, 3).await;
    let has_sessions = |shard: usize| cluster.nodes[shard].ask(&["KEYS", "*:turn:*"]) != "*0\r\n";
    assert!((0..3).all(has_sessions), "not all shards had sessions");
}

/// Asks in `sessions` sessions over three instances, of which one dies every few seconds until there were `most_deaths`, and
/// checks what all were told.
async fn storm(instance: impl Fn() -> ServerBuilder, sessions: usize, most_deaths: usize) {
    let mut servers: Vec<_> = join_all((0..3).map(|_| instance().start())).await;
    let clients = || std::array::from_fn::<_, 3, _>(|at| servers[at].fresh_client());
    let instances: Instances = Arc::new(Mutex::new(clients()));
    let (dice, done) = (AtomicU64::new(1), AtomicBool::new(false));
    let ask_all = async {
        let asking = (0..sessions).map(|session| {
            let (instances, dice) = (&instances, &dice);
            async move {
                // Not all in the same moment: this sleep waits for nothing.
                tokio::time::sleep(Duration::from_millis(50 * session as u64)).await;
                let mut stories = Vec::new();
                for number in 0..QUESTIONS {
                    stories.push(one(instances, dice, session, number).await);
                }
                stories
            }
        });
        let stories: Vec<_> = join_all(asking).await.into_iter().flatten().collect();
        done.store(true, Relaxed);
        stories
    };
    let die = async {
        let mut deaths = 0;
        while deaths < most_deaths && !done.load(Relaxed) {
            // The moments are to be any: this sleep waits for nothing.
            tokio::time::sleep(Duration::from_millis(2500)).await;
            let dying = servers.remove(0);
            dying.kill_now();
            servers.push(dying.ended().await.1.start().await);
            *instances.lock().unwrap() = std::array::from_fn(|at| servers[at].fresh_client());
            deaths += 1;
        }
        deaths
    };
    let (stories, deaths) = tokio::join!(ask_all, die);
    let moved = stories.iter().filter(|story| story.moves > 0).count();
    let whole = stories.iter().filter(|story| story.error == Some(None)).count();
    let moved_whole = stories.iter().filter(|story| story.moves > 0 && story.error == Some(None)).count();
    eprintln!(
        "{} turns over {deaths} deaths: {whole} whole; {moved} streams moved to another instance, {moved_whole} of them whole",
        stories.len()
    );
    assert!(deaths >= 3 && moved >= 5, "too little happened to prove anything: {deaths} deaths, {moved} moved");
    let mut errors: HashMap<&str, usize> = HashMap::new();
    for story in &stories {
        let error = story.error.as_ref().unwrap_or_else(|| panic!("{} had no end", story.mark));
        if let Some(error) = error {
            *errors.entry(error.as_str()).or_default() += 1;
        }
    }
    eprintln!("the others were told {errors:?}");
    let client = servers[0].client();
    for session in 0..sessions {
        let history = eventually("the ends of all turns", || async {
            let history = client.history(&format!("s{session}")).await;
            history.iter().all(|message| message["status"] != "running").then_some(history)
        })
        .await;
        let mine = format!("mark-{session}-");
        for message in &history {
            let content = message["content"].as_str().unwrap();
            // One that was cut may end in the middle of a mark.
            let is_mine = |rest: &str| rest.starts_with(&mine) || mine.starts_with(rest);
            assert!(content.match_indices("mark-").all(|(at, _)| is_mine(&content[at..])), "{content}");
        }
        for number in 0..QUESTIONS {
            let story = &stories[session * QUESTIONS + number];
            let of_mark = |role: &str, status: &str| {
                let fits = |message: &&Value| {
                    message["type"] == role
                        && message["content"].as_str().unwrap().contains(&story.mark)
                        && (status.is_empty() || message["status"] == status)
                };
                history.iter().filter(fits).count()
            };
            assert!(of_mark("user", "") >= 1 && of_mark("ai", "completed") <= 1, "{}", story.mark);
            // One that has no output has no message.
            let answer = history.iter().find(|message| message["type"] == "ai" && message["turn_id"] == *story.turn);
            let kept = answer.map_or("", |answer| answer["content"].as_str().unwrap());
            if story.error == Some(None) {
                assert_eq!(answer.expect("it was told")["status"], "completed", "{}", story.mark);
                assert_eq!(kept, story.text, "{}", story.mark);
            } else {
                assert!(kept.starts_with(&story.text), "seen {:?}, kept {kept:?}", story.text);
            }
        }
    }
}
