//! Builds the prompt for a question and reads an answer as it streams.
//!
//! `cargo run -p hitesh-persona --example ask -- "docker kya hai?"`

#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use hitesh_domain::StepFormat;
use hitesh_persona::{Persona, PersonaError, PromptOptions, PromptSize, StepEvent, StepParser};

/// What a model might send, in the pieces in which it comes.
const ANSWER: [&str; 7] = [
    "<analyze>Docker ka matlab ",
    "samajhna hai.</anal",
    "yze>\n<think>Tiffin jaisa: khana, ",
    "dabba, sab saath.</think>\n<output>Docker app ko uski ",
    "dependencies ke saath pack karta hai. Pehle ",
    "`docker run --rm hello-world` chalao ☕",
    "</output>",
];

fn main() -> Result<(), PersonaError> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Docker kya hai?".to_owned());
    let persona = Persona::builtin("hitesh")?;
    let prompt = persona.prompt(&question, &[], &PromptOptions::new(StepFormat::Tagged, PromptSize::Full));
    for message in &prompt.messages {
        println!("── {} ──\n{}\n", message.role.as_str(), message.content);
    }
    println!(
        "{} messages, {} of them stable, about {} tokens, notes: {:?}\n",
        prompt.messages.len(),
        prompt.stable,
        prompt.tokens,
        prompt.notes
    );

    let mut parser = StepParser::new(StepFormat::Tagged);
    for piece in ANSWER {
        println!("{piece:?}");
        parser.push(piece).into_iter().for_each(show);
    }
    let (events, completeness) = parser.finish(true);
    events.into_iter().for_each(show);
    println!("{completeness:?}");
    Ok(())
}

fn show(event: StepEvent) {
    println!("    {event:?}");
}
