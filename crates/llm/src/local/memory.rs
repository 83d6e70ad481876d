//! How much memory a model may take.

use std::{fs, path::Path};

/// Bytes that this process can still get: what the kernel calls available, or less where a cgroup (a container)
/// has a lower limit. `None` where neither can be read.
pub(super) fn available() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(mem_available);
    machine.into_iter().chain(cgroup_room()).min()
}

/// What a model takes beside its file: the context and what computing needs. For models of a few billion weights.
const BESIDE_THE_FILE: u64 = 448 << 20;

/// Whether a model whose file has `bytes` would fit into the memory that can still be had. To choose which model to
/// fetch; a start looks closer, at the model's own header.
pub fn has_memory_for(bytes: u64) -> bool {
    available().is_none_or(|available| available >= bytes.saturating_add(BESIDE_THE_FILE))
}

fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least room in this process's cgroup (version 2) and those above it.
fn cgroup_room() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let leaf = root.join(own);
    leaf.ancestors().take_while(|dir| dir.starts_with(root)).filter_map(room_in).min()
}

fn room_in(dir: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let limit = read("memory.max").and_then(number)?;
    let used = read("memory.current").and_then(number)?;
    let cached = read("memory.stat").as_deref().and_then(file_cache).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cached)))
}

/// Cached file pages count as used, and are given back when memory is needed.
fn file_cache(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("file "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        assert_eq!(mem_available("MemTotal: 9 kB\nMemAvailable:   1024 kB\n"), Some(1024 * 1024));
        assert_eq!(mem_available("MemTotal: 9 kB\n"), None);
        assert_eq!(file_cache("anon 5\nfile 4096\nkernel 1\n"), Some(4096));
    }
}
