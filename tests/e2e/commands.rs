//! Commands under rules: `exec`, the guarded shell, and one-time approvals, typed through real `ssh`, in containers with
//! bash, with busybox and with no shell at all.

use sallyport_tests::pty::Terminal;
use sallyport_tests::{Kind, Place, World, cast, seconds, until};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        an_exec_runs_what_the_rules_allow_and_nothing_else,
        a_refused_exec_is_on_record_with_its_rule,
        a_guarded_shell_does_what_a_shell_does,
        a_guarded_shell_says_what_to_write_instead,
        a_guarded_shell_gives_programs_a_terminal_and_takes_it_back,
        a_guarded_shell_needs_no_shell_in_the_container,
        a_guarded_shell_reads_lines_without_a_terminal,
        a_pasted_line_runs_only_at_enter,
        no_escape_gets_out_of_a_guarded_shell,
        a_denied_line_passes_once_when_an_approver_lets_it,
        a_denied_line_that_an_approver_denies_does_not_run,
        a_denied_command_can_end_the_session,
        secrets_on_a_line_are_in_no_event_and_no_list,
        replay_shows_what_a_proposed_policy_would_refuse,
    ];
    // The embedded cluster has no database.
    cases.push(Case {
        name: "a_real_database_is_read_and_not_written",
        run: a_real_database_is_read_and_not_written,
        alone: false,
        only: Some(Kind::Real),
    });
    cases
}

/// A place whose grants may run little, in three kinds of containers.
pub(crate) fn ruled<'w>(world: &'w World, name: &str, change: impl FnOnce(&mut Value)) -> Place<'w> {
    let mut commands = json!({
        "sets": ["observe"],
        "allow": [
            {"programs": ["echo", "printf", "sort", "tr", "wc", "touch", "true", "false", "sleep", "seq", "stty", "date"], "writes": ["/tmp/**"]},
            {"programs": ["cat", "ls", "tee", "rm"], "reads": ["/tmp/**", "/etc/hostname", "/"], "writes": ["/tmp/**"]},
            {"programs": ["/hold"]},
        ],
        "deny": [{"programs": ["echo"], "args": ["forbidden.*"], "message": "that word is not for here"}],
    });
    change(&mut commands);
    let forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"];
    let place = world
        .plan(name)
        .with("commands", commands)
        .and(world.pod("ash", "busybox", &forever))
        .and(world.pod("bare", "hold", &["/hold"]))
        .make(world);
    place.grant("1h");
    place
}

pub(crate) fn open(place: &Place<'_>, pod: &str) -> Terminal {
    let line = format!("shell -n {} {pod}", place.name);
    let mut shell = place.world().alice().line(line).terminal();
    shell.expect("guarded", seconds(60));
    prompt(&mut shell);
    shell
}

/// Waits until the shell reads the next line. It says so before each of its prompts; a prompt alone may be one that was
/// drawn again with what is typed at it.
pub(crate) fn prompt(shell: &mut Terminal) {
    shell.expect("\x1b[?2004h", seconds(60));
    shell.expect("$ ", seconds(60));
}

/// Types a line and waits for what it shows, and for the prompt after it.
pub(crate) fn types(shell: &mut Terminal, line: &str, shows: &str) {
    shell.send(&format!("{line}\r"));
    if !shows.is_empty() {
        shell.expect(shows, seconds(60));
    }
    prompt(shell);
}

/// Starts a program that reads what is typed, and waits until it does: from then on it has the terminal, and Ctrl-C.
pub(crate) fn reads(shell: &mut Terminal) {
    shell.send("cat\r");
    // Keys before it has started may be for the next prompt; so they are held for a moment, and given to it.
    shell.send("it reads\r");
    shell.expect("it reads\r\nit reads\r\n", seconds(60));
}

/// A name in `/tmp` that is nobody else's: pods of the embedded cluster share the machine's files.
pub(crate) fn scratch(place: &Place<'_>, word: &str) -> String {
    format!("/tmp/{}-{word}", place.name)
}

pub(crate) fn session(world: &World, place: &Place<'_>, fits: impl Fn(&Value) -> bool) -> String {
    let event = world.event("session.command", |e| e["place"]["namespace"] == *place.name && fits(e));
    event["session"].as_str().expect("a session").to_owned()
}

fn an_exec_runs_what_the_rules_allow_and_nothing_else(world: &World) {
    let place = ruled(world, "exec-ruled", |_| {});
    assert_eq!(place.exec("echo 'two  words' '$HOME' '*'").exits(0).out, "two  words $HOME *\n");
    for (words, says) in [
        ("sh -c id", "sh"),
        ("bash -i", "bash"),
        ("cat /etc/shadow", "/etc/shadow"),
        ("cat /tmp/../etc/shadow", "/etc/shadow"),
        ("cat /proc/self/environ", "/proc/self/environ"),
        ("cat /var/run/secrets/kubernetes.io/serviceaccount/token", "secrets"),
        ("echo forbidden fruit", "that word is not for here"),
        ("env LD_PRELOAD=/tmp/x.so ls", "LD_PRELOAD"),
        ("/tmp/ls", "/tmp/ls"),
        ("busybox sh", "busybox"),
        ("find / -exec id ;", "find"),
        ("dd if=/dev/zero of=/tmp/x", "dd"),
    ] {
        let answer = place.exec(words).exits(77).says(says);
        assert_eq!(answer.err.trim().lines().count(), 1, "`{words}`: one line\n{}", answer.show());
        assert!(answer.out.is_empty(), "`{words}`\n{}", answer.show());
    }
}

fn a_refused_exec_is_on_record_with_its_rule(world: &World) {
    let place = ruled(world, "exec-record", |_| {});
    place.exec("echo forbidden").exits(77);
    let event = world.event("session.command", |e| {
        e["place"]["namespace"] == *place.name && e["outcome"] == "refused" && e["command"][1] == "forbidden"
    });
    assert_eq!((&event["rule"], &event["assurance"]), (&json!("deny[0]"), &json!("boundary")), "{event}");
    let session = event["session"].as_str().expect("a session").to_owned();
    world.event("session.ended", |e| e["session"] == *session && e["exit"] == 77);
    let files = cast::files(&world.recordings(), &session);
    let list = files.iter().find(|path| path.extension().is_some_and(|end| end == "commands"));
    let text = std::fs::read_to_string(list.expect("a list of commands")).expect("read");
    let line: Value = serde_json::from_str(text.trim()).expect("one JSON line");
    assert_eq!((&line["outcome"], &line["rule"]), (&json!("refused"), &json!("deny[0]")), "{line}");
    let schema: Value =
        serde_json::from_str(include_str!("../../docs/schemas/command.schema.json")).expect("JSON");
    assert!(jsonschema::validator_for(&schema).expect("a schema").is_valid(&line), "{line}");
}

fn a_guarded_shell_does_what_a_shell_does(world: &World) {
    let place = ruled(world, "guarded", |_| {});
    for pod in ["box", "ash"] {
        let file = scratch(&place, pod);
        let mut shell = open(&place, pod);
        types(&mut shell, "echo one 'two  three' \"fo\"ur", "one two  three four\r\n");
        types(&mut shell, "printf '%s\\n' b c a | sort | tr a-c A-C", "A\r\nB\r\nC\r\n");
        types(&mut shell, "false || echo oth\"\"erwise; true && echo th\"\"en", "otherwise\r\nthen\r\n");
        types(
            &mut shell,
            &format!("printf '%s\\n' x y > {file}.1; echo z >> {file}.1; wc -l < {file}.1"),
            "3",
        );
        types(&mut shell, &format!("touch {file}.2; ls -1 {file}.?"), &format!("{file}.1\r\n{file}.2\r\n"));
        types(&mut shell, "cd /tmp", "");
        types(&mut shell, "pwd", "/tmp\r\n");
        let name = file.trim_start_matches("/tmp/");
        types(&mut shell, &format!("cat {name}.1 | wc -l"), "3");
        types(&mut shell, "export TZ=XYZ-3; date +%Z", "XYZ\r\n");
        types(&mut shell, "echo $TZ $?", "XYZ-3 0\r\n");
        types(&mut shell, &format!("rm {file}.1 {file}.2; ls {file}.*"), "");
        types(&mut shell, "false", "");
        types(&mut shell, "echo status $?", "status 1\r\n");
        shell.send("exit 5\r");
        assert_eq!(shell.finish(seconds(60)), 5, "{pod}");
    }
    let session = session(world, &place, |e| e["line"].as_str().is_some_and(|line| line.contains("sort")));
    world.event("session.started", |e| e["session"] == *session && e["action"] == "shell");
}

fn a_guarded_shell_says_what_to_write_instead(world: &World) {
    let place = ruled(world, "instead", |_| {});
    let mut shell = open(&place, "box");
    for line in [
        "echo $(id)",
        "echo `id`",
        "eval id",
        "for i in 1 2; do echo $i; done",
        "if true; then echo x; fi",
        "f() { id; }",
        "sleep 100 &",
        "(id)",
        "{ id; }",
        "cat <<END",
        "cat <(id)",
        "source /tmp/x",
        "exec id",
        "echo $UNSET_VARIABLE",
        "echo {a,b}",
    ] {
        let before = shell.screen.text().len();
        shell.send(&format!("{line}\r"));
        shell.expect("sallyport: ", seconds(60));
        prompt(&mut shell);
        let shown = shell.screen.text().split_off(before);
        assert!(!shown.contains("uid="), "`{line}` ran something:\n{shown}");
    }
    types(&mut shell, "help", "echo");
    // Nothing of a line runs where a part of it may not.
    let file = scratch(&place, "never");
    types(&mut shell, &format!("touch {file}; cat /etc/shadow"), "/etc/shadow");
    types(&mut shell, &format!("ls {file}"), "No such file");
    shell.send("\x04");
    shell.finish(seconds(60));
}

fn a_guarded_shell_gives_programs_a_terminal_and_takes_it_back(world: &World) {
    let place = ruled(world, "terminal", |commands| {
        let allow = commands["allow"].as_array_mut().expect("a list");
        allow.push(json!({"programs": ["sh"], "mayStart": true}));
    });
    let mut shell = open(&place, "box");
    shell.resize(33, 111);
    // The prompt is drawn again for the new size.
    shell.expect("$ ", seconds(60));
    // The size comes after the program has started, as `kubectl exec` has it too.
    let looks = "sh -c 'until [ \"$(stty size)\" = \"33 111\" ]; do sleep 0.1; done; echo fi\"\"ts'";
    types(&mut shell, looks, "fits\r\n");
    reads(&mut shell);
    shell.send("\x03");
    prompt(&mut shell);
    types(&mut shell, "echo st$?ill", "st130ill");
    // Without a terminal of their own, all commands of a pipeline are hung up.
    shell.send("sleep 300 | sort\r");
    std::thread::sleep(seconds(1));
    shell.send("\x03");
    prompt(&mut shell);
    shell.send("top\r");
    shell.expect("PID", seconds(60));
    shell.send("q");
    prompt(&mut shell);
    types(&mut shell, "echo al''ive", "alive");
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn a_guarded_shell_needs_no_shell_in_the_container(world: &World) {
    let place = ruled(world, "no-shell", |_| {});
    let mut shell = open(&place, "bare");
    types(&mut shell, "/hold say hel''lo from nowhere", "hello\r\nfrom\r\nnowhere\r\n");
    types(&mut shell, "/hold say *", "sallyport: ");
    types(&mut shell, "cd /tmp", "sallyport: ");
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn a_guarded_shell_reads_lines_without_a_terminal(world: &World) {
    let place = ruled(world, "script", |_| {});
    let run = |text: &str| world.alice().line(format!("shell -n {} box", place.name)).input(text).run();
    assert_eq!(run("echo one\nprintf 'b\\na\\n' | sort\n").exits(0).out, "one\na\nb\n");
    run("false\n").exits(1);
    run("exit 6\necho never\n").exits(6);
    let refused = run("echo before\ncat /etc/shadow\n");
    assert_eq!(refused.code, 77, "{}", refused.show());
}

fn a_pasted_line_runs_only_at_enter(world: &World) {
    let place = ruled(world, "paste", |_| {});
    let mut shell = open(&place, "box");
    shell.send("\x1b[200~echo pas''ted-1\recho pas''ted-2\x1b[201~");
    std::thread::sleep(seconds(1));
    assert!(!shell.screen.text().contains("pasted-1"), "{}", shell.screen.text());
    shell.send("\r");
    shell.expect("pasted-1", seconds(60));
    shell.expect("pasted-2", seconds(60));
    prompt(&mut shell);
    shell.send("\x04");
    shell.finish(seconds(60));
}

/// What a red team types; the whole suite is in the policy crate, these go through a real terminal and cluster.
const ESCAPES: &[&str] = &[
    "cat /etc/sha''dow",
    "cat /etc/shad?w",
    "cat /etc//./passwd/../shadow",
    "cat /proc/self/root/etc/shadow",
    "cat /proc/1/environ",
    "cat < /etc/shadow",
    "echo x > /etc/profile.d/x.sh",
    "X=/etc/shadow; cat $X",
    "export IFS=/; ls",
    "export PATH=/tmp; ls",
    "LD_PRELOAD=/tmp/x.so ls",
    "/bin/sh",
    "/bin/../bin/sh -c id",
    "./ls",
    "busybox sh -c id",
    "/proc/self/exe sh",
    "/lib64/ld-linux-x86-64.so.2 /bin/sh",
    "env sh -c id",
    "timeout 5 sh -c id",
    "nohup bash -c id",
    "xargs -n1 id",
    "find /tmp -name x -exec id {} +",
    "awk 'BEGIN{system(\"id\")}'",
    "sed -n '1e id' /etc/hostname",
    "sort --compress-program=id /etc/hostname",
    "tar cf /dev/null /tmp --checkpoint=1 --checkpoint-action=exec=id",
    "perl -e 'system(\"id\")'",
    "ls\u{202e}; id",
    "\u{ff4c}s",
    "l\u{200b}s; id",
    "echo ok\u{b}id",
    "tee /proc/self/mem",
    "ln -s /etc/shadow /tmp/l",
    "cp /bin/sh /tmp/ls",
];

fn no_escape_gets_out_of_a_guarded_shell(world: &World) {
    let place = ruled(world, "escapes", |_| {});
    for pod in ["box", "ash"] {
        let mut shell = open(&place, pod);
        for line in ESCAPES {
            let before = shell.screen.text().len();
            shell.send(&format!("{line}\r"));
            prompt(&mut shell);
            shell.send("echo mar''ker\r");
            shell.expect("marker", seconds(60));
            prompt(&mut shell);
            let shown = shell.screen.text().split_off(before);
            for leak in ["uid=", "root:*", "root:!", "root:$", "KUBERNETES_SERVICE"] {
                assert!(!shown.contains(leak), "`{line}` in {pod} got out:\n{shown}");
            }
        }
        shell.send("\x04");
        shell.finish(seconds(60));
    }
}

/// The request that waits for this place's command, and is none of those before.
fn waiting(world: &World, place: &Place<'_>, before: &[&str]) -> String {
    until("the command is put to approvers", seconds(60), || {
        let asked = world.bob().words(["requests", "-o", "json"]).run().exits(0).json();
        let mine = |one: &&Value| {
            one["policy"] == *place.name
                && one["phase"] == "Pending"
                && one["command"].is_string()
                && !before.iter().any(|before| one["name"] == **before)
        };
        Some(asked.as_array()?.iter().find(mine)?["name"].as_str()?.to_owned())
    })
}

fn a_denied_line_passes_once_when_an_approver_lets_it(world: &World) {
    let place = ruled(world, "once", |commands| commands["onDenied"] = json!("Ask"));
    let mut shell = open(&place, "box");
    shell.send("uname -m\r");
    shell.expect("approve", seconds(60));
    let name = waiting(world, &place, &[]);
    world.alice().words(["approve", &name]).run().exits(77);
    world.bob().words(["approve", &name]).run().exits(0);
    shell.expect(std::env::consts::ARCH, seconds(60));
    prompt(&mut shell);
    world.event("session.command", |e| e["approvedBy"] == "bob" && e["command"][0] == "uname");
    // Once: the same line asks again, and Ctrl-C gives up.
    shell.send("uname -m\r");
    shell.expect("approve", seconds(60));
    let again = waiting(world, &place, &[&name]);
    shell.send("\x03");
    prompt(&mut shell);
    until("nobody is asked any more", seconds(60), || {
        let request = place.request(&again)?;
        (request["status"]["phase"] == "Revoked").then_some(())
    });
    types(&mut shell, "echo al''ive", "alive");
    // What cannot be known cannot be asked for.
    types(&mut shell, "echo $(id)", "sallyport: ");
    shell.send("exit\r");
    shell.finish(seconds(60));
    // An exec waits as well.
    let exec = world.alice().line(format!("exec -n {} box -- uname -m", place.name)).start();
    let name = waiting(world, &place, &[&name, &again]);
    world.bob().words(["approve", &name]).run().exits(0);
    exec.finish(seconds(60)).exits(0).prints(std::env::consts::ARCH);
    assert!(place.binding(&name).is_none(), "it is no grant");
}

fn a_denied_line_that_an_approver_denies_does_not_run(world: &World) {
    let place = ruled(world, "once-denied", |commands| commands["onDenied"] = json!("Ask"));
    let mut shell = open(&place, "box");
    shell.send("uname -m\r");
    shell.expect("approve", seconds(60));
    let name = waiting(world, &place, &[]);
    world.bob().words(["deny", &name, "--reason", "look it up"]).run().exits(0);
    shell.expect("look it up", seconds(60));
    prompt(&mut shell);
    assert!(!shell.screen.text().contains(std::env::consts::ARCH));
    shell.send("exit\r");
    shell.finish(seconds(60));
}

fn a_denied_command_can_end_the_session(world: &World) {
    let place = ruled(world, "rule-ends", |commands| commands["onDenied"] = json!("End"));
    let mut shell = open(&place, "box");
    shell.send("cat /etc/shadow\r");
    shell.expect("/etc/shadow", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 77);
}

fn secrets_on_a_line_are_in_no_event_and_no_list(world: &World) {
    let place = ruled(world, "secrets", |_| {});
    place.exec("curl -u alice:hunter2 http://example.com/").exits(77);
    let mut shell = open(&place, "box");
    types(&mut shell, "export DB_PASSWORD=hunter2", "");
    types(&mut shell, "mysql --password=hunter2 -e 'select 1'", "sallyport: ");
    shell.send("exit\r");
    shell.finish(seconds(60));
    let session = session(world, &place, |e| e["action"] == "guarded" && e["command"][0] == "mysql");
    world.event("session.ended", |e| e["session"] == *session);
    for path in cast::files(&world.recordings(), &session) {
        // What the person saw themselves type is theirs to see.
        if path.extension().is_none_or(|end| end != "cast") {
            let text = std::fs::read_to_string(&path).expect("read");
            assert!(!text.contains("hunter2"), "{}\n{text}", path.display());
        }
    }
    let events = std::fs::read_to_string(world.events()).expect("read");
    assert!(!events.contains("hunter2"), "a secret is in an event");
}

fn replay_shows_what_a_proposed_policy_would_refuse(world: &World) {
    let place = ruled(world, "replay", |_| {});
    place.exec("echo replayed").exits(0);
    place.exec("uname -r").exits(77);
    let session = session(world, &place, |e| e["command"][0] == "uname");
    world.event("session.ended", |e| e["session"] == *session);
    let mut policy = world
        .api
        .get(&format!("/apis/sallyport.dev/v1alpha1/accesspolicies/{}", place.name))
        .expect("the policy");
    policy["spec"]["commands"] = json!({"allow": [{"programs": ["uname"]}]});
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("proposed.json");
    let object = json!({
        "apiVersion": policy["apiVersion"], "kind": policy["kind"],
        "metadata": {"name": place.name}, "spec": policy["spec"],
    });
    std::fs::write(&file, object.to_string()).expect("write");
    let replay = |more: &[&str]| {
        let mut command = std::process::Command::new(sallyport_tests::world::binary());
        command.args(["policy", "replay", "-o", "json", "--recordings"]).arg(world.recordings());
        command.args(more).arg(&file);
        sallyport_tests::process::run(&mut command, b"", seconds(60))
    };
    let report = replay(&[]).exits(0).json();
    assert_eq!(report["refused"][0]["command"], "echo replayed", "{report}");
    assert_eq!(report["allowed"][0]["command"], "uname -r", "{report}");
    replay(&["--fail"]).exits(1);
}

fn a_real_database_is_read_and_not_written(world: &World) {
    let server =
        "exec /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/data -h 127.0.0.1 -c fsync=off";
    let place = world
        .plan("database")
        .with("commands", json!({"sets": ["database-read"]}))
        .and(world.pod("db", "postgres", &["su", "postgres", "-c", server]))
        .make(world);
    place.grant("1h");
    let psql = |sql: &str| {
        let line = format!("exec -n {} db -- psql -h 127.0.0.1 -U postgres -At -c \"{sql}\"", place.name);
        world.alice().line(line).run()
    };
    let up = || {
        let answer = psql("select 41 + 1");
        (answer.code == 0).then_some(answer.out)
    };
    assert_eq!(until("the database answers", seconds(60), up), "42\n");
    psql("select count(*) from pg_stat_activity").exits(0);
    for sql in ["create table x (y int)", "select 1; drop table x", "copy x to program 'id'", "\\\\! id"] {
        let answer = psql(sql);
        assert_eq!(answer.code, 77, "{sql}\n{}", answer.show());
    }
    let answer = psql("select lo_create(4711)").exits(77);
    assert!(answer.err.contains("lo_create"), "{}", answer.show());
    // What would write all the same is stopped by the session, which only reads.
    assert_eq!(psql("show default_transaction_read_only").exits(0).out, "on\n");
}
