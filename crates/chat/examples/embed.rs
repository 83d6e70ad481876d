//! The engine in a program of your own: one question to any OpenAI-compatible server, streamed to standard output.
//!
//! ```sh
//! cargo run -p hitesh-chat --example embed -- http://127.0.0.1:11434/v1 qwen2.5:7b "what is an API?"
//! ```
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{error::Error, io::Write, sync::Arc};

use hitesh_cache::MokaCache;
use hitesh_chat::{CachePolicy, Engine, EngineParts, EngineSettings, Personas, TurnRequest};
use hitesh_domain::{Content, JournalEvent, Owner, TurnEvent};
use hitesh_llm::{
    DeadlineSettings, Deadlines, Listed, Router,
    openai::{OpenAiProvider, OpenAiSettings},
};
use hitesh_persona::Persona;
use hitesh_sessions::sqlite::{SqliteSessions, SqliteSettings};
use tokio::runtime::Handle;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(base_url), Some(model), Some(question)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: embed BASE_URL MODEL QUESTION".into());
    };
    let provider = OpenAiProvider::new(OpenAiSettings::new("upstream".parse()?, base_url, model))?;
    let provider = Arc::new(Deadlines::new(Arc::new(provider), DeadlineSettings::REMOTE));
    let persona = Persona::builtin("hitesh")?;
    let default = persona.id().clone();
    let engine = Engine::new(EngineParts {
        personas: Personas::new(vec![persona], &default)?,
        router: Router::new(vec![Listed::unlimited(provider)]),
        cache: Arc::new(MokaCache::new(1 << 20)),
        store: Arc::new(SqliteSessions::open(SqliteSettings::default())?),
        log: None,
        settings: EngineSettings::default(),
        runtime: Handle::current(),
    });
    let request = TurnRequest {
        owner: Owner::public(),
        session: None,
        persona: None,
        content: Content::try_from(question)?,
        cache: CachePolicy::Use,
        store: true,
        idempotency: None,
    };
    let mut reader = engine.start(request).await?.follow(0);
    while let Some((_, event)) = reader.next().await {
        match event {
            TurnEvent::Journal(JournalEvent::StepStarted(step)) => print!("\n\n[{step}] "),
            TurnEvent::Journal(JournalEvent::StepDelta(_, text) | JournalEvent::ThinkReasoning(text)) => {
                print!("{text}")
            }
            TurnEvent::Ended(end, _) => println!("\n\n{end:?}"),
            TurnEvent::Started(_) | TurnEvent::Journal(_) => {}
        }
        std::io::stdout().flush()?;
    }
    engine.drain(std::time::Duration::from_secs(1)).await;
    Ok(())
}
