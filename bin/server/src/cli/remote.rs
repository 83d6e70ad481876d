use std::time::Duration;

use futures::StreamExt;
use hitesh_domain::{ErrorCode, PersonaId, SessionId, Status, Step};
use hitesh_llm::openai::http_client;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use sse_stream::{Sse, SseByteStream};

use super::{
    chat::waits_for,
    terminal::{StepNames, Terminal},
};
use crate::{settings::Settings, start::StartError};

/// How long opening a connection to the server may take.
const CONNECT: Duration = Duration::from_secs(3);

/// A running server to chat with.
pub(super) struct Remote {
    client: reqwest::Client,
    /// Without a slash at its end.
    server: String,
    session: SessionId,
    persona: Option<PersonaId>,
    /// Who answers there, once it has told.
    personas: Vec<PersonaBody>,
    /// The first key of these settings, for a server on this machine: who runs one with keys has them here.
    key: Option<String>,
}

#[derive(Deserialize)]
struct DeltaBody {
    step: Step,
    delta: String,
}

#[derive(Deserialize)]
struct StepBody {
    is_complete: bool,
    #[serde(default)]
    error: Option<String>,
    content: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

#[derive(Deserialize)]
struct TurnBody {
    persona: PersonaId,
}

#[derive(Deserialize)]
struct PersonasBody {
    personas: Vec<PersonaBody>,
}

#[derive(Deserialize)]
struct PersonaBody {
    id: PersonaId,
    /// A server of an earlier version has none.
    #[serde(default)]
    steps: StepNames,
}

impl Remote {
    pub(super) fn new(
        url: &str,
        session: SessionId,
        persona: Option<PersonaId>,
        settings: &Settings,
    ) -> Result<Self, StartError> {
        let url = url.trim_end_matches('/');
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(StartError::Command("--server: expected an address like http://127.0.0.1:8000".to_owned()));
        }
        let client = http_client(url.starts_with("https://"), CONNECT, None)
            .map_err(|error| StartError::Command(error.to_string()))?;
        // These settings are of this machine's server: its key goes to no other.
        let local = ["127.0.0.1", "localhost", "[::1]"];
        let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let is_here = host.is_some_and(|host| local.contains(&host.as_str()));
        let key = settings.auth.keys.first().filter(|_| is_here).map(|key| key.key.expose_secret().to_owned());
        Ok(Self { client, server: url.to_owned(), session, persona, personas: Vec::new(), key })
    }

    pub(super) fn session(&self) -> &SessionId {
        &self.session
    }

    /// Shows one answer as it comes; what is wrong with it, if anything.
    pub(super) async fn ask(&mut self, question: &str, terminal: &mut Terminal) -> Result<Option<String>, StartError> {
        let body = json!({
            "content": question,
            "session_id": self.session,
            "persona": self.persona,
            "deltas": true,
        });
        if self.personas.is_empty() {
            self.personas = self.fetch_personas().await;
        }
        let url = format!("{}/api/chat/stream", self.server);
        let mut request = self.client.post(url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let response = match request.body(body.to_string()).send().await {
            Ok(response) => response,
            Err(_) => return Ok(Some("the server can't be reached".to_owned())),
        };
        let status = response.status();
        if !status.is_success() {
            let bytes = response.bytes().await.unwrap_or_default();
            let error = serde_json::from_slice::<ErrorBody>(&bytes).map(|body| body.message);
            return Ok(Some(error.unwrap_or_else(|_| format!("the server answered {status}"))));
        }
        let mut events = std::pin::pin!(SseByteStream::new(response.bytes_stream()));
        while let Some(Ok(event)) = events.next().await {
            if let Some(problem) = show(&event, &self.personas, terminal)? {
                return Ok(problem);
            }
        }
        Ok(Some(ErrorCode::Incomplete.sentence().to_owned()))
    }

    /// The server's personas, for the names of their steps; none if it does not tell.
    async fn fetch_personas(&self) -> Vec<PersonaBody> {
        let mut request = self.client.get(format!("{}/api/personas", self.server));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let Ok(response) = request.send().await else { return Vec::new() };
        let bytes = response.bytes().await.unwrap_or_default();
        serde_json::from_slice::<PersonasBody>(&bytes).map(|body| body.personas).unwrap_or_default()
    }
}

/// `Some` at the end of the answer, with what is wrong with it.
fn show(event: &Sse, personas: &[PersonaBody], terminal: &mut Terminal) -> Result<Option<Option<String>>, StartError> {
    let data = event.data.as_deref().unwrap_or_default();
    match event.event.as_deref() {
        Some("turn") => {
            if let Ok(turn) = serde_json::from_str::<TurnBody>(data) {
                let persona = personas.iter().find(|persona| persona.id == turn.persona);
                terminal.name_steps(persona.map(|persona| persona.steps.clone()).unwrap_or_default());
            }
        }
        Some("delta") => {
            if let Ok(body) = serde_json::from_str::<DeltaBody>(data) {
                terminal.delta(body.step, &body.delta)?;
            }
        }
        Some("status") => {
            if let Ok(status) = serde_json::from_str::<Status>(data) {
                terminal.status(&waits_for(&status))?;
            }
        }
        None => {
            if let Ok(body) = serde_json::from_str::<StepBody>(data)
                && body.is_complete
            {
                return Ok(Some(body.error.map(|_| body.content)));
            }
        }
        Some(_) => {}
    }
    Ok(None)
}
