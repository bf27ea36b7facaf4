use proptest::prelude::*;

use super::*;

fn read_words(verb: Verb, words: &[&str]) -> Result<Parsed, UsageError> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    read(verb, &words, None)
}

fn error(verb: Verb, words: &[&str]) -> String {
    read_words(verb, words).unwrap_err().to_string()
}

#[test]
fn a_value_can_be_joined_in_every_way_kubectl_takes() {
    for words in [
        &["-n", "payments"][..],
        &["-npayments"],
        &["-n=payments"],
        &["--namespace", "payments"],
        &["--namespace=payments"],
    ] {
        assert_eq!(read_words(Verb::Exec, words).unwrap().value("namespace"), Some("payments"), "{words:?}");
    }
}

#[test]
fn letters_can_be_joined() {
    for words in
        [&["-it"][..], &["-ti"], &["-i", "-t"], &["--stdin", "--tty"], &["--stdin=true", "--tty=true"]]
    {
        let parsed = read_words(Verb::Exec, words).unwrap();
        assert!(parsed.has("stdin") && parsed.has("tty"), "{words:?}");
    }
    let parsed = read_words(Verb::Exec, &["-itcapp"]).unwrap();
    assert!(parsed.has("tty") && parsed.value("container") == Some("app"));
    assert!(!read_words(Verb::Exec, &["--tty=false"]).unwrap().has("tty"));
}

#[test]
fn arguments_and_flags_come_in_any_order_and_dashes_end_the_flags() {
    let parsed = read_words(Verb::Exec, &["api-0", "-n", "payments", "--", "ls", "-n", "--", "x"]).unwrap();
    assert_eq!(parsed.arguments, ["api-0"]);
    assert_eq!(parsed.after_dashes.unwrap(), ["ls", "-n", "--", "x"]);
    assert_eq!(read_words(Verb::Exec, &["-"]).unwrap().arguments, ["-"]);
}

#[test]
fn a_reason_takes_every_word_up_to_the_next_flag() {
    for (words, reason) in [
        (&["p", "--reason", "INC-1", "checkout", "500s", "--for", "1h"][..], "INC-1 checkout 500s"),
        (&["--reason=INC-1", "is", "-x", "bad", "-n", "a", "p"], "INC-1 is -x bad"),
        (&["--reason", "the", "-host", "--is", "down", "-oj"], "the -host --is down"),
        (&["--reason", " spaced  out ", "-"], "spaced  out  -"),
        (&["--reason", "INC-1", "--", "--for", "real"], "INC-1 --for real"),
    ] {
        assert_eq!(read_words(Verb::Request, words).unwrap().value("reason"), Some(reason), "{words:?}");
    }
}

#[test]
fn only_a_flag_of_this_command_ends_a_reason() {
    let parsed = read_words(Verb::Deny, &["r", "--reason", "ask", "--for", "less"]).unwrap();
    assert_eq!(parsed.value("reason"), Some("ask --for less"));
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    assert_eq!(
        error(Verb::Exec, &["--namspace", "x"]),
        "`exec` has no flag `--namspace`, did you mean `--namespace`; see `help exec`"
    );
    assert_eq!(error(Verb::Grants, &["-x"]), "`grants` has no flag `-x`; see `help grants`");
    assert_eq!(error(Verb::Exec, &["-n"]), "`-n` needs a value: NS; see `help exec`");
    assert_eq!(error(Verb::Exec, &["-n", "--tty"]), "`-n` needs a value: NS; see `help exec`");
    assert_eq!(error(Verb::Exec, &["--namespace="]), "`--namespace` needs a value: NS; see `help exec`");
    assert_eq!(
        error(Verb::Request, &["--reason", "--for"]),
        "`--reason` needs a value: WORDS; see `help request`"
    );
    assert_eq!(error(Verb::Exec, &["--tty=yes"]), "`--tty` takes no value; see `help exec`");
    assert_eq!(error(Verb::Exec, &["-na", "-nb"]), "`--namespace` is given twice; see `help exec`");
    assert_eq!(error(Verb::Exec, &["-\u{1b}[2J"]), "`exec` has no flag `-�[2J`; see `help exec`");
}

#[test]
fn a_namespace_of_a_request_may_be_repeated() {
    let parsed = read_words(Verb::Request, &["-n", "a", "-n", "b,c"]).unwrap();
    assert_eq!(parsed.values("namespace").collect::<Vec<_>>(), ["a", "b,c"]);
}

#[test]
fn reading_stops_at_the_words_for_the_pod() {
    let words: Vec<String> = ["api-0", "cat", "--what"].map(str::to_owned).into();
    let parsed = read(Verb::Exec, &words, Some(1)).unwrap();
    assert_eq!((parsed.arguments.len(), parsed.positions), (2, vec![0, 1]));
}

proptest! {
    #[test]
    fn no_words_make_it_fall_over(words in prop::collection::vec("(-{0,2}[a-z=]{0,9})|[^\0]{0,6}|--", 0..12)) {
        for verb in Verb::ALL {
            let _ = read(verb, &words, None);
            let _ = read(verb, &words, Some(1));
        }
    }

    #[test]
    fn what_follows_dashes_is_left_as_it_is(rest in prop::collection::vec("[^\0]{0,8}", 0..8)) {
        let mut words = vec!["api-0".to_owned(), "--".to_owned()];
        words.extend(rest.iter().cloned());
        prop_assert_eq!(read(Verb::Exec, &words, Some(1)).unwrap().after_dashes, Some(rest));
    }
}
