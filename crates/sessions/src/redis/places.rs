//! Which partition a session, a turn or an idempotency key is in.
//!
//! What one script touches has to be in one slot of a cluster, and scripts touch what belongs to no session: who has which turn
//! open, how old turns are. So sessions are spread over a fixed number of partitions, each in one slot with all that belongs to it,
//! and the slots are as far from each other as they can be. A turn has the number of its session's partition in its id, unless
//! that was made elsewhere: then the partition that its id points to knows where it is.

use hitesh_domain::TurnId;
use hitesh_redis::{slot_of, spread};

/// How many partitions a cluster has of one prefix: on so many of its shards are sessions.
const PARTITIONS: u8 = 16;

/// How sessions are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// All of them are in one slot.
    One,
    /// As a cluster has them.
    Spread,
}

impl Places {
    /// How many partitions there are.
    fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Spread => PARTITIONS,
        }
    }

    /// What the keys of each partition begin with.
    pub(super) fn prefixes(self, prefix: &str) -> Vec<String> {
        // The number is that of the stored form.
        match self {
            Self::One => vec![format!("{{{prefix}:sessions:2}}:")],
            Self::Spread => {
                let tags = spread(&format!("{prefix}:sessions:2"), PARTITIONS);
                tags.iter().map(|tag| format!("{tag}:")).collect()
            }
        }
    }

    /// Of a session, or of a key: of "owner/session", "owner/key".
    pub(super) fn of_name(self, name: &str) -> usize {
        usize::from(slot_of(name.as_bytes()) % u16::from(self.count()))
    }

    /// Where a turn's id points to.
    pub(super) fn of_turn(self, turn: TurnId) -> usize {
        let [.., last] = turn.as_bytes();
        usize::from(last % self.count())
    }

    /// A new id that points to a partition.
    pub(super) fn new_turn(self, at: usize) -> TurnId {
        let mut bytes = *TurnId::now().as_bytes();
        let [.., last] = &mut bytes;
        *last -= *last % self.count();
        *last += u8::try_from(at).unwrap_or(0) % self.count();
        TurnId::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_partition_is_in_its_sixteenth_of_the_slots() {
        for prefix in ["hitesh", "test", "a:b-c.d", ""] {
            let slots: Vec<_> =
                Places::Spread.prefixes(prefix).iter().map(|prefix| slot_of(prefix.as_bytes()) / 1024).collect();
            assert_eq!(slots, (0..16).collect::<Vec<_>>(), "{prefix}");
        }
    }

    /// They are stored under it: another name is another store.
    #[test]
    fn partitions_keep_their_names() {
        let prefixes = Places::Spread.prefixes("hitesh");
        assert_eq!(prefixes.first().unwrap(), "{hitesh:sessions:2:0.43}:");
        assert_eq!(prefixes.last().unwrap(), "{hitesh:sessions:2:15.12}:");
        assert_eq!(Places::One.prefixes("hitesh"), ["{hitesh:sessions:2}:"]);
        assert_eq!(Places::Spread.of_name("public/s"), 7);
    }

    #[test]
    fn a_new_turn_points_to_where_it_was_made_for() {
        for places in [Places::One, Places::Spread] {
            for at in 0..usize::from(places.count()) {
                for _ in 0..100 {
                    assert_eq!(places.of_turn(places.new_turn(at)), at);
                }
            }
        }
        let ids: HashSet<_> = (0..10_000).map(|_| Places::Spread.new_turn(3)).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn names_are_spread_evenly() {
        let mut counts = [0; 16];
        (0..16_000).for_each(|number| counts[Places::Spread.of_name(&format!("public/session-{number}"))] += 1);
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
