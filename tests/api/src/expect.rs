use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An object's keys, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut keys: Vec<_> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Asserts that an object has exactly these keys, in any order.
pub fn expect_keys(value: &Value, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(keys(value), expected, "{value}");
}

/// Asserts that this is a time of the last hour, in RFC 3339 with a `Z`.
pub fn expect_time(value: &Value) -> OffsetDateTime {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    assert!(text.ends_with('Z'), "not in UTC with a Z: {text}");
    let time = OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|error| panic!("{error}: {text}"));
    let age = OffsetDateTime::now_utc() - time;
    assert!(age.whole_minutes().abs() < 60, "not of now: {text}");
    time
}

/// Asserts that this is a UUID.
pub fn expect_uuid(value: &Value) -> String {
    let text = value.as_str().unwrap_or_else(|| panic!("no UUID: {value}"));
    uuid::Uuid::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    text.to_owned()
}
