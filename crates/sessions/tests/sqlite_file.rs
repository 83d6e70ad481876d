//! The embedded store in a file keeps every promise.
use std::sync::Arc;

use hitesh_sessions::{SessionStore, SqlitePath, SqliteSessions, SqliteSettings};

hitesh_sessions::conformance_tests!(async {
    let folder = tempfile::tempdir().unwrap();
    let path = SqlitePath::File(folder.path().join("sessions.db"));
    let store = SqliteSessions::open(SqliteSettings { path, ..SqliteSettings::default() }).unwrap();
    (Arc::new(store) as Arc<dyn SessionStore>, folder)
});
