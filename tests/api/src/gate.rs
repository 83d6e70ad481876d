use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

/// Where an upstream's reply waits until the test lets it go on, so that no test has to sleep.
#[derive(Debug, Clone)]
pub struct Gate {
    permits: Arc<Semaphore>,
    arrived: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed one.
    pub fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), arrived: Arc::new(watch::Sender::new(0)) }
    }

    /// Lets `replies` replies pass, each once.
    pub fn release(&self, replies: usize) {
        self.permits.add_permits(replies);
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.permits.close();
    }

    /// Resolves when `replies` replies have come to this gate, passed ones included.
    pub async fn reached(&self, replies: usize) {
        let mut arrived = self.arrived.subscribe();
        crate::within("the upstream to reach the gate", arrived.wait_for(|count| *count >= replies))
            .await
            .expect("the gate keeps its sender");
    }

    /// Waits here.
    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|count| *count += 1);
        // A closed semaphore is an open gate.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}
