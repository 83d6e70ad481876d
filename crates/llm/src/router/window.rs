use std::time::Duration;

use tokio::time::Instant;

/// One slot of the window, and how many there are: 30 s in all.
const SLOT: Duration = Duration::from_secs(5);
const SLOTS: u64 = 6;
/// Fewer calls than this tell nothing.
const ENOUGH: u32 = 20;

/// How the calls of the last half minute ended.
#[derive(Debug, Default)]
pub(super) struct Window {
    since: Option<Instant>,
    slots: [Slot; SLOTS as usize],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Its number since the window began.
    number: u64,
    calls: u32,
    failed: u32,
}

impl Window {
    pub(super) fn count(&mut self, now: Instant, well: bool) {
        let since = *self.since.get_or_insert(now);
        let number = slot(since, now);
        if let Some(slot) = self.slots.get_mut((number % SLOTS) as usize) {
            if slot.number != number {
                *slot = Slot { number, ..Slot::default() };
            }
            slot.calls = slot.calls.saturating_add(1);
            slot.failed = slot.failed.saturating_add(u32::from(!well));
        }
    }

    /// Whether half of them or more failed, of enough to tell.
    pub(super) fn is_mostly_failed(&self, now: Instant) -> bool {
        let Some(since) = self.since else { return false };
        let oldest = slot(since, now).saturating_sub(SLOTS - 1);
        let recent = self.slots.iter().filter(|slot| slot.number >= oldest);
        let (calls, failed) =
            recent.fold((0u32, 0u32), |(c, f), slot| (c.saturating_add(slot.calls), f.saturating_add(slot.failed)));
        calls >= ENOUGH && failed.saturating_mul(2) >= calls
    }
}

fn slot(since: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(since).as_secs() / SLOT.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_half_a_minute_does_not_count() {
        let mut window = Window::default();
        let start = Instant::now();
        (0..ENOUGH).for_each(|_| window.count(start, false));
        assert!(window.is_mostly_failed(start + Duration::from_secs(29)));
        assert!(!window.is_mostly_failed(start + Duration::from_secs(30)));
        let later = start + Duration::from_secs(300);
        (0..ENOUGH).for_each(|_| window.count(later, true));
        (0..ENOUGH - 1).for_each(|_| window.count(later, false));
        assert!(!window.is_mostly_failed(later));
        window.count(later, false);
        assert!(window.is_mostly_failed(later));
    }
}
