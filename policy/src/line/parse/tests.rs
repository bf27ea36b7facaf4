//! What is in the language, what is not, and that no input takes long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::line::{Field, Variables, expand};

fn refused(line: &str) -> LineError {
    match parse(line) {
        Ok(script) => panic!("`{line}` was read as {script:?}"),
        Err(error) => error,
    }
}

fn commands(line: &str) -> Vec<Vec<String>> {
    let script = parse(line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
    let text = |word: &Word| {
        let part = |part: &Part| match part {
            Part::Text { text, .. } => text.clone(),
            Part::Variable { name, .. } => format!("<{name}>"),
            Part::Home => "<~>".to_owned(),
        };
        word.parts.iter().map(part).collect::<String>()
    };
    let simple = |simple: &Simple| simple.words.iter().map(text).collect();
    script.steps.iter().flat_map(|step| &step.pipeline.commands).map(simple).collect()
}

#[test]
fn a_line_becomes_pipelines_with_when_they_run() {
    let script = parse("! a | b 2>&1 && c || d; e\nf # g").unwrap();
    let shape: Vec<_> = script
        .steps
        .iter()
        .map(|step| (step.when, step.pipeline.negated, step.pipeline.commands.len()))
        .collect();
    let expected = [
        (When::Always, true, 2),
        (When::Succeeded, false, 1),
        (When::Failed, false, 1),
        (When::Always, false, 1),
        (When::Always, false, 1),
    ];
    assert_eq!(shape, expected);
    assert_eq!(parse(" \t\n # nothing\n").unwrap(), Script::default());
}

#[test]
fn quotes_come_off_and_what_was_quoted_is_known() {
    let script = parse(r#"a'b c'"d $E"\*$F"#).unwrap();
    let text = |text: &str, quoted| Part::Text { text: text.to_owned(), quoted };
    let variable = |name: &str, quoted| Part::Variable { name: name.to_owned(), quoted };
    let parts = &script.steps[0].pipeline.commands[0].words[0].parts;
    let expected =
        [text("a", false), text("b cd ", true), variable("E", true), text("*", true), variable("F", false)];
    assert_eq!(parts, &expected);
}

#[test]
fn places_are_in_bytes_of_the_line() {
    let line = "é x='ö' ls \"ü\" >out | wc";
    let script = parse(line).unwrap();
    let first = &script.steps[0].pipeline.commands[0];
    assert_eq!(line.get(first.span.clone()).unwrap(), "é x='ö' ls \"ü\" >out");
    assert_eq!(line.get(first.words[3].span.clone()).unwrap(), "\"ü\"");
    assert_eq!(line.get(first.redirections[0].span.clone()).unwrap(), ">out");
    let error = refused("ls ü$(x)");
    assert_eq!(error.at, 5..7);
}

#[test]
fn assignments_stand_before_a_command_only() {
    let script = parse("A=1 B= C='x y' env A=2 D=3").unwrap();
    let simple = &script.steps[0].pipeline.commands[0];
    let names: Vec<_> = simple.assignments.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["A", "B", "C"]);
    assert_eq!(commands("A=1 B= C='x y' env A=2 D=3"), [["env", "A=2", "D=3"]]);
    assert_eq!(commands("'A'=1 x"), [["A=1", "x"]]);
}

#[test]
fn redirections_say_which_stream_and_which_file() {
    let script = parse("a <i >o 2>>e &>b >|c 2>&1 >&2 1>f &>>g").unwrap();
    let shape: Vec<_> = script.steps[0].pipeline.commands[0]
        .redirections
        .iter()
        .map(|redirection| match &redirection.to {
            RedirectTo::Read(_) => (redirection.stream, "read"),
            RedirectTo::Write(_) => (redirection.stream, "write"),
            RedirectTo::Append(_) => (redirection.stream, "append"),
            RedirectTo::Same(Stream::Output) => (redirection.stream, "1"),
            RedirectTo::Same(_) => (redirection.stream, "2"),
        })
        .collect();
    let expected = [
        (Stream::Input, "read"),
        (Stream::Output, "write"),
        (Stream::Errors, "append"),
        (Stream::Both, "write"),
        (Stream::Output, "write"),
        (Stream::Errors, "1"),
        (Stream::Output, "2"),
        (Stream::Output, "write"),
        (Stream::Both, "append"),
    ];
    assert_eq!(shape, expected);
}

#[test]
fn more_text_can_mend_what_is_unfinished_and_nothing_else() {
    for line in ["a 'b", "a \"b", "a |", "a | \n", "a &&", "a || # b", "a \\", "a \\\n", "${A", "a \"$B"] {
        assert!(parse(line).is_err_and(|error| error.unfinished), "{line:?}");
    }
    for line in ["a | ;", "a $(b", "| a", "a >", "a &", "if a", "a )", "!", "a ;;"] {
        assert!(!refused(line).unfinished, "{line:?}");
    }
}

#[test]
fn every_line_is_bounded() {
    assert!(parse(&"a ".repeat(LONGEST_LINE / 2)).is_err_and(|e| e.problem.contains("words")));
    assert!(parse(&"a".repeat(LONGEST_LINE)).is_ok());
    assert!(parse(&"a".repeat(LONGEST_LINE + 1)).is_err_and(|e| e.problem.contains("bytes")));
    assert!(parse(&"a|".repeat(MOST_COMMANDS)).is_err_and(|e| e.unfinished));
    assert!(parse(&"a;".repeat(MOST_COMMANDS)).is_ok());
    assert!(parse(&"a;".repeat(MOST_COMMANDS + 1)).is_err_and(|e| e.problem.contains("commands")));
    assert!(parse(&format!("a {}", ">b ".repeat(MOST_WORDS))).is_err_and(|e| e.problem.contains("words")));
}

#[test]
fn neither_length_nor_depth_takes_long() {
    let started = Instant::now();
    for piece in ["(", "'", "\"", "{", "$(", "`", "\\\n", "[", "!", "${", "a|", "<<", "\\", "{a,", "A=", "~"]
    {
        assert!(parse(&piece.repeat(1024 * 1024)).is_err(), "{piece:?}");
        let _ = parse(&piece.repeat(LONGEST_LINE / piece.len()));
        let _ = parse(&format!("a {}", piece.repeat(LONGEST_LINE / piece.len() - 2)));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

struct Nothing;

impl Variables for Nothing {
    fn get(&self, _: &str) -> Option<&str> {
        None
    }
}

/// Quoted in every way that the language has, one after the other.
fn quoted(word: &str, way: usize) -> String {
    match way % 3 {
        0 => format!("'{}'", word.replace('\'', "'\\''")),
        1 => {
            let escaped =
                word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`");
            // `!` stays literal in double quotes only before a blank; end them around it.
            format!("\"{}\"", escaped.replace('!', "\"'!'\""))
        }
        _ if word.is_empty() => "\"\"".to_owned(),
        // A backslash before a new line is nothing at all.
        _ => word.chars().map(|c| if c == '\n' { "'\n'".to_owned() } else { format!("\\{c}") }).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn quoted_words_come_back_as_they_were(
        words in proptest::collection::vec("[a-c \t\n'\"\\\\$`!*?\\[\\]{},~#&|;<>()=^é-]{0,8}", 1..6),
        ways in proptest::collection::vec(0..3_usize, 6),
    ) {
        let line: Vec<String> = words.iter().zip(&ways).map(|(word, way)| quoted(word, *way)).collect();
        let script = parse(&line.join(" ")).unwrap();
        prop_assert_eq!(script.steps.len(), 1);
        let fields = expand(&script.steps[0].pipeline.commands[0].words, &Nothing).unwrap();
        prop_assert!(fields.iter().all(|field| field.glob().is_none()));
        prop_assert_eq!(fields.iter().map(Field::text).collect::<Vec<_>>(), words);
    }

    #[test]
    fn no_line_panics_and_every_place_is_in_it(line in "[a-c '\"`$(){};|&<>\\\\\n!=\\[\\]*#~^,.\u{202E}é]{0,60}") {
        let inside = |at: &std::ops::Range<usize>| line.get(at.clone()).is_some();
        match parse(&line) {
            Err(error) => prop_assert!(inside(&error.at) && !error.problem.contains('\n'), "{error:?}"),
            Ok(script) => for simple in script.steps.iter().flat_map(|step| &step.pipeline.commands) {
                prop_assert!(inside(&simple.span));
                prop_assert!(simple.words.iter().all(|word| inside(&word.span) && !word.parts.is_empty()));
                prop_assert!(simple.redirections.iter().all(|redirection| inside(&redirection.span)));
            },
        }
    }

    #[test]
    fn no_text_at_all_panics(line in any::<String>()) {
        let _ = parse(&line);
    }
}
