//! Programs in the foreground, passwords, and screens that try to mislead.

use super::*;

fn inputs(me: &Person) -> Vec<String> {
    let notes = me.book.notes.lock().unwrap();
    notes.iter().filter(|(_, _, rule)| rule == "input to a program").map(|(line, ..)| line.clone()).collect()
}

#[tokio::test]
async fn a_password_is_never_captured() {
    for which in [Which::Bash, Which::Dash] {
        let Some(mut me) = Person::at(which).await else { continue };
        let ask = match which {
            Which::Bash => "read -s -p 'Pass''word: ' x",
            _ => "stty -echo; printf 'Pass''word: '; read x; stty echo",
        };
        me.runs(ask, "Password: ").await;
        let before = me.through().len();
        me.types("hunter2").await;
        me.types("\r").await;
        me.sees("me$ ").await;
        assert_eq!(me.through().split_off(before), "hunter2\r", "{which:?}");
        me.runs("echo got=$x", "got=hunter2").await;
        let kept = format!("{:?}{:?}", me.book.notes.lock().unwrap(), me.remarks());
        assert!(!kept.contains("hunter2"), "{which:?} {kept}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn stars_instead_of_a_password_are_not_captured() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.runs(
        "f() { while IFS= read -rsn1 c && [ \"$c\" ]; do printf '*'; done; }; printf 'PI''N: '; f",
        "PIN: ",
    )
    .await;
    for c in ["1", "2", "3"] {
        me.types(c).await;
        me.sees("*").await;
    }
    me.runs("", "me$ ").await;
    let kept = format!("{:?}{:?}", me.book.notes.lock().unwrap(), me.remarks());
    assert!(!kept.contains("123") && !kept.contains("***"), "{kept}");
}

#[tokio::test]
async fn what_is_typed_into_a_program_is_noted_and_not_judged() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        // From there on the terminal is the program's, whenever it starts.
        me.runs("echo st''arts; cat > file", "starts\r\n").await;
        me.runs("forbidden words", "\r\n").await;
        me.runs("more", "\r\n").await;
        me.types("\x04").await;
        me.sees("me$ ").await;
        me.runs("cat file", "forbidden words\r\nmore\r\n").await;
        assert_eq!(inputs(&me), ["forbidden words", "more"], "{which:?}");
        assert_eq!(me.lines(), ["echo st''arts; cat > file", "cat file"], "{which:?}");
        assert_eq!(me.denied(), [""; 0]);
        me.sees("me$ ").await;
        me.runs("echo forbidden", "was not run").await;
    }
}

#[tokio::test]
async fn a_program_with_a_prompt_of_its_own_is_not_the_shell() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    let repl = "while read -e -p '>>''> ' x; do [ \"$x\" = exit ] && break; echo \"[$x]\"; done";
    me.runs(repl, ">>> ").await;
    me.runs("forbidden(1)", "[forbidden(1)]").await;
    me.sees(">>> ").await;
    me.runs("exit", "me$ ").await;
    me.runs("echo forbidden", "was not run").await;
    assert_eq!(me.denied(), ["echo forbidden"]);
    assert!(inputs(&me).contains(&"forbidden(1)".to_owned()), "{:?}", inputs(&me));
}

#[tokio::test]
async fn a_full_screen_program_is_left_alone_and_the_shell_is_read_again() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("printf '\\033[?1049h\\033[2J\\033[HEDITOR'; read x; printf '\\033[?1049l'", "EDITOR").await;
        me.types("forbidden\r").await;
        me.sees("\x1b[?1049l").await;
        me.sees("me$ ").await;
        me.runs("echo forbidden", "was not run").await;
        assert_eq!(me.denied(), ["echo forbidden"], "{which:?}");
    }
}

#[tokio::test]
async fn a_shell_in_tmux_is_read() {
    if std::process::Command::new("tmux").arg("-V").output().is_err() {
        return;
    }
    let start =
        Start { environment: vec![("TMUX_TMPDIR", "/tmp"), ("SHELL", "/bin/sh")], ..Start::default() };
    let Some(mut me) = Person::start(Which::Bash, start).await else { return };
    let socket =
        format!("open-{}-{}", std::process::id(), me.dir.path().file_name().unwrap().to_string_lossy());
    me.runs(&format!("tmux -L {socket} -f /dev/null new 'PS1=\"me$ \" dash -i'"), "\x1b[?1049h").await;
    me.sees("me$ ").await;
    me.types("touch fine\r").await;
    me.until("the first line ran", |me| me.made("fine")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    me.types("touch forbidden\r").await;
    me.sees("was not run").await;
    me.types("exit\r").await;
    me.sees("\x1b[?1049l").await;
    assert!(!me.made("forbidden"));
    assert_eq!(me.denied(), ["touch forbidden"]);
}

#[tokio::test]
async fn output_that_misleads_emulators_does_not_switch_the_reader_off() {
    // What switched other readers off: a zmodem header, cursor reports, what looks like entering vi, NUL, broken UTF-8,
    // marks that turn the reading direction, titles, character sets, and sequences that never end.
    let outputs = [
        "**\\030B00000000000000\\r\\n",
        "\\033[6n",
        "\\033[24;80R",
        "\\033[?1049h\\033[?1049l",
        "\\033[?1h\\033=\\033[?2004h\\033[?2004l",
        "\\033]0;root@pod:/# \\007",
        "\\0\\0\\0",
        "\\300\\257\\340\\200\\257\\n",
        "\\342\\200\\217\\342\\200\\256x\\n",
        "\\033(0\\033(B",
        "\\033[8;1;1t",
        "\\033[2;5r\\033[r\\n",
        "\\033[?25l\\033[?25h",
        "\\033Pq\\033\\\\",
        "\\033[999;999H\\n",
        "\\033[2J\\033[H",
    ];
    for which in ALL {
        for output in outputs {
            let Some(mut me) = Person::at(which).await else { continue };
            me.runs(&format!("printf '{output}E''ND\\n'"), "END").await;
            me.sees("me$ ").await;
            me.runs("touch forbidden", "was not run").await;
            assert!(!me.made("forbidden"), "{which:?} {output}");
        }
    }
}

#[tokio::test]
async fn keys_that_are_not_seen_do_not_hide_a_word() {
    for which in ALL {
        for keys in [
            "touch for\0bidden",
            "touch forbid\u{200b}\x7fden",
            "touch for\x1b[5;5Rbidden",
            "touch \u{202e}forbidden",
        ] {
            let Some(mut me) = Person::at(which).await else { continue };
            me.types(keys).await;
            me.types("\r").await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            me.types("\x03").await;
            assert!(!me.made("forbidden"), "{which:?} {keys:?} {:?}", me.screen());
        }
    }
}

#[tokio::test]
async fn a_flood_passes_and_the_prompt_behind_it_is_known() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("seq 1 100000; echo e''nd", "end\r\n").await;
        me.sees("me$ ").await;
        me.runs("touch forbidden", "was not run").await;
        assert!(!me.made("forbidden"), "{which:?}");
    }
}

#[tokio::test]
async fn a_program_that_prints_while_somebody_types_is_noticed() {
    for which in [Which::Bash, Which::Dash] {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("(until [ -e go ]; do sleep 0.1; done; echo noise) &", "me$ ").await;
        me.types("touch forb").await;
        me.sees("touch forb").await;
        std::fs::write(me.dir.path().join("go"), "").expect("a file");
        me.sees("noise").await;
        me.types("idden\r").await;
        me.sees("was not run").await;
        assert!(!me.made("forbidden"), "{which:?}");
        assert!(
            me.remarks().iter().any(|remark| remark.starts_with("lost track")),
            "{which:?} {:?}",
            me.remarks()
        );
    }
}
