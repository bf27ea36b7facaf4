//! What the rules say to people: slips, shells' words, rules gathered for reading.

use super::*;

fn asking() -> Commands {
    let input = CommandsInput {
        sets: vec!["observe".to_owned()],
        on_denied: OnDenied::Ask,
        ..CommandsInput::default()
    };
    Commands::parse(&input).unwrap()
}

#[test]
fn a_slip_is_told_and_nobody_is_asked_about_it() {
    let commands = asking();
    for (line, meant) in [("toop", "`top`"), ("sl /", "`ls`"), ("ls --colr /var/log", "`--color`")] {
        let verdict = judged(&commands, line);
        assert!(verdict.cleared.is_none() && verdict.once.is_none(), "{line}: {verdict:?}");
        let instead = verdict.instead.unwrap();
        assert!(instead.starts_with(&format!("did you mean {meant}?")), "{line}: {instead}");
    }
    // What is no slip, is known, or is named by its path can still be asked for.
    for line in ["deploy", "rm /tmp/x", "/usr/bin/lss", "ls --nothing-like-it /var/log"] {
        assert!(judged(&commands, line).once.is_some(), "{line}");
    }
}

#[test]
fn an_operator_of_shells_among_the_words_of_one_command_is_explained() {
    let commands = sets(&["observe"]);
    for (line, word) in
        [("ls /var/log | wc -l", "`|`"), ("cat /var/log/a > /tmp/b", "`>`"), ("rm && ls", "`&&`")]
    {
        let invocation = Invocation { argv: words(line), ..Invocation::default() };
        let verdict = commands.judge(&invocation, Way::Exec);
        assert!(verdict.cleared.is_none(), "{line}");
        let instead = verdict.instead.unwrap();
        assert!(instead.contains(word) && instead.contains("`shell`"), "{line}: {instead}");
        let typed = commands.judge(&at("/app", "rm |"), Way::Guarded).instead.unwrap_or_default();
        assert!(!typed.contains("no shell reads"), "{typed}");
    }
    let text = Invocation { argv: words("grep | /var/log/a"), ..Invocation::default() };
    assert!(commands.judge(&text, Way::Exec).cleared.is_some(), "a text may be an operator");
}

#[test]
fn a_refusal_lists_some_of_many_paths() {
    let verdict = judged(&sets(&["observe"]), "cat /srv/x");
    let instead = verdict.instead.unwrap();
    assert!(instead.starts_with("only /var/log/** ") && instead.contains(" more"), "{instead}");
    let few = allowing(vec![RuleInput { reads: texts(&["/a", "/b"]), ..rule(&["cat"]) }]);
    assert_eq!(judged(&few, "cat /srv/x").instead.as_deref(), Some("only /a /b"));
}

#[test]
fn rules_of_a_set_are_read_together_where_they_say_the_same() {
    let input = CommandsInput {
        sets: vec!["observe".to_owned()],
        allow: vec![rule(&["kill"])],
        deny: vec![rule(&["curl"])],
        ..CommandsInput::default()
    };
    let all: Vec<_> = Commands::parse(&input).unwrap().rules(Way::Guarded);
    let all: Vec<_> = all.into_iter().map(|rule| (rule.name, rule.text, rule.assurance)).collect();
    let gathered = gathered(all.clone());
    let named: Vec<_> = gathered.iter().take(3).map(|(name, ..)| name.as_str()).collect();
    assert_eq!(named, ["deny[0]", "allow[0]", "observe"]);
    let text = &gathered[2].1;
    assert!(text.starts_with("ps top pgrep "), "{text}");
    assert!(text.ends_with("; reads nothing; writes nothing"), "{text}");
    assert!(gathered.len() * 3 < all.len(), "{} of {}", gathered.len(), all.len());
    // Every program is still there, once for each of its rules.
    let programs = |rules: &[(String, String, Assurance)]| {
        let heads = rules.iter().filter_map(|(_, text, _)| text.split(';').next());
        let mut all: Vec<_> = heads.flat_map(str::split_whitespace).map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(programs(&gathered), programs(&all));
}

#[test]
fn a_variable_that_programs_may_not_be_given_is_known_before_any_is_started() {
    let commands = sets(&["observe"]);
    assert!(commands.refuses_export("LD_PRELOAD", "/tmp/x.so").is_some());
    assert!(commands.refuses_export("ANYTHING", "1").is_some());
    assert!(commands.refuses_export("TZ", "UTC").is_none());
    let both = commands.and(std::sync::Arc::new(Commands::nothing()));
    let nothing = CommandsInput { environment: Some(Vec::new()), ..CommandsInput::default() };
    let stricter = commands.and(std::sync::Arc::new(Commands::parse(&nothing).unwrap()));
    assert!(stricter.refuses_export("TZ", "UTC").is_some() && both.refuses_export("TZ", "UTC").is_some());
}
