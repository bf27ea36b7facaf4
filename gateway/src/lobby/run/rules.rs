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
fn approving_one_command_says_which() {
    let one = RequestView { command: Some("rm /tmp/x".to_owned()), ..active() };
    let desk = Fixed { after: Some(one), ..Fixed::default() };
    let reply = run_line(&desk, "approve oncall-debug-7k2m9x");
    assert_eq!(reply.stdout, "oncall-debug-7k2m9x: alice@example.com may run it once: rm /tmp/x\n");
}
