//! The words about access itself.

use super::*;
use crate::access::LockSubject;
use crate::crd::ReviewVerdict;
use crate::lobby::{Doing, Lock, Start, Why};

fn error(line: &str) -> String {
    parse(line, "").unwrap_err().to_string()
}

fn request(line: &str) -> crate::lobby::Request {
    match parse(line, "").unwrap() {
        Command::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn targets_narrow_a_request_as_words_or_as_flags() {
    for line in [
        "request p deploy/api api-0 -n a -c app --port 5432,8080",
        "request p -n a --workload deployment/api --pod pod/api-0 --container app --port 5432 --port 8080",
    ] {
        let request = request(line);
        assert_eq!(request.workloads.iter().map(ToString::to_string).collect::<Vec<_>>(), ["deployment/api"]);
        assert_eq!(request.pods.iter().map(ToString::to_string).collect::<Vec<_>>(), ["api-0"]);
        assert_eq!(request.containers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["app"]);
        assert_eq!(request.ports, [5432, 8080]);
    }
    assert!(error("request p svc/api").contains("access is narrowed to POD, deploy/NAME"));
    assert!(error("request p --port 0").contains("from 1 to 65535"));
    assert!(error("request p --port http").contains("from 1 to 65535"));
    let many: String = (0..33).map(|n| format!(" api-{n}")).collect();
    assert!(error(&format!("request p{many}")).contains("at most 32"));
}

#[test]
fn ticket_and_start_are_read() {
    let request = request("request p --ticket INC-1 --start +30m --reason it is down");
    assert_eq!(request.ticket.as_deref(), Some("INC-1"));
    assert_eq!(request.start, Some(Start::In(Duration::from_secs(1800))));
    assert_eq!(request.reason.as_deref(), Some("it is down"));
    assert!(error("request p --start teatime").contains("write +30m, 14:00 (UTC)"));
}

#[test]
fn a_request_can_wait_and_go_on() {
    assert_eq!(request("request p --wait").wait.unwrap().then, None);
    assert_eq!(request("request p").wait, None);
    for line in [
        "request p --reason INC-1 --wait -- exec api-0 -n a -- ls -l",
        "request p --wait --reason INC-1 -- exec api-0 -n a -- ls -l",
    ] {
        let request = request(line);
        assert_eq!(request.reason.as_deref(), Some("INC-1"), "{line}");
        let then = *request.wait.unwrap().then.unwrap();
        assert_eq!(then, parse("exec api-0 -n a -- ls -l", "").unwrap(), "{line}");
    }
    assert_eq!(error("request p -- shell api-0"), UsageError::NoWait.to_string());
    assert_eq!(
        error("request p --wait -- grants"),
        "after `--wait --` goes `shell`, `exec` or `logs`, and not `grants`"
    );
    assert!(error("request p --wait -- shell --help").contains("and not `--help`"));
    assert!(error("request p --wait -o json -- shell api-0").starts_with("`-o json` does not go"));
    assert!(error("request p --wait -- exec api-0").contains("after `--`"));
}

#[test]
fn extend_needs_a_length() {
    assert!(error("extend g-1").contains("add `--for DURATION`"));
    assert!(error("extend g-1 --for 0s").contains("add `--for DURATION`"));
    assert!(error("extend g-1 --duration 1h").contains("did you mean `--for`"));
    assert!(error("extend --for 1h").contains("the name of a grant"));
    let Command::Extend(extend) = parse("extend g-1 --for 30m --reason still at it", "").unwrap() else {
        panic!()
    };
    assert_eq!((extend.by.as_secs(), extend.reason.as_deref()), (1800, Some("still at it")));
}

#[test]
fn a_review_needs_a_verdict_and_its_grounds() {
    let Command::Review(review) = parse("review r-1 --verdict Justified --reason was down", "").unwrap()
    else {
        panic!()
    };
    assert_eq!((review.verdict, review.reason.as_str()), (ReviewVerdict::Justified, "was down"));
    assert!(error("review r-1 --reason x").contains("add `--verdict justified|unjustified`"));
    assert!(error("review r-1 --verdict justified").contains("add `--reason WORDS`"));
    assert!(error("review r-1 --verdict justifed --reason x").contains("did you mean `justified`"));
}

#[test]
fn a_lock_is_about_exactly_one_thing_and_says_why() {
    let subject = |line: &str| match parse(line, "").unwrap() {
        Command::Lock(Lock { subject, .. }) => subject,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        subject("lock --person a@example.com --reason x"),
        LockSubject::Person("a@example.com".to_owned())
    );
    let namespace = Namespace::parse("payments").unwrap();
    assert_eq!(
        subject("lock -n payments --reason x"),
        LockSubject::Target { namespace: namespace.clone(), pod: None }
    );
    let pod = Some("api-0".parse().unwrap());
    assert_eq!(subject("lock -n payments api-0 --for 2h --reason x"), LockSubject::Target { namespace, pod });
    assert_eq!(subject("lock --everything --reason x"), LockSubject::Everything);
    for line in [
        "lock --reason x",
        "lock api-0 --reason x",
        "lock --everything -n payments --reason x",
        "lock --everything api-0 --reason x",
        "lock --person a -n payments --reason x",
    ] {
        assert_eq!(error(line), UsageError::LockWhat.to_string(), "{line}");
    }
    assert!(error("lock --everything").contains("add `--reason WORDS`"));
    assert!(error("lock --all --reason x").contains("did you mean `--everything`"));
    assert!(error("lock -n a deploy/api --reason x").contains("access is narrowed to"));
    assert!(error("lock -n a b c --reason x").contains("does not know what to do with `c`"));
    assert!(error("unlock").contains("the name of a lock"));
}

#[test]
fn why_is_about_a_request_or_a_use() {
    let Command::Why(Why::Asking(request)) = parse("why oncall -n a --for 4h", "").unwrap() else { panic!() };
    assert_eq!(request.policy.as_str(), "oncall");
    let doing = |line: &str| match parse(line, "").unwrap() {
        Command::Why(Why::Doing { action, target, .. }) => (action, target.name.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(doing("why exec -n a api-0"), (Doing::Exec, "api-0".to_owned()));
    assert_eq!(doing("why forward -n a svc/db --port 5432"), (Doing::Forward(5432), "db".to_owned()));
    assert!(error("why forward -n a svc/db").contains("add `--port PORT`"));
    assert!(error("why exec").contains("a target"));
    assert!(error("why exec a b").contains("does not know what to do with `b`"));
    assert!(error("why").contains("the name of a policy"));
}

#[test]
fn words_of_other_tools_lead_here() {
    for (word, ours) in [("cancel", "withdraw"), ("can-i", "why"), ("renew", "extend"), ("block", "lock")] {
        assert!(error(word).contains(&format!("did you mean `{ours}`")), "{word}");
    }
}
