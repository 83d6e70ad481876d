use std::{io, path::PathBuf};

/// Why a model can't be run here. Each message is one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nothing at that path.
    #[error("there is no model file at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file can't be read.
    #[error("the model file {} can't be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Some other kind of file.
    #[error("{} is not a GGUF model file", path.display())]
    NotGguf {
        /// Which file.
        path: PathBuf,
    },
    /// A GGUF of a version or byte order that is not read.
    #[error("{} is a GGUF file of version {version}, which is not supported", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// As the file says.
        version: u32,
    },
    /// A download that did not finish, most likely.
    #[error("the model file {} is truncated: {found} of at least {expected} bytes", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// Bytes that its tensors need.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// Its header contradicts itself.
    #[error("the model file {} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What makes no sense.
        what: &'static str,
    },
    /// Not a model that answers in a chat, or one that llama.cpp does not know.
    #[error("the architecture {architecture:?} of {} can't be used for a chat", path.display())]
    Architecture {
        /// Which file.
        path: PathBuf,
        /// As the file says.
        architecture: String,
    },
    /// A base model, which knows no roles.
    #[error("{} has no chat template: take an instruct or chat model", path.display())]
    NoChatTemplate {
        /// Which file.
        path: PathBuf,
    },
    /// A template that llama.cpp can't render.
    #[error("the chat template of {} is not supported", path.display())]
    ChatTemplate {
        /// Which file.
        path: PathBuf,
    },
    /// It would not fit, or swap.
    #[error("the model needs about {} MiB of memory, and {} MiB are available", needed / MIB, available / MIB)]
    Memory {
        /// Bytes of weights and context.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
    },
    /// The processor lacks instructions that the computing code was built with.
    #[error("this processor lacks {missing}, which the local model needs (x86-64-v3: any since about 2013)")]
    Cpu {
        /// Comma-separated.
        missing: String,
    },
    /// llama.cpp refused it for a reason that it only logs.
    #[error("llama.cpp could not load {} (its reason is in the log at level debug)", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
    },
    /// llama.cpp itself could not start.
    #[error("llama.cpp could not be set up in this process")]
    Backend,
    /// The loading was given up because the provider was dropped.
    #[error("loading the model was stopped")]
    Stopped,
    /// The operating system gave no thread.
    #[error("no thread for the local model")]
    Thread(#[source] io::Error),
}

const MIB: u64 = 1024 * 1024;
