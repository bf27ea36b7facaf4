//! The policies that we ship, by their own cases; and what a wrong case says.

use std::path::PathBuf;

use super::*;

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/policies")
}

#[test]
fn the_policies_that_we_ship_pass_their_cases_and_no_rule_is_left_out() {
    let read = files::read(&[shipped()]);
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    assert_eq!(read.policies.len(), 7);
    let report = trial::report(&read);
    assert!(report.failed().is_empty(), "{:#?}", report.failed());
    assert_eq!(report.percent(), 100, "{:#?}", report.never());
    let policies: Vec<_> = read.policies.iter().map(|one| one.policy.clone()).collect();
    assert!(sallyport_policy::lint(&policies).is_empty(), "{:#?}", sallyport_policy::lint(&policies));
}

fn with_case(case: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(shipped().join("office-hours.yaml"), directory.path().join("p.yaml")).unwrap();
    let head = "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicyTest\npolicy: office-hours\ngiven:\n  \
                person: {username: dave, groups: [developers]}\n  reason: x\ncases:\n";
    std::fs::write(directory.path().join("p.test.yaml"), format!("{head}  - {case}\n")).unwrap();
    let read = files::read(&[directory.path().to_owned()]);
    let problems = read.problems.iter().map(|problem| problem.what.clone());
    problems.chain(trial::report(&read).failed()).collect()
}

#[test]
fn a_case_that_does_not_hold_fails() {
    let fine = with_case("{name: one, expect: approved}");
    assert!(fine.is_empty(), "{fine:#?}");
    for case in [
        "{name: one, expect: denied}",
        "{name: one, expect: waits}",
        "{name: one, expect: approved, rule: when}",
        "{name: one, given: {duration: soon}, expect: denied}",
        "{name: one, given: {now: noon}, expect: approved}",
        "{name: one, use: {action: forward, pod: p}, expect: refused}",
        "{name: one, use: {action: exec, pod: p}, given: {duration: 9h}, expect: refused}",
        "{name: one, expct: denied}",
        "{name: one, expect: perhaps}",
    ] {
        assert!(!with_case(case).is_empty(), "{case}");
    }
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    let schemas = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    crate::config::published(&schemas.join("accesspolicy.schema.json"), &crate::crd::files::schema());
    crate::config::published(&schemas.join("accesspolicytest.schema.json"), &cases::schema());
}
