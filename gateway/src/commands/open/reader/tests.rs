use super::*;

const SIZE: Size = Size { columns: 40, rows: 8 };

/// A reader with a time that only goes on when told to.
struct Bench {
    reader: Reader,
    now: Duration,
    passed: Vec<u8>,
}

impl Bench {
    /// A shell that has shown its prompt.
    fn at_prompt(prompt: &str) -> Self {
        let mut bench = Self { reader: Reader::new(SIZE), now: Duration::from_secs(1), passed: Vec::new() };
        bench.shows(prompt);
        bench
    }

    fn shows(&mut self, text: &str) {
        self.now += Duration::from_millis(1);
        self.reader.output(text.as_bytes(), self.now);
    }

    /// Types without any echo, and returns what comes next once nothing passes any more.
    fn types(&mut self, keys: &str) -> Next {
        self.now += Duration::from_millis(1);
        self.reader.input(keys.as_bytes());
        self.next()
    }

    fn next(&mut self) -> Next {
        loop {
            match self.reader.poll(self.now) {
                Next::Pass(bytes) => self.passed.extend(bytes),
                other => return other,
            }
        }
    }

    /// Types with the echo that a terminal gives.
    fn echoed(&mut self, keys: &str) -> Next {
        for c in keys.chars() {
            assert_eq!(self.types(&c.to_string()), Next::Idle, "{c:?} of {keys:?}");
            self.shows(&c.to_string());
        }
        self.types("\r")
    }

    /// Waits as long as the reader wants to.
    fn patiently(&mut self) -> Next {
        loop {
            match self.next() {
                Next::Wait(until) => {
                    assert!(until > self.now, "a wait that is over");
                    self.now = until;
                }
                other => return other,
            }
        }
    }

    /// Lets a line pass, and shows what comes of it.
    fn runs(&mut self, output: &str) {
        let end = self.reader.pass(self.now);
        self.passed.extend(end);
        self.shows(output);
    }
}

fn line(next: Next) -> Line {
    match next {
        Next::Line(line) => line,
        other => panic!("no line: {other:?}"),
    }
}

fn read(next: Next) -> String {
    let line = line(next);
    assert_eq!(line.lost, None, "{line:?}");
    line.text
}

#[test]
fn keys_pass_at_once_and_only_the_end_of_a_line_waits() {
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(read(bench.echoed("ls -l")), "ls -l");
    assert_eq!(bench.passed, b"ls -l");
    bench.runs("\r\ntotal 0\r\n$ ");
    assert_eq!(bench.passed, b"ls -l\r");
    assert_eq!(read(bench.echoed("pwd")), "pwd");
}

#[test]
fn the_end_of_a_line_waits_for_a_slow_echo() {
    let mut bench = Bench::at_prompt("$ ");
    assert!(matches!(bench.types("rm -rf /\r"), Next::Wait(_)));
    assert_eq!(bench.passed, b"rm -rf /");
    bench.shows("rm -r");
    assert!(matches!(bench.next(), Next::Wait(_)));
    bench.shows("f /");
    assert_eq!(read(bench.next()), "rm -rf /");
}

#[test]
fn an_echo_that_hangs_is_not_taken_for_a_hidden_line() {
    for shown in ["", "rm"] {
        let mut bench = Bench::at_prompt("$ ");
        assert!(matches!(bench.types("rm x\r"), Next::Wait(_)));
        bench.shows(shown);
        bench.now += Duration::from_secs(3);
        assert!(matches!(bench.next(), Next::Wait(_)), "{shown:?}");
        bench.shows("rm x".strip_prefix(shown).unwrap());
        assert_eq!(read(bench.next()), "rm x", "{shown:?}");
    }
}

#[test]
fn a_shell_that_echoes_nothing_is_waited_for_once() {
    let mut bench = Bench::at_prompt("$ ");
    let mut waits = Vec::new();
    for _ in 0..2 {
        bench.types("hunter2\r");
        let before = bench.now;
        assert!(line(bench.patiently()).lost.is_some());
        waits.push(bench.now - before);
        bench.runs("\r\n$ ");
    }
    assert!(waits[0] >= SILENCE_IN_ECHO && waits[1] <= SILENCE, "{waits:?}");
    // An echo ends that.
    assert_eq!(read(bench.echoed("stty echo")), "stty echo");
    bench.runs("\r\n$ ");
    bench.types("rm x\r");
    bench.now += SILENCE * 2;
    assert!(matches!(bench.next(), Next::Wait(_)));
}

#[test]
fn a_completed_line_that_stands_there_does_not_wait() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("cat /etc/sha\t");
    bench.shows("cat /etc/shadow ");
    bench.now += QUIET;
    assert_eq!(read(bench.types("\r")), "cat /etc/shadow");
}

#[test]
fn what_is_not_shown_is_never_given_away() {
    for shown in ["", "*******", "••"] {
        let mut bench = Bench::at_prompt("$ ");
        bench.types("hunter2");
        bench.shows(shown);
        bench.types("\r");
        let line = line(bench.patiently());
        assert_eq!((line.text.as_str(), line.or), ("", None), "{shown:?}");
        assert!(line.lost.is_some());
    }
    // In part, it is what is shown that is told.
    let mut bench = Bench::at_prompt("$ ");
    bench.types("hunter2");
    bench.shows("hu");
    bench.types("\r");
    let line = line(bench.patiently());
    assert_eq!((line.text.as_str(), line.or), ("hu", None));
    assert!(line.lost.is_some());
}

#[test]
fn a_password_asked_for_by_a_program_passes_at_once_and_leaves_nothing() {
    let mut bench = Bench::at_prompt("$ ");
    bench.echoed("sudo ls");
    bench.runs("\r\n[sudo] password for alice: ");
    bench.now += ASKING;
    assert_eq!(bench.types("hunter2"), Next::Idle);
    assert_eq!(bench.types("\r"), Next::Idle);
    assert_eq!(bench.passed, b"sudo ls\rhunter2\r");
    bench.shows("\r\nfile\r\n$ ");
    assert_eq!(bench.reader.next_notice(), None);
}

#[test]
fn input_of_a_program_is_noted_as_its_echo_shows_it() {
    let mut bench = Bench::at_prompt("$ ");
    bench.echoed("python3");
    bench.runs("\r\nPython 3.13\r\n>>> ");
    bench.now += ASKING;
    assert_eq!(bench.echoed("import os"), Next::Idle);
    bench.shows("\r\n>>> ");
    assert_eq!(bench.reader.next_notice(), Some(Noticed::Program("import os".to_owned())));
    // And the shell's own prompt is known again.
    assert_eq!(bench.echoed("exit()"), Next::Idle);
    bench.shows("\r\n$ ");
    assert_eq!(read(bench.echoed("ls")), "ls");
}

#[test]
fn a_line_that_the_shell_takes_after_it_was_typed_ahead_is_noticed() {
    let mut bench = Bench::at_prompt("$ ");
    bench.echoed("sleep 9");
    bench.runs("\r\n");
    bench.now += START;
    assert_eq!(bench.echoed("rm -rf /"), Next::Idle);
    bench.shows("\r\n");
    assert_eq!(bench.reader.next_notice(), Some(Noticed::Program("rm -rf /".to_owned())));
    bench.shows("$ rm -rf /\r\n");
    assert_eq!(bench.reader.next_notice(), Some(Noticed::Ahead("rm -rf /".to_owned())));
}

#[test]
fn a_burst_is_cut_at_each_line_and_waits_for_the_prompt() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("ls\rrm x\rpwd\r");
    assert_eq!(bench.passed, b"ls");
    bench.shows("ls");
    assert_eq!(read(bench.next()), "ls");
    bench.runs("\r\n");
    assert!(matches!(bench.next(), Next::Wait(_)));
    assert_eq!(bench.passed, b"ls\r");
    bench.shows("a b\r\n$ ");
    assert!(matches!(bench.next(), Next::Wait(_)));
    assert_eq!(bench.passed, b"ls\rrm x");
    bench.shows("rm x");
    assert_eq!(read(bench.next()), "rm x");
    // A line that may not run takes the rest with it.
    assert_eq!(bench.reader.wipe(bench.now), Wipe { first: None, then: 0x03 });
    assert_eq!(bench.next(), Next::Idle);
    bench.shows("^C\r\n$ ");
    assert_eq!(read(bench.echoed("true")), "true");
    assert_eq!(bench.passed, b"ls\rrm xtrue");
}

#[test]
fn pasted_line_ends_are_line_breaks_only_where_brackets_were_asked_for() {
    let mut bench = Bench::at_prompt("\x1b[?2004h$ ");
    assert_eq!(bench.types("\x1b[200~ls\rpwd\x1b[201~"), Next::Idle);
    assert_eq!(bench.passed, b"\x1b[200~ls\rpwd\x1b[201~");
    bench.shows("ls\r\npwd");
    assert_eq!(read(bench.types("\r")), "ls\npwd");

    let mut bench = Bench::at_prompt("\x1b[?2004h\x1b[?2004l$ ");
    bench.types("\x1b[200~ls\rpwd\x1b[201~");
    assert_eq!(bench.passed, b"ls");
}

#[test]
fn a_search_through_the_history_is_read() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("\x12");
    bench.shows("\r(reverse-i-search)`': ");
    bench.types("rm");
    bench.shows("\x08\x08\x08rm': rm -rf /srv\x1b[7D");
    bench.types("\r");
    assert_eq!(read(bench.patiently()), "rm -rf /srv");
    assert_eq!(search_line("(reverse-i-search)`': ': ls': "), Some(("", "': ls': ")));
    assert_eq!(search_line("(failed reverse-i-search)`zz': ls"), Some(("zz", "ls")));
    assert_eq!(search_line("(reverse-i-search)`':"), Some(("", "")));
    assert_eq!(search_line("(a)`b': c"), None);
}

#[test]
fn recalled_and_completed_lines_are_read_from_the_screen() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("\x1b[A");
    bench.shows("rm -rf /srv");
    bench.types("\r");
    assert_eq!(read(bench.patiently()), "rm -rf /srv");

    let mut bench = Bench::at_prompt("$ ");
    bench.types("cat /etc/sha\t");
    bench.shows("cat /etc/shadow ");
    bench.types("\r");
    assert_eq!(read(bench.patiently()), "cat /etc/shadow");

    // Also what stands right of the cursor.
    let mut bench = Bench::at_prompt("$ ");
    bench.types("f /\x01rm -r");
    bench.shows("f /\r$ rm -rf /\x08\x08\x08");
    assert_eq!(read(bench.types("\r")), "rm -rf /");
}

#[test]
fn lines_that_wrap_and_wide_characters_are_read() {
    let long = format!("echo {}", "漢字x".repeat(20));
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(read(bench.echoed(&long)), long);
    bench.runs("\r\n$ ");
    // From the screen alone.
    bench.types("\x1b[A");
    bench.shows(&long);
    bench.types("\r");
    assert_eq!(read(bench.patiently()), long);
}

#[test]
fn a_command_over_several_lines_is_read_as_one() {
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(read(bench.echoed("for f in a b")), "for f in a b");
    bench.runs("\r\n> ");
    assert_eq!(read(bench.echoed("do rm $f")), "for f in a b\ndo rm $f");
    bench.runs("\r\n> ");
    assert_eq!(read(bench.echoed("done")), "for f in a b\ndo rm $f\ndone");
    bench.runs("\r\n$ ");
    assert_eq!(read(bench.echoed("ls")), "ls");
}

#[test]
fn a_prompt_that_changes_is_learned() {
    let mut bench = Bench::at_prompt("root@pod:/# ");
    bench.echoed("cd /tmp");
    bench.runs("\r\nroot@pod:/tmp# ");
    assert_eq!(read(bench.echoed("PS1='new> '")), "PS1='new> '");
    bench.runs("\r\nnew> ");
    assert_eq!(read(bench.echoed("rm x")), "rm x");
    bench.runs("\r\nnew> ");
    assert_eq!(read(bench.echoed("PS1=")), "PS1=");
    bench.runs("\r\n");
    bench.now += START;
    assert_eq!(read(bench.echoed("rm y")), "rm y");
}

#[test]
fn a_line_that_ctrl_c_left_standing_is_still_read() {
    let mut bench = Bench::at_prompt("$ ");
    for c in "rm -rf /".chars() {
        bench.types(&c.to_string());
        bench.shows(&c.to_string());
    }
    bench.types("\x03");
    bench.now += AFTER_INTERRUPT;
    bench.types("\r");
    assert_eq!(read(bench.patiently()), "rm -rf /");
}

#[test]
fn what_ran_is_compared_with_what_was_read() {
    let mut bench = Bench::at_prompt("$ ");
    bench.echoed("ls");
    bench.runs(" /etc/shadow\r\n$ ");
    let changed = Noticed::Changed { read: "ls".to_owned(), ran: "ls /etc/shadow".to_owned() };
    assert_eq!(bench.reader.next_notice(), Some(changed));
    bench.echoed("ls");
    bench.runs("\r\n$ ");
    assert_eq!(bench.reader.next_notice(), None);
}

#[test]
fn characters_that_are_not_seen_are_judged_as_they_were_typed() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("r\0m\u{200f} x");
    bench.shows("r^@m x");
    bench.types("\r");
    let line = line(bench.patiently());
    assert_eq!(line.or.as_deref(), Some("rm\u{200f} x"));
    assert_eq!(line.text, "r^@m x");
}

#[test]
fn a_shell_in_tmux_is_read_and_an_editor_is_left_alone() {
    let mut bench = Bench::at_prompt("$ ");
    bench.echoed("tmux");
    bench.runs("\r\n\x1b[?1049h\x1b[H\x1b[2Jabc│$ ");
    assert_eq!(read(bench.echoed("rm x")), "rm x");
    bench.reader.pass(bench.now);
    bench.shows("\x1b[2J\x1b[3;1H-- INSERT --\x1b[1;1H");
    assert_eq!(bench.echoed("rm x"), Next::Idle);
    assert_eq!(bench.reader.next_notice(), None);
}

#[test]
fn ctrl_c_overtakes_what_waits() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("ls\rpwd\rid\r");
    assert_eq!(bench.types("\x03"), Next::Idle);
    assert_eq!(bench.passed, b"ls\x03");
    bench.shows("ls^C\r\n$ ");
    assert_eq!(read(bench.echoed("true")), "true");
    // While a line is judged it means giving up.
    assert_eq!(bench.types("\x03"), Next::Idle);
    assert!(bench.reader.gave_up());
}

mod hostile;

#[test]
fn a_prompt_that_comes_after_what_is_typed_is_still_a_prompt() {
    // The shell's output hangs behind a whole line, or in the middle of one; what is typed meanwhile is the shell's.
    for (before, after) in [("\r\n", "$ "), ("\r\nmark", "\r\n$ "), ("\r\nmark\r\n", "$ ")] {
        let mut bench = Bench::at_prompt("$ ");
        assert_eq!(read(bench.echoed("echo mark")), "echo mark");
        bench.runs(before);
        bench.now += Duration::from_secs(1);
        assert!(matches!(bench.types("/bin/uname\r"), Next::Wait(_)), "{before:?}");
        assert_eq!(bench.passed, b"echo mark\r/bin/uname", "{before:?}");
        bench.shows(after);
        bench.shows("/bin/uname");
        assert_eq!(read(bench.next()), "/bin/uname", "{before:?}");
    }
}

#[test]
fn a_programs_first_line_waits_for_its_echo_and_the_others_do_not() {
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(read(bench.echoed("cat")), "cat");
    bench.runs("\r\n");
    bench.now += Duration::from_secs(1);
    assert!(matches!(bench.types("uname\r"), Next::Wait(_)));
    bench.shows("uname");
    assert_eq!(bench.next(), Next::Idle);
    bench.shows("\r\nuname\r\n");
    assert_eq!(bench.types("id\r"), Next::Idle);
    assert_eq!(bench.passed, b"cat\runame\rid\r");
    // Ctrl-D may have ended it, and the prompt may be late.
    bench.shows("id\r\nid\r\n");
    bench.types("\x04");
    assert!(matches!(bench.types("forbidden\r"), Next::Wait(_)));
    bench.shows("$ forbidden");
    assert_eq!(read(bench.next()), "forbidden");
    // Without an echo it goes when nothing comes: a password is typed.
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(read(bench.echoed("login")), "login");
    bench.runs("\r\nWho goes there");
    bench.now += Duration::from_secs(1);
    assert!(matches!(bench.types("hunter2\r"), Next::Wait(_)));
    assert_eq!(bench.patiently(), Next::Idle);
    assert_eq!(bench.passed, b"login\rhunter2\r");
    assert_eq!(bench.reader.next_notice(), None);
}
