use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use hitesh_domain::{Message, ProviderId, StepFormat};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    LocalSettings, ModelError, QueueDepth, cpu,
    desk::answer_room,
    gguf::Header,
    memory,
    queue::{Item, Queue},
    worker::{self, Plan},
};
use crate::{CompletionRequest, DeltaStream, PromptSize, Provider, ProviderError, ProviderState, Sampling};

/// A GGUF model in this process, on a thread of its own.
///
/// It answers a few questions at a time, token by token; the others wait in a bounded queue and are told their place. Only that thread
/// computes or loads: nothing here blocks the caller, except for [`start`](Self::start), which reads the file's
/// header, and the drop, which waits up to a second for the thread's end.
pub struct LocalProvider {
    id: ProviderId,
    model: String,
    settings: LocalSettings,
    window: u32,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How far the model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalState {
    /// Its file is being read; questions wait.
    Loading,
    /// The prefix of all prompts is being computed; questions wait.
    Warming,
    /// It answers.
    Ready,
    /// It can't be used, for this reason.
    Failed(String),
}

/// What the provider and its thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) stop: Arc<AtomicBool>,
    state: Mutex<LocalState>,
}

impl Shared {
    pub(super) fn set_state(&self, state: LocalState) {
        *self.state.lock() = state;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl LocalProvider {
    /// Checks the processor, the file's header and the memory, and begins to load the model at `path`; it does not
    /// wait for that. Questions that come before it is loaded wait in the queue.
    ///
    /// # Errors
    /// What can be known from the header: see [`ModelError`]. What only loading shows is told by
    /// [`local_state`](Self::local_state).
    pub fn start(path: &Path, settings: LocalSettings, id: ProviderId) -> Result<Self, ModelError> {
        cpu::check()?;
        let header = Header::read(path)?;
        let plan = plan(path, &settings, &header)?;
        let window = plan.window.get();
        let model = settings.model.clone().unwrap_or_else(|| name_of(path));
        let shared = Arc::new(Shared {
            queue: Queue::new(settings.queue, settings.parallel.get()),
            stop: Arc::default(),
            state: Mutex::new(LocalState::Loading),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("local-model".to_owned())
            .spawn(move || worker::run(&of_thread, plan))
            .map_err(ModelError::Thread)?;
        Ok(Self { id, model, settings, window, shared, thread: Some(thread) })
    }

    /// How far the model is.
    pub fn local_state(&self) -> LocalState {
        self.shared.state.lock().clone()
    }

    /// Who waits.
    pub fn queue(&self) -> QueueDepth {
        self.shared.queue.depth()
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn model(&self) -> &str {
        &self.model
    }

    fn waiting(&self) -> usize {
        self.queue().waiting
    }

    fn step_format(&self) -> StepFormat {
        StepFormat::Tagged
    }

    fn prompt_size(&self) -> PromptSize {
        PromptSize::Compact
    }

    fn prompt_window(&self) -> Option<usize> {
        usize::try_from(self.window).ok().map(|window| window.saturating_sub(answer_room(&self.settings)))
    }

    fn sampling(&self) -> &Sampling {
        &self.settings.sampling
    }

    fn state(&self) -> ProviderState {
        match self.local_state() {
            LocalState::Loading | LocalState::Warming => ProviderState::Loading,
            LocalState::Ready => ProviderState::Ready,
            LocalState::Failed(reason) => ProviderState::Unavailable(reason),
        }
    }

    /// Computes `prefix` and keeps it. Waits for the model to be loaded, and goes before all questions.
    async fn warm_up(&self, prefix: &[Message]) -> Result<(), ProviderError> {
        let (done, outcome) = oneshot::channel();
        self.shared.queue.warm(prefix.to_vec(), done)?;
        outcome.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Waits for the model to be loaded.
    async fn probe(&self) -> Result<(), ProviderError> {
        self.warm_up(&[]).await
    }

    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError> {
        if request.step_format != StepFormat::Tagged {
            return Err(ProviderError::Rejected { status: None });
        }
        let (sender, receiver) = mpsc::channel(self.longest_answer());
        let loading = matches!(self.local_state(), LocalState::Loading | LocalState::Warming);
        let ticket = self.shared.queue.enter(request, sender, loading)?;
        let reader = Reader { receiver, ticket, shared: Arc::clone(&self.shared), ended: false };
        Ok(stream::unfold(reader, |mut reader| async { Some((reader.next().await?, reader)) }).boxed())
    }
}

impl LocalProvider {
    /// Events that one answer may have: one for each token, one for each tag and each place in the queue, and some.
    fn longest_answer(&self) -> usize {
        answer_room(&self.settings).saturating_add(self.settings.queue).saturating_add(16).min(1 << 20)
    }
}

/// Takes an answer's events; once it is dropped, nobody works for it.
struct Reader {
    receiver: mpsc::Receiver<Item>,
    ticket: u64,
    shared: Arc<Shared>,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Item> {
        if self.ended {
            return None;
        }
        let item = self.receiver.recv().await;
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.receiver.close();
        self.shared.queue.leave(self.ticket);
    }
}

impl Drop for LocalProvider {
    fn drop(&mut self) {
        /// A prefill chunk ends within it; a file that is slow to read does not keep the process.
        const PATIENCE: Duration = Duration::from_secs(1);
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.queue.close(ended());
        let Some(thread) = self.thread.take() else { return };
        let since = Instant::now();
        while !thread.is_finished() && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            // A panic was logged where it was caught.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for LocalProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalProvider")
            .field("id", &self.id)
            .field("model", &self.model)
            .field("state", &self.local_state())
            .field("queue", &self.queue())
            .finish_non_exhaustive()
    }
}

/// What the header says of whether and how the model can be run.
fn plan(path: &Path, settings: &LocalSettings, header: &Header) -> Result<Plan, ModelError> {
    let path: PathBuf = path.to_owned();
    let architecture = header.architecture.clone();
    if !header.can_chat() {
        return Err(ModelError::Architecture { path, architecture });
    }
    if !header.has_chat_template {
        return Err(ModelError::NoChatTemplate { path });
    }
    let trained = u32::try_from(header.trained_context).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
    let window = NonZeroU32::new(settings.context_tokens).unwrap_or(NonZeroU32::MIN).min(trained);
    // With sessions that are kept and questions side by side, there is room for two of the longest.
    let alone = settings.parallel.get() == 1 && settings.kept_sessions == 0;
    let cells = if alone { window } else { window.saturating_mul(TWO) };
    let needed = header.file_bytes.saturating_add(header.cache_bytes(cells.get())).saturating_add(WORKING_MEMORY);
    match memory::available() {
        Some(available) if available < needed => return Err(ModelError::Memory { needed, available }),
        _ => {}
    }
    Ok(Plan { path, settings: settings.clone(), architecture, window, cells })
}

const TWO: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// What computing takes beside weights and context.
const WORKING_MEMORY: u64 = 128 << 20;

fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(|| "local".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn ended() -> ProviderError {
    ProviderError::Unavailable { reason: "the local model was stopped".to_owned() }
}
