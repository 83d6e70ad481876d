//! What this service is, what it offers, and who answers.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Json},
};
use hitesh_domain::Step;
use hitesh_persona::Persona;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Http, VERSION, error::ApiError, page, routes};

/// A welcome; for browsers, whose `Accept` prefers `text/html`, the chat page.
#[utoipa::path(
    get, path = "/", tag = "about",
    responses((status = 200, content((WelcomeBody = "application/json"), (String = "text/html")))),
)]
pub(super) async fn welcome(http: Data<Http>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if page::is_preferred(&request) {
        return page::chat(http, request).await;
    }
    Ok(HttpResponse::Ok().insert_header((header::VARY, "accept")).json(WelcomeBody {
        message: "⚡ Namaste! Welcome to Hitesh AI Chat API",
        description: "Your tech mentor and chai companion",
        version: VERSION,
        docs: "/docs",
        health: "/api/chat/health",
    }))
}

/// What there is.
#[utoipa::path(get, path = "/api", tag = "about", responses((status = 200, body = ApiBody)))]
pub(super) async fn api() -> Json<ApiBody> {
    let endpoints = routes::ENDPOINTS.iter().map(|endpoint| (endpoint.name, endpoint.to_string())).collect();
    Json(ApiBody {
        name: "Hitesh AI Chat API",
        version: VERSION,
        description: "Your tech mentor and chai companion",
        endpoints,
    })
}

/// Who can answer.
#[utoipa::path(get, path = "/api/personas", tag = "about", responses((status = 200, body = PersonasBody)))]
pub(super) async fn personas(http: Data<Http>) -> Json<PersonasBody> {
    let personas = http.engine.personas().iter().map(|persona| PersonaBody::from(persona.as_ref())).collect();
    Json(PersonasBody { success: true, personas })
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WelcomeBody {
    message: &'static str,
    description: &'static str,
    version: &'static str,
    docs: &'static str,
    health: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiBody {
    name: &'static str,
    version: &'static str,
    description: &'static str,
    /// Route names to `METHOD path`.
    endpoints: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonasBody {
    /// Always `true`.
    success: bool,
    personas: Vec<PersonaBody>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonaBody {
    /// For the field `persona` of a question.
    id: String,
    name: String,
    description: String,
    languages: Vec<String>,
    topics: Vec<String>,
    sample_questions: Vec<String>,
    /// That this is an AI, and whose manner it follows, if anybody's.
    disclosure: String,
    steps: StepNamesBody,
}

/// How people are to see the steps called. In every other body and event a step has its id.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StepNamesBody {
    #[schema(example = "Analyze")]
    analyze: String,
    #[schema(example = "Think")]
    think: String,
    #[schema(example = "Output")]
    output: String,
}

impl From<&Persona> for PersonaBody {
    fn from(persona: &Persona) -> Self {
        Self {
            id: persona.id().to_string(),
            name: persona.name().to_owned(),
            description: persona.description().to_owned(),
            languages: persona.languages().to_vec(),
            topics: persona.topics().to_vec(),
            sample_questions: persona.sample_questions().to_vec(),
            disclosure: persona.disclosure().to_owned(),
            steps: StepNamesBody {
                analyze: persona.step_name(Step::Analyze).to_owned(),
                think: persona.step_name(Step::Think).to_owned(),
                output: persona.step_name(Step::Output).to_owned(),
            },
        }
    }
}
