use std::{fs, io::Write, path::Path, time::Duration};

use hitesh_llm::{
    Provider, ProviderError, ProviderState,
    local::{LocalProvider, LocalSettings, ModelError},
};

use crate::model::{file, question, settings};

fn start(path: &Path, settings: LocalSettings) -> Result<LocalProvider, ModelError> {
    LocalProvider::start(path, settings, "local".parse().unwrap())
}

/// The test model with its bytes changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> tempfile::NamedTempFile {
    let mut bytes = fs::read(file()).unwrap();
    change(&mut bytes);
    let mut copy = tempfile::NamedTempFile::new().unwrap();
    copy.write_all(&bytes).unwrap();
    copy
}

fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    bytes[at..at + old.len()].copy_from_slice(new);
}

#[test]
fn a_file_that_is_not_there_or_no_model_is_told_at_once() {
    assert!(matches!(start(Path::new("/no/model.gguf"), settings()), Err(ModelError::Missing { .. })));
    assert!(matches!(start(Path::new("/tmp"), settings()), Err(ModelError::NotGguf { .. })));
    let page = changed(|bytes| *bytes = b"<html>not found</html>".to_vec());
    assert!(matches!(start(page.path(), settings()), Err(ModelError::NotGguf { .. })));
}

#[test]
fn a_truncated_file_is_told_at_once() {
    for keep in [5, 1000, 1_000_000, 50_000_000, 98_362_431] {
        let cut = changed(|bytes| bytes.truncate(keep));
        let error = start(cut.path(), settings()).unwrap_err();
        assert!(matches!(error, ModelError::Truncated { .. }), "{keep}: {error}");
    }
}

#[test]
fn a_model_that_can_not_chat_is_told_at_once() {
    let base = changed(|bytes| replace(bytes, b"tokenizer.chat_template", b"tokenizer.some_template"));
    assert!(matches!(start(base.path(), settings()), Err(ModelError::NoChatTemplate { .. })));
    let bert = changed(|bytes| replace(bytes, b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0mamba"));
    assert!(matches!(start(bert.path(), settings()), Err(ModelError::Architecture { .. })));
}

#[test]
fn a_context_that_no_memory_suffices_for_is_told_at_once() {
    // The header claims a model whose attention cache needs terabytes.
    let huge = changed(|bytes| {
        replace(bytes, b"llama.context_length\x04\0\0\0\0\x20\0\0", b"llama.context_length\x04\0\0\0\xff\xff\xff\x7f");
    });
    let settings = LocalSettings { context_tokens: u32::MAX, ..settings() };
    let error = start(huge.path(), settings).unwrap_err();
    assert!(matches!(error, ModelError::Memory { .. }), "{error}");
}

#[tokio::test]
async fn what_only_loading_shows_reaches_those_who_wait() {
    let strange = changed(|bytes| replace(bytes, b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lluma"));
    let provider = start(strange.path(), settings()).unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(60), provider.probe()).await.unwrap();
    assert!(matches!(waited, Err(ProviderError::Unavailable { .. })), "{waited:?}");
    assert!(matches!(provider.state(), ProviderState::Unavailable(reason) if reason.contains("could not load")));
    let refused = provider.stream(question("Anyone?")).await;
    assert!(matches!(refused.err(), Some(ProviderError::Unavailable { .. })));
}

#[tokio::test]
async fn a_damaged_header_never_ends_the_process() {
    let whole = fs::read(file()).unwrap();
    for at in (4..2000).step_by(97) {
        let damaged = changed(|bytes| bytes[at] ^= 0x55);
        if let Ok(provider) = start(damaged.path(), settings()) {
            // It may be usable, or say that it is not; either way this process goes on.
            let _ = tokio::time::timeout(Duration::from_secs(60), provider.probe()).await.unwrap();
        }
    }
    assert!(whole.len() > 2000);
}
