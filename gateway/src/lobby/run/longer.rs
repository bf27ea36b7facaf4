//! The answers about what becomes of a request later: withdrawn, made longer, explained.

use super::*;

#[test]
fn only_what_is_not_open_yet_is_withdrawn_and_only_by_its_owner() {
    let taken = RequestView { phase: Phase::Revoked, revocation: verdict("solved"), ..pending() };
    let desk = Fixed { requests: vec![pending()], after: Some(taken), ..Fixed::default() };
    check(&desk, "withdraw oncall-debug-7k2m9x", "oncall-debug-7k2m9x is taken back\n", "");
    let refused = |request: RequestView, name: &str| {
        let reply =
            run_line(&Fixed { requests: vec![request], ..Fixed::default() }, &format!("withdraw {name}"));
        assert_eq!(reply.exit, 77);
        reply.stderr
    };
    assert!(refused(active(), "oncall-debug-7k2m9x").contains("`revoke oncall-debug-7k2m9x` ends it"));
    assert!(refused(of_carol(), "db-admin-x2y2z2").contains("is not your request"));
}

#[test]
fn beyond_the_longest_time_extending_asks_anew_and_says_so() {
    let desk = Fixed { after: Some(active()), ..Fixed::default() };
    let text = "oncall-debug-7k2m9x is open until 2026-11-21 03:00 UTC (59m left)\n";
    check(&desk, "extend oncall-debug-7k2m9x --for 30m", text, "");
    let next = RequestView { name: "oncall-debug-2q2q2q".to_owned(), ..pending() };
    let desk = Fixed { after: Some(next), ..Fixed::default() };
    let stdout = run_line(&desk, "extend oncall-debug-7k2m9x --for 2h").stdout;
    assert!(
        stdout.starts_with("oncall-debug-2q2q2q waits for 1 approval by leads: oncall-debug-7k2m9x is at")
    );
    assert!(stdout.contains("ssh prod-gw approve oncall-debug-2q2q2q"), "{stdout}");
}

#[test]
fn why_names_the_grant_or_what_to_ask_for() {
    let desk = Fixed { policies: vec![policy()], grants: vec![active()], ..Fixed::default() };
    let yes = "yes: grant oncall-debug-7k2m9x of policy oncall-debug covers pod api-0 until 2026-11-21 03:00 UTC (59m left)\n";
    check(&desk, "why exec -n payments api-0", yes, "");
    let reply =
        run_line(&Fixed { policies: vec![policy()], ..Fixed::default() }, "why exec -n payments api-0");
    assert_eq!(reply.exit, 77);
    assert_eq!(
        reply.stdout,
        "no: no grant of yours covers it\n\
         you can ask:         ssh prod-gw request oncall-debug -n payments --for 1h --reason WHY\n"
    );
    let rules = "a request to oncall-debug would be refused\n  yes subjects.groups\n  no  maxDuration: 4h is more than 2h\n  -   when: not reached\n";
    check(&desk, "why oncall-debug -n payments --for 4h", rules, "");
}
