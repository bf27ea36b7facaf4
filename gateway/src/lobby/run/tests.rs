use std::sync::Mutex;
use std::time::Duration;

use futures::executor::block_on;
use sallyport_policy::{Action, Namespace, RequestName};

use super::*;
use crate::access::{
    AccessError, ApprovalView, LockView, PolicyView, Refusal, StageView, VerdictView, WhyStep, WhyView,
};
use crate::bridge::{PodRow, Target};
use crate::lobby::May;
use crate::lobby::parse;

#[path = "desk.rs"]
mod desk;
#[path = "longer.rs"]
mod longer;
#[path = "rules.rs"]
mod rules;
pub(in crate::lobby) use desk::Fixed;

pub(in crate::lobby) fn at(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

pub(in crate::lobby) fn context() -> Context {
    let who = Who {
        username: "alice@example.com".to_owned(),
        groups: vec!["oncall".to_owned(), "staff".to_owned()],
        issuer: "https://idp.example.com".to_owned(),
        subject: "7".to_owned(),
        until: at("10:00:00"),
    };
    Context { gateway: "prod-gw".to_owned(), now: at("02:00:30"), who, paper: Paper::default() }
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn policy() -> PolicyView {
    PolicyView {
        commands: None,
        name: "oncall-debug".to_owned(),
        namespaces: strings(&["payments", "staging"]),
        allow: vec!["shell", "exec", "logs", "forward"],
        ports: "5432, 8000-8999".to_owned(),
        cluster_role: "sallyport-debug".to_owned(),
        some_pods_only: false,
        max_duration: "2h".to_owned(),
        approvals_required: 1,
        approver_groups: strings(&["leads"]),
        reason_required: true,
        record: true,
        break_glass: false,
    }
}

pub(in crate::lobby) fn pending() -> RequestView {
    RequestView {
        name: "oncall-debug-7k2m9x".to_owned(),
        phase: Phase::Pending,
        requester: "alice@example.com".to_owned(),
        policy: "oncall-debug".to_owned(),
        namespaces: strings(&["payments"]),
        duration: "1h".to_owned(),
        reason: Some("INC-4711 checkout 500s".to_owned()),
        created: at("01:57:30"),
        approvals: Vec::new(),
        approvals_missing: 1,
        approver_groups: strings(&["leads"]),
        allow: vec!["shell", "exec", "logs", "forward"],
        starts: None,
        ends: None,
        seconds_left: None,
        denial: None,
        revocation: None,
        message: None,
        mine: true,
        may_approve: false,
        ticket: None,
        workloads: Vec::new(),
        pods: Vec::new(),
        containers: Vec::new(),
        ports: Vec::new(),
        extends: None,
        command: None,
        stages: vec![StageView { name: None, groups: strings(&["leads"]), needed: 1 }],
        checks: Vec::new(),
        cause: None,
        first_used: None,
        ended: None,
        approved_by_rule: None,
        break_glass: false,
        review: None,
        may_review: false,
    }
}

pub(in crate::lobby) fn active() -> RequestView {
    RequestView {
        phase: Phase::Active,
        approvals: vec![ApprovalView { by: "bob@example.com".to_owned(), at: at("02:00:00") }],
        approvals_missing: 0,
        stages: Vec::new(),
        starts: Some(at("02:00:00")),
        ends: Some(at("03:00:00")),
        seconds_left: Some(3570),
        ..pending()
    }
}

fn of_carol() -> RequestView {
    RequestView {
        name: "db-admin-x2y2z2".to_owned(),
        requester: "carol\u{1b}[2J@example.com".to_owned(),
        reason: Some("slow\nqueries".to_owned()),
        mine: false,
        may_approve: true,
        ..pending()
    }
}

pub(in crate::lobby) fn verdict(reason: &str) -> Option<VerdictView> {
    let reason = Some(reason.to_owned());
    Some(VerdictView { by: "bob@example.com".to_owned(), at: at("02:00:00"), reason })
}

fn pod() -> PodRow {
    PodRow {
        name: "api-0".to_owned(),
        namespace: "payments".to_owned(),
        ready: 1,
        containers: strings(&["app", "sidecar"]),
        status: "Running".to_owned(),
        restarts: 3,
        created: Some(at("00:00:00")),
    }
}

fn run_line(desk: &Fixed, line: &str) -> Reply {
    run_on(desk, line, &context())
}

fn run_on(desk: &Fixed, line: &str, context: &Context) -> Reply {
    block_on(run(desk, context, parse(line, "").unwrap()))
}

#[track_caller]
fn check(desk: &Fixed, line: &str, stdout: &str, stderr: &str) {
    let reply = run_line(desk, line);
    assert_eq!((reply.stdout.as_str(), reply.stderr.as_str(), reply.exit), (stdout, stderr, 0), "{line}");
}

#[test]
fn the_page_shows_who_what_and_the_lines_to_type() {
    let second = RequestView { name: "oncall-debug-2q2q2q".to_owned(), ..pending() };
    let desk = Fixed {
        policies: vec![policy()],
        requests: vec![of_carol(), second, active()],
        grants: vec![active()],
        ..Fixed::default()
    };
    let expected = "\
You are alice@example.com, signed in until 2026-11-21 10:00 UTC (7h59m left).

Your grants
  oncall-debug-7k2m9x in payments: 59m left, until 2026-11-21 03:00 UTC
    ssh prod-gw pods -n payments
    ssh -t prod-gw shell -n payments POD
    ssh prod-gw exec -n payments POD -- COMMAND
    ssh prod-gw logs -n payments POD -f
    ssh -N -L 5432:SERVICE.payments.svc:5432 prod-gw

Waiting for your approval
  db-admin-x2y2z2: carol\u{fffd}[2J@example.com, 1h in payments, asked 3m ago, because: slow queries
    ssh prod-gw approve db-admin-x2y2z2

Your requests
  oncall-debug-2q2q2q waits for 1 approval by leads

You can ask for
  oncall-debug: shell, exec, logs, forward (5432, 8000-8999) in payments, staging, up to 2h, with 1 approval by leads
    ssh prod-gw request oncall-debug -n payments --for 1h --reason WHY

Type after `ssh prod-gw`:
";
    let reply = run_line(&desk, "");
    assert_eq!(
        reply.stdout,
        format!("{expected}{}", help::text(Topic::Overview).split_once('\n').unwrap().1)
    );
}

#[test]
fn the_page_of_somebody_who_has_nothing_says_so() {
    let stdout = run_line(&Fixed::default(), "").stdout;
    let expected = "\
You are alice@example.com, signed in until 2026-11-21 10:00 UTC (7h59m left).

Your grants
  none

You can ask for
  nothing: no policy lists a group of yours

Type after";
    assert!(stdout.starts_with(expected), "{stdout}");
}

#[test]
fn on_a_colour_terminal_headings_stand_out_and_the_last_minutes_warn() {
    let mut context = context();
    context.paper = Paper { width: Some(80), colour: true };
    context.now = at("02:56:00");
    let desk = Fixed { grants: vec![active()], ..Fixed::default() };
    let stdout = run_on(&desk, "", &context).stdout;
    assert!(stdout.contains("\x1b[1mYour grants\x1b[0m\n"), "{stdout}");
    assert!(stdout.contains(": \x1b[33m4m left\x1b[0m, until"), "{stdout}");
}

#[test]
fn whoami_says_who_and_until_when() {
    let text = "\
alice@example.com, signed in until 2026-11-21 10:00 UTC (7h59m left)
groups: oncall, staff
issuer: https://idp.example.com
subject: 7
";
    check(&Fixed::default(), "whoami", text, "");
    let json = r#"{
  "signedIn": true,
  "username": "alice@example.com",
  "groups": [
    "oncall",
    "staff"
  ],
  "issuer": "https://idp.example.com",
  "subject": "7",
  "until": "2026-11-21T10:00:00Z",
  "secondsLeft": 28770
}
"#;
    check(&Fixed::default(), "whoami -o json", json, "");
}

#[test]
fn policies_are_a_table_and_the_line_to_ask_stands_beside_it() {
    let desk = Fixed { policies: vec![policy()], ..Fixed::default() };
    let table = "\
NAME          NAMESPACES        LONGEST  APPROVALS   REASON    ALLOWS
oncall-debug  payments,staging  2h       1 by leads  required  shell, exec, logs, forward (5432, 8000-8999)
";
    let beside = "Ask with: ssh prod-gw request oncall-debug -n payments --for 1h --reason WHY\n";
    check(&desk, "policies", table, beside);
}

#[test]
fn requests_are_a_table_that_says_for_whom_they_wait() {
    let desk = Fixed { requests: vec![of_carol(), pending(), active()], ..Fixed::default() };
    let table = "\
NAME                 PHASE    REQUESTER              NAMESPACES  FOR  WAITS FOR            AGE  REASON
db-admin-x2y2z2      Pending  carol\u{fffd}[2J@example.com  payments    1h   you                  3m   slow queries
oncall-debug-7k2m9x  Pending  alice@example.com      payments    1h   1 approval by leads  3m   INC-4711 checkout 500s
oncall-debug-7k2m9x  Active   alice@example.com      payments    1h                        3m   INC-4711 checkout 500s
";
    check(&desk, "requests", table, "");
}

#[test]
fn a_narrow_terminal_cuts_the_reason_and_keeps_the_table() {
    let mut context = context();
    context.paper.width = Some(64);
    let desk = Fixed { grants: vec![active()], ..Fixed::default() };
    let expected = "\
NAME                 NAMESPACES  ALLOWS                   LEFT …
oncall-debug-7k2m9x  payments    shell,exec,logs,forward  59m  …
";
    assert_eq!(run_on(&desk, "grants", &context).stdout, expected);
}

#[test]
fn grants_are_a_table_with_the_time_that_is_left() {
    let desk = Fixed { grants: vec![active()], ..Fixed::default() };
    let table = "\
NAME                 NAMESPACES  ALLOWS                   LEFT  UNTIL                 REASON
oncall-debug-7k2m9x  payments    shell,exec,logs,forward  59m   2026-11-21 03:00 UTC  INC-4711 checkout 500s
";
    check(&desk, "grants", table, "");
}

#[test]
fn pods_are_a_table_and_the_only_granted_namespace_need_not_be_said() {
    let desk = Fixed { grants: vec![active()], pods: vec![pod()], ..Fixed::default() };
    let table = "\
NAME   READY  STATUS   RESTARTS  AGE  CONTAINERS
api-0  1/2    Running  3         2h   app,sidecar
";
    check(&desk, "pods", table, "");
    check(&desk, "pods -n payments", table, "");
}

#[test]
fn nothing_is_a_sentence_on_stderr_and_an_empty_list_for_programs() {
    let desk = Fixed::default();
    check(&desk, "grants", "", "No grants. `policies` shows what you can ask for, `requests` what waits.\n");
    check(&desk, "requests", "", "No requests. `policies` shows what you can ask for.\n");
    check(&desk, "policies", "", "No policies: none lists a group of yours. `whoami` shows your groups.\n");
    check(&desk, "pods -n payments", "", "No pods in `payments` that a grant of yours covers.\n");
    for line in ["grants", "requests", "policies", "pods -n payments"] {
        check(&desk, &format!("{line} -o json"), "[]\n", "");
    }
}

#[test]
fn a_request_prints_its_name_first_and_then_what_happens_next() {
    let desk = Fixed { after: Some(pending()), ..Fixed::default() };
    let line = "request oncall-debug -n payments --for 1h --reason INC-4711 checkout 500s";
    let text = "\
oncall-debug-7k2m9x waits for 1 approval by leads
They type:           ssh prod-gw approve oncall-debug-7k2m9x
When it is open:     ssh prod-gw grants
";
    check(&desk, line, text, "");
    let desk = Fixed { after: Some(active()), ..Fixed::default() };
    let text = "\
oncall-debug-7k2m9x is open until 2026-11-21 03:00 UTC (59m left)
Look around:         ssh prod-gw pods -n payments
";
    check(&desk, line, text, "");
}

#[test]
fn verdicts_say_what_they_did() {
    let after = |request: RequestView| Fixed { after: Some(request), ..Fixed::default() };
    let name = "oncall-debug-7k2m9x";
    check(
        &after(active()),
        &format!("approve {name}"),
        "oncall-debug-7k2m9x is open until 2026-11-21 03:00 UTC (59m left): alice@example.com in payments\n",
        "",
    );
    check(
        &after(pending()),
        &format!("approve {name}"),
        "oncall-debug-7k2m9x waits for 1 approval by leads\n",
        "",
    );
    let denied = RequestView { phase: Phase::Denied, denial: verdict("ask\u{1b}]0;x\u{7} sam"), ..pending() };
    check(
        &after(denied),
        &format!("deny {name} --reason ask sam"),
        "oncall-debug-7k2m9x was denied by bob@example.com, because: ask\u{fffd}]0;x\u{fffd} sam\n",
        "",
    );
    let revoked = RequestView { phase: Phase::Revoked, revocation: verdict("over"), ..active() };
    check(
        &after(revoked),
        &format!("revoke {name}"),
        "oncall-debug-7k2m9x was revoked by bob@example.com, because: over; its sessions are cut\n",
        "",
    );
    let never_open = RequestView { phase: Phase::Revoked, revocation: verdict("not needed"), ..pending() };
    check(
        &after(never_open),
        &format!("revoke {name}"),
        "oncall-debug-7k2m9x was revoked by bob@example.com, because: not needed\n",
        "",
    );
}

#[test]
fn a_grant_that_could_not_be_opened_is_told_on_stderr_and_fails() {
    let why = "namespace `payments` does not exist";
    for (phase, said) in [
        (Phase::Failed, format!("could not be opened: {why}")),
        (Phase::Approved, format!("is approved and cannot be opened yet: {why}; it is tried again")),
    ] {
        let after = Some(RequestView { phase, message: Some(why.to_owned()), ..active() });
        let reply = run_line(&Fixed { after, ..Fixed::default() }, "approve oncall-debug-7k2m9x");
        assert_eq!((reply.exit, reply.stderr), (70, format!("oncall-debug-7k2m9x {said}\n")));
    }
}

#[test]
fn a_refusal_is_one_line_on_stderr_and_status_77() {
    let reply = run_line(&Fixed::default(), "approve oncall-debug-7k2m9x");
    assert_eq!((reply.stdout.as_str(), reply.exit), ("", 77));
    assert_eq!(
        reply.stderr,
        "refused: approving `oncall-debug-7k2m9x`: it is your own request \
         (policy `oncall-debug`: nobody approves their own); ask one of leads\n"
    );
}

#[test]
fn a_namespace_is_never_guessed_among_several() {
    let wide = RequestView { namespaces: strings(&["staging", "payments"]), ..active() };
    let reply = run_line(&Fixed { grants: vec![wide], ..Fixed::default() }, "pods");
    assert_eq!(reply.exit, 64);
    assert_eq!(reply.stderr, "which namespace? add `-n NS`; your grants cover payments, staging\n");
    let reply = run_line(&Fixed::default(), "pods");
    assert_eq!(
        reply.stderr,
        "which namespace? add `-n NS`; you have no open grant, `policies` shows what you can ask for\n"
    );
}

#[test]
fn the_json_of_a_request_is_what_the_view_says() {
    let reply = run_line(&Fixed { grants: vec![active()], ..Fixed::default() }, "grants -o json");
    let json: serde_json::Value = serde_json::from_str(&reply.stdout).unwrap();
    let grant = json.get(0).unwrap();
    assert_eq!(grant.get("name").unwrap(), "oncall-debug-7k2m9x");
    assert_eq!(grant.get("phase").unwrap(), "Active");
    assert_eq!(grant.get("secondsLeft").unwrap(), 3570);
    assert_eq!(grant.get("ends").unwrap(), "2026-11-21T03:00:00Z");
}

#[test]
fn somebody_with_only_a_key_is_told_how_to_sign_in_and_gets_nothing_else() {
    let answer = |line: &str| answer_key("prod-gw", "SHA256:abc", &parse(line, "").unwrap());
    let lobby = answer("");
    assert!(lobby.stdout.starts_with("You are not signed in; your key is SHA256:abc.\n"), "{}", lobby.stdout);
    assert!(
        lobby.stdout.contains("\n    ssh prod-gw login > ~/.ssh/id_ed25519-cert.pub\n"),
        "{}",
        lobby.stdout
    );
    assert_eq!(answer("whoami").stdout, "not signed in, known only by the key SHA256:abc\n");
    assert_eq!(answer("whoami -o json").stdout, "{\n  \"signedIn\": false,\n  \"key\": \"SHA256:abc\"\n}\n");
    assert_eq!(answer("help exec").stdout, help::text(Topic::Verb(crate::lobby::Verb::Exec)));
    for line in [
        "policies",
        "request p -n a",
        "requests",
        "approve r-1",
        "deny r-1",
        "grants",
        "revoke r-1",
        "pods -n a",
        "shell -n a p",
        "exec -n a p -- ls",
        "logs -n a p",
    ] {
        let reply = answer(line);
        assert_eq!((reply.exit, reply.stdout.as_str()), (77, ""), "{line}");
        assert!(reply.stderr.contains("type `ssh prod-gw login > "), "{line}: {}", reply.stderr);
    }
}

#[test]
fn every_field_of_the_json_is_in_the_documentation() {
    let all = RequestView {
        starts: Some(at("02:00:00")),
        denial: verdict("no"),
        revocation: verdict("over"),
        message: Some("text".to_owned()),
        ..active()
    };
    let desk = Fixed { policies: vec![policy()], grants: vec![all], pods: vec![pod()], ..Fixed::default() };
    let documentation = include_str!("../../../../docs/use.md");
    let mut fields = 0;
    for line in ["whoami -o json", "grants -o json", "policies -o json", "pods -o json"] {
        let json: serde_json::Value = serde_json::from_str(&run_line(&desk, line).stdout).unwrap();
        let object = json.get(0).unwrap_or(&json).as_object().unwrap();
        for field in object.keys() {
            assert!(documentation.contains(&format!("`{field}`")), "{field} of {line}");
            fields += 1;
        }
    }
    assert!(fields > 40, "{fields}");
}
