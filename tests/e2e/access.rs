//! Asking, approving, denying, revoking, and what is said about it.

use sallyport_tests::world::first_word;
use sallyport_tests::{World, seconds, until};
use serde_json::json;

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_request_waits_for_its_approval_and_then_opens,
        nobody_approves_their_own_request,
        two_approvals_are_by_two_people,
        only_the_named_groups_approve,
        a_denied_request_opens_nothing,
        a_revoked_grant_is_gone_from_the_cluster,
        requests_are_limited_by_their_policy,
        a_reason_takes_every_word,
        lists_as_tables_and_as_json,
        the_binding_is_owned_by_its_request,
        what_was_approved_is_what_runs,
        a_role_that_the_gateway_may_not_bind_fails_in_words,
    ]
}

fn a_request_waits_for_its_approval_and_then_opens(world: &World) {
    let place = world.plan("asking").approvals(1).with("reasonRequired", json!(true)).make(world);
    let asked = place.ask("30m").exits(0);
    let name = first_word(&asked.out);
    assert!(name.starts_with(&format!("{}-", place.name)), "{name}");
    place.exec("true").exits(77);
    assert!(place.binding(&name).is_none(), "a binding before the approval");
    world.bob().line(format!("approve {name}")).run().exits(0);
    place.exec("true").exits(0);
    let binding = place.binding(&name).expect("a binding");
    assert_eq!(binding["subjects"][0]["name"], format!("sallyport:grant:{name}"));
    assert_eq!(binding["subjects"].as_array().map(Vec::len), Some(1));
    assert_eq!(binding["roleRef"]["name"], "sallyport-debug");
    for kind in ["request.created", "request.approved", "grant.started"] {
        world.event(kind, |e| e["request"] == *name);
    }
    let approved = world.event("request.approved", |e| e["request"] == *name);
    assert_eq!(approved["person"]["username"], "bob");
}

fn nobody_approves_their_own_request(world: &World) {
    // Alice's own group may approve here, and she still may not.
    let approval = json!({"required": 1, "groups": ["oncall", "leads"]});
    let place = world.plan("own").approvals(1).with("approval", approval).make(world);
    let name = first_word(&place.ask("10m").exits(0).out);
    let answer = world.alice().line(format!("approve {name}")).run().exits(77);
    assert_eq!(answer.err.trim().lines().count(), 1, "{}", answer.show());
    place.exec("true").exits(77);
}

fn two_approvals_are_by_two_people(world: &World) {
    let approval = json!({"required": 2, "groups": ["leads", "security"]});
    let place = world.plan("two").approvals(2).with("approval", approval).make(world);
    let name = first_word(&place.ask("10m").exits(0).out);
    world.bob().line(format!("approve {name}")).run().exits(0);
    let again = world.bob().line(format!("approve {name}")).run();
    assert!(place.binding(&name).is_none(), "one person counted twice\n{}", again.show());
    place.exec("true").exits(77);
    world.sam().line(format!("approve {name}")).run().exits(0);
    place.exec("true").exits(0);
}

fn only_the_named_groups_approve(world: &World) {
    let place = world.plan("leads").approvals(1).make(world);
    let name = first_word(&place.ask("10m").exits(0).out);
    world.sam().line(format!("approve {name}")).run().exits(77);
    world.sam().line(format!("deny {name} --reason no")).run().exits(77);
    assert!(place.binding(&name).is_none());
    world.bob().line("approve no-such-request").run().exits(64);
}

fn a_denied_request_opens_nothing(world: &World) {
    let place = world.plan("denied").approvals(1).make(world);
    let name = first_word(&place.ask("10m").exits(0).out);
    world.bob().line(format!("deny {name} --reason not today")).run().exits(0);
    let late = world.bob().line(format!("approve {name}")).run();
    assert_ne!(late.code, 0, "{}", late.show());
    place.exec("true").exits(77);
    world.alice().line("requests").run().exits(0).prints(&name).prints("Denied");
    assert_eq!(world.event("request.denied", |e| e["request"] == *name)["reason"], "not today");
}

fn a_revoked_grant_is_gone_from_the_cluster(world: &World) {
    let place = world.place("revoked");
    let (own, other) = (place.grant("30m"), place.grant("30m"));
    world.alice().line(format!("revoke {own}")).run().exits(0);
    place.unbound(&own);
    place.exec("true").exits(0); // the other grant is none the worse for it
    world.bob().line(format!("revoke {other} --reason enough")).run().exits(0);
    place.unbound(&other);
    place.exec("true").exits(77);
    world.event("grant.ended", |e| e["request"] == *own);
    world.event("grant.cleaned", |e| e["request"] == *own);
    world.sam().line(format!("revoke {own}")).run();
    let grants = world.alice().line("grants").run().exits(0);
    assert!(!grants.out.contains(&own) && !grants.out.contains(&other), "{}", grants.show());
}

fn requests_are_limited_by_their_policy(world: &World) {
    let place = world.plan("limits").approvals(1).with("reasonRequired", json!(true)).make(world);
    let name = &place.name;
    // Nothing is said by whom, and nothing is made, where the policy does not allow it.
    for (line, code) in [
        (format!("request {name} -n {name} --for 3h --reason x"), 77),
        (format!("request {name} -n payments --for 1h --reason x"), 77),
        (format!("request {name} -n {name} --for 1h"), 77),
        (format!("request {name} -n {name} --for 0s --reason x"), 64),
        ("request no-such-policy -n payments --for 1h --reason x".to_owned(), 77),
    ] {
        let answer = world.alice().line(&line).run();
        assert!(
            [code, 64, 77].contains(&answer.code) && !answer.err.is_empty(),
            "`{line}`\n{}",
            answer.show()
        );
        assert!(answer.out.is_empty(), "`{line}`\n{}", answer.show());
    }
    let other = world.sam().line(format!("request {name} -n {name} --for 1h --reason x")).run();
    assert_eq!(other.code, 77, "sam may not ask\n{}", other.show());
    let mine: Vec<_> = world.api.list("/apis/sallyport.dev/v1alpha1/accessrequests");
    assert!(!mine.iter().any(|r| r["spec"]["policy"] == **name), "a request was made");
}

fn a_reason_takes_every_word(world: &World) {
    let place = world.plan("reason").approvals(1).make(world);
    let asked = world
        .alice()
        .line(format!("request {0} --reason INC-4711 checkout 500s -n {0} --for 20m", place.name))
        .run()
        .exits(0);
    let request = place.request(&first_word(&asked.out)).expect("the request");
    assert_eq!(request["spec"]["reason"], "INC-4711 checkout 500s");
    assert_eq!(request["spec"]["requester"]["username"], "alice");
    let quoted = world
        .alice()
        .line(format!("request {0} -n {0} --for 1h30m --reason 'two words; $HOME `id`'", place.name))
        .run()
        .exits(0);
    let request = place.request(&first_word(&quoted.out)).expect("the request");
    assert_eq!(request["spec"]["reason"], "two words; $HOME `id`");
}

fn lists_as_tables_and_as_json(world: &World) {
    let place = world.place("lists");
    let name = place.grant("30m");
    for line in ["grants", "requests"] {
        world.alice().line(line).run().exits(0).prints(&name);
        let json = world.alice().line(format!("{line} -o json")).run().exits(0).json();
        assert!(json.to_string().contains(&name), "{line}: {json}");
    }
    let seen = world.sam().line("requests -o json").run().exits(0);
    assert!(!seen.out.contains(&name), "sam has nothing to do with it\n{}", seen.show());
    let json = world
        .alice()
        .line(format!("request {0} -n {0} --for 5m --reason x -o json", place.name))
        .run()
        .exits(0)
        .json();
    assert!(json.to_string().contains(&place.name), "{json}");
}

fn the_binding_is_owned_by_its_request(world: &World) {
    let place = world.place("owned");
    let name = place.grant("30m");
    let owner = place.binding(&name).expect("a binding")["metadata"]["ownerReferences"][0].clone();
    assert_eq!((&owner["kind"], &owner["name"]), (&json!("AccessRequest"), &json!(name)));
    // The request gone, everything made for it goes, gateway or not; and nothing is open any more.
    world.api.delete(&format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}"));
    place.unbound(&name);
    until("the gate is closed", seconds(60), || (place.exec("true").code == 77).then_some(()));
}

fn what_was_approved_is_what_runs(world: &World) {
    let place = world.place("fixed");
    let name = place.grant("30m");
    // Somebody with rights on the cluster makes a request say something else than what was approved.
    let path = format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}");
    world.api.patch(&path, &json!({"spec": {"namespaces": ["payments", "kube-system"], "duration": "2h"}}));
    std::thread::sleep(seconds(2));
    let there = world.api.get(&format!(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/sallyport-{name}"
    ));
    assert!(there.is_none(), "a namespace that nobody approved");
}

fn a_role_that_the_gateway_may_not_bind_fails_in_words(world: &World) {
    let place = world.plan("unbindable").with("clusterRole", json!("cluster-admin")).make(world);
    let answer = place.ask("10m");
    assert!(answer.code != 0, "{}", answer.show());
    assert!(!answer.err.trim().is_empty() && answer.err.trim().lines().count() == 1, "{}", answer.show());
    place.exec("true").exits(77);
}
