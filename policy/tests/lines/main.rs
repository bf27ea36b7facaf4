//! The guarded shell's language against a file of lines, and against the real bash and dash where they are installed:
//! what we accept must mean to us what it means to them, or the file says why not.
//!
//! `UPDATE=1 cargo test -p sallyport-policy --test lines` writes what lines mean anew; what is refused stays as it is.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod corpus;
mod ours;
mod shells;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use corpus::Case;
use ours::{Environment, Meaning};
use shells::Place;

fn environment() -> BTreeMap<String, String> {
    let set = [
        ("HOME", "/home/u"),
        ("A", "one"),
        ("B", "two words"),
        ("EMPTY", ""),
        ("STAR", "*.txt"),
        ("LEAD", " lead"),
        ("TRAIL", "trail "),
        ("LINES", "l1\nl2"),
        ("SLASH", "a/b"),
        ("TILDE", "~"),
        ("BRACE", "{a,b}"),
        ("QUOTE", "it's"),
        ("DOLLAR", "$A"),
        ("HASH", "#x"),
        ("SEMI", "a;b"),
        ("BACK", "a\\b"),
        ("NUM", "2"),
        ("DASH", "-n"),
    ];
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn ours(line: &str, place: &Place) -> Result<Meaning, String> {
    let mut environment = environment();
    environment.insert("?".to_owned(), "0".to_owned());
    ours::read(line, Environment(environment), &place.files())
}

fn file() -> (std::path::PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/lines.txt");
    let text = fs::read_to_string(&path).expect("the file of lines");
    (path, text)
}

fn difference(case: &Case, found: &Result<Meaning, String>) -> Option<String> {
    let right = match (case.expected.strip_prefix("refused: "), found) {
        (Some(words), Err(problem)) => !words.is_empty() && problem.contains(words),
        (None, Ok(meaning)) => meaning.written == case.expected,
        _ => false,
    };
    let Case { number, written, expected, .. } = case;
    (!right).then(|| format!("{number}: `{written}`\n  expected {expected}\n  found    {found:?}"))
}

#[test]
fn every_line_means_what_the_file_says() {
    let (path, text) = file();
    let place = Place::new();
    if std::env::var_os("UPDATE").is_some() {
        let anew = corpus::rewritten(&text, |case| match ours(&case.line, &place) {
            Ok(meaning) => meaning.written,
            Err(_) if case.expected.starts_with("refused: ") => case.expected.clone(),
            Err(problem) => format!("refused: {problem}"),
        });
        fs::write(path, &anew).expect("the file of lines");
    }
    let cases = corpus::cases(&file().1);
    assert!(cases.len() >= 500, "only {} lines were read", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| difference(case, &ours(&case.line, &place))).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn like(shell: &str) {
    let Some(path) = Place::shell(shell) else {
        eprintln!("{shell} is not installed: nothing was compared with it");
        return;
    };
    let mut place = Place::new();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for case in corpus::cases(&file().1) {
        if case.differs.iter().any(|reason| reason.starts_with(shell)) {
            continue;
        }
        let Ok(mut meaning) = ours(&case.line, &place) else { continue };
        let programs: Vec<&str> =
            meaning.called.iter().filter_map(|argv| argv.first()).map(String::as_str).collect();
        let theirs = place.run(&path, &case.line, &environment(), &programs);
        meaning.called.sort();
        meaning.files.sort();
        meaning.files.dedup();
        let own = (meaning.called, meaning.files);
        compared += 1;
        if own != theirs {
            wrong.push(format!(
                "{}: `{}`\n  we     {own:?}\n  {shell}   {theirs:?}",
                case.number, case.written
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared >= 250, "only {compared} lines were compared");
}

#[test]
fn what_is_accepted_means_the_same_to_bash() {
    like("bash");
}

#[test]
fn what_is_accepted_means_the_same_to_dash() {
    like("dash");
}

/// Lines of pieces that shells make something of, side by side as nobody would write them.
fn random_line(state: &mut u64) -> String {
    const PIECES: [&str; 56] = [
        "a",
        "b",
        "show ",
        " ",
        " ",
        " ",
        "'",
        "\"",
        "\\",
        "$A",
        "${B}",
        "$EMPTY",
        "$LEAD",
        "$TRAIL",
        "$STAR",
        "*",
        "?",
        "[",
        "]",
        "!",
        "-",
        "=",
        "~",
        "/",
        ":",
        "{",
        "}",
        ",",
        "..",
        ".",
        "#",
        ";",
        "&&",
        "||",
        "|",
        ">",
        ">>",
        "2>&1",
        "<a.txt ",
        ">out",
        "2",
        "1",
        "\n",
        "\\\n",
        "\t",
        "^",
        "$",
        "%",
        "@",
        "+",
        "[!a]",
        "[[:alpha:]]",
        "d/",
        "X=",
        "'a b'",
        "\"$B\"",
    ];
    let mut next = |below: usize| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state % u64::try_from(below).expect("small")).expect("small")
    };
    let length = 1 + next(10);
    let mut line = "show ".repeat(usize::from(next(4) > 0));
    line.extend((0..length).map(|_| PIECES.get(next(PIECES.len())).expect("a piece")).copied());
    line
}

/// Slow, and a new version of a shell may differ in a corner: for those who change the parser.
/// `LINES=20000 SEED=1 cargo test -p sallyport-policy --test lines -- --ignored`
#[test]
#[ignore = "thousands of random lines through real shells take minutes"]
fn random_lines_mean_the_same_to_both_shells() {
    let number =
        |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().expect(name));
    let mut state = number("SEED", 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut place = Place::new();
    let shells: Vec<_> = ["bash", "dash"].into_iter().filter_map(Place::shell).collect();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for _ in 0..number("LINES", 2000) {
        let line = random_line(&mut state);
        let Ok(mut meaning) = ours(&line, &place) else { continue };
        // What is not one of our programs is somebody else's, and files outside must stay as they are.
        if meaning.called.iter().any(|argv| argv.first().is_none_or(|program| program != "show"))
            || meaning.files.iter().any(|file| file.contains('/') || place.files().join(file).exists())
        {
            continue;
        }
        meaning.called.sort();
        meaning.files.sort();
        meaning.files.dedup();
        let own = (meaning.called, meaning.files);
        compared += 1;
        for shell in &shells {
            let theirs = place.run(shell, &line, &environment(), &["show"]);
            // To dash, `.*` is also `.` and `..`.
            let dots =
                theirs.0.iter().flatten().any(|word| word.split('/').any(|part| part == "." || part == ".."));
            if own != theirs && !(dots && shell.ends_with("dash")) {
                wrong.push(format!("{line:?}\n  we {own:?}\n  {} {theirs:?}", shell.display()));
            }
        }
    }
    eprintln!("{compared} lines were accepted and compared");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
