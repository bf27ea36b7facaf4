use proptest::prelude::*;

use super::*;

const SIZE: Size = Size { columns: 40, rows: 8 };

/// A watcher with a time that only goes on when told to.
struct Bench {
    watcher: Watcher,
    now: Duration,
}

impl Bench {
    /// A shell that has shown its prompt.
    fn at_prompt(prompt: &str) -> Self {
        let mut bench = Self { watcher: Watcher::new(SIZE), now: Duration::from_secs(1) };
        bench.shows(prompt);
        bench
    }

    fn shows(&mut self, text: &str) -> &mut Self {
        self.now += Duration::from_millis(1);
        self.watcher.output(text.as_bytes(), self.now);
        self
    }

    fn types(&mut self, keys: &str) -> &mut Self {
        self.now += Duration::from_millis(1);
        self.watcher.input(keys.as_bytes(), self.now);
        self
    }

    fn waits(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// Types a line with the echo that a terminal gives, and shows what comes of it.
    fn runs(&mut self, line: &str, output: &str) -> &mut Self {
        for c in line.chars() {
            self.types(&c.to_string()).shows(&c.to_string());
        }
        self.types("\r").shows(&format!("\r\n{output}"))
    }

    fn seen(&mut self) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Some(seen) = self.watcher.seen().cloned() {
            all.push(seen);
            self.watcher.noted();
        }
        all
    }

    fn finished(&mut self) -> Vec<Seen> {
        self.watcher.finish();
        self.seen()
    }
}

fn line(text: &str) -> Seen {
    Seen::Line(text.to_owned())
}

fn program(text: &str) -> Seen {
    Seen::Program(text.to_owned())
}

fn ahead(text: &str) -> Seen {
    Seen::Ahead(text.to_owned())
}

fn lost(seen: &[Seen]) -> Vec<&str> {
    seen.iter().filter_map(|one| if let Seen::Lost { why, .. } = one { Some(*why) } else { None }).collect()
}

#[test]
fn a_line_is_seen_when_its_row_is_left_and_not_before() {
    let mut bench = Bench::at_prompt("$ ");
    for c in "ls  -l".chars() {
        bench.types(&c.to_string()).shows(&c.to_string());
    }
    bench.types("\r");
    assert_eq!(bench.seen(), []);
    bench.shows("\r\ntotal 0\r\n$ ");
    assert_eq!(bench.seen(), [line("ls  -l")]);
    bench.runs("pwd", "/\r\n$ ");
    assert_eq!(bench.seen(), [line("pwd")]);
    bench.types("\r").shows("\r\n$ ");
    assert_eq!(bench.finished(), []);
}

#[test]
fn an_echo_that_comes_late_is_waited_for_by_nobody_and_read_all_the_same() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("rm -rf /\r").waits(ECHO * 3).shows("rm -r").waits(ECHO * 3).shows("f /");
    assert_eq!(bench.seen(), []);
    bench.shows("\r\n$ ");
    assert_eq!(bench.seen(), [line("rm -rf /")]);
}

#[test]
fn what_the_shell_makes_of_keys_is_read_and_not_the_keys() {
    let mut bench = Bench::at_prompt("$ ");
    bench.runs("ls /tmp", "$ ");
    // A line from the history, and one that was completed.
    bench.types("\x1b[A").shows("ls /tmp").types("\r").shows("\r\n$ ");
    bench.types("cat fo\t").shows("cat foo.txt ").types("\r").shows("\r\n$ ");
    assert_eq!(bench.seen(), [line("ls /tmp"), line("ls /tmp"), line("cat foo.txt")]);
    // A row that did not show what the last keys did, and one that did when it was left.
    bench.types("m x").shows("m x").types("\x01r\r").shows("\r\n$ ");
    let seen = bench.seen();
    assert_eq!((seen.first(), lost(&seen)), (Some(&line("m x")), vec![HASTY]));
    bench.types("m x").shows("m x").types("\x01r\r").shows("\r$ rm x\r\n$ ");
    assert_eq!(bench.seen(), [line("rm x")]);
    bench.types("\x1b[A\r").shows("rm x\r\n$ ");
    assert_eq!(bench.seen(), [line("rm x")]);
    // One that was given up.
    bench.types("rm x").shows("rm x").types("\x03").shows("^C\r\n$ ").runs("id", "$ ");
    assert_eq!(bench.finished(), [line("id")]);
}

#[test]
fn what_no_row_has_shown_is_forgotten_after_a_while_and_still_read_where_one_comes() {
    let mut bench = Bench::at_prompt("$ ");
    assert_eq!(bench.watcher.forgets(), None);
    // Typed at a program that has said nothing yet and shows nothing.
    bench.runs("login", "").types("hunter2\r").types("hunter3\r");
    let ended = bench.now;
    let typed = |bench: &Bench| bench.watcher.rows.known();
    assert_eq!(typed(&bench), ["hunter2", "hunter3"]);
    let first = ended - Duration::from_millis(1) + KEPT;
    assert_eq!(bench.watcher.forgets(), Some(first));
    bench.watcher.forget(first);
    assert_eq!((typed(&bench), bench.watcher.forgets()), (vec!["hunter3".to_owned()], Some(ended + KEPT)));
    bench.watcher.forget(ended + KEPT);
    assert_eq!((typed(&bench), bench.watcher.forgets()), (Vec::new(), None));
    // The echo of a line comes very late: its row is read all the same.
    let mut bench = Bench::at_prompt("$ ");
    bench.runs("id", "$ ").types("rm -rf /\r").waits(KEPT);
    bench.watcher.forget(bench.now);
    bench.shows("rm -rf /\r\n$ ").runs("ls", "$ ");
    assert_eq!(bench.finished(), [line("id"), line("rm -rf /"), line("ls")]);
}

#[test]
fn a_command_that_never_ends_is_not_read_anew_for_ever() {
    let mut bench = Bench::at_prompt("$ ");
    for _ in 0..600 {
        bench.runs("(", "> ");
    }
    let longest = bench.finished().into_iter().filter_map(|seen| match seen {
        Seen::Line(text) => Some(text.lines().count()),
        _ => None,
    });
    assert_eq!(longest.max(), Some(MOST_JOINED + 1));
}

#[test]
fn what_is_not_shown_is_never_told() {
    for shown in ["", "*******", "••"] {
        let mut bench = Bench::at_prompt("$ ");
        bench.runs("ls", "$ ").seen();
        bench.types("hunter2").shows(shown).types("\r").shows("\r\n$ ").waits(ECHO);
        bench.runs("id", "$ ");
        let seen = bench.finished();
        assert!(!format!("{seen:?}").contains("hunter2"), "{shown:?} {seen:?}");
        assert_eq!(lost(&seen).len(), 1, "{shown:?} {seen:?}");
        assert_eq!(seen.last(), Some(&line("id")), "{shown:?} {seen:?}");
    }
}

#[test]
fn a_password_that_a_program_asks_for_leaves_nothing_at_all() {
    for ended in ["\r\n", ""] {
        let mut bench = Bench::at_prompt("$ ");
        bench.runs("sudo ls", "[sudo] password for alice: ").waits(START).seen();
        bench.types("hunter2\r").shows(ended).shows("a\r\n$ ").waits(ECHO);
        bench.runs("id", "$ ");
        assert_eq!(bench.finished(), [line("id")], "{ended:?}");
    }
    // The prompt comes on the same row.
    let mut bench = Bench::at_prompt("me$ ");
    bench.runs("read -sp 'Pass: ' x", "Pass: ").waits(START).seen();
    bench.types("hunter2\r").shows("me$ ").waits(ECHO);
    bench.runs("id", "me$ ");
    assert_eq!(bench.finished(), [line("id")]);
    // Somebody who is quicker than the echo.
    let mut bench = Bench::at_prompt("me$ ");
    bench.runs("read -sp 'Pass: ' x", "Pass: ").seen();
    bench.types("hunter2\rid\r").shows("me$ id\r\n");
    let seen = bench.finished();
    assert!(!format!("{seen:?}").contains("hunter2") && seen.contains(&line("id")), "{seen:?}");
}

#[test]
fn lines_into_a_program_are_told_apart_and_those_that_the_shell_takes_later_are_lines() {
    let mut bench = Bench::at_prompt("$ ");
    bench.runs("cat > file", "").waits(START).runs("some words", "").runs("ls", "");
    assert_eq!(bench.seen(), [line("cat > file"), program("some words"), program("ls")]);
    // cat has ended without having read the last one, and the shell shows it again.
    bench.shows("$ ls\r\nfile\r\n$ ");
    assert_eq!(bench.seen(), [line("ls")]);
    bench.runs("psql", "db=> ").waits(START).runs("select 1;", "1\r\ndb=> ").runs("\\q", "$ ");
    assert_eq!(bench.seen(), [line("psql"), program("select 1;"), program("\\q")]);
    bench.runs("id", "$ ");
    assert_eq!(bench.finished(), [line("id")]);
}

#[test]
fn what_is_typed_ahead_is_told_as_that_or_where_the_shell_shows_it() {
    // A terminal's own echo, at once.
    let mut bench = Bench::at_prompt("$ ");
    bench.types("ls\rpwd\rid\r").shows("ls\r\npwd\r\nid\r\na b\r\n$ /\r\n$ me\r\n$ ");
    assert_eq!(bench.seen(), [line("ls"), ahead("pwd"), ahead("id")]);
    // An editor's, behind each prompt.
    let mut bench = Bench::at_prompt("$ ");
    bench.types("ls\rpwd\rid\r").shows("ls\r\na b\r\n$ pwd\r\n/\r\n$ id\r\nme\r\n$ ");
    assert_eq!(bench.finished(), [line("ls"), line("pwd"), line("id")]);
    // Before the shell has started.
    let mut bench = Bench { watcher: Watcher::new(SIZE), now: Duration::ZERO };
    bench.types("ls\r").shows("me@pod:/# ls\r\na\r\nme@pod:/# ").waits(START).runs("id", "");
    assert_eq!(bench.finished(), [line("ls"), line("id")]);
}

#[test]
fn a_command_over_several_lines_is_one() {
    for (between, typed) in [("> ", false), ("> ", true), ("", true)] {
        let mut bench = Bench::at_prompt("$ ");
        if typed {
            bench.types("for f in a\rdo rm $f\rdone\r");
            bench.shows(&format!("for f in a\r\n{between}do rm $f\r\n{between}done\r\n$ "));
        } else {
            bench.runs("for f in a", "> ").runs("do rm $f", "> ").runs("done", "$ ");
        }
        assert_eq!(bench.seen(), [line("for f in a\ndo rm $f\ndone")], "{between:?} {typed}");
        bench.waits(START).runs("id", "$ ");
        assert_eq!(bench.seen(), [line("id")]);
    }
    // Given up, it does not run; what follows a text for a program is the program's.
    let mut bench = Bench::at_prompt("$ ");
    bench.runs("for f in a", "> ").types("\x03").shows("^C\r\n$ ").runs("id", "$ ");
    assert_eq!(bench.seen(), [line("id")]);
    bench.runs("cat <<E", "> ").runs("words", "> ").runs("E", "words\r\n$ ").runs("id", "$ ");
    assert_eq!(bench.finished(), [line("cat <<E"), program("words"), program("E"), line("id")]);
}

#[test]
fn a_paste_in_brackets_is_one_line() {
    let mut bench = Bench::at_prompt("\x1b[?2004h$ ");
    bench.types("\x1b[200~ls\rpwd\x1b[201~").shows("ls\r\npwd").types("\r");
    bench.shows("\r\n\x1b[?2004l\ra\r\n/\r\n\x1b[?2004h$ ");
    assert_eq!(bench.seen(), [line("ls\npwd")]);
    // With its end, before anything was shown.
    bench.types("\x1b[200~ls\rid\x1b[201~\r").shows("ls\r\nid\r\n\x1b[?2004l\r$ ");
    assert_eq!(bench.finished(), [line("ls\nid")]);
}

#[test]
fn long_lines_that_wrap_are_whole() {
    let mut bench = Bench::at_prompt("$ ");
    let long = format!("echo {}", "word ".repeat(20));
    bench.runs(long.trim_end(), "$ ").types("\x1b[A").shows(long.trim_end()).types("\r").shows("\r\n");
    assert_eq!(bench.finished(), [line(long.trim_end()), line(long.trim_end())]);
}

#[test]
fn a_prompt_that_changes_is_learned() {
    let mut bench = Bench::at_prompt("root@pod:/# ");
    bench.runs("cd /tmp", "root@pod:/tmp# ").runs("PS1='new> '", "new> ").runs("rm x", "new> ");
    bench.runs("PS1=", "").waits(START).runs("rm y", "").waits(START).runs("id", "");
    let lines = ["cd /tmp", "PS1='new> '", "rm x", "PS1=", "rm y", "id"];
    assert_eq!(bench.finished(), lines.map(line));
}

#[test]
fn a_row_that_others_write_on_is_told_as_it_was_shown() {
    let mut bench = Bench::at_prompt("$ ");
    bench.types("rm fo").shows("rm fo").shows("noise\r\n").types("o\r").shows("o\r\n$ ").waits(ECHO);
    bench.runs("id", "$ ");
    let seen = bench.finished();
    assert_eq!((lost(&seen).len(), seen.last()), (1, Some(&line("id"))), "{seen:?}");
    // What some shells show at the right is not typed.
    let mut bench = Bench::at_prompt("$ ");
    bench.types("ls").shows("ls             12:00").types("\r").shows("\r\n$ ");
    assert_eq!(bench.finished(), [line("ls")]);
}

#[test]
fn full_screen_programs_keep_their_keys_and_a_shell_in_tmux_is_read() {
    let mut bench = Bench::at_prompt("me$ ");
    bench.runs("vi x", "\x1b[?1049h\x1b[2J\x1b[H").seen();
    bench.types("isome words\rmore").shows("some words\r\nmore").types("\x1b:q!\r");
    bench.shows("\x1b[?1049lme$ ").runs("id", "me$ ");
    assert_eq!(bench.seen(), [line("id")]);
    bench.runs("less x", "\x1b[?1049h\x1b[2J\x1b[Htext").types("q").shows("\x1b[?1049lme$ ");
    bench.runs("id", "me$ ");
    assert_eq!(bench.seen(), [line("less x"), line("id")]);
    bench.runs("tmux", "\x1b[?1049h\x1b[2J\x1b[Hme$ ").seen();
    bench.types("rm x").shows("rm x").types("\r");
    assert_eq!(bench.finished(), [line("rm x")]);
}

#[test]
fn a_flood_after_a_line_is_looked_at_no_longer() {
    let mut bench = Bench::at_prompt("$ ");
    bench.runs("seq 1 1000000", "");
    assert!(!bench.watcher.rows.wants());
    // What was typed and is never shown is looked for within bounds.
    bench.types("hunter2\r");
    assert!(bench.watcher.rows.wants());
    for _ in 0..5 {
        bench.shows(&"1\r\n".repeat(1000));
    }
    assert!(!bench.watcher.rows.wants());
    let seen = bench.finished();
    assert!(seen.contains(&line("seq 1 1000000")) && lost(&seen).len() == 1, "{seen:?}");
}

#[test]
fn what_waits_is_bounded() {
    let mut bench = Bench::at_prompt("$ ");
    for _ in 0..40 {
        bench.types(&"echo some words\r".repeat(1000));
        assert!(bench.watcher.kept() < 1024 * 1024, "{}", bench.watcher.kept());
    }
    bench.types(&"x".repeat(1024 * 1024));
    assert!(bench.watcher.kept() < 1024 * 1024);
    let more = "more was typed ahead than is followed";
    let said = |seen: &[Seen]| lost(seen).iter().filter(|why| **why == more).count();
    assert_eq!(said(&bench.seen()), 1, "once for all of it");
    bench.types("x\r");
    assert_eq!(said(&bench.seen()), 0);
    bench.watcher.overrun();
    assert_eq!(lost(&bench.seen()), ["more was typed at once than is followed"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_nothing_breaks_and_nothing_is_told_that_was_not_shown(
        data in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        fuzz(&data);
    }

    #[test]
    fn nor_with_what_people_and_shells_send(
        pieces in proptest::collection::vec((0_u8..8, 0_usize..12), 0..60),
    ) {
        const KEYS: [&str; 12] = [
            "ls\r", "x", "\r", "\x03", "\x1b[A", "\x7f", "\x15", "secret\r", "\x04", "\x1b[200~a\rb\x1b[201~",
            "cat <<E\r", "for f in a\r",
        ];
        const SHOWS: [&str; 12] = [
            "$ ", "ls", "\r\n", "> ", "x", "\x1b[?1049h", "\x1b[?1049l", "\x1b[?2004h", "\x1b[2J\x1b[H",
            "Password: ", "\x1b[5A", "db=# ",
        ];
        let mut data = Vec::new();
        for (kind, which) in pieces {
            let (kind, text) = if kind % 2 == 0 { (kind * 4 + 3, KEYS[which]) } else { (kind * 4, SHOWS[which]) };
            data.extend([kind, u8::try_from(text.len()).unwrap()]);
            data.extend(text.as_bytes());
        }
        fuzz(&data);
    }
}
