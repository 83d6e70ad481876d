//! Turns and answers to test with.

use hitesh_domain::{
    Content, End, JournalEvent, Outcome, Owner, PersonaId, ProviderId, SessionId, Source, Status, Step, Transcript,
    TurnId, TurnInfo, Usage,
};
use time::{Duration, OffsetDateTime};

use crate::NewTurn;

/// Some time in the past, with nanoseconds.
pub fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_764_000_000).unwrap() + Duration::new(seconds, 123_456_789)
}

pub fn owner() -> Owner {
    Owner::public()
}

pub fn session(name: &str) -> SessionId {
    SessionId::try_from(name).unwrap()
}

pub fn turn_in(name: &str, question: &str) -> NewTurn {
    turn_of(&owner(), name, question)
}

pub fn turn_of(owner: &Owner, name: &str, question: &str) -> NewTurn {
    NewTurn {
        owner: owner.clone(),
        info: TurnInfo {
            turn: TurnId::now(),
            session: session(name),
            persona: PersonaId::try_from("hitesh").unwrap(),
            provider: ProviderId::try_from("openai").unwrap(),
            model: "gpt-4o-mini".to_owned(),
            source: Source::Model,
            started_at: at(0),
            replaces: None,
            log: None,
        },
        question: Content::try_from(question).unwrap(),
        notes: vec!["docker".to_owned(), "git".to_owned()],
    }
}

/// All three steps in several deltas, `output` being `text`.
pub fn transcript(text: &str) -> Transcript {
    let mut transcript = Transcript::default();
    transcript.push(&JournalEvent::Status(Status::Queued { position: 2, wait_seconds: Some(9) }));
    transcript.push(&JournalEvent::Status(Status::Loading));
    for (step, content) in
        [(Step::Analyze, "Sawaal kya hai?"), (Step::Think, "Socho, tapri pe chai…"), (Step::Output, text)]
    {
        transcript.push(&JournalEvent::StepStarted(step));
        for character in content.chars() {
            transcript.push(&JournalEvent::StepDelta(step, character.to_string().into()));
        }
        transcript.push(&JournalEvent::StepFinished(step, at(2)));
    }
    transcript.push(&JournalEvent::Usage(Usage { prompt_tokens: 900, completion_tokens: 120, cached_tokens: 512 }));
    transcript
}

/// Only an `analyze` step, cut.
pub fn without_output() -> Transcript {
    let mut transcript = Transcript::default();
    transcript.push(&JournalEvent::StepStarted(Step::Analyze));
    transcript.push(&JournalEvent::StepDelta(Step::Analyze, "Hmm".into()));
    transcript
}

pub fn ended(end: End, transcript: Transcript) -> Outcome {
    Outcome {
        end,
        transcript,
        source: Source::Joined,
        provider: ProviderId::try_from("groq").unwrap(),
        model: "llama-3.3-70b".to_owned(),
        ended_at: at(3),
    }
}

pub fn answer(text: &str) -> Outcome {
    ended(End::Completed, transcript(text))
}
