use actix_web::http::header::{self, HeaderMap};
use hitesh_domain::Owner;
use secrecy::{ExposeSecret, SecretString};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::settings::AuthSettings;

/// The keys that callers may have, as digests. A comparison takes the same time whatever key is sent, and however much
/// of it is right.
#[derive(Debug)]
pub(super) struct Keys {
    callers: Vec<(Digest, Owner)>,
    admin: Option<Digest>,
}

#[derive(Debug, Clone, Copy)]
struct Digest([u8; 32]);

impl Digest {
    fn of(key: &str) -> Self {
        Self(*blake3::hash(key.as_bytes()).as_bytes())
    }
}

impl Keys {
    pub(super) fn new(settings: &AuthSettings) -> Self {
        let digest = |key: &SecretString| Digest::of(key.expose_secret());
        Self {
            callers: settings.keys.iter().map(|key| (digest(&key.key), key.owner.clone())).collect(),
            admin: settings.admin_key.as_ref().map(digest),
        }
    }

    /// Whose request this is; `None`: a key is needed, and this is none of them.
    pub(super) fn owner(&self, headers: &HeaderMap) -> Option<Owner> {
        if self.callers.is_empty() {
            return Some(Owner::public());
        }
        let digest = Digest::of(shown(headers)?);
        // All are compared, so that the time does not tell which one fits.
        let mut found = u64::MAX;
        for (index, (known, _)) in (0u64..).zip(&self.callers) {
            found.conditional_assign(&index, known.0.ct_eq(&digest.0));
        }
        usize::try_from(found).ok().and_then(|index| self.callers.get(index)).map(|(_, owner)| owner.clone())
    }

    /// Whether there is an admin key at all.
    pub(super) fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// Whether the request shows the admin key.
    pub(super) fn is_admin(&self, headers: &HeaderMap) -> bool {
        let (Some(admin), Some(key)) = (&self.admin, shown(headers)) else { return false };
        bool::from(admin.0.ct_eq(&Digest::of(key).0))
    }
}

/// `Authorization: Bearer KEY`, else `x-api-key: KEY`.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key.trim());
    let plain = || headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    bearer.or_else(plain)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::settings::ApiKey;

    fn keys() -> Keys {
        let key = |owner: &str, key: &str| ApiKey { owner: owner.parse().unwrap(), key: key.into() };
        Keys::new(&AuthSettings {
            keys: vec![key("anita", "anitas-key"), key("ravi", "ravis-key")],
            admin_key: Some("admins-key".into()),
        })
    }

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn a_key_says_who_asks() {
        assert_eq!(keys().owner(&headers("authorization", "Bearer anitas-key")).unwrap().as_str(), "anita");
        assert_eq!(keys().owner(&headers("authorization", "bearer ravis-key")).unwrap().as_str(), "ravi");
        assert_eq!(keys().owner(&headers("x-api-key", "ravis-key")).unwrap().as_str(), "ravi");
    }

    #[test]
    fn no_key_a_wrong_one_and_the_admins_are_nobodys() {
        assert_eq!(keys().owner(&HeaderMap::new()), None);
        for wrong in ["Bearer", "Bearer ", "Bearer anitas-ke", "Basic anitas-key", "Bearer admins-key"] {
            assert_eq!(keys().owner(&headers("authorization", wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn without_keys_everybody_is_the_public() {
        let open = Keys::new(&AuthSettings::default());
        assert_eq!(open.owner(&headers("x-api-key", "whatever")), Some(Owner::public()));
        assert!(!open.is_admin(&headers("x-api-key", "")));
    }

    #[test]
    fn only_the_admin_key_is_the_admins() {
        assert!(keys().is_admin(&headers("x-api-key", "admins-key")));
        assert!(!keys().is_admin(&headers("x-api-key", "anitas-key")));
    }
}
