//! Shells without rules: everything passes as it is, nothing is said, and what was typed is on record.

use super::*;

async fn observed(which: Which) -> Option<Person> {
    Person::start(which, Start { observe: true, ..Start::default() }).await
}

/// What is on record, with the rule's name.
fn on_record(me: &Person) -> Vec<(String, String)> {
    let notes = me.book.notes.lock().unwrap();
    assert!(notes.iter().all(|(_, ran, _)| *ran), "{notes:?}");
    notes.iter().map(|(line, _, rule)| (line.clone(), rule.clone())).collect()
}

fn lines(me: &Person) -> Vec<String> {
    on_record(me).into_iter().filter(|(_, rule)| rule == NO_RULES).map(|(line, _)| line).collect()
}

#[tokio::test]
async fn nothing_is_held_or_said_and_every_line_is_on_record() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.runs("echo forbid''den", "forbidden\r\n").await;
        me.sees("me$ ").await;
        me.runs("echo t''wo", "two\r\n").await;
        assert_eq!(lines(&me), ["echo forbid''den", "echo t''wo"], "{which:?}");
        assert_eq!(me.through(), "echo forbid''den\recho t''wo\r", "{which:?}");
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
        assert!(!me.screen().contains("sallyport"), "{}", me.screen());
    }
}

#[tokio::test]
async fn keys_pass_before_their_echo_has_come_and_are_read_when_it_has() {
    for which in ALL {
        let start = Start { observe: true, delay: Duration::from_millis(150), ..Start::default() };
        let Some(mut me) = Person::start(which, start).await else { continue };
        me.pastes(b"echo o''ne\r").await;
        assert_eq!(me.through(), "echo o''ne\r", "{which:?}: Enter has passed");
        assert_eq!(lines(&me), [""; 0], "{which:?}: and nothing could be read yet");
        me.sees("one\r\n").await;
        assert_eq!(lines(&me), ["echo o''ne"], "{which:?}");
    }
}

#[tokio::test]
async fn what_is_seen_is_on_record_before_what_comes_of_it_is_shown() {
    let Some(mut me) = observed(Which::Dash).await else { return };
    for n in 0..20 {
        me.runs(&format!("echo wo''rd{n}"), &format!("word{n}\r\n")).await;
        assert_eq!(lines(&me).len(), n + 1);
        me.sees("me$ ").await;
    }
}

#[tokio::test]
async fn what_the_shell_made_of_the_keys_is_what_is_read() {
    for which in [Which::Bash, Which::Ash] {
        let Some(mut me) = observed(which).await else { continue };
        std::fs::write(me.dir.path().join("some-file"), "within\n").expect("a file");
        drawn(&mut me, "ecko\x7f\x7fho o''ne").await;
        me.runs("", "one\r\n").await;
        me.sees("me$ ").await;
        me.types("\x1b[A").await;
        me.sees("echo o''ne").await;
        me.runs("", "one\r\n").await;
        me.sees("me$ ").await;
        me.types("cat some\t").await;
        me.sees("some-file").await;
        me.runs("", "within\r\n").await;
        me.sees("me$ ").await;
        drawn(&mut me, "true never-run\x15").await;
        drawn(&mut me, "o t''wo\x01ech\x05").await;
        me.runs("", "two\r\n").await;
        let expected = ["echo o''ne", "echo o''ne", "cat some-file", "echo t''wo"];
        assert_eq!(lines(&me), expected, "{which:?} {:?}", me.screen());
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

/// Types, and waits after each key until the shell has drawn what it does.
async fn drawn(me: &mut Person, keys: &str) {
    for key in keys.chars() {
        let before = me.screen().len();
        me.types(&key.to_string()).await;
        me.until("the key is drawn", |me| me.screen().len() > before).await;
    }
}

#[tokio::test]
async fn a_line_that_was_edited_faster_than_it_was_drawn_is_read_once_it_is_drawn() {
    for which in [Which::Bash, Which::Ash] {
        let Some(mut me) = observed(which).await else { continue };
        for burst in [
            "o t''wo\x01ech\x05\r",
            "ecko\x7f\x7fho t''wo\r",
            "true x\x15echo t''wo\r",
            "cho t''wo\x1b[He\r",
            "echo t''wo xyz\x17\r",
            "echo t''wox\x1b[D\x1b[3~\r",
            "\x1b[A\r",
        ] {
            let before = on_record(&me).len();
            me.pastes(burst.as_bytes()).await;
            me.sees("two\r\n").await;
            me.sees("me$ ").await;
            let seen: Vec<String> = on_record(&me).into_iter().skip(before).map(|(line, _)| line).collect();
            let trimmed: Vec<&str> = seen.iter().map(|line| line.trim_end()).collect();
            assert_eq!(trimmed, ["echo t''wo"], "{which:?} {burst:?}");
        }
        assert_eq!(me.remarks(), [""; 0], "{which:?}");
    }
}

#[tokio::test]
async fn a_search_through_the_history_is_read() {
    let Some(mut me) = observed(Which::Bash).await else { return };
    me.runs("echo o''ne", "one\r\n").await;
    me.sees("me$ ").await;
    // bash draws `eco` for `echo` when Enter comes before it has drawn what the last key found.
    for (key, shown) in [("\x12", "`': "), ("e", "e': "), ("c", "c': ")] {
        me.types(key).await;
        me.sees(shown).await;
    }
    me.runs("", "one\r\n").await;
    assert_eq!(lines(&me), ["echo o''ne", "echo o''ne"]);
}

#[tokio::test]
async fn a_password_is_never_captured() {
    for which in [Which::Bash, Which::Dash] {
        let Some(mut me) = observed(which).await else { continue };
        let ask = match which {
            Which::Bash => "read -s -p 'Pass''word: ' x",
            _ => "printf 'Pass''word: '; stty -echo; read x; stty echo",
        };
        me.runs(ask, "Password: ").await;
        me.types("hunter2\r").await;
        me.sees("me$ ").await;
        me.runs("echo got=$x", "got=hunter2").await;
        me.sees("me$ ").await;
        me.runs("echo do''ne", "done\r\n").await;
        let kept = format!("{:?}{:?}", me.book.notes.lock().unwrap(), me.remarks());
        assert!(!kept.contains("hunter2"), "{which:?} {kept}");
        assert_eq!(lines(&me).last().map(String::as_str), Some("echo do''ne"), "{which:?} {kept}");
        assert!(lines(&me).contains(&"echo got=$x".to_owned()), "{which:?} {kept}");
    }
}

#[tokio::test]
async fn secrets_on_a_line_are_blotted_out() {
    let Some(mut me) = observed(Which::Bash).await else { return };
    me.runs("true mysql; export TOKEN=hunter2", "me$ ").await;
    me.runs("mysql -phunter2 2>&1 | true", "me$ ").await;
    me.until("both are on record", |me| lines(me).len() == 2).await;
    assert_eq!(lines(&me), ["true mysql; export TOKEN=****", "mysql -p**** 2>&1 | true"]);
}

#[tokio::test]
async fn every_line_of_a_paste_is_on_record_once() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.pastes(b"echo o''ne\recho t''wo\recho th''ree\r").await;
        for text in ["one\r\n", "two\r\n", "three\r\n"] {
            me.sees(text).await;
        }
        me.sees("me$ ").await;
        let all: Vec<String> = on_record(&me).into_iter().map(|(line, _)| line).collect();
        assert_eq!(all, ["echo o''ne", "echo t''wo", "echo th''ree"], "{which:?}");
        assert!(
            on_record(&me).iter().all(|(_, rule)| rule == NO_RULES || rule == AHEAD),
            "{:?}",
            on_record(&me)
        );
        me.runs("echo af''ter", "after\r\n").await;
        assert_eq!(lines(&me).last().map(String::as_str), Some("echo af''ter"), "{which:?}");
    }
    let Some(mut me) = observed(Which::Bash).await else { return };
    me.pastes(b"\x1b[200~echo o''ne\recho t''wo\x1b[201~\r").await;
    me.sees("two\r\n").await;
    assert_eq!(lines(&me), ["echo o''ne\necho t''wo"]);
}

#[tokio::test]
async fn commands_over_several_lines_are_read_as_one() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.runs("for f in o''ne", "> ").await;
        me.runs("do echo $f", "> ").await;
        me.runs("done", "one\r\n").await;
        me.sees("me$ ").await;
        me.runs("echo t''wo", "two\r\n").await;
        assert_eq!(lines(&me), ["for f in o''ne\ndo echo $f\ndone", "echo t''wo"], "{which:?}");
    }
}

#[tokio::test]
async fn what_is_typed_into_a_program_is_told_apart() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.runs("cat > file", "\r\n").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        me.runs("some words", "\r\n").await;
        me.types("\x04").await;
        me.sees("me$ ").await;
        me.runs("cat file", "some words\r\n").await;
        assert_eq!(lines(&me), ["cat > file", "cat file"], "{which:?}");
        assert!(on_record(&me).contains(&("some words".to_owned(), TO_PROGRAM.to_owned())), "{which:?}");
    }
}

#[tokio::test]
async fn full_screens_and_floods_pass_and_the_shell_is_read_again() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.runs("printf '\\033[?1049h\\033[2J\\033[HEDI''TOR'; read x; printf '\\033[?1049l'", "EDITOR")
            .await;
        me.types("words\r").await;
        me.sees("\x1b[?1049l").await;
        me.sees("me$ ").await;
        me.runs("seq 1 20000; echo e''nd", "end\r\n").await;
        me.sees("me$ ").await;
        me.runs("echo af''ter", "after\r\n").await;
        let all = lines(&me);
        assert_eq!(
            all.get(1..),
            Some(&["seq 1 20000; echo e''nd".to_owned(), "echo af''ter".to_owned()][..]),
            "{which:?}"
        );
    }
}

#[tokio::test]
async fn what_was_typed_at_the_very_end_is_on_record_too() {
    for which in ALL {
        let Some(mut me) = observed(which).await else { continue };
        me.runs("exit", "\r\n").await;
        me.until("the shell has ended", |me| me.exit.lock().unwrap().is_some()).await;
        assert_eq!(lines(&me), ["exit"], "{which:?}");
    }
    // The person is gone before the shell has answered.
    let start = Start { observe: true, delay: Duration::from_secs(1), ..Start::default() };
    let Some(mut me) = Person::start(Which::Dash, start).await else { return };
    me.types("sleep 60").await;
    me.sees("sleep 60").await;
    me.types("\r").await;
    me.keys.hang_up().await;
    assert_eq!(lines(&me), ["sleep 60"]);
}

#[tokio::test]
async fn a_line_that_cannot_be_put_on_record_ends_the_session_before_it_shows_anything() {
    let Some(mut me) = observed(Which::Dash).await else { return };
    me.runs("echo o''ne", "one\r\n").await;
    me.sees("me$ ").await;
    me.book.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    me.types("echo t''wo\r").await;
    me.sees("cannot be put on record").await;
    me.until("it is over", |me| me.exit.lock().unwrap().is_some()).await;
    assert!(matches!(*me.exit.lock().unwrap(), Some(Exit::Code(79))));
    assert!(me.hung_up.load(std::sync::atomic::Ordering::Relaxed));
    assert!(!me.screen().contains("two"), "{}", me.screen());
    assert!(me.keys.write(Bytes::from_static(b"echo three\r")).await.is_err(), "nothing passes any more");
    assert!(!me.through().contains("three"));
}

#[tokio::test]
async fn keys_pass_while_nothing_can_be_put_on_record_and_more_than_is_kept_is_said_to_be_lost() {
    struct Slow(Notify);
    impl Desk for Slow {
        async fn note(&self, _: Note) -> Result<(), Unrecorded> {
            self.0.notified().await;
            Ok(())
        }
        async fn ask(&self, _: &str, _: &Verdict, _: &(dyn Fn(String) + Send + Sync)) -> Answer {
            Answer::Denied(String::new())
        }
        async fn alert(&self, _: &str, _: &Verdict) -> Result<(), Unrecorded> {
            Ok(())
        }
        async fn remark(&self, _: &str) -> Result<(), Unrecorded> {
            Ok(())
        }
    }
    /// Takes everything and says one line.
    struct Sink(Arc<Mutex<usize>>);
    impl Input for Sink {
        async fn write(&self, bytes: Bytes) -> Result<(), Closed> {
            *self.0.lock().unwrap() += bytes.len();
            Ok(())
        }
        async fn eof(&self) -> Result<(), Closed> {
            Ok(())
        }
        fn half_close(&self) -> bool {
            true
        }
        async fn resize(&self, _: Size) -> Result<(), Closed> {
            Ok(())
        }
        async fn hang_up(&self) {}
    }
    struct Says(Vec<Output>);
    impl Source for Says {
        async fn next(&mut self) -> Option<Output> {
            match self.0.pop() {
                Some(output) => Some(output),
                None => std::future::pending().await,
            }
        }
    }
    let taken = Arc::new(Mutex::new(0));
    let says =
        Says(vec![Output::Stdout(Bytes::from_static(b"ls\r\n")), Output::Stdout(Bytes::from_static(b"$ "))]);
    let size = Size { columns: 80, rows: 24 };
    let desk = Arc::new(Slow(Notify::new()));
    let (keys, mut output) = observe(Sink(Arc::clone(&taken)), says, size, Arc::clone(&desk));
    assert!(matches!(output.next().await, Some(Output::Stdout(_))));
    keys.write(Bytes::from_static(b"ls\r")).await.expect("taken");
    // The record takes nothing: what the line shows waits, and keys do not.
    assert!(timeout(Duration::from_millis(100), output.next()).await.is_err());
    for _ in 0..64 {
        keys.write(Bytes::from(vec![b'x'; 16 * 1024])).await.expect("taken");
    }
    assert_eq!(*taken.lock().unwrap(), 3 + 1024 * 1024);
    desk.0.notify_one();
    let shown = timeout(LIMIT, output.next()).await.expect("in time");
    assert!(matches!(shown, Some(Output::Stdout(bytes)) if bytes == "ls\r\n"));
}

/// Takes everything.
struct Takes;
impl Input for Takes {
    async fn write(&self, _: Bytes) -> Result<(), Closed> {
        Ok(())
    }
    async fn eof(&self) -> Result<(), Closed> {
        Ok(())
    }
    fn half_close(&self) -> bool {
        true
    }
    async fn resize(&self, _: Size) -> Result<(), Closed> {
        Ok(())
    }
    async fn hang_up(&self) {}
}

/// Says nothing.
struct Silent;
impl Source for Silent {
    async fn next(&mut self) -> Option<Output> {
        std::future::pending().await
    }
}

/// Keys that say when nobody has them any more.
struct Watched(Arc<std::sync::atomic::AtomicBool>, [u8; 1]);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[tokio::test]
async fn keys_are_kept_by_nobody_once_they_have_passed_but_in_copies_that_are_wiped() {
    let size = Size { columns: 80, rows: 24 };
    let (keys, _output) = observe(Takes, Silent, size, Arc::new(Book::default()));
    for byte in *b"hunter2\r" {
        let gone = Arc::new(std::sync::atomic::AtomicBool::new(false));
        keys.write(Bytes::from_owner(Watched(Arc::clone(&gone), [byte]))).await.expect("taken");
        assert!(gone.load(std::sync::atomic::Ordering::Relaxed), "nobody looks at them meanwhile");
    }
    // What waits for being looked at is of a type that is wiped.
    let kept: Vec<secrecy::zeroize::Zeroizing<Vec<u8>>> = keys.waiting();
    assert_eq!(kept.iter().map(|keys| keys.len()).sum::<usize>(), 8);
}

#[tokio::test]
async fn what_was_typed_and_never_shown_is_forgotten_while_nothing_else_happens() {
    let size = Size { columns: 80, rows: 24 };
    let (keys, mut output) = observe(Takes, Silent, size, Arc::new(Book::default()));
    keys.write(Bytes::from_static(b"hunter2\r")).await.expect("taken");
    // Looked at, and kept: its echo may still come.
    while !keys.waiting().is_empty() {
        let _ = timeout(Duration::from_millis(1), output.next()).await;
    }
    assert_eq!(keys.known(), ["hunter2"]);
    keys.keep(Duration::from_millis(1));
    while !keys.known().is_empty() {
        let _ = timeout(Duration::from_millis(5), output.next()).await;
    }
    assert_eq!(keys.waiting(), []);
}
