//! Whole lines for the container's own shell.

use super::*;
use crate::line::Variables;

struct Nothing;

impl Variables for Nothing {
    fn get(&self, name: &str) -> Option<&str> {
        (name == "HERE").then_some("/var/log")
    }
}

fn passes(commands: &Commands, line: &str) -> bool {
    let verdicts = commands.judge_text(line, Some("/app"), &Nothing);
    verdicts.iter().all(|verdict| verdict.cleared.is_some())
}

#[test]
fn with_a_list_of_what_may_run_a_line_that_cannot_be_known_is_refused() {
    let commands = sets(&["observe"]);
    for line in [
        "ls -la",
        "cd /tmp && ls",
        "cat /var/log/a | grep x",
        "echo hi",
        "cat $HERE/a",
        "cd /var/log; cat a.log",
        "history",
        "export LANG=C",
    ] {
        assert!(passes(&commands, line), "{line}: {:?}", commands.judge_text(line, Some("/app"), &Nothing));
    }
    for line in [
        "rm x",
        "ls; rm x",
        "cat $(id)",
        "cat $UNKNOWN",
        "eval ls",
        "alias ls=rm",
        "cat /var/log/*",
        "f() { rm x; }",
        "cat <<E",
        "echo `id`",
        "cd /var/run/secrets; cat token",
        "cat /var/log/a > /tmp/x",
        "PATH=/tmp ls",
        "export PATH=/tmp",
        "PATH=/tmp",
        "echo x > /etc/passwd",
    ] {
        assert!(!passes(&commands, line), "{line}: {:?}", commands.judge_text(line, Some("/app"), &Nothing));
    }
}

#[test]
fn without_a_list_what_is_not_forbidden_passes_and_what_cannot_be_known_is_marked() {
    let commands =
        Commands::parse(&CommandsInput { deny: vec![rule(&["rm"])], ..CommandsInput::default() }).unwrap();
    assert!(passes(&commands, "ls -la") && passes(&commands, "vim x") && passes(&commands, "bash"));
    assert!(
        !passes(&commands, "rm x")
            && !passes(&commands, "ls && rm x")
            && !passes(&commands, "sudo rm x")
            && !passes(&commands, "cat /etc/shadow")
    );
    let unread = commands.judge_text("cat $(id)", None, &Nothing);
    assert_eq!(unread.iter().map(|verdict| verdict.rule.as_str()).collect::<Vec<_>>(), ["unread"]);
    assert!(commands.judge_text("", None, &Nothing).is_empty());
}

#[test]
fn forbids_are_found_in_what_is_handed_to_another_shell() {
    let allow = vec![RuleInput { may_start: true, ..rule(&["*"]) }];
    let commands =
        Commands::parse(&CommandsInput { allow, deny: vec![rule(&["rm"])], ..CommandsInput::default() })
            .unwrap();
    for line in
        ["sh -c rm_x", "sh -c ls;rm_x", "bash -lc rm_x", "su -c rm_x", "sudo sh -c rm_x", "watch rm_x"]
    {
        assert_eq!(judged(&commands, line).rule, "deny[0]", "{line}");
    }
}
