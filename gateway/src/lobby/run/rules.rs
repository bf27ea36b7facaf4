//! `rules`: what may run, listed.

use super::*;
use crate::access::{CommandsView, RuleView};

fn ruled() -> PolicyView {
    let rule = RuleView {
        rule: "allow[0]".to_owned(),
        says: "ls, cat".to_owned(),
        assurance: "boundary".to_owned(),
    };
    PolicyView {
        name: "ruled".to_owned(),
        commands: Some(CommandsView { shell: "guarded", rules: vec![rule] }),
        ..policy()
    }
}

#[test]
fn rules_are_listed_with_what_they_are_worth_and_policies_without_any_are_named() {
    let desk = Fixed { policies: vec![ruled(), policy()], ..Fixed::default() };
    let reply = run_line(&desk, "rules");
    assert_eq!(reply.stdout, "POLICY  RULE      WORTH     SAYS\nruled   allow[0]  boundary  ls, cat\n");
    assert!(reply.stderr.contains("Any command runs under oncall-debug."), "{}", reply.stderr);
    assert_eq!(run_line(&desk, "rules ruled").stdout, reply.stdout);
    assert!(run_line(&desk, "rules other").stderr.starts_with("No such policy of yours."));
    let json: serde_json::Value =
        serde_json::from_str(&run_line(&desk, "rules ruled -o json").stdout).unwrap();
    assert_eq!(json["ruled"]["rules"][0]["assurance"], "boundary");
    assert!(run_line(&desk, "policies").stdout.contains("; commands by `rules`"));
}

#[test]
fn rules_that_say_the_same_are_one_row_and_why_one_is_a_guardrail_stands_below() {
    let rule = |rule: &str, says: &str, assurance: &str| RuleView {
        rule: rule.to_owned(),
        says: says.to_owned(),
        assurance: assurance.to_owned(),
    };
    let rules = vec![
        rule("allow[0]", "vi; may start others", "guardrail: it may start others"),
        rule("observe: ps", "ps; reads nothing", "boundary"),
        rule("observe: top", "top; reads nothing", "boundary"),
        rule("observe: ls", "ls", "boundary"),
    ];
    let policy = PolicyView { commands: Some(CommandsView { shell: "guarded", rules }), ..ruled() };
    let reply = run_line(&Fixed { policies: vec![policy], ..Fixed::default() }, "rules");
    let expected = "POLICY  RULE      WORTH      SAYS\n\
                    ruled   allow[0]  guardrail  vi; may start others\n\
                    ruled   observe   boundary   ps top; reads nothing\n\
                    ruled   observe   boundary   ls\n\
                    guardrail: allow[0] of ruled: it may start others\n";
    assert_eq!(reply.stdout, expected);
}

#[test]
fn approving_one_command_says_which() {
    let one = RequestView { command: Some("rm /tmp/x".to_owned()), ..active() };
    let desk = Fixed { after: Some(one), ..Fixed::default() };
    let reply = run_line(&desk, "approve oncall-debug-7k2m9x");
    assert_eq!(reply.stdout, "oncall-debug-7k2m9x: alice@example.com may run it once: rm /tmp/x\n");
}
