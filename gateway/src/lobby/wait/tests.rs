use std::sync::Mutex;

use futures::executor::block_on;

use super::*;
use crate::access::{ApprovalView, CheckView};
use crate::lobby::run::tests::{Fixed, active, at, context, pending, verdict};
use crate::lobby::{Command, parse};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Voice for Heard {
    async fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

fn waiting(later: Vec<RequestView>) -> (Waited, Vec<String>) {
    let desk = Fixed { after: Some(pending()), later: Mutex::new(later), ..Fixed::default() };
    let Command::Request(request) = parse("request oncall-debug -n payments --wait", "").unwrap() else {
        panic!()
    };
    let heard = Heard::default();
    let waited = block_on(wait(&desk, &context(), request, &heard));
    (waited, heard.0.into_inner().unwrap())
}

fn failed(later: Vec<RequestView>) -> (u8, String) {
    match waiting(later).0 {
        Waited::Not(reply) => (reply.exit, reply.stderr),
        Waited::Open(view) => panic!("open: {view:?}"),
    }
}

#[test]
fn each_step_is_told_once_and_it_ends_when_it_is_open() {
    let check = CheckView {
        name: "jira".to_owned(),
        allow: Some(true),
        reasons: vec!["INC-1 is\u{1b}[2J open".to_owned()],
    };
    let approval = ApprovalView { by: "bob@example.com".to_owned(), at: at("02:00:00") };
    let checked = RequestView { checks: vec![check], ..pending() };
    let approved = RequestView {
        approvals: vec![approval],
        stages: Vec::new(),
        phase: Phase::Approved,
        ..checked.clone()
    };
    let open =
        RequestView { approvals: approved.approvals.clone(), checks: checked.checks.clone(), ..active() };
    let (waited, said) = waiting(vec![checked.clone(), checked, approved, open]);
    assert!(matches!(waited, Waited::Open(_)), "{waited:?}");
    assert_eq!(
        said,
        [
            "oncall-debug-7k2m9x waits for 1 approval by leads",
            "They type: ssh prod-gw approve oncall-debug-7k2m9x",
            "Ctrl-C ends the waiting, not the request; take it back with: ssh prod-gw withdraw oncall-debug-7k2m9x",
            "check `jira` agrees: INC-1 is\u{fffd}[2J open",
            "approved by bob@example.com",
            "is approved and about to open",
        ]
    );
}

#[test]
fn a_denial_exits_with_77_and_its_reason() {
    let denied = RequestView { phase: Phase::Denied, denial: verdict("ask sam"), ..pending() };
    assert_eq!(
        failed(vec![denied]),
        (77, "oncall-debug-7k2m9x was denied by bob@example.com, because: ask sam\n".to_owned())
    );
    let refused =
        RequestView { phase: Phase::Denied, message: Some("check `jira`: closed".to_owned()), ..pending() };
    assert_eq!(
        failed(vec![refused]),
        (77, "oncall-debug-7k2m9x was denied: check `jira`: closed\n".to_owned())
    );
}

#[test]
fn what_expired_or_was_taken_back_exits_with_78() {
    let expired = RequestView { phase: Phase::Expired, ..pending() };
    assert_eq!(
        failed(vec![expired]),
        (78, "oncall-debug-7k2m9x has expired: nobody decided in time\n".to_owned())
    );
    let taken = RequestView { phase: Phase::Revoked, revocation: verdict("solved"), ..pending() };
    assert_eq!(failed(vec![taken]).0, 78);
    let other = RequestView { name: "another".to_owned(), ..pending() };
    assert_eq!(
        failed(vec![other]),
        (78, "request `oncall-debug-7k2m9x` is gone: it was deleted\n".to_owned())
    );
}

#[test]
fn what_could_not_be_asked_is_refused_at_once() {
    let Command::Request(request) = parse("request oncall-debug --wait", "").unwrap() else { panic!() };
    let heard = Heard::default();
    let waited = block_on(wait(&Fixed::default(), &context(), request, &heard));
    assert!(matches!(waited, Waited::Not(Reply { exit: 77, .. })), "{waited:?}");
    assert!(heard.0.into_inner().unwrap().is_empty());
}
