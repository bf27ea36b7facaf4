//! What a denied command brings beyond a refusal, in all three ways into a container: webhooks that are alerted, sessions
//! that end, and open shells that lost track of what is typed.

use sallyport_tests::pty::Terminal;
use sallyport_tests::server::{Answer, Call, Server};
use sallyport_tests::world::Mortal;
use sallyport_tests::{Place, World, cast, events, seconds, until};
use serde_json::{Value, json};

use crate::commands::prompt;
use crate::open::prompts;
use crate::outside::{signed_by_us, telling};
use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        a_denied_command_ends_the_session_in_every_way_and_is_on_record,
        a_shell_that_lost_track_ends_or_goes_on_as_the_policy_says,
    ];
    let mut alone = cases![a_denied_command_is_told_to_webhooks_once_in_every_way];
    alone.iter_mut().for_each(|case| case.alone = true);
    cases.extend(alone);
    cases
}

/// `curl` is forbidden; the guarded shell has a list of what may run, too.
fn rules(shell: &str, on_denied: &str) -> Value {
    let mut rules = json!({
        "shell": shell,
        "deny": [{"programs": ["curl"], "message": "the network is not for here"}],
        "onDenied": on_denied,
    });
    if shell == "Guarded" {
        rules["allow"] =
            json!([{"programs": ["echo", "touch", "ls"], "reads": ["/tmp/**"], "writes": ["/tmp/**"]}]);
    }
    rules
}

/// The calls about a request, in the order in which they came.
fn about(siem: &Server, request: &str) -> Vec<Call> {
    siem.calls().into_iter().filter(|call| call.json()["data"]["request"] == *request).collect()
}

/// Waits for the `n`th call about a request, and until the gateway has noted that it was heard.
fn told(mortal: &Mortal<'_>, siem: &Server, request: &str, n: usize) -> Call {
    until("the webhook has heard it", seconds(60), || {
        let request = mortal.request(request)?;
        let notified = request["status"]["notified"].as_array()?.clone();
        notified.contains(&json!(format!("commandDenied-{n}@siem"))).then_some(())
    });
    let calls = about(siem, request);
    assert_eq!(calls.len(), n, "told once for each: {calls:?}");
    calls.into_iter().next_back().expect("a call")
}

/// What a receiver has to learn: who, where, which line, by which rule; and no secret.
#[track_caller]
fn says_it_all(call: &Call, policy: &str, way: &str) {
    signed_by_us(call);
    let body = call.json();
    let data = &body["data"];
    assert_eq!(
        (&body["type"], &data["requester"]),
        (&json!("commandDenied"), &json!("alice")),
        "{way}: {body}"
    );
    assert_eq!((&data["policy"], &data["phase"]), (&json!(policy), &json!("Active")), "{way}: {body}");
    let why = data["why"].as_str().expect("words");
    for word in ["curl", "http://example.com/", "the network is not for here", "deny[0]"] {
        assert!(why.contains(word), "{way}: no `{word}` in `{why}`");
    }
    assert!(!String::from_utf8_lossy(&call.body).contains("hunter2"), "{way}: {body}");
}

fn a_denied_command_is_told_to_webhooks_once_in_every_way(world: &World) {
    const LINE: &str = "curl -u app:hunter2 http://example.com/";
    let siem = Server::start(Answer::With(200, json!({})));
    let mortal = telling(world, "alerts", &siem, "    events: [commandDenied]\n");
    let ns = mortal.name.clone();
    let mut pod = world.pod("box", "debian", &["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"]);
    pod["metadata"]["namespace"] = json!(ns);
    mortal.api.apply(&pod);
    let path = format!("/api/v1/namespaces/{ns}/pods/box");
    until("the pod runs", seconds(60), || {
        (mortal.api.get(&path)?["status"]["phase"] == "Running").then_some(())
    });
    let grant = |shell: &str| {
        let policy = mortal.policy(&shell.to_lowercase(), |spec| {
            spec["allow"] = json!({"exec": true, "shell": true});
            spec["approval"]["required"] = json!(0);
            spec["commands"] = rules(shell, "Alert");
        });
        let name = mortal.asks(&policy, "--for 30m");
        mortal.reaches(&name, "Active");
        (policy, name)
    };
    let open = |greeting: &str| {
        let mut shell = mortal.ssh("prod-gw").line(format!("shell -n {ns} box")).terminal();
        shell.expect(greeting, seconds(60));
        shell
    };

    let (policy, name) = grant("Guarded");
    let refused = mortal.ssh("prod-gw").line(format!("exec -n {ns} box -- {LINE}")).run().exits(77);
    assert!(refused.err.contains("the network is not for here"), "{}", refused.show());
    says_it_all(&told(&mortal, &siem, &name, 1), &policy, "exec");

    let mut shell = open("guarded");
    prompt(&mut shell);
    shell.send(&format!("{LINE}\r"));
    shell.expect("the network is not for here", seconds(60));
    prompt(&mut shell);
    says_it_all(&told(&mortal, &siem, &name, 2), &policy, "guarded");
    // What may run is nothing to tell, and the session goes on.
    shell.send("echo al''ive\r");
    shell.expect("alive", seconds(60));
    prompt(&mut shell);
    shell.send("exit\r");
    shell.finish(seconds(60));
    mortal.ssh("prod-gw").words(["revoke", &name]).run().exits(0);

    let (policy, name) = grant("Open");
    let mut shell = open("guardrail");
    prompts(&mut shell);
    shell.send(&format!("{LINE}\r"));
    shell.expect("the network is not for here", seconds(60));
    shell.expect("at$ ", seconds(60));
    says_it_all(&told(&mortal, &siem, &name, 1), &policy, "open");
    shell.send("echo al''ive\r");
    shell.expect("alive", seconds(60));
    shell.expect("at$ ", seconds(60));
    shell.send("exit\r");
    shell.finish(seconds(60));

    let all = siem.calls();
    assert_eq!(all.len(), 3, "nothing else was told: {all:?}");
    let lines = events::lines(&mortal.dir.join("events.jsonl"));
    let alerts = lines.iter().filter(|e| e["event"] == "session.remark" && e["rule"] == "deny[0]");
    assert_eq!(alerts.filter(|e| e["outcome"] == "refused" && e["person"]["username"] == "alice").count(), 3);
    assert!(!std::fs::read_to_string(mortal.dir.join("events.jsonl")).expect("events").contains("hunter2"));
}

/// A place under these rules, with a grant.
fn place<'w>(world: &'w World, name: &str, commands: Value) -> Place<'w> {
    let place = world.plan(name).with("commands", commands).make(world);
    place.grant("1h");
    place
}

fn shell(place: &Place<'_>) -> Terminal {
    place.world().alice().line(format!("shell -n {} box", place.name)).terminal()
}

/// An open shell at a prompt of its own.
fn open(place: &Place<'_>) -> Terminal {
    let mut shell = shell(place);
    shell.expect("guardrail", seconds(60));
    prompts(&mut shell);
    shell
}

/// The session of the refused command that `fits`: ended with 77, the command on its list with its rule.
#[track_caller]
fn ended_on_record(world: &World, place: &Place<'_>, way: &str) {
    let refused = world.event("session.command", |e| {
        e["place"]["namespace"] == *place.name && e["action"] == way && e["outcome"] == "refused"
    });
    assert_eq!(
        (&refused["rule"], &refused["person"]["username"]),
        (&json!("deny[0]"), &json!("alice")),
        "{refused}"
    );
    let session = refused["session"].as_str().expect("a session");
    let ended = world.event("session.ended", |e| e["session"] == *session);
    assert_eq!(ended["exit"], 77, "{ended}");
    let files = cast::files(&world.recordings(), session);
    let list = files.iter().find(|path| path.extension().is_some_and(|end| end == "commands"));
    let text = std::fs::read_to_string(list.expect("a list of commands")).expect("read");
    let last: Value = serde_json::from_str(text.lines().next_back().expect("a line")).expect("JSON");
    assert_eq!((&last["outcome"], &last["rule"]), (&json!("refused"), &json!("deny[0]")), "{way}: {text}");
}

fn a_denied_command_ends_the_session_in_every_way_and_is_on_record(world: &World) {
    let guarded = place(world, "end-guarded", rules("Guarded", "End"));
    let mark = |place: &Place<'_>| format!("/tmp/{}-ran", place.name);
    guarded.exec("curl http://example.com/").exits(77);
    ended_on_record(world, &guarded, "exec");

    // What was typed or piped behind the denied line does not run.
    let file = mark(&guarded);
    let line = format!("shell -n {} box", guarded.name);
    let input = format!("echo before\ncurl http://example.com/\ntouch {file}\n");
    let piped = world.alice().line(&line).input(input).run().exits(77);
    assert!(piped.out.contains("before"), "{}", piped.show());
    let mut typed = shell(&guarded);
    typed.expect("guarded", seconds(60));
    prompt(&mut typed);
    typed.send(&format!("curl http://example.com/\rtouch {file}\r"));
    typed.expect("the policy ends", seconds(60));
    assert_eq!(typed.finish(seconds(60)), 77);
    ended_on_record(world, &guarded, "guarded");
    // A line that cannot be known ends it as well.
    let mut unknown = shell(&guarded);
    unknown.expect("guarded", seconds(60));
    prompt(&mut unknown);
    unknown.send("echo $(id)\r");
    assert_eq!(unknown.finish(seconds(60)), 77);
    assert!(guarded.exec(&format!("ls {file}")).err.contains("No such file"), "{file} was made");

    let opened = place(world, "end-open", rules("Open", "End"));
    let file = mark(&opened);
    let mut typed = open(&opened);
    typed.send(&format!("curl http://example.com/\rtouch {file}\r"));
    typed.expect("the policy ends the session here", seconds(60));
    assert_eq!(typed.finish(seconds(60)), 77);
    ended_on_record(world, &opened, "open");
    assert!(opened.exec(&format!("ls {file}")).err.contains("No such file"), "{file} was made");
}

fn a_shell_that_lost_track_ends_or_goes_on_as_the_policy_says(world: &World) {
    for (what, ends) in [("End", true), ("Flag", false), ("Tolerate", false)] {
        let mut commands = rules("Open", "Tell");
        commands["onLostTrack"] = json!(what);
        let place = place(world, &format!("lost-{}", what.to_lowercase()), commands);
        let file = format!("/tmp/{}-unseen", place.name);
        let mut shell = open(&place);
        // dash leaves the echo to the terminal, so that it can be taken away.
        shell.send("dash\r");
        prompts(&mut shell);
        shell.send("stty -echo\r");
        shell.expect("at$ ", seconds(60));
        shell.send(&format!("touch {file}\r"));
        if ends {
            shell.expect("the policy ends the session here", seconds(60));
            assert_eq!(shell.finish(seconds(60)), 77);
        } else {
            shell.expect("at$ ", seconds(60));
            shell.send("stty echo\r");
            shell.expect("at$ ", seconds(60));
            shell.send("echo al''ive\r");
            shell.expect("alive", seconds(60));
            shell.expect("at$ ", seconds(60));
            shell.send("exit\r");
            shell.expect("at$ ", seconds(60));
            shell.send("exit\r");
            shell.finish(seconds(60));
        }
        let found = place.exec(&format!("ls {file}"));
        assert_eq!(found.err.contains("No such file"), ends, "{what}: {}", found.show());

        let shell_of = |e: &Value| e["place"]["namespace"] == *place.name && e["action"] == "shell";
        let ended = world.event("session.ended", shell_of);
        let session = ended["session"].as_str().expect("a session");
        let remarks = events::lines(&world.events());
        let lost = |e: &&Value| {
            e["event"] == "session.remark"
                && e["session"] == *session
                && e["why"]
                    .as_str()
                    .is_some_and(|why| why.contains("lost track") && why.contains("was not shown"))
        };
        let lost: Vec<&Value> = remarks.iter().filter(lost).collect();
        assert_eq!(!lost.is_empty(), what != "Tolerate", "{what}: {lost:?}");
        assert_eq!(ended["exit"] == 77, ends, "{what}: {ended}");
        // What was not shown may have been a password.
        for path in cast::files(&world.recordings(), session) {
            let text = std::fs::read_to_string(&path).expect("read");
            assert!(!text.contains(&file), "{what}: {}\n{text}", path.display());
        }
        assert!(remarks.iter().filter(|e| e["session"] == *session).all(|e| !e.to_string().contains(&file)));
    }
}
