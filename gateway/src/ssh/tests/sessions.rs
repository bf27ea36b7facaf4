//! Sessions: endings, cuts, warnings, records; and the ends of tunnels.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::house::said;
use super::rig::{Stage, end_of, text};
use crate::access::GrantEnd;
use crate::record::Outcome;

/// For what comes at once: only what never comes is too late.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_command_ends_with_its_own_status_and_everything_shown_is_on_record() {
    let stage = Stage::open().await;
    let said = said(stage.ssh(&[], &["both"])).await;
    assert_eq!((said.out.as_str(), said.err.as_str(), said.status), ("", "beside\n", Some(42)));
    assert_eq!(stage.over().await, (Outcome::Ended, Some(42), None));
    // The recording is written by a task of its own, to its end a moment later.
    for _ in 0..6000 {
        if text(&stage.cast()).contains("beside") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what was shown is not on record");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_goes_to_its_end() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["cat"]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[b'x'; 300_000]).await.unwrap();
    drop(stdin);
    let said = end_of(child).await;
    assert_eq!((said.out.len(), said.status), (300_000, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_that_cannot_pass_the_end_of_input_this_is_said_after_two_seconds() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["old-cat"]).await;
    drop(child.stdin.take());
    let started = Instant::now();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains("cannot tell a command that its input has ended"), "{line}");
    assert!(started.elapsed() > Duration::from_millis(1900));
    child.kill().await.unwrap();
    assert_eq!(stage.over().await.0, Outcome::Left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_cuts_and_says_who_and_why() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["wait"]).await;
    let (by, reason) = ("bob".to_owned(), Some("wrong cluster".to_owned()));
    stage.end.send_replace(Some(GrantEnd::Revoked { by, reason }));
    let said = end_of(child).await;
    assert_eq!(said.err, "sallyport: cut: the grant was revoked by bob: wrong cluster\n");
    assert_eq!(said.status, Some(78));
    assert_eq!(stage.hung_up.load(Ordering::SeqCst), 1, "the pod's side was hung up");
    assert_eq!(stage.over().await.0, Outcome::Cut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_reaches_a_client_that_takes_no_output() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["flood"]).await;
    // Until pipe, client and window are full.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.end.send_replace(Some(GrantEnd::Expired));
    assert_eq!(stage.over().await.0, Outcome::Cut);
    drop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_terminal_is_left_sane() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["editor"]).await;
    let mut stdout = child.stdout.take().unwrap();
    let mut screen = vec![0; 64];
    let _ = stdout.read(&mut screen).await.unwrap();
    stage.end.send_replace(Some(GrantEnd::Expired));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).await.unwrap();
    let rest = String::from_utf8_lossy(&rest);
    let (_, rest) = rest.split_once('\x18').expect("the sequence under way is abandoned first");
    for sane in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1006l", "\x1b[0m"] {
        assert!(rest.contains(sane), "{sane:?} in {rest:?}");
    }
    let said = end_of(child).await;
    assert!(said.err.starts_with("sallyport: cut: the grant has ended\r\n"), "{said:?}");
    assert_eq!(said.status, Some(78));
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_come_five_minutes_and_one_minute_before_the_end() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["wait"]).await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (advance, left) in [(300, "5m"), (240, "1m")] {
        stage.clock.advance(Duration::from_secs(advance));
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
        assert_eq!(line, format!("sallyport: this session ends in {left}, with its grant, at 12:10:00 UTC"));
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await.is_err(),
        "and no more"
    );
    child.kill().await.unwrap();
    stage.over().await;
    assert!(text(&stage.cast()).contains("ends in 5m"), "a marker in the recording");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_on_a_terminal_is_painted_and_not_on_standard_error() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["ticks"]).await;
    let mut stdout = child.stdout.take().unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    stage.clock.advance(Duration::from_secs(301));
    let mut all = Vec::new();
    let seen = tokio::time::timeout(LIMIT, async {
        let mut buf = vec![0; 4096];
        while !String::from_utf8_lossy(&all).contains("this session ends in 5m") {
            let n = stdout.read(&mut buf).await.unwrap();
            all.extend_from_slice(&buf[..n]);
        }
    });
    seen.await.expect("a notice");
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_pods_side() {
    let stage = Stage::open().await;
    let mut child = stage.start(&[], &["wait"]).await;
    child.kill().await.unwrap();
    assert_eq!(stage.over().await.0, Outcome::Left);
    assert_eq!(stage.hung_up.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_broke_is_told_as_such() {
    let stage = Stage::open().await;
    let said = said(stage.ssh(&[], &["broken"])).await;
    assert_eq!((said.err.as_str(), said.status), ("sallyport: the connection to the pod broke\n", Some(69)));
    assert_eq!(stage.over().await.0, Outcome::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_tells_its_sessions() {
    let stage = Stage::open().await;
    let child = stage.start(&[], &["wait"]).await;
    stage.draining.cancel();
    let said = end_of(child).await;
    assert!(said.err.contains("the gateway is stopping"), "{said:?}");
    assert_eq!((said.status, stage.over().await.0), (Some(69), Outcome::Interrupted));
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_interrupts_reach_the_terminal_in_the_pod() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-tt"], &["cat"]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\x03typed").await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"typed") {
        let mut buf = [0; 64];
        let n = stdout.read(&mut buf).await.unwrap();
        seen.extend_from_slice(&buf[..n]);
    }
    assert!(seen.contains(&3), "Ctrl-C is a character for the pod's terminal");
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_at_the_end_of_input_gets_one() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-W", "count:1"], &[]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&[0; 100_000]).await.unwrap();
    drop(stdin);
    let mut stdout = child.stdout.take().unwrap();
    let mut answer = [0; 6];
    tokio::time::timeout(LIMIT, stdout.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"100000");
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_go_on_after_the_server_has_said_its_last() {
    let stage = Stage::open().await;
    let local = stage.house.path("local.sock");
    let forward = format!("{}:listener:1", local.display());
    let _child = stage.ssh(&["-N", "-L", &forward], &[]).spawn().unwrap();
    let mut stream = super::house::listening(&local).await;
    stream.write_all(b"first").await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "the server's side is over");
    stream.write_all(b"second").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.house.running.load(Ordering::SeqCst), 1, "still open");
    drop(stream);
    assert_eq!(stage.over().await.0, Outcome::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_end_of_input_cannot_be_passed_a_silent_tunnel_is_closed() {
    let stage = Stage::open().await;
    let mut child = stage.start(&["-W", "old-echo:1"], &[]).await;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"data").await.unwrap();
    drop(stdin);
    let ended = Instant::now();
    let said = end_of(child).await;
    assert_eq!((said.out.as_str(), said.status), ("data", Some(0)));
    assert!(ended.elapsed() > Duration::from_secs(4));
    assert_eq!(stage.over().await.0, Outcome::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_are_cut_with_their_grant() {
    let stage = Stage::open().await;
    let child = stage.start(&["-W", "count:1"], &[]).await;
    stage.end.send_replace(Some(GrantEnd::Expired));
    end_of(child).await;
    assert_eq!(stage.over().await.0, Outcome::Cut);
}
