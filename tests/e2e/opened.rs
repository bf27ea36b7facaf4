//! What a grant opens in the cluster beside the gate: the register, drift and its repair, the person's own identity,
//! network paths, the story that `kubectl describe` tells, and the gateway that leads.

use std::process::Command;

use sallyport_tests::process::run;
use sallyport_tests::{Finished, World, events, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        what_somebody_does_to_a_binding_is_undone,
        the_register_says_what_is_open_and_nothing_is_left,
        an_orphan_is_removed,
        ones_own_kubectl_works_inside_the_window_and_not_outside,
        network_paths_appear_are_put_back_and_disappear,
        a_lock_on_a_namespace_takes_the_binding_away_while_it_lasts,
        a_lock_on_a_person_ends_their_grants,
        an_operator_locks_and_unlocks_with_a_kubeconfig,
        describe_reads_like_a_story,
        the_events_of_a_request_are_told_once,
    ];
    let mut alone = cases![another_gateway_takes_over_from_one_that_is_killed];
    alone.iter_mut().for_each(|case| case.alone = true);
    cases.extend(alone);
    cases
}

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces";
const NETWORK: &str = "/apis/networking.k8s.io/v1/namespaces";

/// `kubectl` of the machine, as the cluster's administrator or as somebody else.
fn kubectl(world: &World, words: &[&str]) -> Finished {
    let mut command = Command::new("kubectl");
    command.args(words).env("KUBECONFIG", &world.kubeconfig).env("HOME", &world.dir);
    run(&mut command, b"", seconds(60))
}

/// The `grant.repaired` events about a grant.
fn repairs(world: &World, grant: &str) -> Vec<String> {
    let all = events::lines(&world.events());
    let ours = all.iter().filter(|e| e["event"] == "grant.repaired" && e["request"] == *grant);
    ours.map(|e| e["why"].as_str().unwrap_or_default().to_owned()).collect()
}

fn what_somebody_does_to_a_binding_is_undone(world: &World) {
    let place = world.place("drift");
    let grant = place.grant("30m");
    let path = format!("{RBAC}/{}/rolebindings/sallyport-{grant}", place.name);
    let before = place.binding(&grant).expect("a binding");
    type Change = (&'static str, fn(&World, &str), &'static str);
    let changes: [Change; 5] = [
        ("deleted", |world, path| world.api.delete(path), "it was gone"),
        (
            "given to others",
            |world, path| {
                let subject =
                    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"});
                world.api.patch(path, &json!({"subjects": [subject]}));
            },
            "User `mallory`",
        ),
        (
            "given another end",
            |world, path| {
                let end = json!({"sallyport.dev/ends": "2099-01-01T00:00:00Z"});
                world.api.patch(path, &json!({"metadata": {"annotations": end}}));
            },
            "its end said `2099",
        ),
        (
            "disowned",
            |world, path| {
                world.api.patch(path, &json!({"metadata": {"ownerReferences": null}}));
            },
            "no longer belonged to the request",
        ),
        (
            "hidden",
            |world, path| {
                world.api.patch(path, &json!({"metadata": {"labels": null}}));
            },
            "labels were taken off",
        ),
    ];
    for (index, (how, change, told)) in changes.into_iter().enumerate() {
        change(world, &path);
        until(&format!("a binding that was {how} is repaired"), seconds(60), || {
            let told = repairs(world, &grant).iter().any(|why| why.contains(told));
            let there = place.binding(&grant)?;
            let same = ["subjects", "roleRef"].iter().all(|field| there[*field] == before[*field])
                && there["metadata"]["labels"] == before["metadata"]["labels"]
                && there["metadata"]["annotations"] == before["metadata"]["annotations"]
                && there["metadata"]["ownerReferences"][0]["uid"]
                    == before["metadata"]["ownerReferences"][0]["uid"];
            (told && same).then_some(())
        });
        assert_eq!(repairs(world, &grant).len(), index + 1, "{:?}", repairs(world, &grant));
    }
    place.exec("true").exits(0);
}

fn the_register_says_what_is_open_and_nothing_is_left(world: &World) {
    let place = world.place("register");
    let grant = place.grant("30m");
    let expected =
        json!([{"kind": "RoleBinding", "namespace": place.name, "name": format!("sallyport-{grant}")}]);
    until("the register", seconds(60), || {
        (place.request(&grant)?["status"]["opened"] == expected).then_some(())
    });
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    place.unbound(&grant);
    until("the register is empty", seconds(60), || {
        place.request(&grant)?["status"]["opened"].is_null().then_some(())
    });
    let conditions = place.request(&grant).expect("the request")["status"]["conditions"].clone();
    let says = |kind: &str, status: &str, reason: &str| {
        conditions.as_array().is_some_and(|all| {
            all.iter().any(|c| c["type"] == kind && c["status"] == status && c["reason"] == reason)
        })
    };
    assert!(says("Approved", "True", "NoApprovalNeeded"), "{conditions}");
    assert!(says("Ready", "False", "Ended") && says("Ended", "True", "Revoked"), "{conditions}");
}

fn an_orphan_is_removed(world: &World) {
    let place = world.place("orphan");
    let name = format!("{}-zzzzz2", place.name);
    let labels = json!({"app.kubernetes.io/managed-by": "sallyport", "sallyport.dev/request": name});
    let orphan = |name: &str, labels: &Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": place.name, "labels": labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "nobody"}],
        })
    };
    world.api.apply(&orphan("somebody-elses", &labels));
    world.api.apply(&orphan(&format!("sallyport-{name}"), &labels));
    until("the orphan is gone", seconds(60), || place.binding(&name).is_none().then_some(()));
    world.event("grant.repaired", |e| {
        e["request"] == *name && e["why"].as_str().is_some_and(|why| why.contains("its request is gone"))
    });
    let theirs = format!("{RBAC}/{}/rolebindings/somebody-elses", place.name);
    assert!(world.api.get(&theirs).is_some(), "what has not our name is not ours");
}

fn ones_own_kubectl_works_inside_the_window_and_not_outside(world: &World) {
    let place = world.plan("ownid").with("ownIdentity", json!(true)).make(world);
    let ns = place.name.clone();
    let can = |words: &[&str]| {
        let all = [&["auth", "can-i", "-n", &ns, "--as", "alice"], words].concat();
        kubectl(world, &all).out.trim() == "yes"
    };
    let may = |verb: &str, what: &str| can(&[verb, what]);
    assert!(!may("get", "pods"), "before the window");
    let grant = place.grant("30m");
    until("the own binding", seconds(60), || may("get", "pods").then_some(()));
    assert!(can(&["get", "pods", "--subresource=log"]) && can(&["create", "pods", "--subresource=exec"]));
    assert!(!may("delete", "pods") && !may("get", "secrets"), "more than the role has");
    kubectl(world, &["get", "pod", "box", "-n", &ns, "--as", "alice"]).exits(0).prints("box");
    kubectl(world, &["get", "pod", "box", "-n", &ns, "--as", "sam"]).exits(1).says("orbidden");
    world.api.delete(&format!("{RBAC}/{ns}/rolebindings/sallyport-{grant}-own"));
    until("it is put back", seconds(60), || may("get", "pods").then_some(()));
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    until("the window is shut", seconds(60), || (!may("get", "pods")).then_some(()));
    kubectl(world, &["get", "pod", "box", "-n", &ns, "--as", "alice"]).exits(1).says("orbidden");
}

fn network_paths_appear_are_put_back_and_disappear(world: &World) {
    let network = json!({
        "ports": [5432, "8000-8003"], "podSelector": {"matchLabels": {"app": "box"}},
        "from": [{"ipBlock": {"cidr": "10.9.0.0/16"}}],
    });
    let place = world.plan("paths").with("network", network).make(world);
    let grant = place.grant("30m");
    let inward = format!("{NETWORK}/{}/networkpolicies/sallyport-{grant}-in", place.name);
    let outward = format!("{NETWORK}/sallyport/networkpolicies/sallyport-{grant}-out");
    let path = world.api.get(&inward).expect("a way in");
    let rule = &path["spec"]["ingress"][0];
    assert_eq!(path["spec"]["podSelector"]["matchLabels"]["app"], "box");
    assert_eq!(path["spec"]["policyTypes"], json!(["Ingress"]));
    assert_eq!(rule["from"].as_array().map(Vec::len), Some(2), "{rule}");
    assert_eq!(path["metadata"]["labels"]["sallyport.dev/request"], *grant);
    assert!(path["metadata"]["annotations"]["sallyport.dev/ends"].is_string());
    // Servers before 1.22 take no ranges: they get the ports one by one.
    let ports = if world.api.version() >= (1, 22) { 2 } else { 5 };
    assert_eq!(rule["ports"].as_array().map(Vec::len), Some(ports), "{rule}");
    assert_eq!(world.api.get(&outward).expect("a way out")["spec"]["policyTypes"], json!(["Egress"]));
    until("the register has all three", seconds(60), || {
        (place.request(&grant)?["status"]["opened"].as_array()?.len() == 3).then_some(())
    });
    world.api.patch(&inward, &json!({"spec": {"ingress": [{}]}}));
    until("an open door is shut again", seconds(60), || {
        (world.api.get(&inward)?["spec"]["ingress"] == path["spec"]["ingress"]).then_some(())
    });
    world.api.delete(&outward);
    until("the way out is back", seconds(60), || world.api.get(&outward).map(drop));
    until("both are told", seconds(60), || (repairs(world, &grant).len() == 2).then_some(()));
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    until("the paths are gone", seconds(60), || {
        (world.api.get(&inward).is_none() && world.api.get(&outward).is_none()).then_some(())
    });
    assert_eq!(repairs(world, &grant).len(), 2, "{:?}", repairs(world, &grant));
}

fn lock(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessLock", "metadata": {"name": name}, "spec": spec})
}

const LOCKS: &str = "/apis/sallyport.dev/v1alpha1/accesslocks";

fn a_lock_on_a_namespace_takes_the_binding_away_while_it_lasts(world: &World) {
    let place = world.place("locked");
    let grant = place.grant("30m");
    let name = format!("l-{}", place.name);
    world.api.apply(&lock(&name, &json!({"target": {"namespace": place.name}, "reason": "a fire"})));
    place.unbound(&grant);
    until("the register says so", seconds(60), || {
        place.request(&grant)?["status"]["opened"].as_array().is_none_or(Vec::is_empty).then_some(())
    });
    assert_eq!(place.request(&grant).expect("the request")["status"]["phase"], "Active");
    world.api.delete(&format!("{LOCKS}/{name}"));
    until("the binding is back", seconds(60), || place.binding(&grant).map(drop));
    assert!(repairs(world, &grant).is_empty(), "{:?}", repairs(world, &grant));
}

fn a_lock_on_a_person_ends_their_grants(world: &World) {
    // Somebody whom no other case needs: the request is written as the gateway would.
    let place = world.place("person");
    let who = format!("dora-{}", world.tag());
    let policy = world
        .api
        .get(&format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name))
        .expect("a policy");
    let name = format!("{}-bcdfg2", place.name);
    let path = format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}");
    world.api.apply(&json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name},
        "spec": {
            "requester": {"username": who, "groups": ["oncall"], "issuer": "https://idp", "subject": who},
            "policy": place.name, "namespaces": [place.name], "duration": "30m",
        },
    }));
    let made = world.api.get(&path).expect("the request");
    let start: jiff::Timestamp =
        made["metadata"]["creationTimestamp"].as_str().expect("a moment").parse().expect("one");
    let end = start + std::time::Duration::from_secs(1800);
    let status = json!({
        "phase": "Approved", "approvedByRule": "approval.required", "window": {"start": start.to_string(), "end": end.to_string()},
        "policy": {"uid": policy["metadata"]["uid"], "generation": 1, "spec": policy["spec"]},
    });
    let (code, answer) = world.api.patch(&format!("{path}/status"), &json!({"status": status}));
    assert_eq!(code, 200, "{answer}");
    until("it is open", seconds(60), || place.binding(&name).map(drop));
    let lock_name = format!("p-{}", place.name);
    world.api.apply(&lock(&lock_name, &json!({"person": who, "reason": "left us"})));
    place.unbound(&name);
    let status = place.request(&name).expect("the request")["status"].clone();
    assert_eq!((&status["phase"], &status["cause"]), (&json!("Revoked"), &json!("Lock")), "{status}");
    world.api.delete(&format!("{LOCKS}/{lock_name}"));
    world.event("grant.ended", |e| {
        e["request"] == *name && e["why"].as_str().is_some_and(|why| why.contains("left us"))
    });
}

fn an_operator_locks_and_unlocks_with_a_kubeconfig(world: &World) {
    let place = world.place("operator");
    let grant = place.grant("30m");
    let operator = |words: &[&str]| {
        let mut command = Command::new(sallyport_tests::world::binary());
        command.args(words).env("KUBECONFIG", &world.kubeconfig);
        run(&mut command, b"", seconds(60))
    };
    let locked = operator(&[
        "lock",
        "-n",
        &place.name,
        "box",
        "--for",
        "10m",
        "--reason",
        "a look at its disk",
        "-o",
        "json",
    ]);
    let lock: Value = serde_json::from_str(&locked.exits(0).out).expect("JSON");
    let name = lock["name"].as_str().expect("a name").to_owned();
    let refused = until("the pod is shut", seconds(60), || {
        let refused = place.exec("true");
        (refused.code == 77).then_some(refused)
    });
    assert!(refused.err.contains("a look at its disk"), "{}", refused.show());
    operator(&["locks"]).exits(0).prints(&name).prints(&format!("everybody from pod box in {}", place.name));
    operator(&["unlock", &name]).exits(0).prints(&name);
    until("the pod is open again", seconds(60), || (place.exec("true").code == 0).then_some(()));
    let unknown = operator(&["unlock", &name]);
    assert!(unknown.code == 1 && unknown.err.contains("sallyport locks"), "{}", unknown.show());
    let everything = operator(&["lock", "--everything", "--person", "bob", "--reason", "x"]);
    assert_eq!(everything.code, 2, "{}", everything.show());
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    // Whom RBAC does not let, the API server refuses, in its own words.
    let nobody = operator(&["lock", "--everything", "--reason", "x", "--kubeconfig", "/no/such/file"]);
    assert!(nobody.code == 1 && nobody.err.contains("--kubeconfig"), "{}", nobody.show());
}

fn describe_reads_like_a_story(world: &World) {
    let place = world.plan("story").approvals(1).make(world);
    let grant = sallyport_tests::world::first_word(&place.ask("30m").exits(0).out);
    world.bob().line(format!("approve {grant}")).run().exits(0);
    until("it is open", seconds(60), || place.binding(&grant).map(drop));
    world.api.delete(&format!("{RBAC}/{}/rolebindings/sallyport-{grant}", place.name));
    until("it is repaired", seconds(60), || (!repairs(world, &grant).is_empty()).then_some(()));
    world.alice().line(format!("revoke {grant} --reason done with it")).run().exits(0);
    let words = [
        "Requested",
        "Approved",
        "Opened",
        "Repaired",
        "Revoked",
        "alice asks `",
        "INC-1 a test",
        "approved by bob",
        "it was gone; made again",
        "ended by alice: done with it",
        "Reason: Revoked",
    ];
    // Events and conditions are written one after the other.
    let mut story = String::new();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = std::time::Instant::now() + seconds(60);
    while let Some(missing) = words.iter().find(|words| !story.contains(*words)) {
        assert!(std::time::Instant::now() < end, "no `{missing}` in\n{story}");
        std::thread::sleep(std::time::Duration::from_millis(100));
        story = squeezed(&kubectl(world, &["describe", "accessrequest", &grant]).exits(0).out);
    }
}

fn the_events_of_a_request_are_told_once(world: &World) {
    let place = world.place("told-once");
    let grant = place.grant("30m");
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    place.unbound(&grant);
    let told = || {
        let selector = format!("involvedObject.name%3D{grant}");
        let events = world.api.list(&format!("/api/v1/namespaces/default/events?fieldSelector={selector}"));
        events.iter().map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    // Each is written by itself, and none waits for another.
    until("everything is told", seconds(60), || (told().len() >= 4).then_some(()));
    std::thread::sleep(seconds(1));
    let mut told = told();
    told.sort();
    assert_eq!(told, ["Approved", "Opened", "Requested", "Revoked"]);
}

fn another_gateway_takes_over_from_one_that_is_killed(world: &World) {
    let place = world.place("lead");
    let grant = place.grant("30m");
    let lease = "/apis/coordination.k8s.io/v1/namespaces/sallyport/leases/sallyport";
    let holder =
        || world.api.get(lease).map(|lease| lease["spec"]["holderIdentity"].clone()).unwrap_or_default();
    let first = holder();
    assert!(first.is_string(), "nobody leads");
    if world.kind == sallyport_tests::Kind::Embedded {
        // The demo's cluster ends with its gateway: what can be seen here is that it leads again at once.
        world.kill_gateway();
        world.start_gateway();
        until("it leads again", seconds(60), || {
            let there = place.binding(&grant)?;
            world.api.delete(&format!("{RBAC}/{}/rolebindings/sallyport-{grant}", place.name));
            let back = until("the binding is back", seconds(60), || place.binding(&grant));
            (back["metadata"]["uid"] != there["metadata"]["uid"]).then_some(())
        });
        return;
    }
    let second = world.second(|config| config);
    std::thread::sleep(seconds(3));
    assert_eq!(holder(), first, "two lead");
    let leads = || events::lines(&second.events).iter().any(|event| event["event"] == "gateway.leads");
    assert!(!leads());
    world.kill_gateway();
    until("the second leads", seconds(60), || leads().then_some(()));
    assert_ne!(holder(), first);
    world.api.delete(&format!("{RBAC}/{}/rolebindings/sallyport-{grant}", place.name));
    until("the second repairs", seconds(60), || place.binding(&grant).map(drop));
    world.start_gateway();
    // Whoever is killed keeps the Lease until it has run out.
    drop(second);
    until("the first leads again", seconds(60), || (holder() == first).then_some(()));
}
