//! What a learner thinks of an answer.

use actix_web::web::{Data, Json};
use hitesh_domain::{Comment, Feedback, Rating};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{
    Http,
    caller::Caller,
    error::{ApiError, ErrorBody},
    extract::{JsonBody, TurnPath},
};

/// Rates the answer of a turn that has ended. The last one counts; a null rating without a comment takes it back.
#[utoipa::path(
    post, path = "/api/chat/turns/{id}/feedback", tag = "turns", request_body = GiveFeedbackBody,
    params(("id" = String, Path, description = "The turn")),
    responses(
        (status = 200, body = GivenFeedbackBody),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
)]
pub(super) async fn feedback(
    http: Data<Http>,
    caller: Caller,
    id: TurnPath,
    body: JsonBody<GiveFeedbackBody>,
) -> Result<Json<GivenFeedbackBody>, ApiError> {
    let feedback = body.0.into_feedback()?;
    http.engine.feedback(&caller.owner, id.0, feedback.clone()).await?;
    let feedback = feedback.as_ref().map(FeedbackBody::from);
    Ok(Json(GivenFeedbackBody { success: true, turn_id: id.0.to_string(), feedback }))
}

/// What a learner thinks of an answer.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct GiveFeedbackBody {
    /// Null: no rating.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<RatingBody>, required = true)]
    rating: Option<Option<RatingBody>>,
    /// 1 to 1000 characters after trimming white space; no NUL.
    #[schema(max_length = 1000)]
    comment: Option<String>,
}

/// Tells a null from a missing field: the one takes a rating back, the other may be a slip of the pen.
fn given<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Option<RatingBody>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

impl GiveFeedbackBody {
    fn into_feedback(self) -> Result<Option<Feedback>, ApiError> {
        let rating = self.rating.ok_or_else(|| ApiError::field("rating", "is missing; null is no rating"))?;
        let comment = self.comment.map(Comment::try_from).transpose();
        let comment = comment.map_err(|_| ApiError::field("comment", format_args!("has to be {}", Comment::RULE)))?;
        Ok(Feedback::new(rating.map(Rating::from), comment))
    }
}

/// Whether the answer was of use.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RatingBody {
    /// It was.
    Up,
    /// It was not.
    Down,
}

impl From<RatingBody> for Rating {
    fn from(body: RatingBody) -> Self {
        match body {
            RatingBody::Up => Rating::Up,
            RatingBody::Down => Rating::Down,
        }
    }
}

/// The feedback as it is kept now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GivenFeedbackBody {
    /// Always `true`.
    success: bool,
    turn_id: String,
    /// Null if it was taken back.
    feedback: Option<FeedbackBody>,
}

/// Feedback that is kept: a rating, a comment, or both.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FeedbackBody {
    /// `up` or `down`.
    #[schema(example = "up")]
    rating: Option<&'static str>,
    comment: Option<String>,
}

impl From<&Feedback> for FeedbackBody {
    fn from(feedback: &Feedback) -> Self {
        Self {
            rating: feedback.rating().map(Rating::as_str),
            comment: feedback.comment().map(|comment| comment.as_str().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(body: &str) -> Result<Option<Feedback>, ApiError> {
        serde_json::from_str::<GiveFeedbackBody>(body).unwrap().into_feedback()
    }

    #[test]
    fn a_null_rating_takes_it_back_and_a_missing_one_is_refused() {
        assert_eq!(feedback(r#"{"rating":null}"#).unwrap(), None);
        assert!(feedback("{}").unwrap_err().to_string().contains("`rating`"));
        assert!(feedback(r#"{"comment":"chai"}"#).unwrap_err().to_string().contains("`rating`"));
    }

    #[test]
    fn a_comment_is_trimmed_and_may_stand_alone() {
        let feedback = feedback(r#"{"rating":null,"comment":" chai "}"#).unwrap().unwrap();
        assert_eq!((feedback.rating(), feedback.comment().unwrap().as_str()), (None, "chai"));
    }

    #[test]
    fn a_wrong_comment_is_named() {
        for wrong in ["", "  ", "a\\u0000b", &"x".repeat(1001)] {
            let error = feedback(&format!(r#"{{"rating":"up","comment":"{wrong}"}}"#)).unwrap_err();
            assert!(error.to_string().contains("`comment`"), "{error}");
        }
    }
}
