use std::collections::BTreeSet;

use hitesh_domain::Owner;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    origin::KeyPath,
    resolve::{Resolve, SecretForm},
    values::Secret,
};

/// Shorter keys can be guessed.
const SHORTEST_KEY: usize = 8;

/// Who may ask.
#[derive(Debug, Clone, Default)]
pub struct AuthSettings {
    /// The keys that callers may have; empty: no key is needed.
    pub keys: Vec<ApiKey>,
    /// The key of the admin routes; none: they answer to loopback only.
    pub admin_key: Option<SecretString>,
}

/// A caller's key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Whose sessions are asked for with it. Never `public`.
    pub owner: Owner,
    /// The key itself, at least 8 visible ASCII characters.
    pub key: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthForm {
    #[serde(default)]
    keys: Vec<Option<KeyForm>>,
    admin_key: Option<Secret>,
    admin_key_env: Option<String>,
    admin_key_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyForm {
    id: Option<String>,
    key: Option<Secret>,
    key_env: Option<String>,
    key_file: Option<String>,
}

impl AuthForm {
    pub(super) fn resolve(self, at: &mut Resolve<'_>) -> AuthSettings {
        let mut keys: Vec<ApiKey> = Vec::new();
        let mut owners = BTreeSet::new();
        for (index, form) in self.keys.into_iter().enumerate() {
            let path = KeyPath::of(&["auth", "keys"]).index(index);
            let Some(form) = form else { continue };
            let owner = owner(form.id, &path.clone(), at);
            let sources = SecretForm { here: form.key, variable: form.key_env, file: form.key_file };
            if sources.is_empty() {
                at.missing(&path, "key", "has no key: give key, key_env or key_file");
            }
            let key = at.secret(&path, "key", sources).filter(|key| is_long_enough(key, &path.clone().key("key"), at));
            let (Some(owner), Some(key)) = (owner, key) else { continue };
            if !owners.insert(owner.clone()) {
                at.mistake_at(&path.key("id"), "there is a key of this id already");
            } else if keys.iter().any(|other| other.key.expose_secret() == key.expose_secret()) {
                at.mistake_at(&path.key("key"), "another id has the same key");
            } else {
                keys.push(ApiKey { owner, key });
            }
        }
        let auth = KeyPath::of(&["auth"]);
        let sources = SecretForm { here: self.admin_key, variable: self.admin_key_env, file: self.admin_key_file };
        let admin_key = at
            .secret(&auth, "admin_key", sources)
            .filter(|key| is_long_enough(key, &KeyPath::of(&["auth", "admin_key"]), at));
        AuthSettings { keys, admin_key }
    }
}

fn owner(id: Option<String>, path: &KeyPath, at: &mut Resolve<'_>) -> Option<Owner> {
    let Some(id) = id else {
        at.missing(path, "id", "has no id");
        return None;
    };
    let id_path = path.clone().key("id");
    match Owner::try_from(id) {
        Ok(owner) if owner == Owner::public() => {
            at.mistake_at(&id_path, "public is the owner of what is asked without a key: take another id");
            None
        }
        Ok(owner) => Some(owner),
        Err(error) => {
            at.mistake_at(&id_path, format!("expected {}", error.rule()));
            None
        }
    }
}

fn is_long_enough(key: &SecretString, path: &KeyPath, at: &mut Resolve<'_>) -> bool {
    let long_enough = key.expose_secret().len() >= SHORTEST_KEY;
    if !long_enough {
        at.mistake_at(path, format!("a key has at least {SHORTEST_KEY} characters"));
    }
    long_enough
}
