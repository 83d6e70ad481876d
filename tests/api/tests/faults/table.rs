use std::panic::AssertUnwindSafe;

use futures::{FutureExt, StreamExt, stream};

use crate::{after_a_token, at_the_end, before_a_token, before_the_head, row::Row};

/// Servers that run at once. Most of a row is its server's start.
const AT_ONCE: usize = 6;

/// Plays all rows, also after one has failed, and tells all that have.
async fn play(rows: Vec<Row>) {
    let failures = stream::iter(rows).map(|row| async move {
        let panic = AssertUnwindSafe(row.play()).catch_unwind().await.err()?;
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Some(format!("{} ({:?}): {}", row.what, row.becomes, words.unwrap_or_default()))
    });
    let failures: Vec<_> = failures.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    assert!(failures.is_empty(), "{} rows failed:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn a_fault_before_the_head_is_told_truly_and_mended_by_another_provider_if_it_can_be() {
    play(before_the_head::rows()).await;
}

#[tokio::test]
async fn a_fault_after_the_head_and_before_a_token_is_told_truly_and_mended_by_another_provider_if_it_can_be() {
    play(before_a_token::rows()).await;
}

#[tokio::test]
async fn a_fault_after_a_token_leaves_a_part_that_nobody_goes_on_with() {
    play(after_a_token::rows()).await;
}

#[tokio::test]
async fn a_fault_at_the_end_takes_nothing_from_a_whole_answer() {
    play(at_the_end::rows()).await;
}
