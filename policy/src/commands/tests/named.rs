//! Sets that people write themselves.

use super::*;

fn set(name: &str, allow: Vec<RuleInput>, deny: Vec<RuleInput>) -> NamedSet {
    NamedSet::parse(name, &SetInput { allow, deny }).unwrap()
}

fn java() -> NamedSet {
    let curl = RuleInput { args: texts(&["http://localhost:8080/actuator/.*"]), ..rule(&["curl"]) };
    let secrets = RuleInput {
        args: texts(&[".*/actuator/env.*"]),
        message: Some("secrets are in there".to_owned()),
        ..rule(&["curl"])
    };
    set("java-team", vec![rule(&["jcmd", "jstack"]), curl], vec![secrets])
}

fn naming(sets: &[&str], named: Vec<NamedSet>) -> Result<Commands, (String, String)> {
    let sets = sets.iter().map(|name| (*name).to_owned()).collect();
    Commands::parse(&CommandsInput { sets, named, ..CommandsInput::default() })
}

#[test]
fn a_set_lets_its_programs_run_and_forbids_beside_other_sets_and_its_name_is_told() {
    let commands = naming(&["observe", "java-team"], vec![java()]).unwrap();
    for (line, rule) in [
        ("jcmd 1 Thread.print", "observe: jcmd"),
        ("curl http://localhost:8080/actuator/health", "observe: curl"),
        ("curl http://localhost:8080/actuator/env", "deny[0] of java-team"),
        ("rm x", "no rule"),
    ] {
        assert_eq!(judged(&commands, line).rule, rule, "{line}");
    }
    let alone = naming(&["java-team"], vec![java()]).unwrap();
    for (line, rule) in [
        ("jstack 1", "allow[0] of java-team"),
        ("curl http://localhost:8080/actuator/health", "allow[1] of java-team"),
        ("ls", "no rule"),
    ] {
        assert_eq!(judged(&alone, line).rule, rule, "{line}");
    }
    assert_eq!(judged(&alone, "curl http://localhost:8080/actuator/env").why, "secrets are in there");
    let names: Vec<_> = alone.rules(Way::Guarded).into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["deny[0] of java-team", "allow[0] of java-team", "allow[1] of java-team"]);
}

#[test]
fn an_open_shell_holds_to_a_sets_forbid_also_where_the_line_cannot_be_read_whole() {
    struct Unset;
    impl crate::line::Variables for Unset {
        fn get(&self, _name: &str) -> Option<&str> {
            None
        }
    }
    let any = set("company", vec![rule(&["*"])], vec![rule(&["mkfs"])]);
    let commands = naming(&["company"], vec![any]).unwrap();
    for line in ["mkfs /dev/sda", "for x in a b; do mkfs $x; done"] {
        let verdicts = commands.judge_text(line, None, &Unset);
        assert!(
            verdicts.iter().any(|one| one.cleared.is_none() && one.rule == "deny[0] of company"),
            "{line}: {verdicts:?}"
        );
    }
}

#[test]
fn a_set_without_allow_rules_opens_nothing() {
    for empty in [set("mine", vec![], vec![]), set("mine", vec![], vec![rule(&["rm"])])] {
        let commands = naming(&["mine"], vec![empty]).unwrap();
        let verdict = judged(&commands, "ls");
        assert!(verdict.cleared.is_none() && verdict.rule == "no rule", "{verdict:?}");
        assert_eq!(verdict.instead.as_deref(), Some("nothing may run here"));
    }
}

#[test]
fn rules_that_let_nothing_run_do_so_whatever_stands_beside_them() {
    let both = sets(&["observe"]).and(std::sync::Arc::new(Commands::nothing()));
    for line in ["ls", "true", "uptime"] {
        assert!(judged(&both, line).cleared.is_none(), "{line}");
        assert!(judged(&Commands::nothing(), line).cleared.is_none(), "{line}");
    }
}

#[test]
fn a_policy_names_sets_that_are_there_and_not_too_many() {
    let (field, problem) = naming(&["observe", "java-team"], vec![]).unwrap_err();
    assert_eq!(field, "sets[1]");
    assert!(problem.contains("no set `java-team`:"), "nothing is near: {problem}");
    for (typed, near) in [("observ", "observe"), ("java-tema", "java-team")] {
        let (_, problem) = naming(&[typed], vec![set("java-team", vec![rule(&["ls"])], vec![])]).unwrap_err();
        assert!(problem.contains(&format!("no set `{typed}`, did you mean `{near}`:")), "{problem}");
    }
    let many: Vec<String> = (0..9).map(|number| format!("set-{number}")).collect();
    let all: Vec<_> = many.iter().map(|name| set(name, vec![rule(&["ls"])], vec![])).collect();
    let names: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(naming(&names, all.clone()).unwrap_err().0, "sets");
    assert!(naming(&names[..8], all).is_ok());
    // Named twice is there once.
    assert_eq!(naming(&["java-team", "java-team"], vec![java()]).unwrap().rules(Way::Exec).len(), 3);
}

#[test]
fn a_set_that_is_wrong_says_where() {
    let parse = |name: &str, allow, deny| NamedSet::parse(name, &SetInput { allow, deny }).unwrap_err();
    for name in BUILT_IN_SETS {
        let (field, problem) = parse(name, vec![rule(&["ls"])], vec![]);
        assert_eq!(field, "metadata.name");
        assert!(problem.contains("built-in"), "{problem}");
    }
    for name in ["", "Java", "a.b", "a b", &"x".repeat(64)] {
        assert_eq!(parse(name, vec![], vec![]).0, "metadata.name", "{name}");
    }
    let wild = RuleInput { args: texts(&["("]), ..rule(&["ls"]) };
    let long = RuleInput { reads: Some(vec![format!("/{}", "x".repeat(500)); 66]), ..rule(&["ls"]) };
    for (allow, deny, field) in [
        (vec![rule(&["ls"]), rule(&["bash"])], vec![], "allow[1].programs[0]"),
        (vec![wild.clone()], vec![], "allow[0].args[0]"),
        (vec![], vec![wild], "deny[0].args[0]"),
        (vec![rule(&["ls"]); 257], vec![], "allow"),
        (vec![], vec![rule(&["ls"]); 257], "deny"),
        (vec![long], vec![], "allow"),
    ] {
        assert_eq!(parse("mine", allow, deny).0, field);
    }
}
