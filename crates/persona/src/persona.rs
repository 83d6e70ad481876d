use std::path::Path;

use hitesh_domain::{PersonaId, Step, StepFormat};
use include_dir::{Dir, include_dir};

use crate::{
    Mistake, PersonaError, estimate_tokens,
    fidelity::{Reminders, Yardstick},
    lorebook::Lorebook,
    openings::Openings,
    pack::{Note, Pack},
    prompt::{NOTES_BUDGET, Prefixes},
    retrieval::NoteIndex,
};

static PACKS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/packs");

/// A persona: who answers, in which voice, and what it has written down. Made once, at start; everything that does not
/// depend on a question is computed then.
pub struct Persona {
    pack: Pack,
    index: NoteIndex,
    lorebook: Lorebook,
    prefixes: Prefixes,
    yardstick: Yardstick,
}

impl Persona {
    /// A persona that is compiled in.
    ///
    /// # Errors
    /// [`PersonaError::Unknown`] when there is no such one.
    pub fn builtin(id: &str) -> Result<Self, PersonaError> {
        Self::from_files(Self::builtin_files(id)?)
    }

    /// The files of a pack that is compiled in: (path relative to its folder, text).
    ///
    /// # Errors
    /// [`PersonaError::Unknown`] when there is no such one.
    pub fn builtin_files(id: &str) -> Result<Vec<(String, String)>, PersonaError> {
        let Some(folder) = PACKS.get_dir(id).filter(|_| Self::builtin_ids().contains(&id)) else {
            return Err(PersonaError::Unknown { id: id.to_owned(), known: Self::builtin_ids() });
        };
        let mut files = Vec::new();
        let mut mistakes = Vec::new();
        for file in folder.files().chain(folder.dirs().flat_map(Dir::files)) {
            let path = file.path().strip_prefix(folder.path()).unwrap_or(file.path());
            let path = path.to_string_lossy().replace('\\', "/");
            match file.contents_utf8() {
                Some(text) => files.push((path, text.to_owned())),
                None => mistakes.push(Mistake { file: path, line: None, message: "the text is not UTF-8".to_owned() }),
            }
        }
        if mistakes.is_empty() { Ok(files) } else { Err(PersonaError::Invalid(mistakes)) }
    }

    /// The ids that [`builtin`](Self::builtin) knows, sorted.
    pub fn builtin_ids() -> Vec<&'static str> {
        let mut ids: Vec<_> = PACKS.dirs().filter_map(|folder| folder.path().to_str()).collect();
        ids.sort_unstable();
        ids
    }

    /// Reads a pack's folder: `persona.toml`, `examples.toml`, `notes/*.md`. The only place of this crate that
    /// touches the disk.
    ///
    /// # Errors
    /// [`PersonaError::Invalid`] with the mistakes of every file.
    pub fn from_dir(folder: impl AsRef<Path>) -> Result<Self, PersonaError> {
        Pack::from_dir(folder.as_ref()).map(Self::new)
    }

    /// Makes a persona of a pack's files: (path relative to its folder, text).
    ///
    /// # Errors
    /// [`PersonaError::Invalid`] with the mistakes of every file.
    pub fn from_files<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, PersonaError>
    where
        P: Into<String>,
        T: Into<String>,
    {
        Pack::from_files(files.into_iter().map(|(path, text)| (path.into(), text.into()))).map(Self::new)
    }

    pub(crate) fn new(mut pack: Pack) -> Self {
        let (keyed, searched): (Vec<_>, Vec<_>) = pack.notes.into_iter().partition(|note| note.lore.is_some());
        let index = NoteIndex::new(&searched);
        pack.notes = searched;
        pack.notes.extend(keyed);
        pack.notes.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        let lorebook = Lorebook::new(&pack.notes, &pack.about.lorebook, NOTES_BUDGET);
        let prefixes = Prefixes::new(&pack, &lorebook);
        let yardstick = Yardstick::new(&pack);
        Self { pack, index, lorebook, prefixes, yardstick }
    }

    /// Its id.
    pub fn id(&self) -> &PersonaId {
        &self.pack.about.id
    }

    /// How it is called.
    pub fn name(&self) -> &str {
        &self.pack.about.name
    }

    /// What it is, in a sentence.
    pub fn description(&self) -> &str {
        &self.pack.about.description
    }

    /// The languages that it speaks, the preferred one first.
    pub fn languages(&self) -> &[String] {
        &self.pack.about.languages
    }

    /// What it knows about.
    pub fn topics(&self) -> &[String] {
        &self.pack.about.topics
    }

    /// Questions that suit it.
    pub fn sample_questions(&self) -> &[String] {
        &self.pack.about.sample_questions
    }

    /// What people have to be told about it: that it is an AI, and whose manner it imitates, if anybody's.
    pub fn disclosure(&self) -> &str {
        &self.pack.about.disclosure
    }

    /// How people see a step of its answers called. On the wire and in a prompt a step has its id.
    pub fn step_name(&self, step: Step) -> &str {
        self.pack.about.steps.get(step)
    }

    /// Whether people see the model's own reasoning, if it gives any, at the beginning of `think`.
    pub fn shows_reasoning(&self) -> bool {
        self.pack.about.show_reasoning
    }

    /// BLAKE3 over every file that can change a prompt. A part of the cache key.
    pub fn content_hash(&self) -> [u8; 32] {
        self.pack.content_hash
    }

    /// The beginning of the content hash, 12 hexadecimal digits: tells two states of a pack apart.
    pub fn version(&self) -> String {
        self.pack.content_hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many tokens the stable prefix has in `format`, by [`estimate_tokens`](crate::estimate_tokens).
    pub fn prefix_tokens(&self, format: StepFormat) -> usize {
        self.prefixes.get(format).tokens
    }

    /// What the notes are, in the order of their ids.
    pub fn notes(&self) -> impl Iterator<Item = NoteSummary<'_>> {
        self.pack.notes.iter().map(NoteSummary::of)
    }

    /// The ids of all notes, sorted.
    pub fn note_ids(&self) -> impl Iterator<Item = &str> {
        self.pack.notes.iter().map(|note| note.id.as_str())
    }

    pub(crate) fn pack_notes(&self) -> &[Note] {
        &self.pack.notes
    }

    pub(crate) fn note(&self, id: &str) -> Option<&Note> {
        let at = self.pack.notes.binary_search_by(|note| note.id.as_str().cmp(id)).ok()?;
        self.pack.notes.get(at)
    }

    pub(crate) fn index(&self) -> &NoteIndex {
        &self.index
    }

    pub(crate) fn lorebook(&self) -> &Lorebook {
        &self.lorebook
    }

    pub(crate) fn openings(&self) -> &Openings {
        &self.pack.about.openings
    }

    #[cfg(test)]
    pub(crate) fn examples(&self) -> &[crate::pack::Example] {
        &self.pack.examples
    }

    pub(crate) fn reminders(&self) -> &Reminders {
        &self.pack.about.fidelity.reminders
    }

    pub(crate) fn yardstick(&self) -> &Yardstick {
        &self.yardstick
    }

    pub(crate) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
    }
}

/// What is told about a note to those who look after a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteSummary<'a> {
    /// Its id: the name of its file.
    pub id: &'a str,
    /// What it is about.
    pub title: &'a str,
    /// The words by which it is found.
    pub keywords: &'a [String],
    /// About how many tokens it has as it goes into a prompt.
    pub tokens: usize,
    /// The same of its gist.
    pub gist_tokens: usize,
}

impl<'a> NoteSummary<'a> {
    fn of(note: &'a Note) -> Self {
        Self {
            id: &note.id,
            title: &note.title,
            keywords: &note.keywords,
            tokens: estimate_tokens(&note.body),
            gist_tokens: estimate_tokens(&note.gist),
        }
    }
}

/// Its id only: the pack's text would fill a log.
impl std::fmt::Debug for Persona {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Persona({})", self.id())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// The texts of all built-in notes.
    pub(crate) fn note_bodies() -> Vec<String> {
        let personas = Persona::builtin_ids().into_iter().map(|id| Persona::builtin(id).unwrap());
        personas.flat_map(|persona| persona.pack.notes.into_iter().map(|note| note.body)).collect()
    }

    #[test]
    fn every_builtin_loads_under_its_own_id() {
        assert_eq!(Persona::builtin_ids(), ["hitesh", "reviewer"]);
        for id in Persona::builtin_ids() {
            assert_eq!(Persona::builtin(id).unwrap().id().as_str(), id);
        }
    }

    #[test]
    fn an_unknown_builtin_names_those_that_exist() {
        for id in ["nobody", "", "hitesh/notes", "../src"] {
            assert!(Persona::builtin(id).unwrap_err().to_string().contains("hitesh"));
        }
    }

    #[test]
    fn the_folder_gives_the_same_persona_as_the_binary() {
        for id in Persona::builtin_ids() {
            let folder = format!("{}/packs/{id}", env!("CARGO_MANIFEST_DIR"));
            let (read, compiled) = (Persona::from_dir(folder).unwrap(), Persona::builtin(id).unwrap());
            assert_eq!(read.content_hash(), compiled.content_hash(), "{id}");
            assert!(read.note_ids().eq(compiled.note_ids()), "{id}");
        }
    }

    /// The words of a note's body outside of code blocks.
    fn prose_words(body: &str) -> usize {
        body.split("```").step_by(2).map(|prose| prose.split_whitespace().count()).sum()
    }

    #[test]
    fn notes_keep_the_rules_of_the_handbook() {
        let tokenizer = tiktoken_rs::o200k_base().unwrap();
        for persona in Persona::builtin_ids().into_iter().map(|id| Persona::builtin(id).unwrap()) {
            let (mut titles, mut keywords) = (HashSet::new(), HashMap::new());
            for note in &persona.pack.notes {
                let id = &note.id;
                assert!(titles.insert(note.title.to_lowercase()), "{id}: another note has its title");
                assert!((6..=14).contains(&note.keywords.len()), "{id}: {} keywords", note.keywords.len());
                for keyword in &note.keywords {
                    let other = keywords.insert(keyword.to_lowercase(), id);
                    assert_eq!(other, None, "{id}: `{keyword}` twice");
                }
                let text = format!("{}{}{}", note.title, note.gist, note.body);
                assert!(!text.contains(|c| matches!(c, '\u{900}'..='\u{97f}')), "{id}: not in Roman script");
                let words = prose_words(&note.body);
                assert!((60..=160).contains(&words), "{id}: {words} words of prose");
                let gist = tokenizer.encode_ordinary(&note.gist).len();
                assert!(gist <= 80, "{id}: a gist of {gist} tokens");
            }
        }
    }
}
