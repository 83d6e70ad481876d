//! How long loading, retrieval and prompt building take with about 200 notes.
//!
//! `cargo run --release -p hitesh-persona --example measure`

#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::{error::Error, fs, hint::black_box, path::Path, time::Instant};

use hitesh_domain::{Step, StepFormat};
use hitesh_persona::{Persona, PromptOptions, PromptSize, StepParser, language_of, render_steps};

const QUESTIONS: [&str; 6] = [
    "Sir mujhe backend development kaise start karna hai?",
    "dcoker mein mongdb kaise chalau bhaiya",
    "aaj mausam kaisa hai",
    "मुझे डॉकर सीखना है",
    "What is the difference between a container and a virtual machine, and when should I use each of them?",
    "LangGraph kya hota hai?",
];

const ROUNDS: u32 = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let files = pack(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packs/hitesh")))?;
    let notes = files.iter().filter(|(path, _)| path.starts_with("notes/")).count();
    let start = Instant::now();
    let persona = Persona::from_files(files)?;
    println!("load with {notes} notes: {:?}", start.elapsed());

    for question in QUESTIONS {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(persona.select_notes(black_box(question), None, PromptSize::Full));
        }
        println!("select_notes: {:?}  {question}", start.elapsed() / ROUNDS);
    }
    let longest: String = QUESTIONS.join(" ").chars().cycle().take(2000).collect();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(persona.select_notes(black_box(&longest), None, PromptSize::Full));
    }
    println!("select_notes: {:?}  (2000 characters)", start.elapsed() / ROUNDS);
    let word = "x".repeat(2000);
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(persona.select_notes(black_box(&word), None, PromptSize::Full));
    }
    println!("select_notes: {:?}  (one word of 2000 characters)", start.elapsed() / ROUNDS);

    let answer = "Haanji! Simple si baat hai, container ek tiffin hai: khaana saath chalta hai. ".repeat(12);
    for (name, text) in [("question", QUESTIONS[4]), ("answer of 150 words", &answer)] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(language_of(black_box(text)));
        }
        println!("language_of: {:?}  ({name})", start.elapsed() / ROUNDS);
    }

    let think = "Socho tapri par aadhi bani chai ko side burner par rakh diya, pehle dusra order nikala. ".repeat(3);
    let steps = [(Step::Analyze, QUESTIONS[0]), (Step::Think, &think), (Step::Output, &answer)];
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(persona.fidelity(black_box(QUESTIONS[0]), steps));
    }
    println!("fidelity: {:?}  (an answer of 210 words)", start.elapsed() / ROUNDS);

    let options = PromptOptions::new(StepFormat::Tagged, PromptSize::Full);
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(persona.prompt(black_box("docker kya hai"), &[], &options));
    }
    println!("prompt: {:?}", start.elapsed() / ROUNDS);

    let text = "Haanji, chalo \"chai\" pakdo 🍵\n".repeat(100);
    for format in [StepFormat::Tagged, StepFormat::JsonSchema] {
        let answer = render_steps(format, Step::ALL.map(|step| (step, text.as_str())));
        let start = Instant::now();
        for _ in 0..ROUNDS / 10 {
            let mut parser = StepParser::new(format);
            let mut rest = answer.as_str();
            while let Some((at, _)) = rest.char_indices().nth(4) {
                let (piece, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
                black_box(parser.push(piece));
                rest = after;
            }
            black_box(parser.push(rest));
            black_box(parser.finish(true));
        }
        println!(
            "parse {} bytes as {format:?}, 4 characters at a time: {:?}",
            answer.len(),
            start.elapsed() / (ROUNDS / 10)
        );
    }
    Ok(())
}

/// The pack in `folder`, its notes twice: the copies have other words.
fn pack(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut files = Vec::new();
    for name in ["persona.toml", "examples.toml"] {
        files.push((name.to_owned(), fs::read_to_string(folder.join(name))?));
    }
    for entry in fs::read_dir(folder.join("notes"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path())?;
        for copy in 0..2u8 {
            files.push((format!("notes/copy{copy}-{name}"), shifted(&text, copy)));
        }
    }
    Ok(files)
}

/// Every letter so many places on; keys and escapes of the front matter stay.
fn shifted(text: &str, places: u8) -> String {
    let shift = |c: char| match c {
        'a'..='z' => char::from(b'a' + (c as u8 - b'a' + places) % 26),
        other => other,
    };
    let line = |line: &str| match line.split_once(" = ") {
        Some((key @ ("title" | "keywords" | "everyday" | "gist"), value)) => {
            format!("{key} = {}", value.replace('\\', "").chars().map(shift).collect::<String>())
        }
        _ => line.chars().map(shift).collect(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
