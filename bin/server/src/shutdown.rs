//! When to stop.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::signal::unix::{SignalKind, signal as on};

/// What a shell shows for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Resolves at the first SIGTERM or SIGINT. A SIGINT after that ends the process at once with status 130, even if
/// every thread is stuck: whoever presses Ctrl-C twice does not want to wait for the drain.
///
/// The handlers are set when this is called, not when the future is first polled. Needs a tokio runtime.
///
/// # Errors
/// If the handlers can't be set.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = on(SignalKind::terminate())?;
    let mut interrupt = on(SignalKind::interrupt())?;
    let draining = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, INTERRUPTED, Arc::clone(&draining))?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        draining.store(true, SeqCst);
        tracing::info!(signal = name, "stopping");
    })
}
