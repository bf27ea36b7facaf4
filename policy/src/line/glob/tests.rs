//! Globs against a small tree, matchers against a naive oracle, and both against patterns made to take long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn plain(pattern: &str) -> Vec<(char, bool)> {
    pattern.chars().map(|character| (character, false)).collect()
}

/// Runs a pattern over a tree of paths; those that end with `/` are directories.
fn run(pattern: &str, tree: &[&str]) -> (Vec<String>, Vec<String>) {
    let mut glob = Glob::of(&plain(pattern)).expect("a pattern");
    let mut asked = Vec::new();
    while let Some(directory) = glob.wants().map(str::to_owned) {
        let prefix = match directory.as_str() {
            "" => String::new(),
            "/" => "/".to_owned(),
            other => format!("{other}/"),
        };
        let below = tree.iter().filter_map(|path| path.strip_prefix(prefix.as_str()));
        let names: Vec<(String, bool)> = below
            .filter(|rest| !rest.trim_end_matches('/').contains('/') && !rest.is_empty())
            .map(|rest| (rest.trim_end_matches('/').to_owned(), rest.ends_with('/')))
            .collect();
        glob.give(&names);
        asked.push(directory);
    }
    (asked, glob.found().expect("a small tree"))
}

fn found(pattern: &str, tree: &[&str]) -> Vec<String> {
    run(pattern, tree).1
}

const TREE: [&str; 10] =
    ["b.log", "a.log", ".h", "d/", "d/x", "d/e/", "d/e/x", "/etc/", "/etc/passwd", "/etc/hosts"];

#[test]
fn names_that_fit_are_found_sorted_and_hidden_ones_are_not() {
    assert_eq!(found("*.log", &TREE), ["a.log", "b.log"]);
    assert_eq!(found("*", &TREE), ["a.log", "b.log", "d"]);
    assert_eq!(found(".*", &TREE), [".h"]);
    assert_eq!(found("[.]h", &TREE), [""; 0]);
    assert_eq!(found("?h", &TREE), [""; 0]);
    assert_eq!(found("[!b].log", &TREE), ["a.log"]);
    assert_eq!(found("[[:alpha:]].l[m-p]?", &TREE), ["a.log", "b.log"]);
}

#[test]
fn only_directories_that_are_needed_are_asked_for() {
    assert_eq!(run("*/x", &TREE), (vec![String::new(), "d".into()], vec!["d/x".into()]));
    assert_eq!(run("/etc/p*", &TREE), (vec!["/etc".into()], vec!["/etc/passwd".into()]));
    assert_eq!(run("/e*/hosts", &TREE), (vec!["/".into(), "/etc".into()], vec!["/etc/hosts".into()]));
    assert_eq!(run("*/e/x", &TREE), (vec![String::new(), "d/e".into()], vec!["d/e/x".into()]));
}

#[test]
fn slashes_stay_as_they_are_written() {
    assert_eq!(found("*/", &TREE), ["d/"]);
    assert_eq!(found("d//*", &TREE), ["d//e", "d//x"]);
    assert_eq!(found("./*.log", &TREE), [] as [&str; 0]);
    assert_eq!(found("*/.", &TREE), ["d/."]);
    assert_eq!(found("*/*/x", &TREE), ["d/e/x"]);
    assert!(Glob::of(&plain("[d/]e")).is_none());
}

#[test]
fn what_is_quoted_is_no_pattern() {
    assert!(Glob::of(&[('*', true), ('a', false)]).is_none());
    assert!(Glob::of(&plain("[")).is_none());
    assert!(Glob::of(&plain("a[b")).is_none());
    assert!(Glob::of(&plain("[]")).is_none());
    assert!(Glob::of(&[('[', false), ('a', false), (']', true)]).is_none());
    let mut glob = Glob::of(&[('*', true), ('*', false)]).unwrap();
    glob.give(&[("*a".into(), false), ("ba".into(), false)]);
    assert_eq!(glob.found().unwrap(), ["*a"]);
}

#[test]
fn names_that_no_directory_can_hold_are_not_believed() {
    let mut glob = Glob::of(&plain("*")).unwrap();
    let invented = ["", ".", "..", "../../etc/shadow", "a\0b", "/etc"].map(|name| (name.to_owned(), true));
    glob.give(&invented);
    assert_eq!(glob.found().unwrap(), [] as [&str; 0]);
}

#[test]
fn a_pattern_that_needs_too_much_finds_nothing_at_all() {
    let directories = |count: usize| (0..count).map(|n| (n.to_string(), true)).collect::<Vec<_>>();
    let mut glob = Glob::of(&plain("*/*")).unwrap();
    glob.give(&directories(MOST_DIRECTORIES));
    assert_eq!(glob.wants(), None);
    assert_eq!(glob.found(), Err(TooLarge::Directories));

    let mut glob = Glob::of(&plain("*/*")).unwrap();
    glob.give(&directories(MOST_DIRECTORIES - 1));
    while glob.wants().is_some() {
        glob.give(&directories(2));
    }
    assert_eq!(glob.found().unwrap().len(), 2 * (MOST_DIRECTORIES - 1));

    let mut glob = Glob::of(&plain("x*")).unwrap();
    glob.give(&directories(MOST_NAMES + 1));
    assert_eq!(glob.found(), Err(TooLarge::Names));

    let mut glob = Glob::of(&plain("*")).unwrap();
    glob.give(&directories(MOST_WORDS + 1));
    assert_eq!(glob.found(), Err(TooLarge::Matches));
}

#[test]
fn stars_made_to_take_long_do_not() {
    let started = Instant::now();
    let mut glob = Glob::of(&plain(&format!("{}b", "*a".repeat(120)))).unwrap();
    glob.give(&vec![("a".repeat(255), false); MOST_NAMES]);
    assert_eq!(glob.found(), Err(TooLarge::Work));

    let matcher = Matcher::parse(&format!("{}b", "**/a*a*a/".repeat(200))).unwrap();
    assert!(!matcher.matches(&"aaaaaaaaaaaaaaaa/".repeat(240)));
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}

#[test]
fn two_stars_cross_parts_and_one_does_not() {
    let matches = |pattern: &str, path: &str| Matcher::parse(pattern).unwrap().matches(path);
    assert!(matches("/var/log/**", "/var/log"));
    assert!(matches("/var/log/**", "/var/log/a/b"));
    assert!(!matches("/var/log/**", "/var/logs"));
    assert!(!matches("/var/log/**", "/VAR/log"));
    assert!(matches("/**/*.pem", "/a.pem"));
    assert!(matches("/**/*.pem", "/x/y/.a.pem"));
    assert!(!matches("/*", "/a/b"));
    assert!(matches("/*", "/.hidden"));
    assert!(matches("**", "anything/at all"));
    assert!(matches("/**", "/"));
    assert!(!matches("/**", ""));
    assert!(!matches("/**", "a"));
    assert!(matches("/a\\*", "/a*") && !matches("/a\\*", "/ab"));
    assert!(matches("LC_*", "LC_ALL") && !matches("LC_*", "LC"));
}

#[test]
fn what_is_no_pattern_in_a_rule_is_refused_in_words() {
    let refused = |pattern: &str| Matcher::parse(pattern).unwrap_err();
    assert!(refused("").contains("empty"));
    assert!(refused("/a**").contains("alone"));
    assert!(refused("/***").contains("alone"));
    assert!(refused("/[a").contains("not closed"));
    assert!(refused("/[a/b]").contains("not closed"));
    assert!(refused("/[^a]").contains("[!"));
    assert!(refused("/[b-a]").contains("backwards"));
    assert!(refused("/a\\").contains("ends with"));
    assert!(refused("/a\0").contains("NUL"));
    assert!(refused(&"a".repeat(5000)).contains("bytes"));
}

/// The definition, word for word; exponential.
fn naive(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        (['*', rest @ ..], _) => (0..=name.len()).any(|at| naive(rest, &name[at..])),
        (['?', rest @ ..], [_, after @ ..]) => naive(rest, after),
        (['[', '!', one, ']', rest @ ..], [first, after @ ..]) => first != one && naive(rest, after),
        (['[', one, ']', rest @ ..], [first, after @ ..]) => first == one && naive(rest, after),
        ([one, rest @ ..], [first, after @ ..]) => one == first && naive(rest, after),
        (_, []) => false,
    }
}

fn naive_path(parts: &[&str], names: &[&str]) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    match (parts, names) {
        ([], _) => names.is_empty(),
        (["**", rest @ ..], _) => (0..=names.len()).any(|at| naive_path(rest, &names[at..])),
        (_, []) => false,
        ([part, rest @ ..], [name, after @ ..]) => {
            naive(&characters(part), &characters(name)) && naive_path(rest, after)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_part_fits_as_the_definition_says(
        pattern in proptest::collection::vec("[ab]|\\*|\\?|\\[a\\]|\\[!b\\]", 0..9),
        name in "[abc]{0,9}",
    ) {
        let pattern = pattern.concat();
        let compiled = Pattern::compile(&plain(&pattern)).unwrap();
        let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        prop_assert_eq!(compiled.matches(&name, &mut 0), naive(&pattern, &name));
    }

    #[test]
    fn a_path_fits_as_the_definition_says(
        pattern in proptest::collection::vec("\\*\\*|[ab]\\*?|\\*|\\?b", 1..6),
        path in proptest::collection::vec("[ab]{0,2}", 1..7),
    ) {
        let (source, text) = (pattern.join("/"), path.join("/"));
        prop_assume!(!text.is_empty());
        let parts: Vec<&str> = pattern.iter().map(String::as_str).collect();
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        prop_assert_eq!(Matcher::parse(&source).unwrap().matches(&text), naive_path(&parts, &names));
    }

    #[test]
    fn no_pattern_panics(characters in proptest::collection::vec(("[]\\[*?!^:.=a/-]", any::<bool>()), 0..20), name in "[]a:.-]{0,5}") {
        let characters: Vec<(char, bool)> =
            characters.into_iter().filter_map(|(text, quoted)| Some((text.chars().next()?, quoted))).collect();
        if check(&characters).is_ok() && let Some(mut glob) = Glob::of(&characters) {
            while glob.wants().is_some() {
                glob.give(&[(name.clone(), true)]);
            }
            prop_assert!(glob.found().is_ok());
        }
    }
}
