//! The guardrail of open shells, typed through real `ssh`: bash, dash and busybox ash, each with what its line editor does.

use sallyport_tests::pty::Terminal;
use sallyport_tests::{Kind, Place, World, cast, seconds};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        an_open_shell_says_that_it_is_a_guardrail,
        a_denied_line_is_wiped_in_every_shell,
        history_and_editing_are_read_as_the_shell_reads_them,
        a_paste_is_read_line_by_line,
        a_password_is_in_no_event_and_no_list,
        programs_and_full_screens_are_left_alone,
        an_open_shell_can_ask_for_a_line,
        an_open_shell_can_end_at_a_denied_line,
        a_shell_without_rules_is_observed_and_can_be_replayed,
        what_is_not_to_be_recorded_is_not_listed,
        without_a_terminal_a_shell_is_refused_under_rules_and_listed_without,
    ]
}

fn place<'w>(world: &'w World, name: &str, change: impl FnOnce(&mut Value)) -> Place<'w> {
    let mut commands = json!({
        "shell": "Open",
        "deny": [
            {"programs": ["uname"], "message": "not the machine's business"},
            {"programs": ["rm"], "flags": ["--recursive"]},
        ],
    });
    change(&mut commands);
    let forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"];
    let place =
        world.plan(name).with("commands", commands).and(world.pod("ash", "busybox", &forever)).make(world);
    place.grant("1h");
    place
}

fn open(place: &Place<'_>, pod: &str) -> Terminal {
    let line = format!("shell -n {} {pod}", place.name);
    let mut shell = place.world().alice().line(line).terminal();
    shell.expect("guardrail", seconds(60));
    prompts(&mut shell);
    shell
}

/// Waits for the shell's own prompt and gives it another, which stands nowhere else.
pub(crate) fn prompts(shell: &mut Terminal) {
    shell.expect_prompt(seconds(60));
    shell.send("PS1='at''$ '\r");
    shell.expect("at$ ", seconds(60));
}

fn types(shell: &mut Terminal, keys: &str, shows: &str) {
    shell.send(keys);
    if !shows.is_empty() {
        shell.expect(shows, seconds(60));
    }
    shell.expect("at$ ", seconds(60));
}

/// Each shell that this world has: bash; dash, as `sh` of Debian; and busybox's ash.
fn every_shell(world: &World, place: &Place<'_>, check: impl Fn(&mut Terminal, &str)) {
    let ash = if world.kind == Kind::Real { "sh" } else { "busybox sh" };
    for (name, pod, start) in
        [("bash", "box", None), ("dash", "box", Some("dash")), ("ash", "ash", Some(ash))]
    {
        let mut shell = open(place, pod);
        if let Some(start) = start {
            shell.send(&format!("{start}\r"));
            prompts(&mut shell);
        }
        types(&mut shell, "echo re''ady\r", "ready");
        check(&mut shell, name);
    }
}

#[track_caller]
fn denied(shell: &mut Terminal, name: &str, keys: &str) {
    let before = shell.screen.text().len();
    shell.send(keys);
    shell.expect("sallyport: ", seconds(60));
    shell.expect("at$ ", seconds(60));
    types(shell, "echo ma''rk\r", "mark");
    let shown = shell.screen.text().split_off(before);
    assert!(!shown.contains("Linux\r"), "{name}: {keys:?} ran\n{shown}");
}

/// Has the shell ask for something without echo, and waits until it does.
fn asks_for_a_password(shell: &mut Terminal) {
    shell.send("read -rsp 'Password: ' p; echo \"got ${#p}\"\r");
    // Once as it is typed, and once as it is asked, with the echo already off.
    shell.expect("${#p}", seconds(60));
    shell.expect("Password: ", seconds(60));
}

fn an_open_shell_says_that_it_is_a_guardrail(world: &World) {
    let place = place(world, "open-says", |_| {});
    let mut shell = open(&place, "box");
    types(&mut shell, "echo fi''ne\r", "fine");
    world.event("session.command", |e| {
        e["place"]["namespace"] == *place.name && e["assurance"] == "guardrail" && e["outcome"] == "ok"
    });
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn a_denied_line_is_wiped_in_every_shell(world: &World) {
    let place = place(world, "open-wiped", |_| {});
    every_shell(world, &place, |shell, name| {
        denied(shell, name, "uname\r");
        denied(shell, name, "uname\n");
        denied(shell, name, "echo x; uname\r");
        denied(shell, name, "true && un\"\"ame\r");
        denied(shell, name, "/bin/uname\r");
        denied(shell, name, "rm -fr /tmp/nothing-there\r");
    });
    world.event("session.command", |e| {
        e["place"]["namespace"] == *place.name && e["outcome"] == "refused" && e["rule"] == "deny[0]"
    });
}

fn history_and_editing_are_read_as_the_shell_reads_them(world: &World) {
    let place = place(world, "open-history", |_| {});
    let mut shell = open(&place, "box");
    // Typed as something else and edited: the keys never spell the program.
    denied(&mut shell, "bash", "unameX\x7f\r");
    denied(&mut shell, "bash", "name\x01u\r");
    denied(&mut shell, "bash", "echo uname\x01\x1bd\x1b[3~\r");
    // A line from history, changed.
    types(&mut shell, "true uname\r", "");
    denied(&mut shell, "bash", "\x1b[A\x01\x1bd\x1b[3~\r");
    // Completed by the shell.
    denied(&mut shell, "bash", "unam\t\r");
    // Abandoned lines are nobody's.
    types(&mut shell, "uname\x03", "");
    types(&mut shell, "uname\x15echo ki''lled\r", "killed");
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn a_paste_is_read_line_by_line(world: &World) {
    let place = place(world, "open-paste", |_| {});
    let mut shell = open(&place, "box");
    denied(&mut shell, "bash", "echo on''e\runame\r");
    assert!(shell.screen.text().contains("one\r\n"), "the line before runs\n{}", shell.screen.text());
    denied(&mut shell, "bash", "\x1b[200~echo two\nuname\x1b[201~\r");
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn a_password_is_in_no_event_and_no_list(world: &World) {
    let place = place(world, "open-password", |_| {});
    let mut shell = open(&place, "box");
    asks_for_a_password(&mut shell);
    types(&mut shell, "correct-horse\r", "got 13");
    types(&mut shell, "echo af''ter\r", "after");
    shell.send("exit\r");
    shell.finish(seconds(60));
    let event = world.event("session.ended", |e| e["place"]["namespace"] == *place.name);
    let session = event["session"].as_str().expect("a session");
    for path in cast::files(&world.recordings(), session) {
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(!text.contains("correct-horse"), "{}", path.display());
    }
    assert!(!std::fs::read_to_string(world.events()).expect("read").contains("correct-horse"));
}

fn programs_and_full_screens_are_left_alone(world: &World) {
    let place = place(world, "open-programs", |_| {});
    let mut shell = open(&place, "box");
    // What a program reads is no command.
    shell.send("echo be''gins; cat\r");
    shell.expect("begins\r\n", seconds(60));
    shell.send("uname\r");
    shell.expect("uname\r\nuname\r\n", seconds(60));
    types(&mut shell, "\x04", "");
    shell.send("top\r");
    shell.expect("PID", seconds(60));
    types(&mut shell, "q", "");
    types(&mut shell, "echo al''ive\r", "alive");
    denied(&mut shell, "bash", "uname\r");
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn an_open_shell_can_ask_for_a_line(world: &World) {
    let place = place(world, "open-asks", |commands| commands["onDenied"] = json!("Ask"));
    let mut shell = open(&place, "box");
    shell.send("uname -s\r");
    shell.expect("approve", seconds(60));
    let name = sallyport_tests::until("the line is put to approvers", seconds(60), || {
        let asked = world.bob().words(["requests", "-o", "json"]).run().exits(0).json();
        let mine = |one: &&Value| {
            one["policy"] == *place.name && one["phase"] == "Pending" && one["command"].is_string()
        };
        Some(asked.as_array()?.iter().find(mine)?["name"].as_str()?.to_owned())
    });
    world.bob().words(["approve", &name]).run().exits(0);
    shell.expect("Linux", seconds(60));
    shell.expect("at$ ", seconds(60));
    world.event("session.command", |e| e["approvedBy"] == "bob" && e["assurance"] == "guardrail");
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn an_open_shell_can_end_at_a_denied_line(world: &World) {
    let place = place(world, "open-ends", |commands| commands["onDenied"] = json!("End"));
    let mut shell = open(&place, "box");
    shell.send("uname\r");
    shell.expect("sallyport: ", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 77);
}

fn list(world: &World, session: &str) -> Vec<Value> {
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/schemas/command.schema.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let files = cast::files(&world.recordings(), session);
    let path = files.iter().find(|path| path.extension().is_some_and(|end| end == "commands"));
    let text = std::fs::read_to_string(path.expect("a list of commands")).expect("read");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for line in &lines {
        assert!(schema.is_valid(line), "{line}");
    }
    lines
}

fn a_shell_without_rules_is_observed_and_can_be_replayed(world: &World) {
    let place = world.place("observed");
    place.grant("1h");
    place.exec("id -u").exits(0);
    let exec = world.event("session.command", |e| e["place"]["namespace"] == *place.name);
    assert_eq!(exec["command"], json!(["id", "-u"]), "{exec}");
    assert_eq!((&exec["rule"], &exec["assurance"]), (&json!("no rules"), &json!("none")), "{exec}");
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    prompts(&mut shell);
    types(&mut shell, "echo f''ine\r", "fine");
    types(&mut shell, "uname -s\r", "Linux");
    asks_for_a_password(&mut shell);
    types(&mut shell, "correct-horse\r", "got 13");
    // What is typed ahead is held up by nobody, and a line from the history is one like any other.
    types(&mut shell, "\x1b[A\x1b[A\r", "Linux");
    let shown = shell.screen.text();
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
    assert!(!shown.contains("sallyport:") && !shown.contains("guardrail"), "nothing is said\n{shown}");
    let event = world.event("session.command", |e| {
        e["place"]["namespace"] == *place.name && e["line"] == "uname -s" && e["outcome"] == "ok"
    });
    assert_eq!((&event["rule"], &event["assurance"]), (&json!("no rules"), &json!("none")), "{event}");
    assert_eq!((&event["command"], &event["action"]), (&json!(["uname", "-s"]), &json!("open")), "{event}");
    let session = event["session"].as_str().expect("a session").to_owned();
    world.event("session.ended", |e| e["session"] == *session);
    let lines = list(world, &session);
    let typed: Vec<_> = lines.iter().filter_map(|line| line["line"].as_str()).collect();
    let read = "read -rsp 'Password: ****' p; echo \"got ${#p}\"";
    assert_eq!(typed, ["PS1='at''$ '", "echo f''ine", "uname -s", read, "uname -s", "exit"]);
    for path in cast::files(&world.recordings(), &session) {
        let text = std::fs::read_to_string(&path).expect("read");
        assert!(!text.contains("correct-horse"), "{}", path.display());
        if path.extension().is_some_and(|end| end == "cast") {
            assert!(text.contains("\"m\",\"$ uname -s\"]"), "a marker\n{text}");
        }
    }
    assert!(!std::fs::read_to_string(world.events()).expect("read").contains("correct-horse"));

    let object = |shell: &str| {
        let path = format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name);
        let mut policy = world.api.get(&path).expect("the policy");
        policy["spec"]["commands"] = json!({"shell": shell, "allow": [{"programs": ["echo", "read"]}], "deny": [{"programs": ["uname"]}]});
        json!({"apiVersion": policy["apiVersion"], "kind": policy["kind"],
            "metadata": {"name": place.name}, "spec": policy["spec"]})
    };
    let dir = tempfile::tempdir().expect("a directory");
    let refused = |shell: &str| -> Vec<(String, String)> {
        let file = dir.path().join("proposed.json");
        std::fs::write(&file, object(shell).to_string()).expect("write");
        let mut command = std::process::Command::new(sallyport_tests::world::binary());
        command.args(["policy", "replay", "-o", "json", "--recordings"]).arg(world.recordings()).arg(&file);
        let report = sallyport_tests::process::run(&mut command, b"", seconds(60)).exits(0).json();
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        report["refused"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (text(one, "command"), text(one, "rule")))
            .collect()
    };
    let pair = |command: &str, rule: &str| (command.to_owned(), rule.to_owned());
    for shell in ["Open", "Guarded"] {
        let refused = refused(shell);
        assert_eq!(refused.first(), Some(&pair("id -u", "no rule")), "{shell} {refused:?}");
        let uname = refused.iter().filter(|one| **one == pair("uname -s", "deny[0]")).count();
        assert_eq!(uname, 2, "{shell} {refused:?}");
        assert!(!refused.iter().any(|(command, _)| command.contains("fine")), "{shell} {refused:?}");
        // Only the container's own shell has `read`.
        let read = refused.iter().any(|(command, rule)| command.starts_with("read") && rule == "grammar");
        assert_eq!(read, shell == "Guarded", "{shell} {refused:?}");
    }
}

fn what_is_not_to_be_recorded_is_not_listed(world: &World) {
    let place = world.plan("unlisted").with("record", json!(false)).make(world);
    place.grant("1h");
    place.exec("id -u").exits(0);
    let mut shell = world.alice().line(format!("shell -n {} box", place.name)).terminal();
    prompts(&mut shell);
    types(&mut shell, "echo f''ine\r", "fine");
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
    let ended =
        world.event("session.ended", |e| e["place"]["namespace"] == *place.name && e["action"] == "shell");
    let session = ended["session"].as_str().expect("a session");
    assert!(
        cast::files(&world.recordings(), session)
            .iter()
            .all(|path| path.extension().is_some_and(|end| end == "json"))
    );
    let all = sallyport_tests::events::lines(&world.events());
    assert!(!all.iter().any(|e| e["place"]["namespace"] == *place.name && e["event"] == "session.command"));
}

fn without_a_terminal_a_shell_is_refused_under_rules_and_listed_without(world: &World) {
    let script = |mark: &str| {
        format!("touch {mark}\nfor f in o''ne\ndo echo $f\ndone\nuname -s; export TOKEN=hunter2")
    };
    let piped = |place: &Place<'_>, mark: &str| {
        let line = format!("shell -n {} box", place.name);
        world.alice().option("-T").line(line).input(script(mark)).run()
    };
    let mark = format!("/tmp/{}-piped", world.tag());

    // Rules that read a screen: nothing of it is passed on.
    let ruled = place(world, "piped-ruled", |_| {});
    let refused = piped(&ruled, &mark);
    assert_eq!((refused.code, refused.out.as_str()), (77, ""), "{}", refused.show());
    assert!(refused.err.contains("refused") && refused.err.contains("ssh -t"), "{}", refused.show());
    let ended = world.event("session.ended", |e| e["place"]["namespace"] == *ruled.name);
    assert_eq!(ended["exit"], json!(77), "{ended}");

    // None: all of it passes, and each line is on record, also the last one, which has no end.
    let free = world.place("piped-free");
    free.grant("1h");
    assert_ne!(free.exec(&format!("ls {mark}")).code, 0, "the refused one has run nothing");
    let done = piped(&free, &mark).exits(0);
    assert_eq!(done.out, "one\nLinux\n", "nothing is changed or said: {}", done.show());
    free.exec(&format!("rm {mark}")).exits(0);
    let event = world.event("session.command", |e| {
        e["place"]["namespace"] == *free.name && e["line"] == format!("touch {mark}") && e["outcome"] == "ok"
    });
    assert_eq!(
        (&event["rule"], &event["assurance"]),
        (&json!("without a terminal"), &json!("none")),
        "{event}"
    );
    assert_eq!((&event["action"], &event["command"]), (&json!("open"), &json!(["touch", mark])), "{event}");
    let session = event["session"].as_str().expect("a session").to_owned();
    world.event("session.ended", |e| e["session"] == *session);
    let lines = list(world, &session);
    let sent: Vec<_> = lines.iter().filter_map(|line| line["line"].as_str()).collect();
    let touch = format!("touch {mark}");
    let last = "uname -s; export TOKEN=****";
    assert_eq!(sent, [touch.as_str(), "for f in o''ne", "do echo $f", "done", last]);

    // A guarded shell judges each line as it does on a terminal.
    let guarded = place(world, "piped-guarded", |commands| commands["shell"] = json!("Guarded"));
    let line = format!("shell -n {} box", guarded.name);
    let run = world.alice().option("-T").line(line).input("echo fi''ne\nuname -s\n").run();
    assert_eq!((run.code, run.out.as_str()), (77, "fine\n"), "{}", run.show());
}
