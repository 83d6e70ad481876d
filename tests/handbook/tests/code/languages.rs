use std::{
    io::Write,
    process::{Command, Stdio},
};

use oxc_allocator::Allocator;
use oxc_span::SourceType;
use sqlparser::{dialect::PostgreSqlDialect, parser::Parser as SqlParser};
use tree_sitter::{Node, Parser as TreeSitter};
use tree_sitter_language::LanguageFn;

/// Why `code` is no `language`. A language that nobody can check here is a mistake too: prose and drawings are `text`.
pub(crate) fn check(language: &str, code: &str) -> Result<(), String> {
    match language {
        "text" => Ok(()),
        "python" => python(code),
        "bash" => interpreter("bash", &["-n"], code),
        "js" => javascript(SourceType::mjs(), code),
        "jsx" => javascript(SourceType::jsx(), code),
        "ts" => javascript(SourceType::ts(), code),
        "tsx" => javascript(SourceType::tsx(), code),
        "sql" => SqlParser::parse_sql(&PostgreSqlDialect {}, code).map(drop).map_err(|error| error.to_string()),
        "json" => serde_json::from_str(code).map(|_: serde_json::Value| ()).map_err(|error| error.to_string()),
        "toml" => toml::from_str(code).map(|_: toml::Table| ()).map_err(|error| error.to_string()),
        "yaml" => yaml(code),
        "dockerfile" => dockerfile(code),
        "rust" => syn::parse_file(code).map(drop).map_err(|error| error.to_string()),
        "go" => tree(tree_sitter_go::LANGUAGE, code),
        "java" => tree(tree_sitter_java::LANGUAGE, code),
        "cpp" => tree(tree_sitter_cpp::LANGUAGE, code),
        _ => Err("no code block may have this language: see tests/handbook/tests/code/languages.rs".to_owned()),
    }
}

fn python(code: &str) -> Result<(), String> {
    interpreter("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"], code)
}

/// Runs a program that reads code and only checks it.
fn interpreter(program: &str, arguments: &[&str], code: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{program}` checks it and can't be started ({error}): install {program}"))?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    input.write_all(code.as_bytes()).map_err(|error| error.to_string())?;
    drop(input);
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

fn javascript(kind: SourceType, code: &str) -> Result<(), String> {
    let allocator = Allocator::default();
    let parsed = oxc_parser::Parser::new(&allocator, code, kind).parse();
    match parsed.errors.first() {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

fn yaml(code: &str) -> Result<(), String> {
    for event in saphyr_parser::Parser::new_from_str(code) {
        event.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn tree(language: LanguageFn, code: &str) -> Result<(), String> {
    let mut parser = TreeSitter::new();
    parser.set_language(&language.into()).map_err(|error| error.to_string())?;
    let tree = parser.parse(code, None).ok_or("no tree")?;
    match first_error(tree.root_node()) {
        Some(node) => Err(format!("line {}: {node:?}", node.start_position().row + 1)),
        None => Ok(()),
    }
}

fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    let mut cursor = node.walk();
    let children: Vec<_> = node.children(&mut cursor).collect();
    children.into_iter().find_map(first_error)
}

const INSTRUCTIONS: [&str; 17] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Every line is an instruction with something behind it, the first `FROM` or `ARG`; what begins like a JSON list is
/// one, and what runs in a shell is bash.
fn dockerfile(code: &str) -> Result<(), String> {
    let code = code.replace("\\\n", " ");
    let lines = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (at, line) in lines.enumerate() {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        if !INSTRUCTIONS.contains(&instruction) || rest.trim().is_empty() {
            return Err(format!("`{line}` is no instruction"));
        }
        if at == 0 && !matches!(instruction, "FROM" | "ARG") {
            return Err(format!("it begins with `{instruction}`"));
        }
        if matches!(instruction, "CMD" | "ENTRYPOINT" | "RUN" | "SHELL") {
            if rest.starts_with('[') {
                serde_json::from_str::<Vec<String>>(rest).map_err(|error| format!("`{rest}`: {error}"))?;
            } else {
                interpreter("bash", &["-n"], rest)?;
            }
        }
    }
    Ok(())
}

#[test]
fn code_passes_in_its_language() {
    for (language, code) in [
        ("python", "for cup in range(3):\n    print(f'{cup} chai')\n"),
        ("bash", "for f in *.log; do echo \"$f\"; done"),
        ("js", "import a from 'a';\nawait a(`${1}`);"),
        ("jsx", "export const A = () => <b onClick={() => 1}>chai</b>;"),
        ("ts", "const f = <T,>(x: T): T => x;"),
        ("tsx", "const A = (p: { cups: number }) => <b>{p.cups}</b>;"),
        ("sql", "SELECT name FROM cups WHERE id = $1; CREATE INDEX ON cups USING gin (tags);"),
        ("json", "{\"cups\": [1, 2]}"),
        ("toml", "[chai]\ncups = 2"),
        ("yaml", "on: [push]\njobs:\n  test: {runs-on: ubuntu-latest}"),
        ("dockerfile", "# syntax\nARG V=1\nFROM alpine:$V AS a\nRUN apk add curl \\\n  && echo ok\nCMD [\"sh\"]"),
        ("rust", "fn main() { let cups = vec![1]; println!(\"{cups:?}\"); }"),
        ("go", "package main\nfunc main() { for range 2 { println(1) } }"),
        ("java", "record Order(String item) {}\nvoid main() { IO.println(\"chai\"); }"),
        ("cpp", "#include <vector>\nint main() { auto v = std::vector{1}; for (int c : v) {} }"),
    ] {
        assert_eq!(check(language, code), Ok(()), "{language}");
    }
}

#[test]
fn mistakes_are_found_in_every_language() {
    for (language, code) in [
        ("python", "def f(:\n    pass"),
        ("python", "if x:\nprint(x)"),
        ("bash", "if true; then echo"),
        ("js", "const a = ;"),
        ("js", "const A = () => <b>chai</b>;"),
        ("jsx", "const A = () => <b>chai</i>;"),
        ("ts", "let a: = 1;"),
        ("tsx", "const A = (p: number) => <b>{p</b>;"),
        ("sql", "SELECT name FORM cups WHERE id ="),
        ("json", "{'cups': 1}"),
        ("toml", "cups = "),
        ("yaml", "a: [1, 2\nb: 3"),
        ("dockerfile", "FROM alpine\nRUN"),
        ("dockerfile", "RUN ls"),
        ("dockerfile", "FROM alpine\nCMD [\"sh\"\n"),
        ("dockerfile", "FROM alpine\nINSTALL curl"),
        ("rust", "fn main() { let = 1; }"),
        ("go", "package main\nfunc main() { x := }"),
        ("java", "class A { void f( { } }"),
        ("cpp", "int main() { return 0;"),
        ("brainfuck", "+"),
        ("", "a"),
    ] {
        assert!(check(language, code).is_err(), "{language}: {code}");
    }
}

#[test]
fn a_program_that_is_missing_is_named() {
    assert!(interpreter("no-such-python", &[], "").unwrap_err().contains("install no-such-python"));
}
