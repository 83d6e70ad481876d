use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of a link, which end with it.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
}

impl Background {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { tasks: TaskTracker::new(), runtime, stop: CancellationToken::new() }
    }

    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let until_stopped = async move { stop.run_until_cancelled(work).await };
        self.tasks.spawn_on(until_stopped, &self.runtime);
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}
