use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use reqwest::{Client, StatusCode, header};

use super::{PullError, partial::Partial, wheels::AppendError};

/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(30);
/// What was received is made durable this often, so that little is fetched again.
const KEEP_EVERY: u64 = 16 << 20;

/// Fetches what is missing of `url`, on a small runtime of its own. Must not be called in an async context.
pub(super) fn fetch(
    url: &str,
    length: u64,
    partial: &mut Partial,
    cancel: &AtomicBool,
    received: impl FnMut(u64),
) -> Result<(), AppendError> {
    let failed = |reason: String| AppendError::Pull(PullError::Download { url: url.to_owned(), reason });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let work = Download { url, length, partial, received }.run();
    runtime.block_on(async {
        tokio::select! {
            () = raised(cancel) => Err(AppendError::Pull(PullError::Cancelled)),
            outcome = work => outcome,
        }
    })
}

async fn raised(flag: &AtomicBool) {
    const LOOK: Duration = Duration::from_millis(100);
    while !flag.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}

struct Download<'a, F> {
    url: &'a str,
    length: u64,
    partial: &'a mut Partial,
    received: F,
}

impl<F: FnMut(u64)> Download<'_, F> {
    async fn run(mut self) -> Result<(), AppendError> {
        let mut response = self.request().await?;
        // A server that can't resume sends all of it.
        if response.status() != StatusCode::PARTIAL_CONTENT {
            self.partial.start_over().map_err(AppendError::Pull)?;
        }
        let mut fresh = 0;
        let received = self.receive(&mut response, &mut fresh).await;
        // What came before the connection broke is as good as the rest.
        if !matches!(received, Err(AppendError::Write(_))) {
            self.partial.keep(0, fresh).map_err(AppendError::Pull)?;
        }
        received?;
        if self.partial.state.bytes == self.length { Ok(()) } else { Err(self.failed("it ended early".to_owned())) }
    }

    /// Writes what comes; `fresh` are the bytes of it that are not kept yet.
    async fn receive(&mut self, response: &mut reqwest::Response, fresh: &mut u64) -> Result<(), AppendError> {
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(reason(&error)))? {
            if self.partial.state.bytes + *fresh + chunk.len() as u64 > self.length {
                return Err(self.failed("it is longer than the catalog says".to_owned()));
            }
            self.partial.write(&chunk).map_err(AppendError::Write)?;
            *fresh += chunk.len() as u64;
            (self.received)(self.partial.state.bytes + *fresh);
            if *fresh >= KEEP_EVERY {
                self.partial.keep(0, *fresh).map_err(AppendError::Pull)?;
                *fresh = 0;
            }
        }
        Ok(())
    }

    async fn request(&self) -> Result<reqwest::Response, AppendError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Lost only to another thread that does the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::builder()
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
            .build()
            .map_err(|error| self.failed(reason(&error)))?;
        let have = self.partial.state.bytes;
        let mut request = client.get(self.url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.send().await.map_err(|error| self.failed(reason(&error)))?;
        let status = response.status();
        let resumes_here = response
            .headers()
            .get(header::CONTENT_RANGE)
            .and_then(|range| range.to_str().ok())
            .is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        if !status.is_success() {
            return Err(self.failed(format!("status {}", status.as_u16())));
        }
        if status == StatusCode::PARTIAL_CONTENT && !resumes_here {
            return Err(self.failed("it sent another range than was asked for".to_owned()));
        }
        Ok(response)
    }

    fn failed(&self, reason: String) -> AppendError {
        AppendError::Pull(PullError::Download { url: self.url.to_owned(), reason })
    }
}

/// The innermost cause: the outer ones only say that a request failed.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
