//! The log in memory keeps every promise.

use std::sync::Arc;

use hitesh_turnlog::{MemoryTurnLog, TurnLog, conformance::SHORT};

hitesh_turnlog::conformance_tests!(async { (Arc::new(MemoryTurnLog::new(SHORT)) as Arc<dyn TurnLog>, ()) });
