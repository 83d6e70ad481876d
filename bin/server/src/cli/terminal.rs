use std::io::{self, IsTerminal, Write};

use hitesh_domain::Step;
use hitesh_persona::Persona;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// A chat's two sides on a terminal (or a pipe).
pub(super) struct Terminal {
    lines: Lines<BufReader<Stdin>>,
    colour: bool,
    step: Option<Step>,
    names: StepNames,
}

/// How the steps before the output are called; the output itself needs no name here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StepNames {
    analyze: String,
    think: String,
}

impl Default for StepNames {
    fn default() -> Self {
        Self { analyze: Step::Analyze.to_string(), think: Step::Think.to_string() }
    }
}

impl StepNames {
    pub(super) fn of(persona: &Persona) -> Self {
        Self { analyze: persona.step_name(Step::Analyze).to_owned(), think: persona.step_name(Step::Think).to_owned() }
    }
}

impl Terminal {
    pub(super) fn new() -> Self {
        let lines = BufReader::new(tokio::io::stdin()).lines();
        Self { lines, colour: io::stdout().is_terminal(), step: None, names: StepNames::default() }
    }

    /// Who is going to answer, and names the steps.
    pub(super) fn name_steps(&mut self, names: StepNames) {
        self.names = names;
    }

    /// The user's next line that is not empty; `None` at the end of the input or at `/exit`.
    pub(super) async fn question(&mut self) -> io::Result<Option<String>> {
        loop {
            self.write("\nyou> ")?;
            match self.lines.next_line().await? {
                None => return Ok(None),
                Some(line) if matches!(line.trim(), "/exit" | "/quit") => return Ok(None),
                Some(line) if line.trim().is_empty() => {}
                Some(line) => return Ok(Some(line)),
            }
        }
    }

    /// A piece of an answer, as it comes.
    pub(super) fn delta(&mut self, step: Step, text: &str) -> io::Result<()> {
        if self.step != Some(step) {
            let mark = match step {
                Step::Analyze => format!("\n{}{}: ", self.code("\u{1b}[2m"), printable(&self.names.analyze)),
                Step::Think => format!("\n{}{}: ", self.code("\u{1b}[2m"), printable(&self.names.think)),
                Step::Output => format!("{}\n\n", self.code("\u{1b}[0m")),
            };
            self.write(&mark)?;
            self.step = Some(step);
        }
        self.write(&printable(text))
    }

    /// What the answer waits for.
    pub(super) fn status(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("\n({text})"))
    }

    /// The end of an answer; `problem` says why it is not whole.
    pub(super) fn end(&mut self, problem: Option<&str>) -> io::Result<()> {
        self.step = None;
        self.write(self.code("\u{1b}[0m"))?;
        match problem {
            None => self.write("\n"),
            Some(problem) => self.write(&format!("\n[{problem}]\n")),
        }
    }

    /// A line of the program itself.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// An order to the terminal, if there is one.
    fn code(&self, code: &'static str) -> &'static str {
        if self.colour { code } else { "" }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// Without control characters: those of a model or of a server would be the terminal's orders.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
