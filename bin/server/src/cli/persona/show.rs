use std::io::{self, Write};

use hitesh_domain::{Message, Step, StepFormat};
use hitesh_persona::{Persona, PromptOptions};

use crate::{args::ShowArgs, packs::LoadedPack, start::StartError};

pub(super) const FORMATS: [StepFormat; 3] = [StepFormat::JsonSchema, StepFormat::JsonObject, StepFormat::Tagged];

/// Shows a persona, or the prompt for a question.
///
/// # Errors
/// If the output can't be written.
pub(super) fn run(pack: &LoadedPack, args: &ShowArgs) -> Result<(), StartError> {
    let mut out = std::io::stdout().lock();
    match &args.prompt {
        Some(question) => prompt(&mut out, &pack.persona, question, args)?,
        None => everything(&mut out, pack, args)?,
    }
    Ok(())
}

fn prompt(out: &mut impl Write, persona: &Persona, question: &str, args: &ShowArgs) -> io::Result<()> {
    let options = PromptOptions::new(args.format.into(), args.size.into());
    let prompt = persona.prompt(question, &[], &options);
    messages(out, &prompt.messages)?;
    let notes =
        if prompt.notes.is_empty() { "no notes".to_owned() } else { format!("notes: {}", prompt.notes.join(", ")) };
    writeln!(
        out,
        "── {} messages, {} of them for every question; about {} tokens; {notes} ──",
        prompt.messages.len(),
        prompt.stable,
        prompt.tokens
    )
}

fn everything(out: &mut impl Write, pack: &LoadedPack, args: &ShowArgs) -> io::Result<()> {
    let persona = &pack.persona;
    writeln!(out, "{}: {}\n{}\n", persona.id(), persona.name(), persona.description())?;
    let steps = Step::ALL.map(|step| format!("{step}: {}", persona.step_name(step)));
    for (what, text) in [
        ("disclosure", persona.disclosure().to_owned()),
        ("languages", persona.languages().join(", ")),
        ("steps", steps.join(", ")),
        ("reasoning", if persona.shows_reasoning() { "shown in the think step" } else { "never shown" }.to_owned()),
        ("from", pack.place.to_string()),
        ("version", persona.version()),
    ] {
        writeln!(out, "{what:12}{text}")?;
    }
    list(out, "topics", persona.topics())?;
    list(out, "sample questions", persona.sample_questions())?;
    writeln!(out, "\nstable prefix, in tokens (about)")?;
    for format in FORMATS {
        writeln!(out, "  {:12}{}", format.as_str(), persona.prefix_tokens(format))?;
    }
    writeln!(out, "\nnotes: {}, in tokens (about): whole, gist", persona.notes().count())?;
    let width = persona.note_ids().map(str::len).max().unwrap_or_default();
    for note in persona.notes() {
        writeln!(out, "  {:width$}  {:4} {:4}  {}", note.id, note.tokens, note.gist_tokens, note.title)?;
    }
    let format = StepFormat::from(args.format);
    writeln!(out, "\nwhat a model is told before every question ({})\n", format.as_str())?;
    messages(out, &persona.prefix(format, args.size.into()))
}

fn list(out: &mut impl Write, what: &str, entries: &[String]) -> io::Result<()> {
    writeln!(out, "\n{what}")?;
    entries.iter().try_for_each(|entry| writeln!(out, "  {entry}"))
}

fn messages(out: &mut impl Write, messages: &[Message]) -> io::Result<()> {
    messages.iter().try_for_each(|message| writeln!(out, "── {} ──\n{}\n", message.role.as_str(), message.content))
}
