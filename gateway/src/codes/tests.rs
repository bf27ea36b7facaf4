use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::code::{ALPHABET, LENGTH};
use super::*;

const PEOPLE: &str = "people:
  - {issuer: 'https://issuer.test', subject: s1, username: alice, groups: [oncall]}
  - {issuer: 'https://issuer.test', subject: s2, username: bob, groups: [leads]}
  - {issuer: 'https://issuer.test', subject: s3, username: carol, groups: []}
";

fn plan(text: &str, need: usize, count: usize) -> Result<Plan, CodesError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("people.yaml");
    fs::write(&path, text).unwrap();
    Plan::load(&path, need, count)
}

fn made() -> Made {
    make(plan(PEOPLE, 2, 3).unwrap(), "sallyport").unwrap()
}

/// The codes on a person's sheet.
fn codes_of(made: &Made, person: usize) -> Vec<Code> {
    let text = made.sheets[person].text.expose_secret();
    let lines = text.lines().filter_map(|line| line.trim().split_once("   "));
    let codes: Vec<_> = lines.filter_map(|(_, code)| Code::parse(code)).collect();
    assert_eq!(codes.len(), 3, "{text}");
    codes
}

fn read(text: &str, mode: u32) -> Result<Book, CodesError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("codes.yaml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    Book::load(&path, "https://issuer.test")
}

fn plain(code: &Code) -> String {
    code.shown().expose_secret().replace('-', "")
}

#[test]
fn the_alphabet_has_each_letter_once_and_no_look_alikes() {
    let letters: BTreeSet<_> = ALPHABET.iter().collect();
    assert_eq!(letters.len(), 29);
    assert!(b"01ILOUS".iter().all(|twin| !letters.contains(twin)));
    // 24 of 29 letters by chance.
    assert!(((LENGTH - 1) as f64) * 29f64.log2() >= 115.0);
}

#[test]
fn a_code_is_five_groups_of_five_and_never_the_same() {
    let code = Code::random();
    let shown = code.shown();
    let groups: Vec<_> = shown.expose_secret().split('-').collect();
    assert!(groups.len() == 5 && groups.iter().all(|group| group.len() == 5), "{groups:?}");
    assert_ne!(plain(&code), plain(&Code::random()));
    assert_eq!(format!("{code:?}"), "Code");
}

#[test]
fn blanks_case_and_dashes_do_not_matter_and_everything_else_does() {
    let code = Code::random();
    let shown = code.shown().expose_secret().to_owned();
    for text in [shown.to_lowercase(), shown.replace('-', ""), format!("  {} ", shown.replace('-', " "))] {
        assert_eq!(plain(&Code::parse(&text).unwrap()), plain(&code));
    }
    for text in [
        "",
        "-",
        &shown.chars().skip(1).collect::<String>(),
        &format!("{shown}2"),
        &shown.replacen('-', "_", 1),
        &"é".repeat(25),
    ] {
        assert!(Code::parse(text).is_none(), "{text}");
    }
    assert!(Code::parse(&"2".repeat(1 << 20)).is_none());
}

proptest! {
    #[test]
    fn one_wrong_letter_is_always_noticed(at in 0..LENGTH, by in 1..29usize) {
        let mut letters: Vec<u8> = plain(&Code::random()).into_bytes();
        let old = ALPHABET.iter().position(|letter| *letter == letters[at]).unwrap();
        letters[at] = ALPHABET[(old + by) % 29];
        prop_assert!(Code::parse(&String::from_utf8(letters).unwrap()).is_none());
    }

    #[test]
    fn two_letters_that_changed_places_are_always_noticed(a in 0..LENGTH, b in 0..LENGTH) {
        let mut letters: Vec<u8> = plain(&Code::random()).into_bytes();
        prop_assume!(letters[a] != letters[b]);
        letters.swap(a, b);
        prop_assert!(Code::parse(&String::from_utf8(letters).unwrap()).is_none());
    }

    #[test]
    fn nothing_that_is_typed_does_more_than_not_parse(text in ".*") {
        let _ = Code::parse(&text);
    }
}

#[test]
fn a_hash_depends_on_the_file_the_salt_and_the_code() {
    let (code, other) = (Code::random(), Code::random());
    let hash = code.hash("0123456789abcdef", &[1; 16]);
    assert_eq!(hash, code.hash("0123456789abcdef", &[1; 16]));
    assert_ne!(hash, code.hash("0123456789abcdee", &[1; 16]));
    assert_ne!(hash, code.hash("0123456789abcdef", &[2; 16]));
    assert_ne!(hash, other.hash("0123456789abcdef", &[1; 16]));
}

#[test]
fn what_was_made_lets_in_whoever_has_enough_codes_of_different_people() {
    let made = made();
    let book = read(&made.file, 0o600).unwrap();
    let (alice, bob) = (codes_of(&made, 0), codes_of(&made, 1));
    let judge = |codes: Vec<&Code>| {
        let codes: Vec<_> = codes.iter().map(|code| Code::parse(&plain(code)).unwrap()).collect();
        book.judge(&book.find(&codes)).map(|known| {
            known
                .iter()
                .map(|found| format!("{} {}", found.owner.username(), found.number))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(judge(vec![&alice[0], &bob[2]]).unwrap(), ["alice 1", "bob 3"]);
    assert_eq!(judge(vec![&bob[2], &alice[0]]).unwrap(), ["bob 3", "alice 1"]);
    assert!(judge(vec![&alice[0], &alice[0]]).is_none(), "one's own code twice");
    assert!(judge(vec![&alice[0], &alice[1]]).is_none(), "two codes of one person");
    assert!(judge(vec![&alice[0]]).is_none(), "too few");
    assert!(judge(vec![&alice[0], &bob[0], &bob[1]]).is_none(), "too many");
    assert!(judge(vec![&alice[0], &Code::random()]).is_none(), "one that was never made");
    assert!(judge(vec![&Code::random(), &alice[0]]).is_none());
    let found = book.find(&[Code::parse(&plain(&alice[0])).unwrap()]);
    assert!(found[0].as_ref().unwrap().owner.by_codes());
}

#[test]
fn codes_of_another_file_are_unknown() {
    let (made, other) = (made(), made());
    let book = read(&other.file, 0o600).unwrap();
    assert!(book.find(&codes_of(&made, 0)).iter().all(Option::is_none));
}

#[test]
fn the_file_and_the_manifest_hold_no_code() {
    let made = made();
    for person in 0..3 {
        for code in codes_of(&made, person) {
            for text in [&made.file, &made.manifest] {
                assert!(!text.contains(&plain(&code)) && !text.contains(code.shown().expose_secret()));
            }
        }
        let others = (0..3).filter(|other| *other != person).flat_map(|other| codes_of(&made, other));
        let sheet = made.sheets[person].text.expose_secret();
        assert!(others.into_iter().all(|code| !sheet.contains(code.shown().expose_secret())));
    }
}

#[test]
fn the_manifest_gives_the_right_to_that_one_object() {
    let made = made();
    let book = read(&made.file, 0o600).unwrap();
    let name = crate::config::codes_object(book.id());
    for line in [
        format!("  name: {name}"),
        format!("  file: \"{}\"", book.id()),
        format!("    resourceNames: [{name}]"),
        "    verbs: [get, update]".to_owned(),
    ] {
        assert!(made.manifest.lines().any(|one| one == line), "{line}\n{}", made.manifest);
    }
}

#[test]
fn a_file_that_others_may_write_or_of_another_provider_is_refused() {
    let made = made();
    assert!(matches!(read(&made.file, 0o620), Err(CodesError::Writable { mode: 0o620, .. })));
    assert!(read(&made.file, 0o444).is_ok());
    let other = made.file.replace("https://issuer.test", "https://other.test");
    let error = read(&other, 0o600).unwrap_err().to_string();
    assert!(error.contains("https://other.test") && error.contains("oidc.issuer"), "{error}");
}

#[test]
fn a_hostile_file_is_refused_with_what_is_wrong() {
    let hash = "0".repeat(64);
    let salt = "0".repeat(32);
    let person = |name: &str, salt: &str, hash: &str| {
        format!(
            "  - {{issuer: 'https://issuer.test', subject: {name}, username: {name}, groups: [], salt: '{salt}', codes: ['{hash}']}}\n"
        )
    };
    let file = |id: &str, need: &str, people: &str| {
        format!("version: 1\nid: '{id}'\nneed: {need}\npeople:\n{people}")
    };
    let id = "0123456789abcdef";
    let two = person("a", &salt, &hash) + &person("b", &salt, &"1".repeat(64));
    assert!(read(&file(id, "2", &two), 0o600).is_ok());
    for (text, says) in [
        (file(id, "1", &two), "2 to 8"),
        (file(id, "0", &two), "2 to 8"),
        (file(id, "3", &two), "must be named"),
        (file("0123456789ABCDEF", "2", &two), "`id`"),
        (file("../../etc/passwd", "2", &two), "`id`"),
        (file(id, "2", &two).replace("version: 1", "version: 2"), "version"),
        (file(id, "2", &(two.clone() + &person("a", &salt, &"2".repeat(64)))), "twice"),
        (file(id, "2", &(person("a", &salt, &hash) + &person("b", &salt, &hash))), "twice"),
        (file(id, "2", &(two.clone() + &person("c", "00", &"2".repeat(64)))), "person 3"),
        (file(id, "2", &(two.clone() + &person("c", &salt, "22"))), "person 3"),
        (file(id, "2", &(two.clone() + &person("'system:admin'", &salt, &"2".repeat(64)))), "person 3"),
        (file(id, "2", &two) + "more: 1\n", "more"),
        (file(id, "-2", &two), "line"),
        ("[".to_owned(), "line"),
    ] {
        let error = read(&text, 0o600).unwrap_err().to_string();
        assert!(error.contains(says), "{text}\n{error}");
    }
    assert!(matches!(read(&"#".repeat(2 << 20), 0o600), Err(CodesError::TooLong(_))));
}

#[test]
fn people_are_read_strictly_and_within_bounds() {
    let error = plan(&PEOPLE.replace("subject: s2", "subjekt: s2"), 2, 3).unwrap_err().to_string();
    assert!(error.contains("subjekt") && error.contains("line 3"), "{error}");
    for (need, count) in [(1, 3), (4, 3), (9, 3), (2, 0), (2, MOST_CODES + 1)] {
        assert!(plan(PEOPLE, need, count).is_err(), "{need} {count}");
    }
    let twice = PEOPLE.replace("subject: s2", "subject: s1");
    assert!(make(plan(&twice, 2, 3).unwrap(), "sallyport").unwrap_err().to_string().contains("twice"));
    let nobody = PEOPLE.replace("username: bob", "username: 'system:masters'");
    assert!(matches!(make(plan(&nobody, 2, 3).unwrap(), "x"), Err(CodesError::Person { number: 2, .. })));
}
