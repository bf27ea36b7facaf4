//! What is on record: recordings, metadata, events, and the API server's own audit log.

use sallyport_tests::pty::Terminal;
use sallyport_tests::{World, cast, events, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_shell_is_recorded_as_it_happens,
        a_command_is_recorded_with_its_metadata,
        every_step_is_an_event,
        events_follow_the_published_schema,
        the_audit_log_shows_person_grant_and_session,
        the_gateway_never_acts_in_pods_as_itself,
    ]
}

fn session(world: &World, grant: &str) -> String {
    let started = world.event("session.started", |e| e["request"] == *grant);
    started["session"].as_str().expect("a session's id").to_owned()
}

fn file(world: &World, session: &str, extension: &str) -> std::path::PathBuf {
    let files = cast::files(&world.recordings(), session);
    files
        .iter()
        .find(|f| f.extension().is_some_and(|e| e == extension))
        .cloned()
        .unwrap_or_else(|| panic!("no .{extension} among {files:?}"))
}

fn a_shell_is_recorded_as_it_happens(world: &World) {
    let place = world.place("tape");
    let grant = place.grant("30m");
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    shell.expect_prompt(seconds(60));
    shell.send("stty -echo; echo on''air\r");
    shell.expect("onair", seconds(60));
    shell.expect_prompt(seconds(60));
    let tape = file(world, &session(world, &grant), "cast");
    until("it is written as it happens", seconds(60), || {
        cast::read(&tape).output.contains("onair").then_some(())
    });
    // What is typed at a prompt without echo is nowhere.
    shell.send("echo as''king; read secret; echo got''it\r");
    shell.expect("asking", seconds(60));
    shell.send("hunter2\r");
    shell.expect("gotit", seconds(60));
    shell.resize(30, 100);
    until("the other size is on the recording", seconds(60), || {
        cast::read(&tape).sizes.iter().any(|size| size == "100x30").then_some(())
    });
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
    let whole = cast::read(&tape);
    assert!(!whole.output.contains("hunter2"), "typed input is on the recording");
    assert_eq!((&whole.header["width"], &whole.header["height"]), (&json!(80), &json!(24)));
    assert!(whole.sizes.iter().any(|size| size == "100x30"), "{:?}", whole.sizes);
    if std::process::Command::new("asciinema").arg("--version").output().is_ok() {
        let mut player = Terminal::start("asciinema", &["cat", &tape.display().to_string()], 24, 80);
        player.expect("onair", seconds(60));
        assert_eq!(player.finish(seconds(60)), 0);
    }
}

fn a_command_is_recorded_with_its_metadata(world: &World) {
    let place = world.place("meta");
    let grant = place.grant("30m");
    world
        .alice()
        .line(format!(
            "exec -n {} box -c main -- sh -c 'echo out; echo err >&2; head -c 3; exit 4'",
            place.name
        ))
        .input("abc")
        .run()
        .exits(4);
    let id = session(world, &grant);
    // `ssh` ends a moment before the books are closed.
    world.event("session.ended", |e| e["session"] == *id);
    let text = std::fs::read_to_string(file(world, &id, "json")).expect("metadata");
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    let end = &metadata["end"];
    for (field, value) in [
        ("id", json!(id)),
        ("request", json!(grant)),
        ("policy", json!(place.name)),
        ("reason", json!("INC-1 a test")),
        ("kind", json!("exec")),
        ("namespace", json!(place.name)),
        ("pod", json!("box")),
        ("container", json!("main")),
    ] {
        assert_eq!(metadata[field], value, "{field} in {metadata}");
    }
    assert_eq!(metadata["person"]["username"], "alice");
    assert_eq!(metadata["command"][0], "sh");
    assert_eq!((&end["outcome"], &end["exit"]), (&json!("ended"), &json!(4)), "{metadata}");
    assert_eq!((&end["bytesIn"], &end["bytesOut"]), (&json!(3), &json!(11)), "{metadata}");
    let tape = cast::read(&file(world, &id, "cast"));
    assert!(tape.output.contains("out") && tape.output.contains("err"), "{}", tape.output);
    until("its log", seconds(60), || {
        let log = world.alice().line(format!("logs -n {} box", place.name)).run().exits(0);
        (!log.out.is_empty()).then_some(())
    });
    until("logs have a metadata file too", seconds(60), || {
        let all = cast::files(&world.recordings(), "json");
        all.iter()
            .filter_map(|f| std::fs::read_to_string(f).ok())
            .any(|t| t.contains("\"logs\"") && t.contains(&grant))
            .then_some(())
    });
}

fn every_step_is_an_event(world: &World) {
    let place = world.plan("steps").approvals(1).make(world);
    let name = sallyport_tests::world::first_word(&place.ask("30m").exits(0).out);
    world.bob().line(format!("approve {name}")).run().exits(0);
    place.exec("true").exits(0);
    // `ssh` ends a moment before the books are closed.
    world.event("session.ended", |e| e["request"] == *name);
    world.alice().line(format!("revoke {name}")).run().exits(0);
    place.unbound(&name);
    world.event("grant.cleaned", |e| e["request"] == *name);
    let ours: Vec<_> = events::lines(&world.events()).into_iter().filter(|e| e["request"] == *name).collect();
    let kinds: Vec<_> = ours.iter().filter_map(|e| e["event"].as_str()).collect();
    let mut from = 0;
    for step in [
        "request.created",
        "request.approved",
        "grant.started",
        "session.started",
        "session.ended",
        "grant.ended",
        "grant.cleaned",
    ] {
        let at = kinds.iter().skip(from).position(|kind| *kind == step);
        from += at.unwrap_or_else(|| panic!("no {step} in its place among {kinds:?}"));
    }
    let session = ours.iter().find(|e| e["event"] == "session.started").expect("a session");
    let connection = &session["connection"];
    let all = events::lines(&world.events());
    assert!(
        all.iter().any(|e| e["event"] == "connection.opened" && e["connection"] == *connection),
        "{session}"
    );
    assert!(session["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{session}");
}

fn events_follow_the_published_schema(world: &World) {
    world.shared_grant();
    world.alice().line("exec -n payments deploy/api -- true").run().exits(0);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/event.schema.json");
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("the published schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a JSON schema");
    let all = events::lines(&world.events());
    assert!(all.len() > 5, "{all:?}");
    for event in all {
        if let Err(error) = validator.validate(&event) {
            panic!("{error}: {event}");
        }
    }
}

fn the_audit_log_shows_person_grant_and_session(world: &World) {
    let Some(log) = &world.audit_log else { return };
    let place = world.place("audited");
    let grant = place.grant("30m");
    place.exec("true").exits(0);
    let id = session(world, &grant);
    let entry = until("the API server's audit log has the exec", seconds(60), || {
        events::last(log, &place.name, |e| {
            e["objectRef"]["subresource"] == "exec" && e["objectRef"]["namespace"] == *place.name
        })
    });
    let person = &entry["impersonatedUser"];
    assert_eq!(person["username"], "alice", "{entry}");
    let groups: Vec<_> =
        person["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(groups.contains(&format!("sallyport:grant:{grant}").as_str()), "{entry}");
    // The API server itself adds the group of everybody who is known.
    assert!(!groups.iter().any(|g| g.starts_with("system:") && *g != "system:authenticated"), "{entry}");
    let extra = &person["extra"];
    assert_eq!(extra["sallyport.dev/session"], json!([id]), "{entry}");
    assert_eq!(extra["sallyport.dev/grant"], json!([grant]), "{entry}");
    assert_eq!(entry["user"]["username"], "system:serviceaccount:sallyport:sallyport");
}

fn the_gateway_never_acts_in_pods_as_itself(world: &World) {
    let Some(log) = &world.audit_log else { return };
    world.shared_grant();
    world.alice().line("exec -n payments deploy/api -- true").run().exits(0);
    world.alice().line("logs -n payments logger --tail 1").run().exits(0);
    let mut seen = 0;
    for entry in events::lines(log) {
        let gateway = entry["user"]["username"] == "system:serviceaccount:sallyport:sallyport";
        let theirs = ["pods", "services", "deployments", "statefulsets", "jobs", "endpoints", "secrets"];
        let at = entry["requestReceivedTimestamp"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        if at.is_none_or(|at| at < world.started) {
            continue;
        }
        if gateway && theirs.iter().any(|r| entry["objectRef"]["resource"] == **r) {
            seen += 1;
            let groups = entry["impersonatedUser"]["groups"].to_string();
            assert!(groups.contains("sallyport:grant:"), "not on a person's behalf: {entry}");
        }
    }
    assert!(seen > 0, "no call of the gateway in {}", log.display());
}
