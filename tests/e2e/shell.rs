//! Shells on a terminal, as a person uses them.

use sallyport_tests::pty::Terminal;
use sallyport_tests::{World, seconds};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_shell_is_bash_where_there_is_one,
        a_shell_is_sh_elsewhere,
        the_terminal_keeps_its_size,
        control_c_interrupts_and_control_d_ends,
        a_shell_passes_its_exit_status,
        a_full_screen_passes_through,
        a_shell_without_a_terminal_reads_commands,
    ]
}

fn open(world: &World, target: &str) -> Terminal {
    world.shared_grant();
    let mut shell = world.alice().line(format!("shell -n payments {target}")).terminal();
    shell.expect_prompt(seconds(60));
    shell.send("PS1='at''$ '\r");
    shell.expect("at$ ", seconds(60));
    shell
}

fn a_shell_is_bash_where_there_is_one(world: &World) {
    let mut shell = open(world, "deploy/api");
    shell.send("echo \"<${BASH_VERSION%%.*}>\"; echo \"<$TERM>\"\r");
    shell.expect("<5>", seconds(60));
    shell.expect("<xterm-256color>", seconds(60));
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn a_shell_is_sh_elsewhere(world: &World) {
    let mut shell = open(world, "ash");
    shell.send("echo \"<${BASH_VERSION}>\"; exit 9\r");
    shell.expect("<>", seconds(60));
    assert_eq!(shell.finish(seconds(60)), 9);
}

fn the_terminal_keeps_its_size(world: &World) {
    let mut shell = open(world, "deploy/api");
    shell.send("stty size\r");
    shell.expect("24 80", seconds(60));
    shell.resize(41, 123);
    // A change of size takes its way through the API; it is not answered.
    shell.send("until [ \"$(stty size)\" = '41 123' ]; do sleep 0.1; done; echo res''ized\r");
    shell.expect("resized", seconds(60));
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn control_c_interrupts_and_control_d_ends(world: &World) {
    let mut shell = open(world, "deploy/api");
    shell.send("echo sl''eeps; sleep 300\r");
    shell.expect("sleeps", seconds(60));
    shell.send("\x03");
    shell.expect("at$ ", seconds(60));
    shell.send("echo \"st$?ill\"\r");
    shell.expect("st130ill", seconds(60));
    shell.expect("at$ ", seconds(60));
    shell.send("true\r");
    shell.expect("at$ ", seconds(60));
    shell.send("\x04");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn a_shell_passes_its_exit_status(world: &World) {
    for code in [0, 3, 255] {
        let mut shell = open(world, "sts/postgres");
        shell.send(&format!("exit {code}\r"));
        assert_eq!(shell.finish(seconds(60)), code);
    }
}

fn a_full_screen_passes_through(world: &World) {
    let mut shell = open(world, "deploy/api");
    shell.send("seq 1 20000; echo do''ne\r");
    shell.expect("20000", seconds(60));
    shell.expect("done", seconds(60));
    let shown = shell.screen.text();
    assert!((1..=20_000).all(|n: u32| shown.contains(&format!("{n}\r\n"))), "lines are missing");
    shell.send("exit\r");
    assert_eq!(shell.finish(seconds(60)), 0);
}

fn a_shell_without_a_terminal_reads_commands(world: &World) {
    world.shared_grant();
    let shell =
        world.alice().line("shell -n payments deploy/api").input("echo from a script\nexit 6\n").run();
    shell.exits(6).prints("from a script");
}
