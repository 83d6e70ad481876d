//! What may be done with a turn that has ended: ask it again, ask something else in its place, say what one thinks of it.

use std::sync::Arc;

use hitesh_domain::{Feedback, Owner, Replaces, TurnId};
use hitesh_sessions::{StoreError, StoredTurn};

use crate::{
    engine::Inner,
    error::EngineError,
    request::{CachePolicy, ReplaceRequest, TurnRequest},
    turn::Turn,
};

impl Inner {
    /// Begins a turn in the place of another. It is the model that is asked: an answer that exists is what the caller
    /// does not want.
    pub(crate) async fn start_replacement(self: &Arc<Self>, request: ReplaceRequest) -> Result<Turn, EngineError> {
        let ReplaceRequest { owner, turn, content, idempotency } = request;
        let old = self.ended(&owner, turn).await?;
        let replaces = Replaces { turn, with_followers: content.is_some() };
        let request = TurnRequest {
            owner,
            session: Some(old.info.session),
            persona: Some(old.info.persona),
            content: content.unwrap_or(old.question),
            cache: CachePolicy::Bypass,
            store: true,
            idempotency,
        };
        self.start(request, Some(replaces)).await
    }

    pub(crate) async fn feedback(
        &self,
        owner: &Owner,
        turn: TurnId,
        feedback: Option<Feedback>,
    ) -> Result<(), EngineError> {
        self.ended(owner, turn).await?;
        match self.patient(self.store.feedback(owner, turn, feedback)).await? {
            true => Ok(()),
            false => Err(EngineError::TurnNotFound),
        }
    }

    /// A turn of this owner that has ended, and whose end is stored. One that is not stored has no place in a session: it
    /// is not found.
    async fn ended(&self, owner: &Owner, id: TurnId) -> Result<StoredTurn, EngineError> {
        if self.registry.get(owner, id).is_some_and(|live| live.shown.borrow().end.is_none()) {
            return Err(EngineError::TurnRunning);
        }
        let turn = self.patient(self.store.turn(owner, id)).await?.ok_or(EngineError::TurnNotFound)?;
        if turn.alive {
            return Err(EngineError::TurnRunning);
        }
        if turn.outcome.is_none() {
            return Err(StoreError::Unavailable { reason: "the end of the turn is not stored yet".to_owned() }.into());
        }
        Ok(turn)
    }
}
