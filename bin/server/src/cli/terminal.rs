use std::io::{self, IsTerminal, Write};

use hitesh_domain::Step;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// A chat's two sides on a terminal (or a pipe).
pub(super) struct Terminal {
    lines: Lines<BufReader<Stdin>>,
    colour: bool,
    step: Option<Step>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { lines: BufReader::new(tokio::io::stdin()).lines(), colour: io::stdout().is_terminal(), step: None }
    }

    /// The learner's next line that is not empty; `None` at the end of the input or at `/exit`.
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
            let (mark, plain) = match step {
                Step::Analyze => ("\n\u{1b}[2manalyze: ", "\nanalyze: "),
                Step::Think => ("\nthink: ", "\nthink: "),
                Step::Output => ("\u{1b}[0m\n\n", "\n\n"),
            };
            self.write(if self.colour { mark } else { plain })?;
            self.step = Some(step);
        }
        // A model's control characters would be the terminal's orders.
        let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        self.write(&text)
    }

    /// What the answer waits for.
    pub(super) fn status(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("\n({text})"))
    }

    /// The end of an answer; `problem` says why it is not whole.
    pub(super) fn end(&mut self, problem: Option<&str>) -> io::Result<()> {
        self.step = None;
        if self.colour {
            self.write("\u{1b}[0m")?;
        }
        match problem {
            None => self.write("\n"),
            Some(problem) => self.write(&format!("\n[{problem}]\n")),
        }
    }

    /// A line of the program itself.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}
