//! Measures the local model on this machine, without HTTP: how soon it speaks, how fast, and how much faster several
//! answers are made together than one after another.
//!
//! `cargo run --release -p hitesh-llm --features local --example bench -- MODEL.gguf [THREADS]`

#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::{
    error::Error,
    fs,
    num::NonZeroUsize,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::StreamExt;
use hitesh_domain::{Message, Role, Scaffold, StepFormat};
use hitesh_llm::{
    CompletionRequest, Provider, ProviderEvent,
    local::{LocalProvider, LocalSettings},
};

/// About as long as a persona's prefix.
const RULES: &str = "You are a kind mentor who explains everything with a cup of chai and a small story. ";

const QUESTIONS: [&str; 8] = [
    "What is an API?",
    "How does a hash map work?",
    "What is a deadlock?",
    "Why are indexes fast?",
    "What is recursion?",
    "What does a load balancer do?",
    "How does garbage collection work?",
    "What is a race condition?",
];

const NOTE: &str = "<notes>\nVM mein hypervisor par poora guest OS aur apna kernel: bhaari, boot dheema, alagav mazboot. \
    Container host ka kernel share karta hai: halka, jaldi start, namespaces aur cgroups se alag. App pack karne ko \
    Docker; alag OS ya kada isolation toh VM.\n</notes>\n";

struct Measured {
    first: Duration,
    deltas: usize,
    writing: Duration,
    /// Between two pieces of the model's, one by one.
    gaps: Vec<Duration>,
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("which model file?")?);
    let threads = arguments.next().map(|threads| threads.parse::<NonZeroUsize>()).transpose()?;
    let settings = LocalSettings { threads, ..LocalSettings::default() };
    let prefix = prefix();

    let since = Instant::now();
    let provider = LocalProvider::start(&path, settings, "bench".parse()?)?;
    provider.probe().await?;
    println!("loaded        {:8.2} s", since.elapsed().as_secs_f64());
    provider.warm_up(&prefix).await?;
    println!("warm          {:8.2} s after the start", since.elapsed().as_secs_f64());

    let mut alone = Vec::new();
    for question in QUESTIONS {
        alone.push(answer(&provider, request(question, &[])).await?);
    }
    report("alone", &alone);
    let with_note = format!("{NOTE}Docker vs VM?");
    let noted = [answer(&provider, request(&with_note, &[])).await?];
    report("with a note", &noted);
    let past = [with_note, noted.iter().map(|one| one.text.clone()).collect()];
    let second = format!("{}And what about Podman?", NOTE.replace("VM", "Podman"));
    report("second turn", &[answer(&provider, request(&second, &past)).await?]);

    let since = Instant::now();
    let four = QUESTIONS.iter().take(4).map(|question| answer(&provider, request(&format!("{question} Why?"), &[])));
    let together = futures::future::try_join_all(four).await?;
    let whole = since.elapsed();
    let rate =
        |of: &[Measured], time: Duration| of.iter().map(|one| one.deltas).sum::<usize>() as f64 / time.as_secs_f64();
    let one = rate(&alone, alone.iter().map(|one| one.writing).sum());
    let whole_rate = rate(&together, whole);
    println!("four together {:8.1} pieces/s over all of {:.1} s", whole_rate, whole.as_secs_f64());
    let writing = 4.0 / median(&together);
    println!("              {writing:8.1} tokens/s while all four write");
    println!("  ratio to one {:7.2}, prompts and tags and all {:.2}", writing * median(&alone), whole_rate / one);
    if let Some(peak) = fs::read_to_string("/proc/self/status")?.lines().find(|line| line.starts_with("VmHWM")) {
        println!("{peak}");
    }
    Ok(())
}

fn prefix() -> Vec<Message> {
    vec![
        Message::new(Role::System, RULES.repeat(40)),
        Message::new(Role::User, "What is a variable?"),
        Message::new(
            Role::Assistant,
            "<analyze>A word.</analyze><think>Like a cup.</think><output>A name for a value.</output>",
        ),
    ]
}

fn request(question: &str, past: &[String]) -> CompletionRequest {
    let mut messages = prefix();
    let stable = messages.len();
    for (index, text) in past.iter().enumerate() {
        messages.push(Message::new(if index % 2 == 0 { Role::User } else { Role::Assistant }, text.clone()));
    }
    messages.push(Message::new(Role::User, question));
    CompletionRequest { messages, stable, step_format: StepFormat::Tagged, scaffold: Scaffold::default() }
}

async fn answer(provider: &LocalProvider, request: CompletionRequest) -> Result<Measured, Box<dyn Error>> {
    let since = Instant::now();
    let mut stream = provider.stream(request).await?;
    let mut measured =
        Measured { first: Duration::ZERO, deltas: 0, writing: Duration::ZERO, gaps: Vec::new(), text: String::new() };
    let mut last = since;
    while let Some(event) = stream.next().await {
        if let ProviderEvent::Delta(text) = event? {
            // The first piece is the tag that the server writes; the second is the model's.
            if measured.deltas == 1 {
                measured.first = since.elapsed();
            }
            if measured.deltas > 1 {
                measured.gaps.push(last.elapsed());
            }
            measured.deltas += 1;
            measured.text.push_str(&text);
            last = Instant::now();
        }
    }
    measured.writing = last.saturating_duration_since(since + measured.first);
    Ok(measured)
}

fn report(what: &str, all: &[Measured]) {
    let count = all.len().max(1) as f64;
    let first = all.iter().map(|one| one.first.as_secs_f64()).sum::<f64>() / count;
    let most = all.iter().map(|one| one.first.as_secs_f64()).fold(0.0, f64::max);
    let pieces: usize = all.iter().map(|one| one.deltas).sum();
    let writing: f64 = all.iter().map(|one| one.writing.as_secs_f64()).sum();
    println!(
        "{what:13} first word of the model's after {first:.2} s (at most {most:.2}); {:.1} tokens/s, tags and all {:.1}",
        1.0 / median(all),
        pieces as f64 / writing
    );
}

/// Seconds for one token: the middle one of all gaps between two pieces, most of which are one token.
fn median(all: &[Measured]) -> f64 {
    let mut gaps: Vec<f64> = all.iter().flat_map(|one| &one.gaps).map(Duration::as_secs_f64).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(f64::NAN)
}
