//! The language: what a rule says, and what is wrong with one that says nothing.

use super::*;

#[test]
fn faults_are_told_with_their_field() {
    let parse = |input: CommandsInput| Commands::parse(&input).unwrap_err();
    let allow = |rule: RuleInput| {
        parse(CommandsInput { allow: vec![super::rule(&["ls"]), rule], ..CommandsInput::default() })
    };
    for (rule, field, problem) in [
        (rule(&[]), "allow[1].programs", "at least one"),
        (rule(&["ls -l"]), "allow[1].programs[0]", "without arguments"),
        (rule(&["ls", "bin/ls"]), "allow[1].programs[1]", "begin with `/`"),
        (rule(&["/a/../b"]), "allow[1].programs[0]", "without `.`"),
        (rule(&["py*"]), "allow[1].programs[0]", "one by one"),
        (rule(&["bash"]), "allow[1].programs[0]", "mayStart: true"),
        (rule(&["/usr/bin/python3.11"]), "allow[1].programs[0]", "mayStart: true"),
        (
            RuleInput { flags: texts(&["-v", "--to-command"]), ..rule(&["tar"]) },
            "allow[1].flags[1]",
            "starts programs",
        ),
        (RuleInput { flags: texts(&["--"]), ..rule(&["ls"]) }, "allow[1].flags[0]", "not a flag"),
        (
            RuleInput { args: texts(&["a", "("]), ..rule(&["ls"]) },
            "allow[1].args[1]",
            "no regular expression",
        ),
        (RuleInput { args: texts(&["a)|(b"]), ..rule(&["ls"]) }, "allow[1].args[0]", "no regular expression"),
        (RuleInput { reads: texts(&["etc/**"]), ..rule(&["ls"]) }, "allow[1].reads[0]", "begins with `/`"),
        (RuleInput { writes: texts(&["/a", "/b/../c"]), ..rule(&["ls"]) }, "allow[1].writes[1]", "no `..`"),
    ] {
        let (told, why) = allow(rule);
        assert!(told == field && why.contains(problem), "{field}: {told}: {why}");
    }
    let (field, why) =
        parse(CommandsInput { sets: vec!["observe".into(), "all".into()], ..CommandsInput::default() });
    assert_eq!(
        (field.as_str(), why.as_str()),
        (
            "sets[1]",
            "there is no set `all`: neither a built-in one (observe, debug, database-read) nor a valid CommandSet"
        )
    );
    assert_eq!(
        parse(CommandsInput { environment: texts(&["LANG", "A-B"]), ..CommandsInput::default() }).0,
        "environment[1]"
    );
    assert_eq!(
        parse(CommandsInput { protected_paths: texts(&["default", "x"]), ..CommandsInput::default() }).0,
        "protectedPaths[1]"
    );
    assert_eq!(
        parse(CommandsInput { deny: vec![rule(&[""])], ..CommandsInput::default() }).0,
        "deny[0].programs[0]"
    );
    assert_eq!(parse(CommandsInput { deny: vec![rule(&["a"]); 1001], ..CommandsInput::default() }).0, "deny");
}

#[test]
fn the_sets_are_valid_and_each_of_their_rules_is_a_boundary() {
    let commands = sets(&["observe", "debug", "database-read"]);
    for rule in commands.rules(Way::Exec) {
        assert_eq!(rule.assurance, Assurance::Boundary, "{}", rule.name);
        assert!(rule.name.contains(": "), "{}", rule.name);
    }
    assert!(
        commands.programs().contains(&"jstack")
            && commands.rules(Way::Exec).iter().any(|rule| rule.name == "database-read: psql")
    );
    let names = |sets_: &[&str]| sets(sets_).rules(Way::Exec).len();
    assert_eq!(names(&["observe", "debug"]), names(&["debug"]), "the same rules are not there twice");
}

#[test]
fn only_listed_flags_pass_by_any_of_their_names() {
    let commands =
        allowing(vec![RuleInput { flags: texts(&["-n", "--follow", "-c=1*"]), ..rule(&["tail"]) }]);
    for line in [
        "tail -n 5 a",
        "tail -n5 a",
        "tail --lines=5 a",
        "tail --li 5 a",
        "tail -f a",
        "tail -fn5 a",
        "tail -c 100 a",
        "tail -- a",
        "tail a --follow=name",
    ] {
        assert!(cleared(&commands, line).is_ok(), "{line}: {:?}", cleared(&commands, line));
    }
    for line in [
        "tail -q a",
        "tail -fq a",
        "tail --quiet a",
        "tail -c 200 a",
        "tail --retry a",
        "tail --nonsense a",
        "tail -5 a",
    ] {
        assert!(cleared(&commands, line).is_err(), "{line}");
    }
}

#[test]
fn of_a_program_that_nobody_knows_every_reading_has_to_fit() {
    let commands = allowing(vec![RuleInput {
        flags: texts(&["-a", "-b", "--mode=fast"]),
        args: texts(&["status", "/app/.*"]),
        ..rule(&["/app/bin/tool"])
    }]);
    for line in [
        "/app/bin/tool -a -b status",
        "bin/tool status",
        "/app/bin/tool --mode=fast status",
        "/app/bin/tool -a /app/x",
    ] {
        assert!(cleared(&commands, line).is_ok(), "{line}: {:?}", cleared(&commands, line));
    }
    for line in [
        "/app/bin/tool -ab status",
        "/app/bin/tool --mode=slow status",
        "/app/bin/tool --mode status",
        "/app/bin/tool -c",
        "/app/bin/tool stop",
        "tool status",
        "/opt/tool status",
        "/app/bin/../../opt/tool status",
        "/app/bin/tool -- -x",
    ] {
        assert!(cleared(&commands, line).is_err(), "{line}: {:?}", cleared(&commands, line));
    }
    assert!(matches!(judged(&commands, "/app/bin/tool status").assurance, Assurance::Guardrail { .. }));
    let paths = allowing(vec![RuleInput { reads: texts(&["/app/**"]), ..rule(&["/app/bin/tool"]) }]);
    assert!(cleared(&paths, "bin/tool /app/x").is_ok() && cleared(&paths, "bin/tool /srv/x").is_err());
}

#[test]
fn a_name_means_the_standard_directories_and_no_others() {
    let commands = allowing(vec![rule(&["ls"])]);
    for line in ["ls", "/bin/ls", "/usr/local/bin/ls", "/bin//ls", "/bin/./ls", "/usr/bin/ls/"] {
        assert!(cleared(&commands, line).is_ok(), "{line}");
    }
    for line in [
        "/tmp/ls",
        "./ls",
        "bin/ls",
        "/usr/bin/x/ls",
        "/bin/../tmp/ls",
        "LS",
        "ls.",
        "ls\u{200b}",
        "l\u{455}",
        "~/ls",
    ] {
        assert!(cleared(&commands, line).is_err(), "{line}");
    }
    // Any program means any name, not any file.
    let any = allowing(vec![rule(&["*"])]);
    assert!(
        cleared(&any, "whatever x").is_ok()
            && cleared(&any, "./x").is_err()
            && cleared(&any, "l\u{455}").is_err()
    );
    assert!(matches!(judged(&any, "ls").assurance, Assurance::Guardrail { .. }));
}

#[test]
fn writing_has_to_be_named() {
    let commands = allowing(vec![rule(&["cp", "sort", "sed"])]);
    // What a program is for it may do; what a flag makes it do has to be named.
    assert!(cleared(&commands, "cp a b").is_ok());
    for line in ["sort -o x a", "sed -i s/a/b/ x", "sed --in-pl s/a/b/ x"] {
        assert!(cleared(&commands, line).unwrap_err().contains("write files"), "{line}");
    }
    let named =
        allowing(vec![RuleInput { writes: texts(&["/tmp/**"]), ..rule(&["cp", "sort", "sed", "curl"]) }]);
    for line in [
        "cp a /tmp/b",
        "cp -t /tmp a b",
        "sort -o /tmp/x a",
        "sed -i s/a/b/ /tmp/x",
        "curl -o /tmp/x http://x",
    ] {
        assert!(cleared(&named, line).is_ok(), "{line}: {:?}", cleared(&named, line));
    }
    for line in [
        "cp a b",
        "cp /tmp/a b",
        "cp -r /app /app/x",
        "sort -o x a",
        "sed -i s/a/b/ x",
        "sed -i.bak s/a/b/ x",
        "sed --in-pl s/a/b/ x",
        "curl -O http://x/a",
        "curl -o x http://x",
    ] {
        assert!(cleared(&named, line).is_err(), "{line}");
    }
}

#[test]
fn default_protected_paths_can_be_replaced_or_added_to() {
    let with = |paths: &[&str]| {
        Commands::parse(&CommandsInput {
            allow: vec![rule(&["cat", "tee"])],
            protected_paths: texts(paths),
            ..CommandsInput::default()
        })
        .unwrap()
    };
    let replaced = with(&["/data/**"]);
    assert!(cleared(&replaced, "cat /etc/shadow").is_ok() && cleared(&replaced, "cat /data/x").is_err());
    let added = with(&["default", "/data/**"]);
    assert!(cleared(&added, "cat /etc/shadow").is_err() && cleared(&added, "cat /data/x").is_err());
    assert!(cleared(&with(&["write:/data/**"]), "cat /data/x").is_ok());
}

#[test]
fn completion_offers_what_could_be_typed() {
    let commands = sets(&["observe"]);
    let flags = commands.flags("curl");
    assert!(
        flags.contains(&"--max-time".to_owned())
            && flags.contains(&"-s".to_owned())
            && flags.contains(&"--output".to_owned())
    );
    assert!(
        flags.iter().skip_while(|flag| flag.starts_with("--")).all(|flag| !flag.starts_with("--")),
        "long ones first"
    );
    assert!(!commands.flags("sort").contains(&"--compress-program".to_owned()));
    assert!(commands.flags("bash").is_empty() && commands.flags("nothing").is_empty());
}
