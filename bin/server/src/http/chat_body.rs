use hitesh_chat::{CachePolicy, TurnRequest};
use hitesh_domain::{Content, IdempotencyKey, PersonaId, SessionId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    caller::Caller,
    error::{ApiError, Code},
    extract::IdempotencyHeader,
};

/// The request of `send` and `stream`. Fields that are not named here are ignored, as the original did.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(super) struct ChatBody {
    /// The question: 1 to 2000 characters after trimming white space; no NUL.
    #[schema(
        value_type = String,
        required = true,
        max_length = 2000,
        example = "Sir mujhe backend development kaise start karna hai?"
    )]
    content: Option<String>,
    /// The conversation: 1 to 128 characters of `A-Z a-z 0-9 _ - . :`. Without one a new one is made.
    #[schema(max_length = 128)]
    session_id: Option<String>,
    /// Who shall answer; see `GET /api/personas`.
    persona: Option<String>,
    /// What the response cache may do.
    cache: Option<CacheBody>,
    /// `false`: no session, no history.
    store: Option<bool>,
    /// `stream` only: each piece of text as it comes.
    deltas: Option<bool>,
    /// The caller's mark for "the same request again"; also the header `Idempotency-Key`.
    #[schema(max_length = 255)]
    idempotency_key: Option<String>,
}

/// What the response cache may do.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CacheBody {
    /// Give an answer, and keep the new one.
    Use,
    /// Ask the model, and keep its answer.
    Bypass,
    /// Ask the model, and keep nothing.
    Off,
}

impl From<CacheBody> for CachePolicy {
    fn from(body: CacheBody) -> Self {
        match body {
            CacheBody::Use => CachePolicy::Use,
            CacheBody::Bypass => CachePolicy::Bypass,
            CacheBody::Off => CachePolicy::Off,
        }
    }
}

impl ChatBody {
    /// Whether `stream` shall show each piece of text.
    pub(super) fn deltas(&self) -> bool {
        self.deltas.unwrap_or(false)
    }

    /// The validated request that it stands for.
    ///
    /// # Errors
    /// With the code of the first field that is wrong.
    pub(super) fn into_request(self, caller: Caller, header: IdempotencyHeader) -> Result<TurnRequest, ApiError> {
        let content = self.content.ok_or_else(|| ApiError::field("content", "is missing"))?;
        let store = self.store.unwrap_or(true);
        let idempotency = idempotency(header, self.idempotency_key)?;
        if idempotency.is_some() && !store {
            return Err(ApiError::field("idempotency_key", "needs a turn that is stored"));
        }
        Ok(TurnRequest {
            owner: caller.owner,
            content: Content::try_from(content)?,
            session: self.session_id.map(session_id).transpose()?,
            persona: self.persona.map(persona_id).transpose()?,
            cache: self.cache.map(CachePolicy::from).unwrap_or_default(),
            store,
            idempotency,
        })
    }
}

/// A session id as a caller gave it.
pub(super) fn session_id(text: String) -> Result<SessionId, ApiError> {
    SessionId::try_from(text).map_err(|_| ApiError::new(Code::SessionIdInvalid))
}

/// What can't be the id of any persona is that of no persona.
fn persona_id(text: String) -> Result<PersonaId, ApiError> {
    PersonaId::try_from(text).map_err(|_| ApiError::new(Code::PersonaUnknown))
}

/// The key may come in the header, in the body, or the same one in both.
pub(super) fn idempotency(
    header: IdempotencyHeader,
    field: Option<String>,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let field = field.map(IdempotencyKey::try_from).transpose();
    let field =
        field.map_err(|error| ApiError::field("idempotency_key", format_args!("has to be {}", error.rule())))?;
    match (header.0, field) {
        (Some(header), Some(field)) if header != field => {
            Err(ApiError::field("idempotency_key", "differs from the header `Idempotency-Key`"))
        }
        (header, field) => Ok(header.or(field)),
    }
}

#[cfg(test)]
mod tests {
    use hitesh_domain::Owner;

    use super::*;

    fn request(body: &str, header: Option<&str>) -> Result<TurnRequest, ApiError> {
        let header = IdempotencyHeader(header.map(|key| key.parse().unwrap()));
        let caller = Caller { owner: Owner::public() };
        serde_json::from_str::<ChatBody>(body).unwrap().into_request(caller, header)
    }

    fn code(body: &str) -> Code {
        request(body, None).unwrap_err().code()
    }

    #[test]
    fn only_the_content_is_needed() {
        let request = request(r#"{"content":" chai? ","unknown":1}"#, None).unwrap();
        assert_eq!(request.content.as_str(), "chai?");
        assert!(request.store && request.session.is_none() && request.cache == CachePolicy::Use);
    }

    #[test]
    fn each_wrong_field_has_its_code() {
        assert_eq!(code("{}"), Code::InvalidRequest);
        assert_eq!(code(r#"{"content":null}"#), Code::InvalidRequest);
        assert_eq!(code(r#"{"content":" \n "}"#), Code::ContentEmpty);
        assert_eq!(code(&format!(r#"{{"content":"{}"}}"#, "अ".repeat(2001))), Code::ContentTooLong);
        assert_eq!(code(r#"{"content":"a\u0000b"}"#), Code::ContentInvalid);
        assert_eq!(code(r#"{"content":"x","session_id":""}"#), Code::SessionIdInvalid);
        assert_eq!(code(r#"{"content":"x","session_id":"a b"}"#), Code::SessionIdInvalid);
        assert_eq!(code(r#"{"content":"x","persona":"No Such"}"#), Code::PersonaUnknown);
        assert_eq!(code(r#"{"content":"x","idempotency_key":""}"#), Code::InvalidRequest);
    }

    #[test]
    fn an_idempotency_key_may_come_twice_only_if_it_is_the_same() {
        let body = r#"{"content":"x","idempotency_key":"k-1"}"#;
        assert_eq!(request(body, Some("k-1")).unwrap().idempotency, Some("k-1".parse().unwrap()));
        assert!(request(body, Some("k-2")).is_err());
    }
}
