//! The `hitesh-ai` binary.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use hitesh_server::{args::Args, cli, start::StartError};

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output wanted no more of it.
        Err(StartError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "hitesh-ai: {error}");
            ExitCode::FAILURE
        }
    }
}
