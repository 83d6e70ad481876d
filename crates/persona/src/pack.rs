//! The form of a pack: which files there are and what stands in them. Nothing here knows what a pack is used for.

use std::{collections::BTreeMap, fs, path::Path, rc::Rc};

use hitesh_domain::{PersonaId, Step};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Mistake, PersonaError,
    fidelity::{FidelityRules, REMINDER},
    lorebook::{BookTable, Lore, LoreTable},
    openings::{Openings, Say},
    places::{line_of, line_of_key, parted},
    strict_toml::{self, Wrong},
};

pub(crate) const PERSONA: &str = "persona.toml";
pub(crate) const EXAMPLES: &str = "examples.toml";
pub(crate) const NOTES: &str = "notes/";
/// What is kept of a card that a pack was made of. It changes no prompt, so it is not read here.
pub(crate) const CARD: &str = "card.json";

/// The longest name of a step, in characters: it stands on a button or before a line.
const STEP_NAME: usize = 24;

/// A whole pack, read and checked.
#[derive(Debug)]
pub(crate) struct Pack {
    pub(crate) about: About,
    pub(crate) examples: Vec<Example>,
    /// Sorted by id.
    pub(crate) notes: Vec<Note>,
    pub(crate) content_hash: [u8; 32],
}

/// `persona.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) id: PersonaId,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) languages: Vec<String>,
    pub(crate) topics: Vec<String>,
    pub(crate) sample_questions: Vec<String>,
    pub(crate) disclosure: String,
    pub(crate) identity: String,
    pub(crate) voice: Vec<String>,
    pub(crate) rules: Vec<String>,
    pub(crate) phrases: Vec<String>,
    #[serde(default)]
    pub(crate) steps: StepNames,
    /// Whether people see the model's own reasoning, at the beginning of `think`.
    #[serde(default)]
    pub(crate) show_reasoning: bool,
    #[serde(default)]
    pub(crate) lorebook: BookTable,
    #[serde(default)]
    pub(crate) openings: Openings,
    #[serde(default)]
    pub(crate) fidelity: FidelityRules,
}

/// How people see the steps called; no prompt holds these names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepNames {
    analyze: Option<String>,
    think: Option<String>,
    output: Option<String>,
}

impl StepNames {
    pub(crate) fn get(&self, step: Step) -> &str {
        let (given, default) = match step {
            Step::Analyze => (&self.analyze, "Analyze"),
            Step::Think => (&self.think, "Think"),
            Step::Output => (&self.output, "Output"),
        };
        given.as_deref().map_or(default, str::trim)
    }
}

/// One entry of `examples.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Example {
    /// What stands in the place of a note before the question, so that it is seen how one is used.
    pub(crate) notes: Option<String>,
    pub(crate) question: String,
    pub(crate) analyze: Option<String>,
    pub(crate) think: Option<String>,
    pub(crate) output: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExamplesFile {
    pub(crate) examples: Vec<Example>,
}

/// One file of `notes/`; its id is the file's name.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) keywords: Vec<String>,
    /// Those of the keywords that daily life uses too.
    pub(crate) everyday: Vec<String>,
    /// The note in one breath, for small models.
    pub(crate) gist: String,
    pub(crate) body: String,
    /// When it is chosen, if that is by its keys.
    pub(crate) lore: Option<Lore>,
    /// What must not be left to a small model's own words.
    pub(crate) say: Say,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrontMatter {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) keywords: Vec<String>,
    #[serde(default)]
    pub(crate) everyday: Vec<String>,
    pub(crate) gist: String,
    pub(crate) lore: Option<LoreTable>,
    #[serde(default)]
    pub(crate) say: Say,
}

impl Pack {
    /// Reads the pack out of a folder; touches nothing but the files that a pack may have.
    pub(crate) fn from_dir(folder: &Path) -> Result<Self, PersonaError> {
        Reader::of_dir(folder).into_pack().map_err(PersonaError::Invalid)
    }

    /// Makes the pack of (path relative to its folder, text).
    pub(crate) fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, PersonaError> {
        Reader::of_files(files).into_pack().map_err(PersonaError::Invalid)
    }
}

/// Line ends and a byte order mark are an editor's affair: they change neither a prompt nor the content hash.
pub(crate) fn normalized(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n")
}

/// The texts of a pack's files, by their paths, and the mistakes that they have.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) files: Rc<BTreeMap<String, String>>,
    mistakes: Vec<Mistake>,
    /// The folder can't be read: that its files are missing says nothing more.
    unreadable: bool,
}

impl Reader {
    pub(crate) fn of_dir(folder: &Path) -> Self {
        let mut reader = Self::default();
        reader.read_folder(folder, "");
        reader.read_folder(&folder.join(NOTES), NOTES);
        reader
    }

    pub(crate) fn of_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut reader = Self::default();
        for (path, text) in files {
            if reader.belongs(&path) {
                reader.keep(path, &text);
            }
        }
        reader
    }

    fn keep(&mut self, path: String, text: &str) {
        Rc::make_mut(&mut self.files).insert(path, normalized(text));
    }

    fn mistake(&mut self, file: &str, line: Option<usize>, message: impl Into<String>) {
        self.mistakes.push(Mistake { file: file.to_owned(), line, message: message.into() });
    }

    /// Whether this is a file of the pack. One that looks like a misspelt part of it is a mistake.
    fn belongs(&mut self, path: &str) -> bool {
        if let Some(name) = path.strip_prefix(NOTES) {
            let hidden = name.starts_with('.');
            let valid = name.strip_suffix(".md").is_some_and(|id| PersonaId::try_from(id).is_ok());
            if !valid && !hidden {
                self.mistake(path, None, "a note is called like `fast-api.md`: a-z, 0-9, - and _ only");
            }
            return valid;
        }
        if path == PERSONA || path == EXAMPLES {
            return true;
        }
        let beside = path == CARD || path.starts_with('.') || path.starts_with("README") || path.starts_with("LICENSE");
        if !beside {
            self.mistake(path, None, "no such file belongs to a pack");
        }
        false
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // A persona without notes is a persona.
            Err(error) if !prefix.is_empty() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.unreadable = true;
                return self.mistake(&folder.display().to_string(), None, error.to_string());
            }
        };
        let mut names: Vec<String> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name().to_string_lossy().into_owned()),
                Err(error) => self.mistake(&folder.display().to_string(), None, error.to_string()),
            }
        }
        names.sort_unstable();
        for name in names {
            let path = format!("{prefix}{name}");
            if path == NOTES.trim_end_matches('/') || !self.belongs(&path) {
                continue;
            }
            match fs::read_to_string(folder.join(&name)) {
                Ok(text) => self.keep(path, &text),
                Err(error) => self.mistake(&path, None, error.to_string()),
            }
        }
    }

    pub(crate) fn into_pack(mut self) -> Result<Pack, Vec<Mistake>> {
        let files = Rc::clone(&self.files);
        let about: Option<About> = self.required(&files, PERSONA);
        let examples: Option<ExamplesFile> = self.required(&files, EXAMPLES);
        if let Some(about) = &about {
            self.check_about(about);
        }
        if let Some(file) = &examples {
            self.check_examples(&file.examples);
        }
        let mut notes: Vec<Note> = files
            .iter()
            .filter_map(|(path, text)| {
                let id = path.strip_prefix(NOTES)?.strip_suffix(".md")?;
                self.note(path, id, text)
            })
            .collect();
        // Not the order of the files: `docker-vs-vm.md` comes before `docker.md`.
        notes.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        match (about, examples) {
            (Some(about), Some(ExamplesFile { examples })) if self.mistakes.is_empty() => {
                Ok(Pack { about, examples, notes, content_hash: content_hash(&files) })
            }
            _ => Err(self.mistakes),
        }
    }

    fn required<T: DeserializeOwned>(&mut self, files: &BTreeMap<String, String>, path: &str) -> Option<T> {
        match files.get(path) {
            Some(text) => self.toml(path, text, 0),
            None => {
                if !self.unreadable && !self.mistakes.iter().any(|mistake| mistake.file == path) {
                    self.mistake(path, None, "the file is missing");
                }
                None
            }
        }
    }

    fn toml<T: DeserializeOwned>(&mut self, path: &str, text: &str, lines_before: usize) -> Option<T> {
        let wrong = match strict_toml::read(text) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        for Wrong { at, message } in wrong {
            self.mistake(path, at.map(|at| lines_before + line_of(text, at)), message);
        }
        None
    }

    fn note(&mut self, path: &str, id: &str, text: &str) -> Option<Note> {
        let Some((front, body)) = parted(text) else {
            self.mistake(path, Some(1), "a note begins with front matter between two lines of `+++`");
            return None;
        };
        let front_text = front;
        let front: FrontMatter = self.toml(path, front_text, 1)?;
        self.filled(path, &["title"], &front.title);
        self.filled(path, &["gist"], &front.gist);
        self.all_filled(path, "keywords", &front.keywords);
        for (number, word) in front.everyday.iter().enumerate() {
            if !front.keywords.contains(word) {
                let line = self.line(path, &["everyday", &number.to_string()]);
                self.mistake(path, line, format!("`{word}` of `everyday` is no keyword"));
            }
        }
        if body.trim().is_empty() {
            self.mistake(path, Some(text.lines().count()), "the note has no text");
        }
        match (&front.lore, front.keywords.is_empty()) {
            (None, true) => {
                let line = self.line(path, &["keywords"]);
                self.mistake(path, line, "`keywords` is empty: nobody would find the note");
            }
            (Some(_), false) => {
                let line = self.line(path, &["keywords"]);
                self.mistake(path, line, "a note has `keywords` or `[lore]`, not both");
            }
            _ => {}
        }
        let lore = match front.lore.map(Lore::new).transpose() {
            Ok(lore) => lore,
            Err((at, reason)) => {
                self.mistake(path, Some(1 + line_of(front_text, at)), reason);
                return None;
            }
        };
        for (key, wrong) in front.say.mistakes() {
            let line = self.line(path, &["say", key]);
            self.mistake(path, line, wrong);
        }
        if lore.as_ref().is_some_and(|lore| !lore.can_be_chosen()) {
            let line = self.line(path, &["lore"]);
            self.mistake(path, line, "`[lore]` has no `keys`: nothing would choose the note");
        }
        Some(Note {
            id: id.to_owned(),
            title: front.title.trim().to_owned(),
            keywords: front.keywords,
            everyday: front.everyday,
            gist: front.gist.trim().to_owned(),
            body: body.trim().to_owned(),
            lore,
            say: front.say,
        })
    }

    fn check_about(&mut self, about: &About) {
        let texts = [
            ("name", &about.name),
            ("description", &about.description),
            ("disclosure", &about.disclosure),
            ("identity", &about.identity),
        ];
        for (key, text) in texts {
            self.filled(PERSONA, &[key], text);
        }
        let lists = [
            ("languages", &about.languages),
            ("topics", &about.topics),
            ("sample_questions", &about.sample_questions),
            ("voice", &about.voice),
            ("rules", &about.rules),
            ("phrases", &about.phrases),
        ];
        for (key, list) in lists {
            self.all_filled(PERSONA, key, list);
        }
        for (keys, wrong) in about.openings.mistakes() {
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            self.mistake(PERSONA, self.line(PERSONA, &keys), wrong);
        }
        let StepNames { analyze, think, output } = &about.steps;
        for (key, name) in [("analyze", analyze), ("think", think), ("output", output)] {
            let Some(name) = name.as_deref().map(str::trim) else { continue };
            if !(1..=STEP_NAME).contains(&name.chars().count()) || name.contains(char::is_control) {
                let line = self.line(PERSONA, &["steps", key]);
                self.mistake(PERSONA, line, format!("the name of a step has 1 to {STEP_NAME} characters, in one line"));
            }
        }
        let FidelityRules { breaches, reminders } = &about.fidelity;
        for (number, breach) in breaches.iter().enumerate() {
            if breach.trim().is_empty() {
                let line = self.line(PERSONA, &["fidelity", "breaches", &number.to_string()]);
                self.mistake(PERSONA, line, "`breaches` has an empty entry");
            }
        }
        for (key, reminder) in reminders.entries() {
            let Some(reminder) = reminder.map(str::trim) else { continue };
            if !(1..=REMINDER).contains(&reminder.chars().count()) || reminder.contains(char::is_control) {
                let line = self.line(PERSONA, &["fidelity", "reminders", key]);
                self.mistake(PERSONA, line, format!("a reminder has 1 to {REMINDER} characters, in one line"));
            }
        }
    }

    fn check_examples(&mut self, examples: &[Example]) {
        if examples.len() > 3 {
            self.mistake(EXAMPLES, None, format!("there are {} examples; at most 3 are wanted", examples.len()));
        }
        for (number, example) in examples.iter().enumerate() {
            let Example { notes, question, analyze, think, output } = example;
            let texts = [
                ("notes", notes.as_ref()),
                ("question", Some(question)),
                ("analyze", analyze.as_ref()),
                ("think", think.as_ref()),
                ("output", Some(output)),
            ];
            for (key, text) in texts {
                if let Some(text) = text {
                    self.filled(EXAMPLES, &["examples", &number.to_string(), key], text);
                }
            }
        }
    }

    fn line(&self, file: &str, keys: &[&str]) -> Option<usize> {
        line_of_key(self.files.get(file)?, keys)
    }

    fn filled(&mut self, file: &str, keys: &[&str], text: &str) {
        if text.trim().is_empty() {
            let key = keys.last().copied().unwrap_or_default();
            self.mistake(file, self.line(file, keys), format!("`{key}` is empty"));
        }
    }

    fn all_filled(&mut self, file: &str, key: &str, list: &[String]) {
        let empty = list.iter().enumerate().filter(|(_, text)| text.trim().is_empty());
        for (number, _) in empty {
            let line = self.line(file, &[key, &number.to_string()]);
            self.mistake(file, line, format!("`{key}` has an empty entry"));
        }
    }
}

/// Versioned and length-prefixed, in the order of the paths, so that no two packs share an encoding.
fn content_hash(files: &BTreeMap<String, String>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(b"hitesh persona pack, version 1");
    for (path, text) in files {
        field(path.as_bytes());
        field(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
