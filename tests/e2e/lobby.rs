//! What is answered in the lobby itself: who I am, what there is, what I could ask for, and bad command lines.

use sallyport_tests::World;

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        without_a_command_it_says_who_i_am_and_what_i_may_ask_for,
        whoami_as_json,
        help_names_every_command,
        policies_are_listed_for_those_who_may_ask,
        pods_of_a_namespace_are_listed,
        bad_command_lines_end_with_64_and_one_line,
        hostile_command_lines_are_harmless,
    ]
}

fn without_a_command_it_says_who_i_am_and_what_i_may_ask_for(world: &World) {
    let grant = world.shared_grant();
    let lobby = world.alice().run().exits(0);
    lobby.prints("alice").prints(&grant).prints("oncall-debug").prints("help");
    world.sam().run().exits(0).prints("sam");
}

fn whoami_as_json(world: &World) {
    let who = world.alice().line("whoami -o json").run().exits(0).json();
    let text = who.to_string();
    assert!(text.contains("\"alice\"") && text.contains("\"oncall\""), "{text}");
    world.alice().line("whoami").run().exits(0).prints("alice").prints("oncall");
}

fn help_names_every_command(world: &World) {
    let help = world.alice().line("help").run().exits(0);
    for command in [
        "request", "requests", "approve", "deny", "grants", "revoke", "policies", "pods", "whoami", "shell",
        "exec", "logs", "login",
    ] {
        assert!(help.out.contains(command), "help lacks `{command}`\n{}", help.show());
    }
}

fn policies_are_listed_for_those_who_may_ask(world: &World) {
    world.alice().line("policies").run().exits(0).prints("oncall-debug");
    let policies = world.alice().line("policies -o json").run().exits(0).json();
    assert!(policies.to_string().contains("oncall-debug"), "{policies}");
    let none = world.sam().line("policies -o json").run().exits(0);
    assert!(!none.out.contains("oncall-debug"), "sam may not ask for it\n{}", none.show());
}

fn pods_of_a_namespace_are_listed(world: &World) {
    world.shared_grant();
    world
        .alice()
        .line("pods -n payments")
        .run()
        .exits(0)
        .prints("multi")
        .prints("postgres-0")
        .prints("logger");
    let pods = world.alice().line("pods -n payments -o json").run().exits(0).json();
    assert!(pods.to_string().contains("postgres-0"), "{pods}");
}

fn bad_command_lines_end_with_64_and_one_line(world: &World) {
    world.shared_grant();
    for line in [
        "frobnicate",
        "exec",
        "exec -n payments",
        "exec -n payments --frobnicate deploy/api -- true",
        "exec -n payments deploy/api",
        "exec -n payments deploy/api --",
        "exec -n UPPER_case deploy/api -- true",
        "exec -n payments ../../etc/passwd -- true",
        "exec -n payments cronjob/api -- true",
        "logs -n payments logger --tail minus",
        "logs -n payments logger --since yesterday",
        "request oncall-debug -n payments --for soon --reason x",
        "request",
        "approve",
        "approve not/a/name",
        "whoami -o yaml",
        "exec -n payments 'unterminated",
    ] {
        let answer = world.alice().line(line).run();
        assert!(answer.code == 64 && !answer.err.trim().is_empty(), "`{line}`\n{}", answer.show());
        assert!(answer.out.is_empty(), "`{line}` has an answer on standard output\n{}", answer.show());
    }
    world.alice().line("frobnicate").run().says("frobnicate").says("help");
}

fn hostile_command_lines_are_harmless(world: &World) {
    let long = "x".repeat(100_000);
    for line in
        ["exec\u{7f} \u{1b}[2J", "request $(reboot) `id` ${HOME} ~ *", "whoami \u{202e}gnp", long.as_str()]
    {
        let answer = world.alice().line(line).run();
        assert!(answer.code != 0, "{}", answer.show());
        assert!(!answer.err.contains('\u{1b}') && answer.err.len() < 4096, "{:?}", answer.err);
    }
    world.alice().line("whoami").run().exits(0);
}
