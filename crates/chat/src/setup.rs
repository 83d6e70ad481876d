use std::sync::Arc;

use hitesh_llm::{Listed, Router};
use parking_lot::RwLock;

use crate::personas::Personas;

/// Who answers and whom they ask: what a running engine can be given anew. A turn keeps what it began with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) personas: Personas,
    pub(crate) router: Router,
}

/// The setup that new turns begin with.
#[derive(Debug)]
pub(crate) struct CurrentSetup(RwLock<Arc<Setup>>);

impl CurrentSetup {
    pub(crate) fn new(personas: Personas, router: Router) -> Self {
        Self(RwLock::new(Arc::new(Setup { personas, router })))
    }

    pub(crate) fn get(&self) -> Arc<Setup> {
        Arc::clone(&self.0.read())
    }

    pub(crate) fn replace(&self, personas: Personas, listed: Vec<Listed>) {
        let mut current = self.0.write();
        let router = current.router.relisted(listed);
        *current = Arc::new(Setup { personas, router });
    }
}
