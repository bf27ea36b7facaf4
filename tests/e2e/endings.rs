//! How a grant ends: revoked, over, or with the gateway away at that moment.

use sallyport_tests::{World, cast, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        revoking_cuts_a_shell,
        revoking_cuts_commands_logs_and_tunnels,
        a_shared_connection_survives_the_end_of_one_grant,
        a_grant_ends_by_itself,
        a_policy_taken_away_ends_its_grants,
        a_policy_that_no_longer_covers_a_grant_ends_it_and_one_that_grows_does_not,
    ];
    let mut alone = cases![
        a_gateway_killed_at_the_end_of_a_grant_cleans_up_when_it_comes_back,
        a_gateway_that_is_stopped_ends_its_sessions_and_starts_again_with_nothing_lost,
    ];
    alone.iter_mut().for_each(|case| case.alone = true);
    cases.extend(alone);
    cases
}

fn revoking_cuts_a_shell(world: &World) {
    let place = world.place("cut");
    let grant = place.grant("30m");
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    shell.send("echo r''eady\r");
    shell.expect("ready", seconds(60));
    world.bob().line(format!("revoke {grant} --reason enough is enough")).run().exits(0);
    // How soon is for the tests beside the code, which have a clock of their own.
    shell.expect("revoked", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 78);
    place.unbound(&grant);
    place.exec("true").exits(77);
    let ended = world.event("session.ended", |e| e["request"] == *grant);
    assert_eq!(ended["exit"], 78, "{ended}");
}

fn revoking_cuts_commands_logs_and_tunnels(world: &World) {
    let mut talker = world.pod("talker", "debian", &["sh", "-c", "while :; do echo talk; sleep 1; done"]);
    talker["spec"]["containers"][0]["name"] = json!("main");
    let place = world.plan("cut-all").and(talker).make(world);
    let grant = place.grant("30m");
    let ns = &place.name;
    let command = world.alice().line(format!("exec -n {ns} box -- sh -c 'echo begun; sleep 300'")).start();
    let logs = world.alice().line(format!("logs -n {ns} talker -f")).start();
    command.expect("begun", seconds(60));
    logs.expect("talk", seconds(60));
    world.alice().line(format!("revoke {grant}")).run().exits(0);
    command.finish(seconds(60)).exits(78).says("revoked");
    logs.finish(seconds(60)).exits(78).says("revoked");
    // What the command had started in the pod must not go on for ever; that the API leaves to the runtime.
    place.unbound(&grant);
}

fn a_shared_connection_survives_the_end_of_one_grant(world: &World) {
    let (one, two) = (world.place("one"), world.place("other"));
    let (first, _second) = (one.grant("30m"), two.grant("30m"));
    let socket = format!("/tmp/sallyport-{}-end", world.tag());
    let _master = world.alice().option("-M").option("-N").option("-S").option(&socket).start();
    until("the shared connection", seconds(60), || std::path::Path::new(&socket).exists().then_some(()));
    let shared = || world.alice().option("-S").option(&socket);
    let cut = shared().line(format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", one.name)).start();
    let kept = shared()
        .line(format!("exec -n {} box -- sh -c 'echo begun; sleep 15; echo whole'", two.name))
        .start();
    cut.expect("begun", seconds(60));
    kept.expect("begun", seconds(60));
    world.alice().line(format!("revoke {first}")).run().exits(0);
    cut.finish(seconds(60)).exits(78);
    kept.finish(seconds(60)).exits(0).prints("whole");
}

fn a_grant_ends_by_itself(world: &World) {
    let place = world.place("ends");
    let grant = place.grant("30s");
    let command =
        world.alice().line(format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", place.name)).start();
    command.expect("begun", seconds(60));
    let cut = command.finish(seconds(60)).exits(78);
    // By the gateway's own clock: not before the end, and about then.
    let moment = |value: &Value| value.as_str().expect("a moment").parse::<jiff::Timestamp>().expect("one");
    let end = moment(&place.request(&grant).expect("it")["status"]["window"]["end"]);
    let ended = moment(&world.event("session.ended", |e| e["request"] == *grant)["time"]);
    let late = ended.duration_since(end);
    assert!(!late.is_negative() && late.as_secs() < 20, "{late:?} late\n{}", cut.show());
    place.unbound(&grant);
    place.exec("true").exits(77);
    until("the request says so", seconds(60), || {
        (place.request(&grant)?["status"]["phase"] == "Expired").then_some(())
    });
    world.event("grant.ended", |e| e["request"] == *grant);
    world.event("grant.cleaned", |e| e["request"] == *grant);
}

fn a_policy_taken_away_ends_its_grants(world: &World) {
    let place = world.place("no-policy");
    let grant = place.grant("30m");
    let command =
        world.alice().line(format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", place.name)).start();
    command.expect("begun", seconds(60));
    world.api.delete(&format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name));
    command.finish(seconds(60)).exits(78);
    place.unbound(&grant);
    let status = place.request(&grant).expect("the request")["status"].clone();
    assert_eq!((&status["phase"], &status["cause"]), (&json!("Revoked"), &json!("Policy")), "{status}");
    place.exec("true").exits(77);
    until("nothing new can be asked for", seconds(60), || {
        matches!(place.ask("5m").code, 64 | 77).then_some(())
    });
}

fn a_policy_that_no_longer_covers_a_grant_ends_it_and_one_that_grows_does_not(world: &World) {
    let place = world.place("narrower");
    let grant = place.grant("30m");
    let path = format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name);
    world.api.patch(&path, &json!({"spec": {"namespaces": [place.name, "payments"]}}));
    std::thread::sleep(seconds(2));
    place.exec("true").exits(0);
    world.api.patch(&path, &json!({"spec": {"subjects": {"groups": ["somebody-else"]}}}));
    place.unbound(&grant);
    until("it says why", seconds(60), || {
        (place.request(&grant)?["status"]["cause"] == "Policy").then_some(())
    });
    place.exec("true").exits(77);
}

fn a_gateway_killed_at_the_end_of_a_grant_cleans_up_when_it_comes_back(world: &World) {
    let place = world.place("killed");
    let grant = place.grant("30s");
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    shell.send("echo last''words\r");
    shell.expect("lastwords", seconds(60));
    let session = world.event("session.started", |e| e["request"] == *grant)["session"]
        .as_str()
        .expect("an id")
        .to_owned();
    let recording = || {
        let files = cast::files(&world.recordings(), &session);
        files.into_iter().find(|path| path.extension().is_some_and(|end| end == "cast"))
    };
    until("its words are on record", seconds(20), || {
        cast::read(&recording()?).output.contains("lastwords").then_some(())
    });
    let window = place.request(&grant).expect("the request")["status"]["window"]["end"].clone();
    let end: jiff::Timestamp = window.as_str().expect("a moment").parse().expect("one");
    world.kill_gateway();
    drop(shell);
    // Playable up to the last moment, and the ending is not yet known.
    let recording = recording().expect("a recording");
    assert!(cast::read(&recording).output.contains("lastwords"), "the last moment is missing");
    until("its time is up", seconds(60), || (world.now() > end).then_some(()));
    world.start_gateway();
    place.unbound(&grant);
    until("the request says so", seconds(60), || {
        (place.request(&grant)?["status"]["phase"] == "Expired").then_some(())
    });
    assert!(cast::read(&recording).output.contains("lastwords"));
    let metadata = recording.with_extension("json");
    let text = std::fs::read_to_string(&metadata).unwrap_or_else(|e| panic!("{}: {e}", metadata.display()));
    assert!(text.contains("interrupted"), "{text}");
    world.event("session.ended", |e| e["session"] == *session);
    world.alice().line("whoami").run().exits(0);
}

fn a_gateway_that_is_stopped_ends_its_sessions_and_starts_again_with_nothing_lost(world: &World) {
    let place = world.place("stopped");
    let grant = place.grant("30m");
    let before = world.alice().line("whoami -o json").run().exits(0);
    let shell =
        world.alice().line(format!("exec -n {} box -- sh -c 'echo begun; sleep 300'", place.name)).start();
    shell.expect("begun", seconds(60));
    let stopped = world.stop_gateway();
    assert_eq!(stopped.code, 0, "{}", stopped.show());
    let cut = shell.finish(seconds(60));
    assert_ne!(cut.code, 0, "{}", cut.show());
    world.start_gateway();
    world.alice().line("grants").run().exits(0).prints(&grant);
    assert_eq!(
        world.alice().line("whoami -o json").run().exits(0).json()["username"],
        before.json()["username"]
    );
    until("its pods are back", seconds(60), || (place.exec("true").code == 0).then_some(()));
}
