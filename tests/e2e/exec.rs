//! Single commands in a container, without a shell in between.

use sallyport_tests::{Kind, World, seconds};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        exec_passes_the_exit_status,
        exec_passes_the_exit_status_on_a_terminal,
        a_signal_shows_in_the_exit_status,
        stdout_and_stderr_stay_apart,
        standard_input_reaches_its_end,
        standard_input_is_read_as_far_as_the_command_likes,
        bytes_pass_as_they_are,
        arguments_are_not_interpreted,
        a_missing_program_is_said,
        the_container_can_be_chosen,
        targets_are_named_as_kubectl_does,
        the_target_may_stand_in_the_user_name,
        bad_targets_are_said_in_one_line,
        an_image_without_a_shell_runs_its_own_program,
        a_client_that_goes_away_costs_nothing,
    ]
}

fn exec_passes_the_exit_status(world: &World) {
    world.shared_grant();
    for code in [0, 1, 7, 42, 126, 127, 254, 255] {
        world.alice().line(format!("exec -n payments deploy/api -- sh -c 'exit {code}'")).run().exits(code);
    }
    world.alice().line("exec -n payments deploy/api -- true").run().exits(0);
    world.alice().line("exec -n payments deploy/api -- false").run().exits(1);
}

fn exec_passes_the_exit_status_on_a_terminal(world: &World) {
    world.shared_grant();
    for code in [0, 1, 42, 255] {
        let terminal =
            world.alice().line(format!("exec -n payments deploy/api -- sh -c 'exit {code}'")).terminal();
        assert_eq!(terminal.finish(seconds(60)), code);
    }
    let mut terminal = world
        .alice()
        .line("exec -n payments deploy/api -- sh -c 'test -t 0 && test -t 1 && echo on a $(tty)'")
        .terminal();
    terminal.expect("on a /dev/pts/", seconds(60));
    assert_eq!(terminal.finish(seconds(60)), 0);
}

fn a_signal_shows_in_the_exit_status(world: &World) {
    world.shared_grant();
    // Container runtimes give 128 + the number; no more than that is known.
    for (signal, code) in [("TERM", 143), ("KILL", 137)] {
        let line = format!("exec -n payments deploy/api -- sh -c 'kill -{signal} $$'");
        world.alice().line(&line).run().exits(code);
        assert_eq!(world.alice().line(&line).terminal().finish(seconds(60)), code, "on a terminal");
    }
}

fn stdout_and_stderr_stay_apart(world: &World) {
    world.shared_grant();
    let both = world
        .alice()
        .line("exec -n payments deploy/api -- sh -c 'echo one; echo two >&2; echo three'")
        .run()
        .exits(0);
    assert_eq!((both.out.as_str(), both.err.as_str()), ("one\nthree\n", "two\n"));
}

fn standard_input_reaches_its_end(world: &World) {
    world.shared_grant();
    let input = "a line\n".repeat(50_000);
    let counted =
        world.alice().line("exec -n payments deploy/api -- wc -c").input(input.clone()).run().exits(0);
    assert_eq!(counted.out.trim(), "350000");
    let back = world.alice().line("exec -n payments deploy/api -- cat").input(input.clone()).run().exits(0);
    assert!(back.out == input, "{} bytes came back of {}", back.out.len(), input.len());
    world.alice().line("exec -n payments deploy/api -- cat").run().exits(0);
}

fn standard_input_is_read_as_far_as_the_command_likes(world: &World) {
    world.shared_grant();
    let read =
        world.alice().line("exec -n payments deploy/api -- head -c 5").input("hello world").run().exits(0);
    assert_eq!(read.out, "hello");
    // What a command leaves unread lies in buffers. The servers of 1.20 never end a session whose buffers are full,
    // whoever the client is, `kubectl` too; how much they take beyond a pipe's own depends on the machine's load.
    let size = match world.kind {
        Kind::Embedded => 8 << 20,
        Kind::Real => 64 << 10,
    };
    let ended = world.alice().line("exec -n payments deploy/api -- true").input(vec![b'x'; size]).run();
    assert_eq!(ended.code, 0, "{}", ended.show());
}

fn bytes_pass_as_they_are(world: &World) {
    world.shared_grant();
    let all: Vec<u8> = (0..=255).collect();
    let echoed =
        world.alice().line("exec -n payments deploy/api -- head -c 256").input(all.clone()).run().exits(0);
    assert_eq!(echoed.bytes, all);
    let many =
        world.alice().line("exec -n payments deploy/api -- seq 1 2000000").limit(seconds(90)).run().exits(0);
    let mut lines = many.out.lines();
    assert!(
        (1..=2_000_000).all(|n| lines.next() == Some(n.to_string().as_str())) && lines.next().is_none(),
        "lines are missing"
    );
}

fn arguments_are_not_interpreted(world: &World) {
    world.shared_grant();
    let printed = world
        .alice()
        .line("exec -n payments deploy/api -- printf '[%s]' 'a b' '$HOME' '*' '`id`' \"it's\" '' -n --")
        .run()
        .exits(0);
    assert_eq!(printed.out, "[a b][$HOME][*][`id`][it's][][-n][--]");
}

fn a_missing_program_is_said(world: &World) {
    world.shared_grant();
    let missing = world.alice().line("exec -n payments deploy/api -- no-such-program").run();
    assert!([126, 127].contains(&missing.code), "{}", missing.show());
    missing.says("no-such-program");
}

fn the_container_can_be_chosen(world: &World) {
    world.shared_grant();
    let mark = format!("mark-{}", world.tag());
    world.alice().line(format!("exec -n payments multi -c web -- touch {mark}")).run().exits(0);
    world.alice().line(format!("exec -n payments -c web multi -- test -e {mark}")).run().exits(0);
    world
        .alice()
        .line(format!("exec -n payments multi --container sidecar -- test -e {mark}"))
        .run()
        .exits(1);
    world.alice().line(format!("exec -n payments multi -c web -- rm {mark}")).run().exits(0);
    world.alice().line("exec -n payments multi -- true").run().exits(0);
    world.alice().line("exec -n payments multi -c nope -- true").run().exits(64).says("nope").says("sidecar");
}

fn targets_are_named_as_kubectl_does(world: &World) {
    world.shared_grant();
    for (target, pod) in [
        ("deploy/api", "api-"),
        ("deployment/api", "api-"),
        ("deployments/api", "api-"),
        ("sts/postgres", "postgres-0"),
        ("statefulset/postgres", "postgres-0"),
        ("pod/postgres-0", "postgres-0"),
        ("po/postgres-0", "postgres-0"),
        ("postgres-0", "postgres-0"),
    ] {
        let said =
            world.alice().line(format!("exec -n payments {target} -- sh -c 'echo $HOSTNAME'")).run().exits(0);
        assert!(said.out.starts_with(pod), "{target}\n{}", said.show());
    }
    world.alice().line("logs -n payments job/migrate").run().exits(0).prints("migrated");
}

fn the_target_may_stand_in_the_user_name(world: &World) {
    world.shared_grant();
    let said =
        world.alice().user("postgres-0.payments").line("sh -c 'echo $HOSTNAME; exit 3'").run().exits(3);
    assert_eq!(said.out, "postgres-0\n");
    world.alice().user("multi.payments+sidecar").line("true").run().exits(0);
    world.alice().user("multi.payments+nope").line("true").run().exits(64).says("nope");
    let mut terminal = world.alice().user("postgres-0.payments").terminal();
    terminal.send("echo in \"$HOSTNAME\"; exit 5\r");
    terminal.expect("in postgres-0", seconds(60));
    assert_eq!(terminal.finish(seconds(60)), 5);
}

fn bad_targets_are_said_in_one_line(world: &World) {
    world.shared_grant();
    for (line, word) in [
        ("exec -n payments no-such-pod -- true", "no-such-pod"),
        ("exec -n payments deploy/no-such -- true", "no-such"),
        ("exec -n payments sts/no-such -- true", "no-such"),
        ("logs -n payments no-such-pod", "no-such-pod"),
        ("logs -n payments multi -c nope", "nope"),
        ("exec -n payments job/migrate -- true", "migrate"),
        ("exec -n payments broken -- true", "broken"),
        ("shell -n payments broken", "broken"),
    ] {
        let answer = world.alice().line(line).run();
        assert!(answer.code == 64 && answer.err.contains(word), "`{line}`\n{}", answer.show());
        assert_eq!(answer.err.trim().lines().count(), 1, "`{line}`: one line\n{}", answer.show());
    }
}

fn an_image_without_a_shell_runs_its_own_program(world: &World) {
    world.shared_grant();
    let said = world.alice().line("exec -n payments noshell -- /hold say 'a b' c").run().exits(2);
    assert_eq!(said.out, "a b\nc\n");
    let mut terminal = world.alice().line("shell -n payments noshell").terminal();
    terminal.expect("shell", seconds(60));
    let text = terminal.screen.clone();
    let code = terminal.finish(seconds(60));
    assert!(code != 0 && code != 255, "exit {code}\n{}", text.text());
}

fn a_client_that_goes_away_costs_nothing(world: &World) {
    let place = world.place("gone");
    place.grant("10m");
    let running =
        world.alice().line(format!("exec -n {} box -- sh -c 'echo begun; sleep 600'", place.name)).start();
    running.expect("begun", seconds(60));
    drop(running);
    let ended = world.event("session.ended", |e| e["place"]["namespace"] == *place.name);
    assert_eq!(ended["person"]["username"], "alice");
}
