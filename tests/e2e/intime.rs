//! Just in time: conditions, rounds of approvals, waiting, planned starts, narrowed grants, longer windows, locks, idle
//! ends and break-glass, as people meet them over SSH.

use sallyport_tests::world::first_word;
use sallyport_tests::{World, cast, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_condition_lets_in_where_no_person_has_to,
        a_deny_closes_the_pods_that_it_names,
        rounds_of_approvals_come_one_after_the_other,
        waiting_sees_the_approval_and_the_denial,
        a_planned_start_opens_by_itself,
        a_narrowed_grant_opens_nothing_beside,
        a_grant_for_a_workload_follows_its_pods,
        what_waits_already_is_not_asked_twice,
        a_longer_window_keeps_a_session_alive,
        beyond_the_longest_time_a_session_goes_on_under_the_next_grant,
        a_lock_cuts_at_once_and_keeps_out,
        what_nobody_uses_ends_and_what_somebody_uses_does_not,
        breaking_the_glass_opens_at_once_and_leaves_a_review,
    ]
}

fn request(world: &World, line: &str) -> String {
    first_word(&world.alice().line(format!("request {line}")).run().exits(0).out)
}

fn phase(world: &World, name: &str) -> Value {
    let path = format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}");
    world.api.get(&path).map(|request| request["status"]["phase"].clone()).unwrap_or_default()
}

fn a_condition_lets_in_where_no_person_has_to(world: &World) {
    let short = json!("request.duration <= duration('10m') && 'oncall' in groups && request.ticket != ''");
    let place = world.plan("by-rule").approvals(1).with("autoApprove", short).make(world);
    let ask = |rest: &str| request(world, &format!("{0} -n {0} {rest}", place.name));
    let quick = ask("--for 10m --ticket INC-7");
    until("it is open", seconds(60), || (phase(world, &quick) == "Active").then_some(()));
    assert_eq!(place.request(&quick).expect("it")["status"]["approvedByRule"], "autoApprove");
    assert_eq!(phase(world, &ask("--for 11m --ticket INC-7")), "Pending");
    assert_eq!(phase(world, &ask("--for 10m")), "Pending");
}

fn a_deny_closes_the_pods_that_it_names(world: &World) {
    let mut card = world.pod("card", "debian", &["sleep", "1000000"]);
    card["metadata"]["labels"]["tier"] = json!("pci");
    let rule =
        json!([{"if": "'tier' in target.labels && target.labels['tier'] == 'pci'", "message": "card data"}]);
    let place = world.plan("deny-by-label").with("deny", rule).and(card).make(world);
    place.grant("30m");
    place.exec("true").exits(0);
    world.alice().line(format!("exec -n {} card -- true", place.name)).run().exits(77).says("card data");
}

fn rounds_of_approvals_come_one_after_the_other(world: &World) {
    let stages = json!({"required": 0, "stages": [
        {"name": "leads", "required": 1, "groups": ["leads"]},
        {"name": "security", "required": 1, "groups": ["security"]},
    ]});
    let place = world.plan("rounds").with("approval", stages).make(world);
    let name = first_word(&place.ask("30m").exits(0).out);
    world.sam().line(format!("approve {name}")).run().exits(77).says("leads");
    world.alice().line(format!("approve {name}")).run().exits(77);
    world.bob().line(format!("approve {name}")).run().exits(0);
    assert_eq!(phase(world, &name), "Pending");
    world.bob().line(format!("approve {name}")).run().exits(77);
    world.sam().line(format!("approve {name}")).run().exits(0);
    until("it is open", seconds(60), || (phase(world, &name) == "Active").then_some(()));
    place.exec("true").exits(0);
}

fn waiting_sees_the_approval_and_the_denial(world: &World) {
    let place = world.plan("waits").approvals(1).make(world);
    let line = |minutes: u32| format!("request {0} -n {0} --for {minutes}m --reason x --wait", place.name);
    let pending = || {
        let all = world.bob().line("requests -o json").run().exits(0).json();
        let ours = all
            .as_array()?
            .iter()
            .find(|one| one["policy"] == place.name.as_str() && one["phase"] == "Pending")?;
        Some(ours["name"].as_str()?.to_owned())
    };
    let waiting = world.alice().line(line(10)).start();
    let name = until("the request", seconds(60), pending);
    world.bob().line(format!("approve {name}")).run().exits(0);
    waiting.finish(seconds(60)).exits(0);
    let waiting = world.alice().line(line(11)).start();
    let name = until("the second request", seconds(60), pending);
    world.bob().line(format!("deny {name} --reason not tonight")).run().exits(0);
    waiting.finish(seconds(60)).exits(77).says("not tonight");
    // Straight on into what it was for.
    let going =
        world.alice().line(format!("{} -- exec -n {} box -- echo th''ere", line(12), place.name)).start();
    let name = until("the third request", seconds(60), pending);
    world.bob().line(format!("approve {name}")).run().exits(0);
    going.finish(seconds(60)).exits(0).prints("there");
}

fn a_planned_start_opens_by_itself(world: &World) {
    let place = world.place("planned");
    let name = request(world, &format!("{0} -n {0} --for 10m --start +25s", place.name));
    assert_eq!(phase(world, &name), "Approved");
    place.exec("true").exits(77);
    assert!(place.binding(&name).is_none(), "nothing is bound before the start");
    until("it opens by itself", seconds(120), || (phase(world, &name) == "Active").then_some(()));
    place.exec("true").exits(0);
}

fn a_narrowed_grant_opens_nothing_beside(world: &World) {
    let mut two = world.pod("two", "debian", &["sleep", "1000000"]);
    let mut side = two["spec"]["containers"][0].clone();
    side["name"] = json!("side");
    two["spec"]["containers"].as_array_mut().expect("containers").push(side);
    let place = world.plan("narrowed").and(two).make(world);
    let ns = &place.name;
    let grant = request(world, &format!("{ns} -n {ns} box --for 10m"));
    place.exec("true").exits(0);
    world.alice().line(format!("exec -n {ns} two -- true")).run().exits(77).says("other pods");
    let pods = world.alice().line(format!("pods -n {ns}")).run().exits(0);
    assert!(pods.out.contains("box") && !pods.out.contains("two"), "{}", pods.show());
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    request(world, &format!("{ns} -n {ns} --pod two -c side --for 10m"));
    world.alice().line(format!("exec -n {ns} two -c side -- true")).run().exits(0);
    world.alice().line(format!("exec -n {ns} two -c main -- true")).run().exits(77).says("other containers");
}

fn a_grant_for_a_workload_follows_its_pods(world: &World) {
    let place = world.place("follows");
    let ns = &place.name;
    let mut template = world.pod("api", "debian", &["sleep", "1000000"]);
    template.as_object_mut().expect("a pod").retain(|key, _| key == "spec" || key == "metadata");
    template["metadata"].as_object_mut().expect("metadata").remove("name");
    world.api.apply(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": ns},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "api"}}, "template": template},
    }));
    let running = || {
        let pods = world.api.list(&format!("/api/v1/namespaces/{ns}/pods"));
        let mine = pods.iter().find(|pod| {
            let ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
            pod["metadata"]["labels"]["app"] == "api"
                && pod["metadata"]["deletionTimestamp"].is_null()
                && pod["status"]["conditions"].as_array().is_some_and(|all| all.iter().any(ready))
        })?;
        Some(mine["metadata"]["name"].as_str()?.to_owned())
    };
    let first = until("its pod", seconds(60), running);
    request(world, &format!("{ns} -n {ns} deploy/api --for 10m"));
    world.alice().line(format!("exec -n {ns} {first} -- true")).run().exits(0);
    place.exec("true").exits(77).says("other pods");
    world.api.delete(&format!("/api/v1/namespaces/{ns}/pods/{first}"));
    let second = until("the next pod", seconds(60), || running().filter(|name| *name != first));
    world.alice().line(format!("exec -n {ns} {second} -- true")).run().exits(0);
    world.alice().line(format!("exec -n {ns} deploy/api -- true")).run().exits(0);
}

fn what_waits_already_is_not_asked_twice(world: &World) {
    let place = world.plan("twice").approvals(1).make(world);
    let name = first_word(&place.ask("30m").exits(0).out);
    place.ask("30m").exits(77).says(&name);
    place.ask("31m").exits(0);
    world.alice().line(format!("withdraw {name}")).run().exits(0);
    place.ask("30m").exits(0);
}

fn a_longer_window_keeps_a_session_alive(world: &World) {
    let place = world.place("longer");
    let grant = place.grant("40s");
    let line = format!("exec -n {} box -- sh -c 'echo begun; sleep 50; echo whole'", place.name);
    let running = world.alice().line(line).start();
    running.expect("begun", seconds(60));
    world.alice().line(format!("extend {grant} --for 60s")).run().exits(0).prints(&grant);
    running.finish(seconds(120)).exits(0).prints("whole");
    world.event("grant.extended", |e| e["request"] == *grant);
    world.bob().line(format!("extend {grant} --for 60s")).run().exits(77);
}

fn beyond_the_longest_time_a_session_goes_on_under_the_next_grant(world: &World) {
    let place = world.plan("next").with("maxDuration", json!("60s")).make(world);
    let first = place.grant("60s");
    let line = format!("exec -n {} box -- sh -c 'echo begun; sleep 65; echo whole'", place.name);
    let running = world.alice().line(line).start();
    running.expect("begun", seconds(60));
    // The next one begins now: with this much of the first behind it, both together last well beyond the command.
    std::thread::sleep(seconds(25));
    let said = world.alice().line(format!("extend {first} --for 60s")).run().exits(0);
    let second = first_word(&said.out);
    assert_ne!(first, second, "beyond the longest time it is asked anew");
    running.finish(seconds(120)).exits(0).prints("whole");
    world.event("grant.extended", |e| e["request"] == *second);
}

fn a_lock_cuts_at_once_and_keeps_out(world: &World) {
    let place = world.place("shut");
    let grant = place.grant("30m");
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    shell.send("echo r''eady\r");
    shell.expect("ready", seconds(60));
    let lock = format!("/apis/sallyport.dev/v1alpha1/accesslocks/shut-{}", place.name);
    world.api.apply(&json!({
        "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessLock",
        "metadata": {"name": format!("shut-{}", place.name)},
        "spec": {"target": {"namespace": place.name, "pod": "box"}, "reason": "evidence", "by": "sam"},
    }));
    shell.expect("evidence", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 78);
    place.exec("true").exits(77).says("evidence");
    assert_eq!(phase(world, &grant), "Active", "a lock on a pod ends no grant");
    world.api.delete(&lock);
    until("the pod is open again", seconds(60), || (place.exec("true").code == 0).then_some(()));
}

fn what_nobody_uses_ends_and_what_somebody_uses_does_not(world: &World) {
    let (idle, busy) = (
        world.plan("idle").with("idleTimeout", json!("20s")).make(world),
        world.plan("busy").with("idleTimeout", json!("20s")).make(world),
    );
    let (unused, used) = (idle.grant("30m"), busy.grant("30m"));
    let line = format!("exec -n {} box -- sh -c 'for i in $(seq 40); do echo $i; sleep 1; done'", busy.name);
    let running = world.alice().line(line).start();
    until("what nobody uses ends", seconds(120), || (phase(world, &unused) == "Revoked").then_some(()));
    assert_eq!(idle.request(&unused).expect("it")["status"]["cause"], "Idle");
    running.finish(seconds(120)).exits(0).prints("40");
    assert_eq!(phase(world, &used), "Active");
}

fn breaking_the_glass_opens_at_once_and_leaves_a_review(world: &World) {
    let place = world
        .plan("glass")
        .with("approval", json!({"required": 0, "groups": []}))
        .with("breakGlass", json!({"reviewers": ["security", "oncall"]}))
        .make(world);
    let grant = place.grant("30m");
    let flood = place.exec("seq 20000").exits(0);
    assert!(flood.out.starts_with("1\n2\n") && flood.out.ends_with("\n20000\n"), "{}", flood.show());
    world.event("breakglass.used", |e| e["request"] == *grant);
    // On record before it was on the screen, and all of it.
    let started = world.event("session.started", |e| e["request"] == *grant);
    let files = cast::files(&world.recordings(), started["session"].as_str().expect("a session's id"));
    let of = |extension: &str| files.iter().find(|f| f.extension().is_some_and(|e| e == extension));
    let metadata = std::fs::read_to_string(of("json").expect("metadata")).expect("it");
    assert!(metadata.contains("\"strict\":true") || metadata.contains("\"strict\": true"), "{metadata}");
    assert!(cast::read(of("cast").expect("a recording")).output.contains("\n19999\r\n20000"));
    let verdict = format!("review {grant} --verdict justified --reason the house burnt");
    world.sam().line(&verdict).run().exits(77); // not while it is open
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    world.alice().line(&verdict).run().exits(77); // never one's own
    world.bob().line(&verdict).run().exits(77); // no reviewer
    assert!(world.sam().line("reviews").run().exits(0).out.contains(&grant));
    world.sam().line(&verdict).run().exits(0);
    assert!(!world.sam().line("reviews").run().exits(0).out.contains(&grant));
    let review = place.request(&grant).expect("it")["status"]["review"].clone();
    assert_eq!(review["verdict"], "Justified", "{review}");
    world.event("review.closed", |e| e["request"] == *grant);
}
