//! What the author of a pack should know: mistakes, with which there is no persona, and warnings, with which there is a
//! worse one.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::RangeInclusive,
    path::Path,
};

use hitesh_domain::StepFormat;

use crate::{
    Mistake, Persona, estimate_tokens,
    pack::{NOTES, Note, PERSONA, Reader},
    places::{FENCE, line_of_key},
    prompt::NOTES_BUDGET,
    retrieval::says_nothing,
};

/// The most that a stable prefix should have, in tokens, since it is sent with every question; and what the estimator,
/// being cautious, makes of that many.
const PREFIX: usize = 900;
const PREFIX_ESTIMATED: usize = 980;

/// The same of a gist, which is for small models.
const GIST: usize = 80;
const GIST_ESTIMATED: usize = 100;

/// How many words a note's prose should have: fewer teach nothing, more are cut down to the gist.
const PROSE: RangeInclusive<usize> = 60..=160;

/// How many keywords find a note without finding it everywhere.
const KEYWORDS: RangeInclusive<usize> = 6..=14;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The pack works, and could be better.
    Warning,
    /// The pack is refused.
    Mistake,
}

/// One thing that was found in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the pack's folder.
    pub file: String,
    /// The line in it, from 1, where one is known.
    pub line: Option<usize>,
    /// What was found.
    pub message: String,
}

/// `file:line: severity: message`, as editors and terminals know it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Mistake => "mistake",
        };
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {severity}: {}", self.message)
    }
}

impl From<Mistake> for Finding {
    fn from(Mistake { file, line, message }: Mistake) -> Self {
        Self { severity: Severity::Mistake, file, line, message }
    }
}

/// What there is to say about a pack's files: (path relative to its folder, text). Mistakes if it has any, else
/// warnings; in the order of the files.
pub fn lint<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Vec<Finding>
where
    P: Into<String>,
    T: Into<String>,
{
    findings(Reader::of_files(files.into_iter().map(|(path, text)| (path.into(), text.into()))))
}

/// The same of a pack's folder, which it reads.
pub fn lint_dir(folder: impl AsRef<Path>) -> Vec<Finding> {
    findings(Reader::of_dir(folder.as_ref()))
}

fn findings(reader: Reader) -> Vec<Finding> {
    let files = std::rc::Rc::clone(&reader.files);
    let mut found = match reader.into_pack() {
        Err(mistakes) => mistakes.into_iter().map(Finding::from).collect(),
        Ok(pack) => {
            let persona = Persona::new(pack);
            let mut linter = Linter { files: &files, found: Vec::new() };
            linter.prefix(&persona);
            linter.repeated(&persona);
            for note in persona.pack_notes() {
                match &note.lore {
                    None => linter.note(note),
                    // Cards write such notes as they please; what must fit is said of those that are not standing.
                    Some(lore) if lore.always() => {}
                    Some(_) => linter.tokens(&file_of(note), note, persona.lorebook().notes_budget()),
                }
            }
            linter.found
        }
    };
    found.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    found
}

struct Linter<'a> {
    files: &'a BTreeMap<String, String>,
    found: Vec<Finding>,
}

impl Linter<'_> {
    fn warn(&mut self, file: &str, line: Option<usize>, message: String) {
        self.found.push(Finding { severity: Severity::Warning, file: file.to_owned(), line, message });
    }

    fn warn_at(&mut self, file: &str, keys: &[&str], message: String) {
        let line = self.files.get(file).and_then(|text| line_of_key(text, keys));
        self.warn(file, line, message);
    }

    fn prefix(&mut self, persona: &Persona) {
        let formats = [StepFormat::JsonSchema, StepFormat::JsonObject, StepFormat::Tagged];
        let most = formats.map(|format| persona.prefix_tokens(format)).into_iter().max().unwrap_or_default();
        if most > PREFIX_ESTIMATED {
            let message = format!(
                "identity, voice, rules, phrases and examples have about {most} tokens, which every question pays for; \
                 at most {PREFIX} are wanted"
            );
            self.warn(PERSONA, None, message);
        }
    }

    fn repeated(&mut self, persona: &Persona) {
        let (mut titles, mut keywords) = (HashMap::new(), HashMap::new());
        for note in persona.pack_notes() {
            let file = file_of(note);
            if let Some(other) = titles.insert(note.title.to_lowercase(), note) {
                self.warn_at(&file, &["title"], format!("{} has this title too", file_of(other)));
            }
            for (number, keyword) in note.keywords.iter().enumerate() {
                if let Some(other) = keywords.insert(keyword.trim().to_lowercase(), note) {
                    let message = format!("`{keyword}` is a keyword of {} already", file_of(other));
                    self.warn_at(&file, &["keywords", &number.to_string()], message);
                }
            }
        }
    }

    fn note(&mut self, note: &Note) {
        let file = file_of(note);
        // A note with keys of its own is chosen as a lorebook does, not by keywords.
        if note.lore.is_none() && !KEYWORDS.contains(&note.keywords.len()) {
            let (least, most) = KEYWORDS.into_inner();
            let message = format!("{} keywords; {least} to {most} find a note best", note.keywords.len());
            self.warn_at(&file, &["keywords"], message);
        }
        for (number, keyword) in note.keywords.iter().enumerate() {
            if says_nothing(keyword) {
                let message = format!("`{keyword}` finds nothing: every question may hold its words");
                self.warn_at(&file, &["keywords", &number.to_string()], message);
            }
        }
        let gist = estimate_tokens(&note.gist);
        if gist > GIST_ESTIMATED {
            let message = format!("about {gist} tokens; a gist has at most {GIST}, for small models");
            self.warn_at(&file, &["gist"], message);
        }
        self.body(&file, note);
    }

    fn body(&mut self, file: &str, note: &Note) {
        let line = self.files.get(file).map(|text| first_line_of_body(text));
        if !note.body.matches("```").count().is_multiple_of(2) {
            self.warn(file, line, "a block of code is not closed".to_owned());
        }
        let words = prose_words(&note.body);
        if words == 0 {
            self.warn(file, line, "the note says nothing beside its code".to_owned());
        } else if !PROSE.contains(&words) {
            let (least, most) = PROSE.into_inner();
            self.warn(file, line, format!("{words} words of prose; {least} to {most} are wanted"));
        }
        self.tokens(file, note, NOTES_BUDGET);
    }

    fn tokens(&mut self, file: &str, note: &Note, most: usize) {
        let line = self.files.get(file).map(|text| first_line_of_body(text));
        let tokens = estimate_tokens(&note.body);
        if tokens > most {
            let message = format!(
                "about {tokens} tokens are over the {most} that notes may have in a prompt: only the gist is ever sent"
            );
            self.warn(file, line, message);
        }
    }
}

fn file_of(note: &Note) -> String {
    format!("{NOTES}{}.md", note.id)
}

/// The line of a note's first text after its front matter.
fn first_line_of_body(file: &str) -> usize {
    let closed = file.lines().enumerate().skip(1).find(|(_, line)| *line == FENCE).map_or(0, |(at, _)| at + 1);
    let blank = file.lines().skip(closed).take_while(|line| line.trim().is_empty()).count();
    closed + blank + 1
}

/// The words of a note's body outside of code blocks.
pub(crate) fn prose_words(body: &str) -> usize {
    body.split("```").step_by(2).map(|prose| prose.split_whitespace().count()).sum()
}

#[cfg(test)]
mod tests;
