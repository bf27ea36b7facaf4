//! Forbids: in any way of reading a command.

use super::*;

fn forbidding(deny: RuleInput) -> Commands {
    let allow = vec![RuleInput { may_start: true, ..rule(&["*"]) }];
    Commands::parse(&CommandsInput { allow, deny: vec![deny], ..CommandsInput::default() }).unwrap()
}

#[test]
fn a_forbidden_program_is_found_wherever_it_stands() {
    let commands =
        forbidding(RuleInput { message: Some("nothing is deleted here".to_owned()), ..rule(&["rm"]) });
    for line in [
        "rm x",
        "/bin/rm x",
        "/opt/rm x",
        "./rm x",
        "nice rm x",
        "env A=b rm x",
        "timeout 5 nice -n 3 rm x",
        "busybox rm x",
        "sudo rm x",
        "sudo -u bob rm x",
        "find . -exec rm {} ;",
        "find . -exec nice rm {} +",
        "nohup rm x",
        "xargs rm",
    ] {
        let verdict = judged(&commands, line);
        assert_eq!(
            (verdict.rule.as_str(), verdict.why.as_str()),
            ("deny[0]", "nothing is deleted here"),
            "{line}"
        );
    }
    assert!(judged(&commands, "ls rm").cleared.is_some());
}

#[test]
fn a_forbidden_flag_is_found_in_every_form() {
    let commands = forbidding(RuleInput { flags: texts(&["--recursive"]), ..rule(&["rm", "grep", "tool"]) });
    for line in [
        "rm -r x",
        "rm -rf x",
        "rm -fr x",
        "rm -R x",
        "rm --recursive x",
        "rm --recurs x",
        "rm x -rf",
        "rm -f -r x",
        "tool --recursive",
        "tool --rec",
        "tool --recursive=yes",
        "tool -recursive",
        "grep -inr x .",
    ] {
        assert_eq!(judged(&commands, line).rule, "deny[0]", "{line}");
    }
    for line in ["rm -f x", "rm -- -r", "grep -e -r /tmp/x"] {
        assert!(judged(&commands, line).cleared.is_some(), "{line}: {:?}", judged(&commands, line));
    }
    let short = forbidding(RuleInput { flags: texts(&["-x"]), ..rule(&["tool"]) });
    for line in ["tool -x", "tool -axb", "tool -xvalue"] {
        assert_eq!(judged(&short, line).rule, "deny[0]", "{line}");
    }
    assert!(judged(&short, "tool --x x").cleared.is_some());
}

#[test]
fn forbidden_arguments_and_paths_are_found_in_any_place() {
    let arguments = forbidding(RuleInput { args: texts(&["prod-.*"]), ..rule(&["*"]) });
    for line in [
        "tool prod-db",
        "tool --host=prod-db",
        "psql -h prod-db -l",
        "psql -hprod-db -l",
        "nice tool prod-db",
    ] {
        assert_eq!(judged(&arguments, line).rule, "deny[0]", "{line}");
    }
    assert!(judged(&arguments, "tool test-db").cleared.is_some());
    let paths = forbidding(RuleInput { reads: texts(&["/data/**"]), ..rule(&["*"]) });
    for line in [
        "cat /data/x",
        "cat ../data/x",
        "grep -r x /",
        "tool --in=/data/x",
        "tool -i/data/x",
        "cp -r /data /tmp/x",
        "find /data -exec cat {} ;",
    ] {
        assert_eq!(judged(&paths, line).rule, "deny[0]", "{line}");
    }
    assert!(judged(&paths, "tee /data/x").cleared.is_some());
    let writes = forbidding(RuleInput { writes: texts(&["/data/**"]), ..rule(&["*"]) });
    assert_eq!(judged(&writes, "tee /data/x").rule, "deny[0]");
    assert!(judged(&writes, "cat /data/x").cleared.is_some());
}

#[test]
fn a_forbid_beside_an_open_rule_is_worth_a_guardrail() {
    let open = forbidding(rule(&["rm"]));
    assert!(
        open.rules(Way::Guarded).iter().all(|rule| matches!(rule.assurance, Assurance::Guardrail { .. }))
    );
    let closed = Commands::parse(&CommandsInput {
        deny: vec![rule(&["ls"])],
        sets: vec!["observe".to_owned()],
        ..CommandsInput::default()
    })
    .unwrap();
    assert!(
        closed.rules(Way::Guarded).iter().all(|rule| rule.assurance == Assurance::Boundary),
        "{:?}",
        closed.rules(Way::Guarded).iter().find(|rule| rule.assurance != Assurance::Boundary)
    );
    assert!(closed.rules(Way::Open).iter().all(|rule| matches!(rule.assurance, Assurance::Guardrail { .. })));
    assert_eq!(judged(&closed, "ls").rule, "deny[0]");
}
