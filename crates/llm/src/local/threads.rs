//! How many threads compute. Two on one core's halves often slow each other, and a machine in a container may use
//! fewer cores than it sees: what is best is tried where it is not plain.

use std::{
    collections::HashSet,
    fs,
    num::{NonZeroU32, NonZeroUsize},
    time::{Duration, Instant},
};

use llama_cpp_2::{llama_backend::LlamaBackend, llama_batch::LlamaBatch, model::LlamaModel};

use super::context;

/// Tokens that a number of threads is tried with.
const TRIED: usize = 6;

/// Those that `set` says, else the fastest of: one for each core, one for each half of them.
pub(super) fn find(backend: &LlamaBackend, model: &LlamaModel, set: Option<NonZeroUsize>) -> usize {
    if let Some(set) = set {
        return set.get();
    }
    let allowed = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let cores = cores().filter(|cores| (1..allowed).contains(cores));
    let Some(cores) = cores else { return allowed };
    let fastest = [cores, allowed].into_iter().filter_map(|threads| Some((time(backend, model, threads)?, threads)));
    let (time, threads) = fastest.min().unwrap_or((Duration::ZERO, cores));
    tracing::info!(threads, per_token = ?time, "found how many threads compute fastest");
    threads
}

/// How long one token takes with `threads`.
fn time(backend: &LlamaBackend, model: &LlamaModel, threads: usize) -> Option<Duration> {
    let cells = NonZeroU32::new(64)?;
    let mut context = context::raw(backend, model, (cells, 1, threads, 1)).ok()?;
    let mut batch = LlamaBatch::new(1, 1);
    let token = model.vocab().tokens().nth(100)?;
    let mut fastest = None;
    for at in 0..TRIED {
        batch.clear();
        batch.add(token, i32::try_from(at).ok()?, &[0], true).ok()?;
        let since = Instant::now();
        context.decode(&mut batch).ok()?;
        context.synchronize();
        fastest = fastest.into_iter().chain([since.elapsed()]).min();
    }
    fastest
}

/// Cores whose halves this process may use, where Linux tells.
fn cores() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let siblings = |cpu| fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"));
    let cores: HashSet<_> = numbers(allowed.trim())?.into_iter().map(siblings).collect::<Result<_, _>>().ok()?;
    Some(cores.len())
}

/// The numbers of a list as Linux writes it: `0-2,5`.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    let ranges: Option<Vec<_>> = list.split(',').map(range).collect();
    Some(ranges?.into_iter().flatten().take(4096).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_lists_are_read() {
        assert_eq!(numbers("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(numbers("3"), Some(vec![3]));
        assert_eq!(numbers("x"), None);
    }
}
