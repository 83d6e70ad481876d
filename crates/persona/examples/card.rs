//! Turns a character card into a persona pack, and back into a card.
//!
//! `cargo run -p hitesh-persona --features cards --example card -- crates/persona/examples/cards/nani-debugger.json`

#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::{error::Error, fs};

use hitesh_domain::StepFormat;
use hitesh_persona::{Card, CardVersion, ImportOptions, Persona, PromptOptions, PromptSize};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a card: JSON, PNG or charx")?;
    let card = Card::read(&fs::read(path)?)?;
    println!("{card:?}");

    let files = card.into_pack(&ImportOptions::default());
    for (path, text) in &files {
        println!("{path}: {} bytes", text.len());
    }
    let persona = Persona::from_files(files.clone())?;
    let options = PromptOptions::new(StepFormat::Tagged, PromptSize::Full);
    let prompt = persona.prompt("What does a KeyError in my traceback mean?", &[], &options);
    for message in &prompt.messages {
        println!("── {} ──\n{}\n", message.role.as_str(), message.content);
    }
    println!("notes: {:?}", prompt.notes);

    let back = Card::from_pack(files)?;
    println!("as V2, {} bytes of JSON; as PNG, {} bytes", back.to_json(CardVersion::V2).len(), back.to_png().len());
    if let Some(path) = std::env::args().nth(2) {
        fs::write(path, back.to_png())?;
    }
    Ok(())
}
