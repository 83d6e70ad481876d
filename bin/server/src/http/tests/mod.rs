//! The routes, over a real engine with a scripted model behind it.

mod access;
mod answers;
mod model;
mod refusals;
mod replies;

use std::sync::Arc;

use actix_http::Request;
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode},
    test::{self, TestRequest},
    web::Data,
};
use hitesh_cache::MokaCache;
use hitesh_chat::{Engine, EngineParts, EngineSettings, Personas};
use hitesh_llm::{Listed, Router};
use hitesh_persona::Persona;
use hitesh_sessions::sqlite::{SqliteSessions, SqliteSettings};
use serde_json::Value;
use tokio::runtime::Handle;

use self::model::{Script, ScriptedModel};
use super::{Http, app};
use crate::{args::Args, settings::Settings};

/// A running service without a socket.
struct Fixture<S> {
    service: S,
    engine: Engine,
}

/// A reply, read to its end.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: actix_web::http::header::HeaderMap,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal, whose shape is checked.
    fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["success"], false, "{}", self.body);
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(body.as_object().unwrap().contains_key("details"));
        (self.status.as_u16(), body["error"].as_str().unwrap().to_owned())
    }
}

/// A service with these settings, in TOML, whose model does what `script` says.
async fn service(
    settings: &str,
    script: Script,
) -> Fixture<impl Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hitesh.toml"), settings).unwrap();
    let settings =
        Settings::load_in(folder.path(), &Args::default(), &[("HOME", "/nowhere"), ("OPENAI_API_KEY", "not-used")])
            .unwrap();
    let engine = Engine::new(EngineParts {
        personas: Personas::new(vec![Persona::builtin("hitesh").unwrap()], &"hitesh".parse().unwrap()).unwrap(),
        router: Router::new(vec![Listed::unlimited(Arc::new(ScriptedModel::new(script)))]),
        cache: Arc::new(MokaCache::new(1 << 20)),
        store: Arc::new(SqliteSessions::open(SqliteSettings::default()).unwrap()),
        log: None,
        settings: EngineSettings::default(),
        runtime: Handle::current(),
    });
    let http = Data::new(Http::new(&settings, engine.clone(), None));
    Fixture { service: test::init_service(app(http)).await, engine }
}

impl<S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>> Fixture<S> {
    async fn call(&self, request: TestRequest) -> Reply {
        let response = match self.service.call(request.to_request()).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    async fn get(&self, path: &str) -> Reply {
        self.call(TestRequest::get().uri(path)).await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        self.call(json(path, body)).await
    }
}

fn json(path: &str, body: &str) -> TestRequest {
    TestRequest::default()
        .method(Method::POST)
        .uri(path)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_owned())
}

/// The JSON of each `data:` line of an event stream.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// A body that never comes to its end.
fn is_stream(body: &BoxBody) -> bool {
    matches!(body.size(), actix_web::body::BodySize::Stream)
}
