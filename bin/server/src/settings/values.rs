//! How single values are written: numbers with a range, times, secrets.

use std::{fmt, marker::PhantomData, time::Duration};

use secrecy::SecretString;
use serde::{
    Deserialize,
    de::{self, Deserializer, Unexpected, Visitor},
};

/// A whole number from `MIN` to `MAX`, which both have to fit into a `T`.
pub(super) fn within<'de, T, D, const MIN: u64, const MAX: u64>(reader: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    reader.deserialize_u64(Whole::<T, MIN, MAX>(PhantomData))
}

/// Like [`within`], for a setting that may be left out.
pub(super) fn maybe_within<'de, T, D, const MIN: u64, const MAX: u64>(reader: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    within::<T, D, MIN, MAX>(reader).map(Some)
}

struct Whole<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: TryFrom<u64>, const MIN: u64, const MAX: u64> Visitor<'_> for Whole<T, MIN, MAX> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        u64::try_from(number)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }
}

/// A time in seconds, written as a number that may have a fraction. The limits are in milliseconds, so that a
/// fraction can be one.
pub(super) fn seconds<'de, D, const MIN_MS: u64, const MAX_MS: u64>(reader: D) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    reader.deserialize_f64(Seconds::<MIN_MS, MAX_MS>)
}

/// Like [`seconds`], for a setting that may be left out.
pub(super) fn maybe_seconds<'de, D, const MIN_MS: u64, const MAX_MS: u64>(
    reader: D,
) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    seconds::<D, MIN_MS, MAX_MS>(reader).map(Some)
}

struct Seconds<const MIN_MS: u64, const MAX_MS: u64>;

impl<const MIN_MS: u64, const MAX_MS: u64> Visitor<'_> for Seconds<MIN_MS, MAX_MS> {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, max] = [MIN_MS, MAX_MS].map(Duration::from_millis).map(|limit| limit.as_secs_f64());
        write!(f, "a number of seconds from {min} to {max}")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Duration, E> {
        u64::try_from(number)
            .ok()
            .map(Duration::from_secs)
            .filter(|time| (Duration::from_millis(MIN_MS)..=Duration::from_millis(MAX_MS)).contains(time))
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(number)
            .ok()
            .filter(|time| (Duration::from_millis(MIN_MS)..=Duration::from_millis(MAX_MS)).contains(time))
            .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
}

/// A number from `MIN` to `MAX`, which may have a fraction.
pub(super) fn number<'de, D, const MIN: u32, const MAX: u32>(reader: D) -> Result<f32, D::Error>
where
    D: Deserializer<'de>,
{
    reader.deserialize_f64(Number::<MIN, MAX>)
}

/// Like [`number`], for a setting that may be left out.
pub(super) fn maybe_number<'de, D, const MIN: u32, const MAX: u32>(reader: D) -> Result<Option<f32>, D::Error>
where
    D: Deserializer<'de>,
{
    number::<D, MIN, MAX>(reader).map(Some)
}

struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Visitor<'_> for Number<MIN, MAX> {
    type Value = f32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number from {MIN} to {MAX}")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<f32, E> {
        let small = i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        self.visit_f64(f64::from(small))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<f32, E> {
        if (f64::from(MIN)..=f64::from(MAX)).contains(&number) {
            Ok(number as f32)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

/// An amount of money: a number of at least 0.
pub(super) fn amount<'de, D: Deserializer<'de>>(reader: D) -> Result<f64, D::Error> {
    reader.deserialize_f64(Amount)
}

/// Like [`amount`], for a setting that may be left out.
pub(super) fn maybe_amount<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<f64>, D::Error> {
    amount(reader).map(Some)
}

struct Amount;

impl Visitor<'_> for Amount {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of at least 0")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
        if number >= 0.0 && number.is_finite() {
            Ok(number)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

/// A list: items that were wrong, and taken out, are left out.
pub(super) fn list<'de, T, D>(reader: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Vec::<Option<T>>::deserialize(reader).map(|items| items.into_iter().flatten().collect())
}

/// Text that is never shown: a key, or an address that may hold one.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        String::deserialize(reader).map(|text| Self(SecretString::from(text)))
    }
}
