/// A fenced code block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) code: String,
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
}

/// The code blocks of a text. In a list they are indented, and their code as far.
pub(crate) fn fenced(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<(Block, usize)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        match (&mut open, content.strip_prefix("```")) {
            (None, Some(language)) => {
                let block = Block { language: language.trim().to_owned(), code: String::new(), line: number };
                open = Some((block, indent));
            }
            (Some(_), Some("")) => blocks.extend(open.take().map(|(block, _)| block)),
            (Some(_), Some(_)) => return Err(format!("line {number} opens a code block inside another")),
            (Some((block, indent)), None) => {
                let shared = (*indent).min(line.len() - content.len());
                block.code.push_str(line.get(shared..).unwrap_or_default());
                block.code.push('\n');
            }
            (None, None) => {}
        }
    }
    match open {
        Some((block, _)) => Err(format!("the code block of line {} has no end", block.line)),
        None => Ok(blocks),
    }
}

#[test]
fn blocks_are_found_with_their_language_and_line() {
    let text = "Dekho:\n```js\nlet a = 1;\n\n  a++;\n```\n- list\n  ```sh\n  ls\n  ```\nbas `ek` line";
    let block = |language: &str, code: &str, line| Block { language: language.into(), code: code.into(), line };
    assert_eq!(fenced(text).unwrap(), [block("js", "let a = 1;\n\n  a++;\n", 2), block("sh", "ls\n", 8)]);
    assert_eq!(fenced("```\nx\n```").unwrap(), [block("", "x\n", 1)]);
}

#[test]
fn a_block_without_an_end_is_a_mistake() {
    assert!(fenced("a\n```js\nlet a;").unwrap_err().contains("line 2"));
    assert!(fenced("```js\n```js\n```").unwrap_err().contains("line 2"));
}
