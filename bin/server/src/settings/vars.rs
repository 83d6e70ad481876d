//! The variables of the environment and of `.env`.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use super::{
    env::EnvSource,
    error::{Mistake, Mistakes},
    origin::Origin,
};

/// Variables by name: those of the environment before those of `.env`. An empty value counts as unset.
pub(super) struct Vars {
    environment: BTreeMap<String, String>,
    dot_env: BTreeMap<String, String>,
    path: Arc<Path>,
}

impl Vars {
    /// Reads the environment, and the `.env` in `directory` if there is one.
    pub(super) fn read(env: &dyn EnvSource, directory: &Path, mistakes: &mut Mistakes) -> Self {
        let path: Arc<Path> = directory.join(".env").into();
        let dot_env = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text, &path, mistakes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                mistakes.add_about(path.display().to_string(), format!("cannot read the file: {error}"));
                BTreeMap::new()
            }
        };
        let environment = env.vars().into_iter().filter(is_set).collect();
        Self { environment, dot_env, path }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).or_else(|| self.dot_env.get(name)).map(String::as_str)
    }

    /// Where a variable was set.
    pub(super) fn origin(&self, name: &str) -> Option<Origin> {
        if self.environment.contains_key(name) {
            Some(self.in_environment(name))
        } else {
            self.dot_env.contains_key(name).then(|| self.in_dot_env(name))
        }
    }

    /// All of `.env`, then all of the environment: each layer over the one before it.
    pub(super) fn layers(&self) -> [Vec<(&str, &str, Origin)>; 2] {
        [
            self.dot_env.iter().map(|(name, value)| (&**name, &**value, self.in_dot_env(name))).collect(),
            self.environment.iter().map(|(name, value)| (&**name, &**value, self.in_environment(name))).collect(),
        ]
    }

    fn in_environment(&self, name: &str) -> Origin {
        Origin::Environment { name: name.to_owned() }
    }

    fn in_dot_env(&self, name: &str) -> Origin {
        Origin::DotEnv { path: Arc::clone(&self.path), name: name.to_owned() }
    }
}

fn is_set((_, value): &(String, String)) -> bool {
    !value.trim().is_empty()
}

fn parse(text: &str, path: &Arc<Path>, mistakes: &mut Mistakes) -> BTreeMap<String, String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut variables = BTreeMap::new();
    for item in dotenvy::Iter::new(text.as_bytes()) {
        match item {
            Ok(variable) if is_set(&variable) => {
                variables.insert(variable.0, variable.1);
            }
            Ok(_) => {}
            Err(error) => mistakes.push(Mistake {
                key: ".env".to_owned(),
                // Not the error's own text: it quotes the line, which may hold a key.
                origin: line_of(&error, text).map(|line| Origin::File { path: Arc::clone(path), line }),
                problem: "expected NAME=value, with quotes around a value that has spaces".to_owned(),
            }),
        }
    }
    variables
}

/// The line that holds what could not be read; dotenvy tells its end only.
fn line_of(error: &dotenvy::Error, text: &str) -> Option<usize> {
    let dotenvy::Error::LineParse(wrong, _) = error else { return None };
    let first = wrong.lines().next().map(str::trim).filter(|part| !part.is_empty())?;
    text.lines().position(|line| line.trim_end().ends_with(first)).map(|index| index + 1)
}
