mod forward;
mod server;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sallyport_policy::Action;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::server::{Server, script, status};
use sallyport_policy::commands::Cleared;

use super::*;
use crate::bridge::spdy::{self, Frame};
use crate::clock::Clock;

fn exec(argv: &[&str], stdin: bool) -> Exec {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    Exec { command: Cleared::unfiltered(argv), tty: None, stdin }
}

const SIZE: Size = Size { columns: 100, rows: 30 };

/// Sessions are spawned on any thread.
#[expect(dead_code, reason = "it only has to compile")]
fn sessions_can_move_between_threads(bridge: &Bridge, place: &Admitted, process: Process, tunnel: Tunnel) {
    fn send<T: Send>(_: T) {}
    send(bridge.exec(place, exec(&[], true)));
    send(bridge.shell(place, SIZE, ""));
    send(bridge.dial(place, 1));
    send(bridge.logs(place, LogOptions::default()));
    send((process, tunnel));
}

/// Everything a command says.
async fn all(mut output: ProcessOutput) -> (String, String, Exit) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        match output.next().await.expect("an exit comes before the end") {
            Output::Stdout(bytes) => out.extend_from_slice(&bytes),
            Output::Stderr(bytes) => err.extend_from_slice(&bytes),
            Output::Exit(exit) => {
                assert_eq!(output.next().await, None);
                return (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit);
            }
        }
    }
}

#[tokio::test]
async fn a_command_runs_under_its_persons_name_with_its_words_untouched() {
    let answer = script(|ask| async {
        for (name, value) in [
            ("impersonate-user", "alice@example.com"),
            ("impersonate-group", "sallyport:grant:oncall-debug-bcdfgh"),
            ("impersonate-extra-sallyport.dev%2fgrant", "oncall-debug-bcdfgh"),
        ] {
            assert_eq!(ask.headers[name], value);
        }
        assert!(SessionId::parse(&ask.headers["impersonate-extra-sallyport.dev%2fsession"]).is_ok());
        let mut peer = ask.socket("v5.channel.k8s.io").await;
        peer.send(1, b"").await;
        peer.send(1, b"out").await;
        peer.send(2, b"err").await;
        peer.send(1, b"put").await;
        peer.exit(3).await
    });
    let mut server = Server::start(answer).await;
    let place = server.place(Action::Exec);
    let process = server.bridge.exec(&place, exec(&["echo", "a b&c=\"d\" é", ""], false)).await.unwrap();
    let (_input, output) = process.split();
    assert_eq!(all(output).await, ("output".to_owned(), "err".to_owned(), Exit::Code(3)));
    assert_eq!(
        server.lines.recv().await.unwrap(),
        "GET /api/v1/namespaces/payments/pods/api-0/exec?container=app&stdin=false&stdout=true&stderr=true&tty=false\
         &command=echo&command=a+b%26c%3D%22d%22+%C3%A9&command= HTTP/1.1"
    );
}

#[tokio::test]
async fn input_its_end_and_the_terminals_size_arrive() {
    let answer = script(|ask| async {
        let ask = match ask.version(36).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        let mut peer = ask.socket("v5.channel.k8s.io").await;
        let mut seen = String::new();
        while let Some(message) = peer.next().await {
            seen += &format!("{message:?} ");
            if message.first() == Some(&255) {
                break;
            }
        }
        peer.send(1, seen.as_bytes()).await;
        peer.exit(0).await
    });
    let server = Server::start(answer).await;
    let place = server.place(Action::Shell);
    let process = server.bridge.exec(&place, Exec { tty: Some(SIZE), ..exec(&["sh"], true) }).await.unwrap();
    let (input, output) = process.split();
    assert!(input.half_close_supported());
    input.write(Bytes::from_static(b"ls\n")).await.unwrap();
    input.resize(Size { columns: 80, rows: 24 }).await.unwrap();
    input.eof().await.unwrap();
    let seen = all(output).await.0;
    assert_eq!(
        seen,
        "b\"\\x04{\\\"Width\\\":100,\\\"Height\\\":30}\" b\"\\0ls\\n\" b\"\\x04{\\\"Width\\\":80,\\\"Height\\\":24}\" b\"\\xff\\0\" "
    );
}

#[tokio::test]
async fn a_command_that_does_not_read_does_not_keep_its_output_back() {
    let answer = script(|ask| async {
        let ask = match ask.version(36).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        let mut peer = ask.socket("v5.channel.k8s.io").await;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            peer.send(1, &[b'x'; 1_000]).await;
        }
        // Only now is anything read.
        let mut read = 0;
        while read < 20_000_000 {
            read += peer.next().await.unwrap().len() - 1;
        }
        peer.exit(0).await
    });
    let server = Server::start(answer).await;
    let place = server.place(Action::Exec);
    let (input, output) = server.bridge.exec(&place, exec(&["sh"], true)).await.unwrap().split();
    let writing = async {
        for _ in 0..20 {
            input.write(Bytes::from(vec![0; 1_000_000])).await.unwrap();
        }
    };
    let (out, _, exit) = tokio::join!(all(output), writing).0;
    assert_eq!((out.len(), exit), (100_000, Exit::Code(0)));
}

#[tokio::test]
async fn what_comes_behind_the_exit_status_is_still_shown() {
    let answer = script(|ask| async {
        let mut peer = ask.socket("v5.channel.k8s.io").await;
        peer.send(3, status(0).as_bytes()).await;
        peer.send(1, b"late").await;
        let _ = peer.0.close(None).await;
        None
    });
    let server = Server::start(answer).await;
    let (_input, output) =
        server.bridge.exec(&server.place(Action::Exec), exec(&["x"], false)).await.unwrap().split();
    assert_eq!(all(output).await, ("late".to_owned(), String::new(), Exit::Code(0)));
}

#[tokio::test]
async fn a_connection_that_breaks_is_not_an_exit_status() {
    let answer = script(|ask| async {
        let mut peer = ask.socket("v5.channel.k8s.io").await;
        peer.send(1, b"half").await;
        None
    });
    let server = Server::start(answer).await;
    let (_input, output) =
        server.bridge.exec(&server.place(Action::Exec), exec(&["x"], false)).await.unwrap().split();
    let (out, _, exit) = all(output).await;
    assert_eq!((out.as_str(), exit.status()), ("half", 69));
    assert!(exit.message().unwrap().contains("may still be running"));
}

#[tokio::test]
async fn a_peer_that_gives_no_sign_of_life_is_given_up() {
    let answer = script(|ask| async {
        let peer = ask.socket("v5.channel.k8s.io").await;
        std::future::pending::<()>().await;
        drop(peer);
        None
    });
    let server = Server::start(answer).await;
    let (_input, output) =
        server.bridge.exec(&server.place(Action::Exec), exec(&["x"], false)).await.unwrap().split();
    assert_eq!(all(output).await.2.status(), 69);
}

#[tokio::test]
async fn an_old_server_gets_spdy_where_input_must_end() {
    let answer = script(|ask| async {
        let ask = match ask.version(20).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        assert!(ask.line.starts_with("POST /api/v1/namespaces/payments/pods/api-0/exec?"), "{}", ask.line);
        let mut tcp = ask.spdy("v4.channel.k8s.io").await;
        let (mut buffer, mut input) = (BytesMut::new(), Vec::new());
        loop {
            match spdy::take(&mut buffer).unwrap() {
                Some(Frame::Data { stream: 1, bytes, end }) => {
                    input.extend_from_slice(&bytes);
                    if end {
                        break;
                    }
                }
                Some(_) => {}
                None => assert!(tcp.read_buf(&mut buffer).await.unwrap() > 0),
            }
        }
        let mut answer = Vec::new();
        spdy::ping(2, &mut answer);
        spdy::data(3, &input, true, &mut answer);
        spdy::data(7, status(4).as_bytes(), true, &mut answer);
        for piece in answer.chunks(1_001) {
            tcp.write_all(piece).await.unwrap();
        }
        let _ = tcp.shutdown().await;
        // Closing with something unread would reset the connection.
        while tcp.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {}
        None
    });
    let server = Server::start(answer).await;
    let (input, output) =
        server.bridge.exec(&server.place(Action::Exec), exec(&["cat"], true)).await.unwrap().split();
    assert!(input.half_close_supported());
    let body = "0123456789".repeat(50_000);
    input.write(Bytes::from(body.clone())).await.unwrap();
    input.eof().await.unwrap();
    let (out, _, exit) = all(output).await;
    assert!(out == body, "{} bytes came back", out.len());
    assert_eq!(exit, Exit::Code(4));
}

#[tokio::test]
async fn behind_a_proxy_without_spdy_an_old_server_still_runs_commands_and_says_what_it_cannot() {
    let answer = script(|ask| async {
        let ask = match ask.version(20).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        if ask.line.starts_with("POST") {
            return ask.json("200 OK", "{}").await;
        }
        ask.socket("v4.channel.k8s.io").await.exit(0).await
    });
    let server = Server::start(answer).await;
    let (input, output) =
        server.bridge.exec(&server.place(Action::Exec), exec(&["cat"], true)).await.unwrap().split();
    assert!(!input.half_close_supported());
    input.eof().await.unwrap();
    assert_eq!(all(output).await.2, Exit::Code(0));
}

#[tokio::test]
async fn a_shell_is_sh_then_bash_then_a_clear_no() {
    const MISSING: &str =
        r#"{"status":"Failure","message":"exec: \"sh\": executable file not found in $PATH: unknown"}"#;
    for (has, expected) in [("sh", Ok("$ ")), ("bash", Ok("$ ")), ("nothing", Err(127))] {
        let answer = script(move |ask| async move {
            let runs = ask.line.contains(&format!("command={has}&"));
            let mut peer = ask.socket("v5.channel.k8s.io").await;
            if runs {
                peer.send(1, b"\r$ ").await;
                return peer.exit(0).await;
            }
            peer.send(3, MISSING.as_bytes()).await;
            let _ = peer.0.close(None).await;
            None
        });
        let server = Server::start(answer).await;
        let shell = server.bridge.shell(&server.place(Action::Shell), SIZE, "xterm").await;
        match (shell, expected) {
            (Ok(process), Ok(prompt)) => assert_eq!(all(process.split().1).await.0, prompt),
            (Err(error), Err(status)) => assert_eq!(error.exit_status(), status),
            (shell, _) => panic!("{has}: {shell:?}"),
        }
    }
}

#[tokio::test]
async fn after_a_permits_end_no_call_leaves() {
    let mut server = Server::start(script(|ask| ask.json("200 OK", "{}"))).await;
    let place = server.place(Action::Exec);
    server.clock.advance(Duration::from_secs(240));
    let error = server.bridge.exec(&place, exec(&["true"], false)).await.unwrap_err();
    assert_eq!(error.exit_status(), 77);
    let error = server.bridge.logs(&place, LogOptions::default()).await.err().unwrap();
    assert_eq!(error.exit_status(), 77);
    assert!(server.lines.try_recv().is_err());
}

#[tokio::test]
async fn a_403_is_asked_again_only_while_the_grant_is_new() {
    const NO: &str = r#"{"kind":"Status","message":"pods \"api-0\" is forbidden"}"#;
    for (age, attempts) in [(1, 6), (60, 1)] {
        let mut server = Server::start(script(|ask| ask.json("403 Forbidden", NO))).await;
        let permit = server.permit_since(Action::Exec, server.clock.now() - Duration::from_secs(age));
        let error = server
            .caller(&permit)
            .get::<Pod>("reading a pod", "/api/v1/namespaces/payments/pods/api-0")
            .await;
        assert_eq!(error.unwrap_err().exit_status(), 77);
        let mut asked = 0;
        while server.lines.try_recv().is_ok() {
            asked += 1;
        }
        assert_eq!(asked, attempts);
    }
}

#[tokio::test]
async fn a_command_is_never_sent_twice() {
    let mut server = Server::start(script(|ask| ask.json("503 Service Unavailable", "{}"))).await;
    let error = server.bridge.exec(&server.place(Action::Exec), exec(&["x"], false)).await.unwrap_err();
    assert_eq!(error.exit_status(), 69);
    server.lines.recv().await.unwrap();
    assert!(server.lines.try_recv().is_err());
}

#[tokio::test]
async fn an_api_server_that_is_away_or_slow_is_a_clear_line_in_bounded_time() {
    let away = connect(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let server = Server::start(script(|ask| async {
        std::future::pending::<()>().await;
        Some(ask.tcp)
    }))
    .await;
    let caller = server.caller(&server.permit(Action::Exec));
    let slow = caller.get::<Pod>("reading a pod", "/api/v1/namespaces/payments/pods/api-0");
    let error = slow.await.unwrap_err();
    assert_eq!((error.exit_status(), error.to_string().contains("did not answer within 3 s")), (69, true));
    let bridge = Bridge::new(away, server.clock.clone());
    let caller = Caller::new(
        &bridge.base,
        &bridge.server,
        &bridge.clock,
        &server.permit(Action::Exec),
        &SessionId::new(server.clock.now()),
    );
    let error = caller.unwrap().get::<Pod>("reading a pod", "/x").await.unwrap_err();
    assert!(error.to_string().contains("out of reach"), "{error}");
}

#[tokio::test]
async fn an_upgrade_that_answers_another_question_is_not_taken() {
    let answer = script(|mut ask| async move {
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n";
        ask.tcp.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending().await
    });
    let server = Server::start(answer).await;
    let error = server.bridge.exec(&server.place(Action::Exec), exec(&["x"], false)).await.unwrap_err();
    assert!(matches!(error, BridgeError::Protocol { .. }), "{error}");
}
