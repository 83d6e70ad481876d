//! The embedded store in memory keeps every promise.
use std::sync::Arc;

use hitesh_sessions::{SessionStore, SqliteSessions, SqliteSettings};

hitesh_sessions::conformance_tests!(async {
    (Arc::new(SqliteSessions::open(SqliteSettings::default()).unwrap()) as Arc<dyn SessionStore>, ())
});
