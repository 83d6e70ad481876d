//! What the sections need to become what they mean: the variables, the places where settings were written, and
//! the list of mistakes.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{
    error::{Mistake, Mistakes},
    origin::{KeyPath, Origin},
    tree::Node,
    values::Secret,
    vars::Vars,
};

pub(super) struct Resolve<'a> {
    pub(super) tree: &'a Node,
    pub(super) vars: &'a Vars,
    pub(super) mistakes: Mistakes,
    pub(super) warnings: Vec<String>,
    /// The directory that relative paths of settings are read from.
    pub(super) directory: &'a Path,
}

impl Resolve<'_> {
    pub(super) fn mistake(&mut self, keys: &[&str], problem: impl Into<String>) {
        self.mistake_at(&KeyPath::of(keys), problem);
    }

    pub(super) fn mistake_at(&mut self, path: &KeyPath, problem: impl Into<String>) {
        // A setting that nobody wrote is simply missing: its default is at fault only if it was written.
        let origin = match self.tree.origin_of(path) {
            Origin::BuiltIn => None,
            written => Some(written),
        };
        self.mistakes.add(path, origin, problem);
    }

    /// A setting that has to be there and is not. One that is there and wrong is a mistake already.
    pub(super) fn missing(&mut self, section: &KeyPath, key: &str, problem: &str) {
        if self.tree.at(&section.clone().key(key)).is_none() {
            self.mistake_at(section, problem);
        }
    }

    /// A mistake in a variable that is no setting.
    pub(super) fn variable_mistake(&mut self, name: &str, problem: &str) {
        let origin = self.vars.origin(name);
        self.mistakes.push(Mistake { key: name.to_owned(), origin, problem: problem.to_owned() });
    }

    /// A path as settings write it: `~/` is the user's home.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), self.vars.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(text),
        }
    }

    /// A model: a name, or a path of which `~/` is the user's home.
    pub(super) fn model(&self, text: &str) -> String {
        self.path(text.trim()).to_string_lossy().into_owned()
    }

    /// A folder of this user for this service, by the XDG base directory rules.
    pub(super) fn user_folder(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        let base = self.vars.get(variable).and_then(absolute);
        let base = base.or_else(|| self.vars.get("HOME").and_then(absolute).map(|home| home.join(below_home)));
        base.map(|folder| folder.join("hitesh-ai"))
    }

    /// A key that can be written here, in a variable or in a file: at most one of the three. `name` is the setting
    /// that holds it, and the prefix of the two others.
    pub(super) fn secret(&mut self, section: &KeyPath, name: &str, sources: SecretForm) -> Option<SecretString> {
        let [here, variable, file] =
            ["", "_env", "_file"].map(|suffix| section.clone().key(&format!("{name}{suffix}")));
        let second = match (&sources.here, &sources.variable, &sources.file) {
            (Some(_), Some(_), _) => Some(&variable),
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => Some(&file),
            _ => None,
        };
        if let Some(second) = second {
            self.mistake_at(second, format!("give only one of {name}, {name}_env and {name}_file"));
            return None;
        }
        let (path, secret) = if let Some(Secret(secret)) = sources.here {
            (here, secret)
        } else if let Some(name) = sources.variable {
            let Some(value) = self.vars.get(&name) else {
                self.mistake_at(&variable, format!("the variable {name} is not set"));
                return None;
            };
            (variable, SecretString::from(value))
        } else if let Some(name) = sources.file {
            match std::fs::read_to_string(self.directory.join(self.path(&name))) {
                Ok(text) => (file, SecretString::from(text)),
                Err(error) => {
                    self.mistake_at(&file, format!("cannot read the file: {error}"));
                    return None;
                }
            }
        } else {
            return None;
        };
        // Editors and `echo` leave a line end behind a key, and no key begins or ends with white space.
        let secret = SecretString::from(secret.expose_secret().trim());
        if secret.expose_secret().is_empty() {
            self.mistake_at(&path, "the key is empty");
            return None;
        }
        if !secret.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            self.mistake_at(&path, "a key has only visible ASCII characters");
            return None;
        }
        Some(secret)
    }
}

/// The three ways to give a key.
#[derive(Default)]
pub(super) struct SecretForm {
    pub(super) here: Option<Secret>,
    pub(super) variable: Option<String>,
    pub(super) file: Option<String>,
}

impl SecretForm {
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_none() && self.variable.is_none() && self.file.is_none()
    }
}
