//! The guarded shell at the edges of a program: before it starts, when it is interrupted, and what the shell itself does.

use sallyport_tests::{World, cast, seconds};
use serde_json::{Value, json};

use crate::commands::{open, prompt, reads, ruled, scratch, session, types};
use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_command_does_not_start_where_a_redirection_fails,
        a_line_typed_right_behind_an_interrupt_is_the_next_one,
        lines_and_the_end_of_input_that_come_at_once_are_done_in_their_order,
        what_the_guarded_shell_itself_does_is_on_record_and_no_rule_judges_it,
    ]
}

fn a_command_does_not_start_where_a_redirection_fails(world: &World) {
    let place = ruled(world, "edges", |_| {});
    for pod in ["box", "ash"] {
        let (mark, out) = (scratch(&place, &format!("{pod}-mark")), scratch(&place, &format!("{pod}-out")));
        let mut shell = open(&place, pod);
        // `tee` would leave a file behind if it were started.
        for redirection in [format!("< {mark}.none"), "> /tmp/no/such/file".to_owned(), "2> /tmp".to_owned()]
        {
            types(&mut shell, &format!("tee {mark} {redirection}"), "sallyport: ");
            types(&mut shell, "echo st$?", "st1\r\n");
        }
        types(&mut shell, &format!("ls {mark}"), "No such file");
        // What stands before the one that fails is open by then, what stands behind it is not.
        types(&mut shell, &format!("echo a > {out}.1 < {mark}.none > {out}.2"), "sallyport: ");
        types(&mut shell, &format!("ls {out}.*"), &format!("{out}.1\r\n"));
        types(&mut shell, &format!("wc -c < {out}.1"), "0\r\n");
        types(
            &mut shell,
            &format!("echo b > {out}.1; echo c >> {out}.1; tr b-c B-C < {out}.1"),
            "B\r\nC\r\n",
        );
        types(&mut shell, &format!("rm {out}.1"), "");
        shell.send("exit\r");
        assert_eq!(shell.finish(seconds(60)), 0, "{pod}");
    }
}

fn a_line_typed_right_behind_an_interrupt_is_the_next_one(world: &World) {
    let place = ruled(world, "interrupt", |_| {});
    let mut shell = open(&place, "box");
    for (count, key) in ["\x03", "\x1c", "\x03"].iter().enumerate() {
        reads(&mut shell);
        match count {
            // In one piece, and as two keys one behind the other.
            0 => shell.send(&format!("{key}echo sti''ll-{count}\r")),
            _ => {
                shell.send(key);
                shell.send(&format!("echo sti''ll-{count}\r"));
            }
        }
        shell.expect(&format!("still-{count}"), seconds(60));
        prompt(&mut shell);
    }
    // A program that goes on gets what follows.
    reads(&mut shell);
    shell.send("\x04");
    prompt(&mut shell);
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn lines_and_the_end_of_input_that_come_at_once_are_done_in_their_order(world: &World) {
    let place = ruled(world, "at-once", |_| {});
    let mut shell = open(&place, "box");
    // All of it before the first line has run, over a pipeline that reads nothing of it.
    shell.send("sleep 1 | sort\recho on''e\recho tw''o | sort\r\x04echo nev''er\r");
    shell.expect("one", seconds(60));
    shell.expect("two", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 0);
    let session = session(world, &place, |e| e["line"] == "echo two");
    let ran: Vec<_> = listed(world, &session).iter().map(|line| line["line"].clone()).collect();
    assert_eq!(ran, ["sleep 1", "sort", "echo one", "echo two", "sort"]);
}

/// What the list beside a session's recording has, once it is over.
fn listed(world: &World, session: &str) -> Vec<Value> {
    world.event("session.ended", |e| e["session"] == *session);
    let files = cast::files(&world.recordings(), session);
    let list = files.iter().find(|path| path.extension().is_some_and(|end| end == "commands"));
    let text = std::fs::read_to_string(list.expect("a list of commands")).expect("read");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn what_the_guarded_shell_itself_does_is_on_record_and_no_rule_judges_it(world: &World) {
    let place = ruled(world, "own-words", |_| {});
    let mut shell = open(&place, "box");
    types(&mut shell, "cd /tmp", "");
    types(&mut shell, "export LANG=C DB_PASSWORD=hunter2", "");
    types(&mut shell, "unset DB_PASSWORD", "");
    types(&mut shell, "ls own-words-none", "No such file");
    types(&mut shell, "eval id", "sallyport: ");
    shell.send("exit\r");
    shell.finish(seconds(60));
    let session = session(world, &place, |e| e["command"][0] == "ls");
    for (words, outcome) in [
        (json!(["cd", "/tmp"]), "ok"),
        (json!(["export", "LANG=C", "DB_PASSWORD=****"]), "ok"),
        (json!(["unset", "DB_PASSWORD"]), "ok"),
        (json!(["eval", "id"]), "refused"),
    ] {
        let event = world.event("session.command", |e| e["session"] == *session && e["command"] == words);
        assert_eq!(
            (&event["rule"], &event["outcome"]),
            (&json!("the shell itself"), &json!(outcome)),
            "{event}"
        );
    }
    let lines = listed(world, &session);
    let told: Vec<_> = lines.iter().map(|line| (&line["argv"][0], &line["outcome"])).collect();
    let expected =
        [("cd", "own"), ("export", "own"), ("unset", "own"), ("ls", "allowed"), ("eval", "refused")];
    let expected: Vec<_> = expected.iter().map(|(word, outcome)| (json!(word), json!(outcome))).collect();
    assert_eq!(told, expected.iter().map(|(word, outcome)| (word, outcome)).collect::<Vec<_>>());
    let ran = lines.iter().find(|line| line["argv"][0] == "ls").expect("`ls` is listed");
    assert_eq!(ran["directory"], "/tmp", "{ran}");
    // A policy that lets `ls` look at /tmp alone is one that this session could have run under.
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("proposed.json");
    let policy = world
        .api
        .get(&format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name))
        .expect("the policy");
    let mut spec = policy["spec"].clone();
    spec["commands"] = json!({"allow": [{"programs": ["ls"], "reads": ["/tmp/**"]}]});
    let object = json!({
        "apiVersion": policy["apiVersion"], "kind": policy["kind"], "metadata": {"name": place.name}, "spec": spec,
    });
    std::fs::write(&file, object.to_string()).expect("write");
    let mut command = std::process::Command::new(sallyport_tests::world::binary());
    command.args(["policy", "replay", "--fail", "-o", "json", "--recordings"]).arg(world.recordings());
    command.arg(&file);
    let report = sallyport_tests::process::run(&mut command, b"", seconds(60)).exits(0).json();
    assert_eq!(
        (&report["commands"], &report["refused"], &report["allowed"]),
        (&json!(1), &json!([]), &json!([])),
        "{report}"
    );
}
