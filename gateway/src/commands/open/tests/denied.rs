//! What may not run is wiped, and said to be so.

use super::*;

#[tokio::test]
async fn a_denied_line_is_wiped_and_explained_and_the_shell_goes_on() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("touch forbidden", "was not run: it says no (no rule); say something else").await;
        me.sees("me$ ").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert!(!me.made("forbidden"), "{which:?}");
        assert_eq!(me.denied(), ["touch forbidden"], "{which:?}");
        // A shell that takes its time is interrupted twice.
        let through = me.through().replace("\x03\x03", "\x03");
        assert_eq!(through, "touch forbidden\x03echo o''ne\r", "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

/// Something that reads lines as shells do, and takes the first Ctrl-C as bash does now and then: `again` draws the line
/// anew, `late` waits for a key.
const DEAF_ONCE: &str = r#"f() {
  local c l= n=0
  stty -echo intr undef
  printf '\nme''$ '
  while IFS= read -rN1 c; do
    [ $n$1 = 1late ] && { n=2 l=; printf '\nme''$ '; continue; }
    case $c in
    $'\3')
      n=$((n + 1))
      printf '^C'
      case $n$1 in
      1again) printf '\nme''$ %s' "$l" ;;
      1late) ;;
      *) l=; printf '\nme''$ ' ;;
      esac ;;
    $'\r' | $'\n') printf '\n[%s]\nme''$ ' "$l"; l= ;;
    *) l+=$c; printf %s "$c" ;;
    esac
  done
}"#;

#[tokio::test]
async fn a_denied_line_is_wiped_also_where_the_shell_draws_it_again_or_waits_for_a_key() {
    for (how, shows) in [("again", "me$ touch forbidden^C\r\nme$ "), ("late", "^C\r\nme$ ")] {
        let Some(mut me) = Person::at(Which::Bash).await else { return };
        let functions = me.dir.path().join("functions");
        std::fs::write(&functions, DEAF_ONCE).unwrap();
        me.runs(&format!(". {}", functions.display()), "me$ ").await;
        me.runs(&format!("f {how}"), "\r\nme$ ").await;
        me.runs("touch forbidden", "was not run").await;
        me.sees(shows).await;
        me.runs("touch allowed", "[touch allowed]").await;
    }
}

#[tokio::test]
async fn every_key_that_ends_a_line_is_held() {
    for which in ALL {
        for end in [
            "\r",
            "\n",
            "\x0f",
            "\x1bOM",
            "\x1b\r",
            "\x1b\n",
            "\x16\r",
            "\x11\r",
            "\x04",
            "\x1b[\r",
            "\x1b]0;\r",
        ] {
            // Ctrl-D edits in bash, and elsewhere it sends the line.
            if end == "\x04" && which == Which::Bash {
                continue;
            }
            let Some(mut me) = Person::at(which).await else { continue };
            me.types("touch forbidden").await;
            me.types(end).await;
            me.sees("was not run").await;
            me.runs("echo o''ne", "one\r\n").await;
            assert!(!me.made("forbidden"), "{which:?} {end:?}");
        }
    }
}

#[tokio::test]
async fn vi_mode_is_read_and_wiped_too() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.runs("set -o vi", "me$ ").await;
    me.types("touch forbidden\x1b").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    me.types("\r").await;
    me.sees("was not run").await;
    me.sees("me$ ").await;
    me.runs("echo o''ne", "one\r\n").await;
    me.sees("me$ ").await;
    me.types("\x1bk").await;
    me.sees("ne").await;
    me.runs("", "one\r\n").await;
    assert!(!me.made("forbidden"));
    assert_eq!(me.lines().last().map(String::as_str), Some("echo o''ne"));
}

#[tokio::test]
async fn a_denied_line_takes_the_rest_of_a_paste_with_it() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.pastes(b"touch one\rtouch forbidden\rtouch two\r").await;
        me.sees("was not run").await;
        me.sees("me$ ").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert!(me.made("one") && !me.made("forbidden") && !me.made("two"), "{which:?}");
    }
}

#[tokio::test]
async fn a_denied_line_takes_the_lines_before_it_with_it() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("for f in a b; do", "> ").await;
        me.runs("touch forbidden$f", "was not run").await;
        me.sees("me$ ").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert_eq!(std::fs::read_dir(me.dir.path()).unwrap().count(), 0, "{which:?}");
    }
}

#[tokio::test]
async fn a_pasted_command_within_brackets_is_held_at_its_enter() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.pastes(b"\x1b[200~true\rtouch forbidden\x1b[201~\r").await;
    me.sees("was not run").await;
    me.sees("me$ ").await;
    // Text that forges the end is text.
    me.pastes(b"\x1b[200~true\x1b[201~\rtouch forbidden\r\x1b[201~\r").await;
    me.sees("was not run").await;
    me.runs("echo o''ne", "one\r\n").await;
    assert!(!me.made("forbidden"));
}

#[tokio::test]
async fn a_recalled_line_is_denied_like_a_typed_one() {
    let Some(mut me) = Person::at(Which::Bash).await else { return };
    me.runs("history -s touch forbidd''en", "me$ ").await;
    me.runs("history -s touch forbid\\den", "me$ ").await;
    std::fs::write(me.dir.path().join("old"), "touch forbidden\n").unwrap();
    me.runs("history -c; history -r old", "me$ ").await;
    for keys in ["\x1b[A", "\x10", "\x12touch"] {
        me.types(keys).await;
        me.runs("", "was not run").await;
        me.sees("me$ ").await;
    }
    assert_eq!(me.denied(), ["touch forbidden"; 3]);
    assert!(!me.made("forbidden"));
}

#[tokio::test]
async fn an_approver_may_let_a_denied_line_pass_once() {
    for which in ALL {
        let ask =
            || Start { judge: Some(No { on_denied: OnDenied::Ask, ..No::default() }), ..Start::default() };
        let Some(mut me) = Person::start(which, ask()).await else { continue };
        let (answer, asked) = oneshot::channel();
        *me.book.answer.lock().unwrap() = Some(asked);
        me.runs("touch forbidden", "sallyport: asked for touch forbidden").await;
        // Sizes and more keys do not wait behind it.
        timeout(LIMIT, me.keys.resize(Size { columns: 90, rows: 30 }))
            .await
            .expect("at once")
            .expect("taken");
        assert!(!me.made("forbidden"));
        answer.send(Answer::Approved { by: "bob@example.com".to_owned() }).expect("somebody waits");
        me.sees("bob@example.com lets it pass once").await;
        me.until("it runs", |me| me.made("forbidden")).await;
        assert_eq!(me.book.approved_by.lock().unwrap().as_slice(), ["bob@example.com"]);
        me.runs("echo o''ne", "one\r\n").await;

        // Ctrl-C gives up.
        let Some(mut me) = Person::start(which, ask()).await else { continue };
        me.runs("touch forbidden", "sallyport: asked for touch forbidden").await;
        me.types("\x03").await;
        me.sees("given up").await;
        me.runs("echo o''ne", "one\r\n").await;
        assert!(!me.made("forbidden"), "{which:?}");
    }
}

#[tokio::test]
async fn a_denied_line_can_alert_and_can_end_the_session() {
    let Some(mut me) = Person::start(
        Which::Dash,
        Start { judge: Some(No { on_denied: OnDenied::Alert, ..No::default() }), ..Start::default() },
    )
    .await
    else {
        return;
    };
    me.runs("touch forbidden", "was not run").await;
    assert_eq!(me.book.alerts.lock().unwrap().as_slice(), ["touch forbidden"]);

    let end = Start { judge: Some(No { on_denied: OnDenied::End, ..No::default() }), ..Start::default() };
    let Some(mut me) = Person::start(Which::Dash, end).await else { return };
    me.runs("touch forbidden", "the policy ends the session here").await;
    me.until("it ends", |me| me.exit.lock().unwrap().is_some()).await;
    assert_eq!(*me.exit.lock().unwrap(), Some(Exit::Code(77)));
    assert!(me.hung_up.load(std::sync::atomic::Ordering::Relaxed));
    assert!(me.keys.write(Bytes::from_static(b"x")).await.is_err());
    assert!(!me.made("forbidden"));
}

#[tokio::test]
async fn a_session_that_cannot_be_recorded_ends() {
    let Some(mut me) = Person::at(Which::Dash).await else { return };
    me.book.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    me.runs("touch file", "cannot be put on record").await;
    me.until("it ends", |me| me.exit.lock().unwrap().is_some()).await;
    assert_eq!(*me.exit.lock().unwrap(), Some(Exit::Code(79)));
    assert!(!me.made("file"));
}

#[tokio::test]
async fn what_the_screen_does_not_show_can_end_the_session() {
    let end =
        || Start { judge: Some(No { on_lost_track: OnLostTrack::End, ..No::default() }), ..Start::default() };
    let Some(mut me) = Person::start(Which::Dash, end()).await else { return };
    me.runs("stty -echo", "me$ ").await;
    me.types("touch file\r").await;
    me.sees("the policy ends the session here").await;
    assert!(!me.made("file"));
    assert!(!format!("{:?}{:?}", me.lines(), me.remarks()).contains("touch file"));

    let flag = Start::default();
    let Some(mut me) = Person::start(Which::Dash, flag).await else { return };
    me.runs("stty -echo", "me$ ").await;
    me.types("touch file\r").await;
    me.until("it runs", |me| me.made("file")).await;
    assert_eq!(me.remarks(), ["lost track: what was typed at the shell's prompt was not shown"]);
}

#[tokio::test]
async fn a_shell_that_does_not_give_a_line_up_does_not_run_it_later() {
    for which in ALL {
        let Some(mut me) = Person::at(which).await else { continue };
        me.runs("stty intr undef; trap '' INT", "me$ ").await;
        me.runs("touch forbidden", "was not run").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        for keys in ["\r", "x\r", ";true\r", "\n"] {
            me.types(keys).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let made: Vec<_> =
            std::fs::read_dir(me.dir.path()).unwrap().flatten().map(|file| file.file_name()).collect();
        assert!(
            !made.iter().any(|name| name.to_string_lossy().starts_with("forbidden")),
            "{which:?} {made:?} {:?}",
            me.screen()
        );
    }
}
