//! What is typed at a shell's prompt is what is read.

use super::*;

#[tokio::test]
async fn typed_lines_are_read_run_and_on_record() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("echo o''ne", "one\r\n").await;
        me.sees("me$ ").await;
        me.runs("echo t''wo", "two\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne", "echo t''wo"], "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
        assert!(
            me.screen().starts_with("sallyport: what you type here is read from the screen"),
            "{}",
            me.screen()
        );
    }
}

#[tokio::test]
async fn editing_keys_are_read_from_the_screen() {
    // Backspace, and Ctrl-U, everywhere.
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.types("ecko\x7f\x7fho x\x15").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne"], "{which:?}");
    }
    // Moving about, where the shell lets one.
    for which in [Which::Bash, Which::Ash] {
        let Some(mut me) = Person::at(which).await else { continue };
        me.types("o o''ne\x01ech\x05 t''wo\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[C").await;
        me.runs("", "one two\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne t''wo"], "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn recalled_lines_are_read() {
    for which in [Which::Bash, Which::Ash] {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("echo o''ne", "one\r\n").await;
        me.sees("me$ ").await;
        me.runs("echo t''wo", "two\r\n").await;
        me.sees("me$ ").await;
        me.types("\x1b[A").await;
        me.types("\x1b[A").await;
        me.sees("ne").await;
        me.runs("", "one\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne", "echo t''wo", "echo o''ne"], "{which:?}");
    }
}

#[tokio::test]
async fn a_search_through_the_history_is_read() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.runs("echo o''ne", "one\r\n").await;
    me.sees("me$ ").await;
    me.runs("true", "me$ ").await;
    me.types("\x12").await;
    me.types("ec").await;
    me.runs("", "one\r\n").await;
    assert_eq!(me.lines(), ["echo o''ne", "true", "echo o''ne"]);
    assert_eq!(me.remarks(), [""; 0]);
}

#[tokio::test]
async fn completed_lines_are_read() {
    for which in [Which::Bash, Which::Ash] {
        let Some(mut me) = Person::at(which).await else { continue };
        std::fs::write(me.dir.path().join("forbidden-file"), "within").expect("a file");
        me.types("cat forb\t").await;
        me.types("\r").await;
        me.sees("was not run").await;
        assert_eq!(me.denied(), ["cat forbidden-file"], "{which:?}");
        assert!(!me.screen().contains("within"));
    }
}

#[tokio::test]
async fn commands_over_several_lines_are_read_as_one() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("for f in o''ne", "> ").await;
        me.runs("do echo $f", "> ").await;
        me.runs("done", "one\r\n").await;
        assert_eq!(
            me.lines().last().map(String::as_str),
            Some("for f in o''ne\ndo echo $f\ndone"),
            "{which:?}"
        );
        me.sees("me$ ").await;
        me.runs("echo t''wo", "two\r\n").await;
        assert_eq!(me.lines().last().map(String::as_str), Some("echo t''wo"), "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn a_paste_is_cut_into_its_lines() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.pastes(b"echo o''ne\recho t''wo\recho th''ree\r").await;
        me.sees("one\r\n").await;
        me.sees("two\r\n").await;
        me.sees("three\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne", "echo t''wo", "echo th''ree"], "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn a_paste_in_brackets_is_one_line_where_the_shell_asked_for_them() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.pastes(b"\x1b[200~echo o''ne\recho t''wo\x1b[201~").await;
    me.runs("", "two\r\n").await;
    assert_eq!(me.lines(), ["echo o''ne\necho t''wo"]);
    assert_eq!(me.remarks(), [""; 0]);
    for which in [Which::Dash, Which::Ash] {
        let Some(mut me) = Person::at(which).await else { continue };
        me.pastes(b"\x1b[200~echo o''ne\recho t''wo\r\x1b[201~").await;
        me.sees("one\r\n").await;
        me.sees("two\r\n").await;
        assert_eq!(me.lines(), ["echo o''ne", "echo t''wo"], "{which:?}");
    }
}

#[tokio::test]
async fn a_slow_echo_is_waited_for() {
    for which in ALL {
        let start = Start { delay: Duration::from_millis(120), ..Start::default() };
        let Some(mut me) = Person::start(which, start).await else { continue };
        me.pastes(b"echo forbidden\r").await;
        me.sees("was not run").await;
        me.sees("me$ ").await;
        me.pastes(b"echo o''ne\r").await;
        me.sees("one\r\n").await;
        assert_eq!(me.lines(), ["echo forbidden", "echo o''ne"], "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn a_prompt_that_changes_is_learned() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("PS1='n''ew> '", "new> ").await;
        me.runs("echo forbidden", "was not run").await;
        me.sees("new> ").await;
        me.runs("PS1='[$PWD]# '; cd /tmp", "[/tmp]# ").await;
        me.runs("cd /", "[/]# ").await;
        me.runs("echo forbidden", "was not run").await;
        assert_eq!(me.denied(), ["echo forbidden", "echo forbidden"], "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn long_lines_and_wide_characters_are_read() {
    for which in ALL {
        let start = Start { columns: Some(40), ..Start::default() };
        let Some(mut me) = Person::start(which, start).await else { continue };
        // This busybox shows wide characters as question marks.
        let end = if which == Which::Ash { "to the end" } else { "漢字漢字漢字" };
        let long = format!("echo {} {end}", "some words ".repeat(9).trim());
        me.runs(&long, &format!("{end}\r\n")).await;
        me.sees("me$ ").await;
        // From the screen alone.
        if which != Which::Dash {
            me.types("\x1b[A").await;
            me.sees(end).await;
            me.runs("", &format!("{end}\r\n")).await;
            assert_eq!(me.lines(), [long.as_str(), &long], "{which:?}");
        }
        assert_eq!(me.lines().first(), Some(&long), "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}
