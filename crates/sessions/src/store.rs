use std::fmt::Debug;

use async_trait::async_trait;
use futures::future::BoxFuture;
use hitesh_domain::{
    Content, Feedback, IdempotencyKey, MessageId, Outcome, Owner, PersonaId, SessionId, Transcript, TurnId, TurnInfo,
};
use time::OffsetDateTime;

/// Where sessions live. Whatever a method acknowledges survives the end of the process.
///
/// Each turn has a *place*. That of an ordinary turn is its own, after all that began before it. A turn with
/// [`TurnInfo::replaces`] has the place of the turn that it names, and comes after it there. What that means is decided in
/// the transaction that ends it, by `finish`, `record` or `recover`:
///
/// - with some `output` text it takes effect: the ended turns at its place that are not replaced are replaced by it, and
///   with [`with_followers`](hitesh_domain::Replaces::with_followers) so are those at later places that began before it,
///   open ones too;
/// - without, it is itself replaced, by the turn that it names, and so all is as before;
/// - if it was replaced while it was open, its end changes no other turn.
///
/// A replaced turn stays as it is, but for `replaced_by`, and may be named again.
#[async_trait]
pub trait SessionStore: Debug + Send + Sync + 'static {
    /// An id for a turn that is to begin in a session. Any other [`TurnId::now`] will do, and may cost more.
    fn new_turn(&self, _owner: &Owner, _session: &SessionId) -> TurnId {
        TurnId::now()
    }

    /// The last `turns` turns of a session, in the order of their places, that have ended with some `output` text and
    /// are not replaced, first to last: what a new question is asked in the light of. With `before` only those at
    /// places before that turn's. An unknown session, or a `before` that is no turn of it, has none.
    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError>;

    /// Takes the question and its open turn, gives it its place in the session, and returns at once. The
    /// turn is on disk when the [`Durable`] future has resolved. The same turn id twice is
    /// [`StoreError::Invalid`] from that future, and so is one that replaces what is no turn of its session.
    ///
    /// # Errors
    /// `Unavailable` if the store takes nothing now.
    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError>;

    /// Keeps what came so far of an open turn, for the case of a crash. May be coalesced: only the newest counts.
    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError>;

    /// Ends a turn. Durable when it returns; a second call for the same turn changes nothing, and neither does one
    /// for a turn that was erased.
    ///
    /// # Errors
    /// `Invalid` also if another process took this one for dead and has ended the turn: what it stored counts.
    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError>;

    /// `begin` and `finish` in one transaction, for answers that exist already. Durable when it returns.
    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError>;

    /// A turn of this owner.
    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError>;

    /// A page of a session in the order of the turns' places, and at one place in the order in which they began: the
    /// last `limit` turns before `before`. A `before` that is no turn of that session gives an empty page.
    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError>;

    /// Keeps what the learner thinks of an ended turn, in place of what was kept before; `None` takes it back. Whether
    /// there is such a turn of this owner, and it has ended. Durable when it returns.
    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError>;

    /// Forgets a session with all its turns and idempotency keys; whether there was one. A `finish` or
    /// `checkpoint` that comes later restores nothing.
    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError>;

    /// Binds an idempotency key to `turn` for 24 h, or says what it is bound to. Durable when it returns.
    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError>;

    /// Binds the key of `claim`, whose turn came to nothing, to `to` instead. Gives what it is bound to then: another
    /// claim, if it no longer was bound as `claim` says. Durable when it returns.
    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError>;

    /// Ends all turns that a process which is no more left open, as `Incomplete(crashed)` with their last checkpoint, in the order in
    /// which they began; how many. For the start, before anything else.
    async fn recover(&self) -> Result<u64, StoreError>;

    /// Turns that processes which shared this store with this one, and are no more, left open; some of them, in the order
    /// in which they began. For every second or so, where a store is shared; one that a single process owns has none.
    async fn orphans(&self) -> Result<Vec<Orphan>, StoreError> {
        Ok(Vec::new())
    }

    /// Ends an orphan; false if it has been ended, or its process lives after all.
    async fn adopt(&self, _orphan: &Orphan, _outcome: Outcome) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Asks the process that has a turn open to stop it, if that is another one of those that share this store; whether it
    /// is. Where a single process owns the store, it never is.
    async fn ask_to_stop(&self, _owner: &Owner, _turn: TurnId) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// The turns of this process that others asked to stop, or erased, since the last call.
    async fn asked_to_stop(&self) -> Result<Vec<TurnId>, StoreError> {
        Ok(Vec::new())
    }

    /// Forgets the ended turns that began before `older_than` (and sessions left empty, and idempotency keys older
    /// than 24 h); how many turns. Those that stay keep their places, and `replaces` and `replaced_by` may then name turns
    /// that are no more.
    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError>;

    /// Takes nothing more, keeps all that it took, and lets go of what it holds. Every later call is `Unavailable`;
    /// closing twice is fine.
    async fn close(&self);

    /// Its figures. Also serves as the health check: it fails when all of the store does, and says so when a part of it does.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}

/// Resolves when what it stands for is on disk.
pub type Durable = BoxFuture<'static, Result<(), StoreError>>;

/// A question and its open turn.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTurn {
    /// Whose it is.
    pub owner: Owner,
    /// Ids, persona, provider, time, and what it replaces.
    pub info: TurnInfo,
    /// The learner's words.
    pub question: Content,
    /// Ids of the persona's notes that were sent with it, so that it can be rendered again exactly as it was.
    pub notes: Vec<String>,
}

/// What a new question is asked in the light of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// Ended turns, first to last.
    pub turns: Vec<ContextTurn>,
    /// How many turns of the session other processes have open.
    pub open_elsewhere: usize,
}

/// One earlier turn, as far as a prompt needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextTurn {
    /// Who answered.
    pub persona: PersonaId,
    /// The learner's words.
    pub question: Content,
    /// Ids of the notes that were sent with it.
    pub notes: Vec<String>,
    /// What was answered.
    pub transcript: Transcript,
}

/// A turn as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTurn {
    /// Ids, persona, provider and time.
    pub info: TurnInfo,
    /// The learner's words.
    pub question: Content,
    /// Ids of the notes that were sent with it.
    pub notes: Vec<String>,
    /// How it ended; none while it is open.
    pub outcome: Option<Outcome>,
    /// What the last checkpoint of an open turn held.
    pub partial: Option<Transcript>,
    /// Whether it is open in another process. It ends there, or as one of the [`orphans`](SessionStore::orphans).
    pub alive: bool,
    /// The turn that took its place; none if it is current.
    pub replaced_by: Option<TurnId>,
    /// What the learner thinks of it.
    pub feedback: Option<Feedback>,
}

/// An open turn of a process that is no more.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    /// Ids, persona, provider and time.
    pub info: TurnInfo,
    /// What its last checkpoint held.
    pub partial: Transcript,
    /// The process, by the store's own name for it.
    pub process: String,
}

impl StoredTurn {
    /// The id of the learner's message.
    pub fn question_id(&self) -> MessageId {
        MessageId::question_of(self.info.turn)
    }

    /// The id of the mentor's message.
    pub fn answer_id(&self) -> MessageId {
        MessageId::answer_of(self.info.turn)
    }
}

/// Which part of a long history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most so many turns.
    pub limit: usize,
    /// Only those before this one.
    pub before: Option<TurnId>,
    /// Replaced turns too.
    pub replaced: bool,
}

/// An idempotency key and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The caller's mark.
    pub key: IdempotencyKey,
    /// A digest of the request.
    pub digest: [u8; 32],
    /// The turn that answers it.
    pub turn: TurnId,
}

/// Figures of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStats {
    /// Its kind: `sqlite`, …
    pub backend: &'static str,
    /// Sessions that hold at least one turn.
    pub sessions: u64,
    /// Turns of all of them.
    pub turns: u64,
    /// Why a part of it can't be reached, whose sessions are not counted: the others go on.
    pub away: Option<String>,
}

/// Why a store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It is away, full or overloaded: nothing was acknowledged; later.
    #[error("the session store is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
    },
    /// What it holds, or was given, makes no sense.
    #[error("the session store holds or was given something invalid: {reason}")]
    Invalid {
        /// In words of ours.
        reason: String,
    },
}
