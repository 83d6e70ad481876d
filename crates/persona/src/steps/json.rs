use hitesh_domain::Step;

use super::{Mode, Progress, emit::Emitter, unescape::Unescape};

/// The longest key, in bytes, that is looked at; ours are short.
const MAX_KEY: usize = 64;

/// The most white space before a key or a colon that is looked at.
const MAX_SPACE: usize = 64;

/// Whether a text begins like an answer in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    No,
    /// It may, when more comes.
    Partial,
    Yes,
}

/// Reads `{ "key" :`, with one of our keys; or, where `any_key` may come first, with any or none.
pub(super) fn begins(text: &str, any_key: bool) -> Begins {
    let Some(inner) = text.strip_prefix('{').and_then(without_space) else { return Begins::No };
    if inner.is_empty() {
        return Begins::Partial;
    }
    if any_key && inner.starts_with('}') {
        return Begins::Yes;
    }
    let Some(rest) = inner.strip_prefix('"') else { return Begins::No };
    let Some(end) = rest.find(['"', '\\']) else {
        let possible = if any_key { rest.len() <= MAX_KEY } else { begins_key(rest) };
        return if possible { Begins::Partial } else { Begins::No };
    };
    let (key, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let known = step_of(key).is_some();
    let Some(after) = after.strip_prefix('"').and_then(without_space) else { return Begins::No };
    if key.len() > MAX_KEY || !(known || any_key) {
        return Begins::No;
    }
    match after.chars().next() {
        None => Begins::Partial,
        Some(':') => Begins::Yes,
        Some(_) => Begins::No,
    }
}

fn without_space(text: &str) -> Option<&str> {
    let trimmed = text.trim_start();
    (text.len() - trimmed.len() <= MAX_SPACE).then_some(trimmed)
}

fn step_of(key: &str) -> Option<Step> {
    Step::ALL.into_iter().find(|step| key.eq_ignore_ascii_case(step.as_str()))
}

fn begins_key(text: &str) -> bool {
    Step::ALL.into_iter().any(|step| step.as_str().get(..text.len()).is_some_and(|s| s.eq_ignore_ascii_case(text)))
}

/// Inside an answer in JSON, from its first brace on. Lenient: what it does not understand, it skips.
#[derive(Debug)]
pub(super) struct JsonSteps {
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before a key.
    Between,
    Key(String, Unescape),
    /// After a key, which may be one of ours.
    Colon(Option<Step>),
    Value(Option<Step>),
    /// In the text of a step, or in a string to be skipped.
    Text(Option<Step>, Unescape),
    /// After a quote that ends the string, unless it should have been escaped.
    Quote(Option<Step>, Space),
    /// In a number or a word.
    Scalar,
    Nested {
        depth: usize,
        in_string: bool,
        escaped: bool,
    },
}

/// White space after a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    SameLine,
    NewLine,
}

impl JsonSteps {
    pub(super) fn new() -> Self {
        Self { state: State::Between }
    }

    pub(super) fn advance(&mut self, rest: &str, emitter: &mut Emitter) -> Progress {
        let mut decoded = String::new();
        for (at, c) in rest.char_indices() {
            let state = std::mem::replace(&mut self.state, State::Between);
            self.state = match state {
                State::Text(step, mut unescape) => {
                    let closed = unescape.push(c, &mut decoded);
                    if closed {
                        shown(step, &mut decoded, emitter);
                        hold(step, c, emitter);
                        State::Quote(step, Space::SameLine)
                    } else {
                        State::Text(step, unescape)
                    }
                }
                State::Quote(step, space) => match closing(c, space) {
                    Closing::Yes => {
                        emitter.drop_held();
                        if let Some(step) = step {
                            let whole = step == Step::Output && emitter.is_open(step);
                            emitter.end(step);
                            if whole {
                                return Progress::Next(at, Mode::Done);
                            }
                        }
                        if c == '"' { State::Key(String::new(), Unescape::default()) } else { State::Between }
                    }
                    Closing::Unclear(space) => {
                        hold(step, c, emitter);
                        State::Quote(step, space)
                    }
                    Closing::No => {
                        let mut unescape = Unescape::default();
                        if unescape.push(c, &mut decoded) {
                            hold(step, c, emitter);
                            State::Quote(step, Space::SameLine)
                        } else {
                            State::Text(step, unescape)
                        }
                    }
                },
                other => self.structure(other, c, emitter),
            };
        }
        if let State::Text(step, _) = self.state {
            shown(step, &mut decoded, emitter);
        }
        Progress::Wait(rest.len())
    }

    /// The end of the answer.
    pub(super) fn finish(self, ended: bool, emitter: &mut Emitter) {
        if ended && let State::Quote(Some(step), _) = self.state {
            // Only the last brace is missing.
            emitter.drop_held();
            emitter.end(step);
        }
    }

    fn structure(&mut self, state: State, c: char, emitter: &Emitter) -> State {
        match state {
            State::Key(mut key, mut unescape) => {
                // A key that long is none of ours, however it goes on.
                let mut ignored = String::new();
                let kept = if key.len() > MAX_KEY { &mut ignored } else { &mut key };
                if unescape.push(c, kept) {
                    return State::Colon(step_of(key.trim()));
                }
                State::Key(key, unescape)
            }
            State::Colon(step) => match c {
                ':' => State::Value(step),
                '"' => State::Key(String::new(), Unescape::default()),
                c if c.is_whitespace() => State::Colon(step),
                _ => State::Between,
            },
            State::Value(step) => match c {
                '"' => State::Text(step.filter(|step| emitter.accepts(*step)), Unescape::default()),
                '{' | '[' => State::Nested { depth: 1, in_string: false, escaped: false },
                ',' | '}' => State::Between,
                c if c.is_whitespace() => State::Value(step),
                _ => State::Scalar,
            },
            State::Scalar => match c {
                ',' | '}' | ']' => State::Between,
                _ => State::Scalar,
            },
            State::Nested { depth, in_string, escaped } => nested(depth, in_string, escaped, c),
            State::Between | State::Text(..) | State::Quote(..) => match c {
                '"' => State::Key(String::new(), Unescape::default()),
                _ => State::Between,
            },
        }
    }
}

fn nested(depth: usize, in_string: bool, escaped: bool, c: char) -> State {
    let nested = |depth, in_string, escaped| State::Nested { depth, in_string, escaped };
    match (in_string, c) {
        (true, _) if escaped => nested(depth, true, false),
        (true, '\\') => nested(depth, true, true),
        (_, '"') => nested(depth, !in_string, false),
        (false, '{' | '[') => nested(depth + 1, false, false),
        (false, '}' | ']') if depth == 1 => State::Between,
        (false, '}' | ']') => nested(depth - 1, false, false),
        _ => nested(depth, in_string, false),
    }
}

enum Closing {
    Yes,
    No,
    Unclear(Space),
}

/// Weak models forget to escape a quote. A real closing quote is followed by a comma or a brace, or, where the comma
/// was forgotten, by the next key on a line of its own.
fn closing(c: char, space: Space) -> Closing {
    match c {
        ',' | '}' => Closing::Yes,
        '"' if space == Space::NewLine => Closing::Yes,
        '\n' => Closing::Unclear(Space::NewLine),
        c if c.is_whitespace() => Closing::Unclear(space),
        _ => Closing::No,
    }
}

fn shown(step: Option<Step>, decoded: &mut String, emitter: &mut Emitter) {
    if let Some(step) = step {
        emitter.text(step, decoded);
    }
    decoded.clear();
}

fn hold(step: Option<Step>, c: char, emitter: &mut Emitter) {
    if step.is_some_and(|step| emitter.is_open(step)) {
        emitter.hold(c.encode_utf8(&mut [0; 4]));
    }
}
