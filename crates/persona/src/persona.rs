use std::path::Path;

use hitesh_domain::PersonaId;
use include_dir::{Dir, include_dir};

use crate::{
    Mistake, PersonaError,
    pack::{Note, Pack},
    prompt::Prefixes,
    retrieval::NoteIndex,
};

static PACKS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/packs");

/// A mentor: who he is, how he speaks, and what he has written down. Made once, at start; everything that does not
/// depend on a question is computed then.
pub struct Persona {
    pack: Pack,
    index: NoteIndex,
    prefixes: Prefixes,
}

impl Persona {
    /// A persona that is compiled in.
    ///
    /// # Errors
    /// [`PersonaError::Unknown`] when there is no such one.
    pub fn builtin(id: &str) -> Result<Self, PersonaError> {
        let Some(folder) = PACKS.get_dir(id).filter(|_| Self::builtin_ids().contains(&id)) else {
            return Err(PersonaError::Unknown { id: id.to_owned(), known: Self::builtin_ids() });
        };
        let mut files = Vec::new();
        let mut mistakes = Vec::new();
        for file in folder.files().chain(folder.dirs().flat_map(Dir::files)) {
            let path = file.path().strip_prefix(folder.path()).unwrap_or(file.path());
            let path = path.to_string_lossy().replace('\\', "/");
            match file.contents_utf8() {
                Some(text) => files.push((path, text)),
                None => mistakes.push(Mistake { file: path, line: None, message: "the text is not UTF-8".to_owned() }),
            }
        }
        if mistakes.is_empty() { Self::from_files(files) } else { Err(PersonaError::Invalid(mistakes)) }
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

    fn new(pack: Pack) -> Self {
        let index = NoteIndex::new(&pack.notes);
        let prefixes = Prefixes::new(&pack);
        Self { pack, index, prefixes }
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

    /// What learners have to be told about it: that it is an AI, and whose manner it imitates.
    pub fn disclosure(&self) -> &str {
        &self.pack.about.disclosure
    }

    /// BLAKE3 over every file that can change a prompt. A part of the cache key.
    pub fn content_hash(&self) -> [u8; 32] {
        self.pack.content_hash
    }

    /// The ids of all notes, sorted.
    pub fn note_ids(&self) -> impl Iterator<Item = &str> {
        self.pack.notes.iter().map(|note| note.id.as_str())
    }

    pub(crate) fn note(&self, id: &str) -> Option<&Note> {
        let at = self.pack.notes.binary_search_by(|note| note.id.as_str().cmp(id)).ok()?;
        self.pack.notes.get(at)
    }

    pub(crate) fn index(&self) -> &NoteIndex {
        &self.index
    }

    pub(crate) fn prefixes(&self) -> &Prefixes {
        &self.prefixes
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
        assert!(Persona::builtin_ids().contains(&"hitesh"));
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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/packs/hitesh");
        let (read, compiled) = (Persona::from_dir(folder).unwrap(), Persona::builtin("hitesh").unwrap());
        assert_eq!(read.content_hash(), compiled.content_hash());
        assert!(read.note_ids().eq(compiled.note_ids()));
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
