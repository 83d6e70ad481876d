//! Puts a list of questions to a running server and writes down what it answers, how fast, and for how many tokens.
//! See the README beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program for whoever measures: a panic is how it reports"
)]

use std::{
    fmt::Write,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use hitesh_tests_api::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinSet};

/// How long one answer may take, with those before it in the queue.
const PATIENCE: Duration = Duration::from_secs(900);

#[derive(Deserialize)]
struct File {
    questions: Vec<Question>,
}

#[derive(Clone, Deserialize)]
struct Question {
    kind: String,
    /// Asked before it, in the same session.
    after: Option<String>,
    ask: String,
}

#[derive(Default)]
struct Answer {
    steps: Vec<(String, String)>,
    end: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Seconds until the first piece, the second one (the first may be the server's own opening), and the end.
    shown: f64,
    first: f64,
    total: f64,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, questions, out, rest @ ..] = arguments.as_slice() else {
        panic!("evaluate SERVER QUESTIONS.toml ANSWERS.md [AT-ONCE [PERSONA]]");
    };
    let at_once: usize = rest.first().map_or(1, |number| number.parse().expect("AT-ONCE is a number"));
    let file: File = toml::from_str(&fs::read_to_string(questions).unwrap()).unwrap();
    let client = Client::new(server).with_patience(PATIENCE);
    let places = Arc::new(Semaphore::new(at_once));
    let began = Instant::now();
    let mut asked = JoinSet::new();
    for (number, question) in file.questions.iter().cloned().enumerate() {
        // In their order, so that one at a time is the same run each time.
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let (client, persona) = (client.clone(), rest.get(1).cloned());
        asked.spawn(async move {
            let session = format!("evaluate-{}-{number}", std::process::id());
            if let Some(before) = &question.after {
                ask(&client, &session, before, persona.as_deref()).await;
            }
            let answer = ask(&client, &session, &question.ask, persona.as_deref()).await;
            drop(place);
            (number, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    let took = began.elapsed().as_secs_f64();
    let pairs: Vec<_> = file.questions.iter().zip(answers.into_iter().map(|(_, answer)| answer)).collect();
    fs::write(out, written(&pairs)).unwrap();
    summary(&pairs, took);
}

/// One question, without the cache.
async fn ask(client: &Client, session: &str, content: &str, persona: Option<&str>) -> Answer {
    let mut body = json!({"content": content, "session_id": session, "deltas": true, "cache": "off"});
    if let Some(persona) = persona {
        body["persona"] = json!(persona);
    }
    let since = Instant::now();
    let mut stream = client.stream(&body).await;
    let mut answer = Answer::default();
    let mut pieces = 0;
    while let Some(frame) = stream.next().await {
        let Some(data) = frame.data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok()) else {
            continue;
        };
        let now = since.elapsed().as_secs_f64();
        match frame.event.as_deref() {
            Some("delta") => {
                pieces += 1;
                match pieces {
                    1 => answer.shown = now,
                    2 => answer.first = now,
                    _ => {}
                }
                let (step, delta) = (data["step"].as_str().unwrap(), data["delta"].as_str().unwrap());
                match answer.steps.last_mut() {
                    Some((last, text)) if last == step => text.push_str(delta),
                    _ => answer.steps.push((step.to_owned(), delta.to_owned())),
                }
            }
            Some("usage") => {
                answer.prompt_tokens = data["prompt_tokens"].as_u64().unwrap_or(0);
                answer.completion_tokens = data["completion_tokens"].as_u64().unwrap_or(0);
            }
            None if data["is_complete"] == true => answer.end = data["step"].as_str().unwrap_or("?").to_owned(),
            _ => {}
        }
    }
    answer.total = since.elapsed().as_secs_f64();
    answer
}

fn written(pairs: &[(&Question, Answer)]) -> String {
    let mut text = String::new();
    for (number, (question, answer)) in pairs.iter().enumerate() {
        let after = question.after.as_ref().map(|after| format!(" (after: {after})")).unwrap_or_default();
        let _ = write!(text, "## {}. [{}] {}{after}\n\n", number + 1, question.kind, question.ask);
        for (step, said) in &answer.steps {
            let _ = write!(text, "**{step}**: {said}\n\n");
        }
        if !answer.steps.iter().any(|(step, _)| step == "output") {
            let _ = write!(text, "(no output: {})\n\n", answer.end);
        }
    }
    text
}

/// A name and how it is read off an answer.
type Figure = (&'static str, fn(&Answer) -> f64);

fn summary(pairs: &[(&Question, Answer)], took: f64) {
    let count = pairs.len() as f64;
    let mean = |of: fn(&Answer) -> f64| pairs.iter().map(|(_, answer)| of(answer)).sum::<f64>() / count;
    let most = |of: fn(&Answer) -> f64| pairs.iter().map(|(_, answer)| of(answer)).fold(0.0, f64::max);
    println!("{} questions in {took:.0} s", pairs.len());
    let figures: [Figure; 5] = [
        ("prompt tokens", |answer| answer.prompt_tokens as f64),
        ("answer tokens", |answer| answer.completion_tokens as f64),
        ("s to the first piece", |answer| answer.shown),
        ("s to the second piece", |answer| answer.first),
        ("s to the end", |answer| answer.total),
    ];
    for (name, of) in figures {
        println!("  {name:22} mean {:8.2}  max {:8.2}", mean(of), most(of));
    }
    for (question, answer) in pairs {
        println!(
            "  {:9} {:5.2} {:5.2} {:6.2} s  {:4} + {:3} tokens  {}  {}",
            question.kind,
            answer.shown,
            answer.first,
            answer.total,
            answer.prompt_tokens,
            answer.completion_tokens,
            answer.end.chars().take(30).collect::<String>(),
            question.ask
        );
    }
}
