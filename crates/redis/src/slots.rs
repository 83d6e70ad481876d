//! Which slot of a cluster a key is in, and which nodes have which slots.

use redis::{FromRedisValue, Value, from_redis_value_ref};

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: of what is between its first `{` and the next `}`, unless that is nothing, else of all of it.
/// As in the cluster specification, section "Hash tags".
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// Hash tags for the parts of what is kept under a name, `{NAME:NUMBER.SALT}`: the slot of each is in another of as many
/// equal stretches of all slots. A cluster that gives each shard as many slots in a row as the others so gives it as many
/// parts, too. Always the same for a name.
pub fn spread(name: &str, parts: u8) -> Vec<String> {
    let stretch = SLOTS / u16::from(parts).max(1);
    let tag = |number: u8| {
        let salted = |salt: u16| format!("{{{name}:{number}.{salt}}}");
        let fits = |tag: &String| slot_of(tag.as_bytes()) / stretch == u16::from(number);
        (0..u16::MAX).map(salted).find(fits).unwrap_or_else(|| salted(0))
    };
    (0..parts).map(tag).collect()
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

/// The place of a node.
pub(crate) type Place = (String, u16);

/// Slots in a row, and who has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) primary: Place,
    pub(crate) replicas: Vec<Place>,
}

/// Reads the reply to `CLUSTER SLOTS`; a node without a host is at `asked`, the host of the node that was asked. None if it
/// has another form.
pub(crate) fn ranges(reply: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(items) = reply else { return None };
    items.iter().map(|item| range(item, asked)).collect()
}

fn range(item: &Value, asked: &str) -> Option<Range> {
    let Value::Array(parts) = item else { return None };
    let [first, last, primary, replicas @ ..] = parts.as_slice() else { return None };
    Some(Range {
        first: read(first)?,
        last: read(last)?,
        primary: place(primary, asked)?,
        // One whose host is not known is no loss.
        replicas: replicas.iter().filter_map(|replica| place(replica, asked)).collect(),
    })
}

fn place(node: &Value, asked: &str) -> Option<Place> {
    let Value::Array(parts) = node else { return None };
    let [host, port, ..] = parts.as_slice() else { return None };
    let host = read::<Option<String>>(host)?.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.to_owned());
    (host != "?").then_some((host, read(port)?))
}

fn read<T: FromRedisValue>(value: &Value) -> Option<T> {
    from_redis_value_ref(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` of a server gives them.
    #[test]
    fn parts_are_in_stretches_of_their_own() {
        for (name, parts) in [("hitesh:sessions:2", 16), ("a:b-c.d", 16), ("", 3), ("x", 1), ("x", 255)] {
            let tags = spread(name, parts);
            let stretch = SLOTS / u16::from(parts);
            let at: Vec<_> = tags.iter().map(|tag| slot_of(format!("{tag}:entry:1").as_bytes()) / stretch).collect();
            assert_eq!(at, (0..u16::from(parts)).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn keys_are_in_the_slots_that_servers_know_them_in() {
        for (key, slot) in [
            ("123456789", 12739),
            ("foo", 12182),
            ("{user1000}.following", 3443),
            ("{user1000}.followers", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn a_node_without_a_host_is_where_the_reply_came_from() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let reply = Value::Array(vec![Value::Array(vec![
            Value::Int(0),
            Value::Int(99),
            node(Value::Nil, 7000),
            node(text("10.0.0.2"), 7001),
            node(text("?"), 7002),
        ])]);
        let range = Range {
            first: 0,
            last: 99,
            primary: ("here".to_owned(), 7000),
            replicas: vec![("10.0.0.2".to_owned(), 7001)],
        };
        assert_eq!(ranges(&reply, "here"), Some(vec![range]));
    }

    #[test]
    fn what_is_no_list_of_slots_is_none() {
        assert_eq!(ranges(&Value::Array(vec![Value::Array(vec![Value::Int(0)])]), "here"), None);
    }
}
