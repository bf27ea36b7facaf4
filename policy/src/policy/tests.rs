//! What is refused, and under which name.

use std::time::Duration;

use super::*;

/// A policy that is good, to change one thing of.
pub(crate) fn good() -> PolicyInput {
    PolicyInput {
        subject_groups: vec!["oncall".into()],
        namespaces: vec!["payments".into(), "staging".into()],
        allow: AllowInput { shell: true, exec: true, logs: true, forward: Some(vec!["5432".into()]) },
        cluster_role: "sallyport-debug".into(),
        max_duration: "2h".into(),
        approvals: 1,
        approver_groups: vec!["leads".into()],
        reason_required: true,
        record: true,
        ..PolicyInput::default()
    }
}

#[test]
fn a_good_policy_is_taken_as_it_is() {
    let policy = Policy::parse("oncall-debug", &good()).unwrap();
    assert_eq!(policy.allowed(), ["shell", "exec", "logs", "forward"]);
    assert_eq!(policy.max_duration(), Duration::from_secs(7200));
    assert!(policy.must_record() && policy.reason_required());
}

#[test]
fn each_fault_names_its_field() {
    type Break = fn(&mut PolicyInput);
    let faults: [(&str, Break); 19] = [
        ("subjects.groups", |p| p.subject_groups.clear()),
        ("subjects.groups", |p| p.subject_groups = vec![String::new()]),
        ("subjects.groups", |p| p.subject_groups = vec!["system:masters".into()]),
        ("subjects.groups", |p| p.subject_groups = vec!["sallyport:grant:x".into()]),
        ("namespaces", |p| p.namespaces.clear()),
        ("namespaces", |p| p.namespaces = vec!["*".into()]),
        ("podSelector", |p| {
            let requirement =
                crate::RequirementInput { key: "a".into(), operator: "Near".into(), values: vec![] };
            p.pod_selector.match_expressions = vec![requirement];
        }),
        ("allow", |p| p.allow = AllowInput::default()),
        ("allow.forward.ports", |p| p.allow.forward = Some(vec![])),
        ("allow.forward.ports", |p| p.allow.forward = Some(vec!["http".into()])),
        ("clusterRole", |p| p.cluster_role = String::new()),
        ("clusterRole", |p| p.cluster_role = "../x".into()),
        ("maxDuration", |p| p.max_duration = "soon".into()),
        ("maxDuration", |p| p.max_duration = "0s".into()),
        ("maxDuration", |p| p.max_duration = "169h".into()),
        ("approval.groups", |p| p.approver_groups.clear()),
        ("approval.groups", |p| p.approver_groups = vec!["system:nodes".into()]),
        ("approval.groups", |p| p.approver_groups = vec!["a\nb".into()]),
        ("approval.required", |p| p.approvals = 11),
    ];
    for (field, fault) in faults {
        let mut input = good();
        fault(&mut input);
        assert_eq!(Policy::parse("oncall-debug", &input).unwrap_err().field, field, "{input:?}");
    }
    assert_eq!(Policy::parse("Oncall", &good()).unwrap_err().field, "metadata.name");
}
