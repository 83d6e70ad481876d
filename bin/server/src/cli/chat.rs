use hitesh_chat::{CachePolicy, Engine, TurnRequest};
use hitesh_domain::{Content, IdError, JournalEvent, Owner, PersonaId, SessionId, Status, Step, TurnEvent};

use super::{
    remote::Remote,
    terminal::{StepNames, Terminal},
};
use crate::{
    args::ChatArgs,
    backends::Backends,
    settings::Settings,
    start::{self, StartError},
};

/// Chats until the input ends: with a running server if one is named, else with an engine in this process whose
/// sessions are gone when it ends.
///
/// # Errors
/// If the chat can't begin. What goes wrong with one answer is shown in its place.
pub(super) async fn run(settings: &Settings, args: &ChatArgs) -> Result<(), StartError> {
    let session = args.session.as_deref().map(SessionId::try_from).transpose().map_err(wrong("session"))?;
    let persona = args.persona.as_deref().map(PersonaId::try_from).transpose().map_err(wrong("persona"))?;
    let mut terminal = Terminal::new();
    match &args.server {
        Some(url) => {
            let session = session.unwrap_or_else(SessionId::random);
            let mut remote = Remote::new(url, session, persona, settings)?;
            terminal.line(&format!("Talking to {url}, session {}. /exit ends it.", remote.session()))?;
            while let Some(question) = terminal.question().await? {
                let problem = remote.ask(&question, &mut terminal).await?;
                terminal.end(problem.as_deref())?;
            }
        }
        None => {
            let engine = start::engine(settings, Backends::in_memory(settings).await?)?;
            let session = session.unwrap_or_else(SessionId::random);
            let personas = engine.personas();
            let Some(answering) = personas.get(persona.as_ref()) else {
                let known: Vec<_> = personas.iter().map(|persona| persona.id().as_str()).collect();
                return Err(StartError::Command(format!(
                    "--persona: there is no such one; there are: {}",
                    known.join(", ")
                )));
            };
            terminal.name_steps(StepNames::of(answering));
            let name = answering.name();
            terminal.line(&format!("Talking to {name} in this process; nothing is kept. /exit ends it."))?;
            terminal.line(answering.disclosure())?;
            while let Some(question) = terminal.question().await? {
                let problem = ask(&engine, &session, persona.as_ref(), &question, &mut terminal).await?;
                terminal.end(problem.as_deref())?;
            }
        }
    }
    Ok(())
}

fn wrong(what: &'static str) -> impl Fn(IdError) -> StartError {
    move |error| StartError::Command(format!("--{what}: {}", error.rule()))
}

/// Shows one answer as it is made; what is wrong with it, if anything.
async fn ask(
    engine: &Engine,
    session: &SessionId,
    persona: Option<&PersonaId>,
    question: &str,
    terminal: &mut Terminal,
) -> Result<Option<String>, StartError> {
    let content = match Content::try_from(question) {
        Ok(content) => content,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let request = TurnRequest {
        owner: Owner::public(),
        session: Some(session.clone()),
        persona: persona.cloned(),
        content,
        cache: CachePolicy::Use,
        store: true,
        idempotency: None,
    };
    let turn = match engine.start(request).await {
        Ok(turn) => turn,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let mut reader = turn.follow(0);
    while let Some((_, event)) = reader.next().await {
        match event {
            TurnEvent::Journal(JournalEvent::StepDelta(step, text)) => terminal.delta(step, &text)?,
            TurnEvent::Journal(JournalEvent::ThinkReasoning(text)) => terminal.delta(Step::Think, &text)?,
            TurnEvent::Journal(JournalEvent::Status(status)) => terminal.status(&waits_for(&status))?,
            TurnEvent::Ended(end, _) => return Ok(end.error().map(|code| code.sentence().to_owned())),
            TurnEvent::Started(_) | TurnEvent::Journal(_) => {}
        }
    }
    Ok(None)
}

pub(super) fn waits_for(status: &Status) -> String {
    match status {
        Status::Queued { position, wait_seconds: None } => format!("waiting, place {position} in the queue"),
        Status::Queued { position, wait_seconds: Some(seconds) } => {
            format!("waiting, place {position} in the queue, about {seconds} s")
        }
        Status::Loading => "the model is being loaded".to_owned(),
        Status::Working => "the model is at work".to_owned(),
        Status::Retrying { provider: None } => "asking again".to_owned(),
        Status::Retrying { provider: Some(provider) } => format!("asking {provider} now"),
        Status::Reasoning => "the model reasons".to_owned(),
    }
}
