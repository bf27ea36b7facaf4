//! Channels and connections, by the real `ssh`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::super::inbound::Bounds;
use super::super::server::Settings;
use super::house::said;
use super::*;
use crate::audit::Kind;

async fn alice() -> House {
    let house = House::open().await;
    house.alice();
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_both_outputs_arrive_apart_and_exact() {
    let house = alice().await;
    let told = house.run("alice", &["exit", "42"]).await;
    assert_eq!((told.out.as_str(), told.err.as_str(), told.status), ("", "to stderr\n", Some(42)));
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_goes_through_to_its_end() {
    let house = alice().await;
    let mut command = house.ssh("alice", &["cat"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let sent = data.clone();
    tokio::spawn(async move { stdin.write_all(&sent).await.unwrap() });
    let output =
        tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.stdout == data);
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_ended_the_command_is_told_as_a_signal() {
    let house = alice().await;
    let mut command = house.bare_ssh();
    command
        .args(["-v", "-o", "IdentitiesOnly=yes", "-i"])
        .arg(house.path("alice"))
        .args(["prod-gw", "die", "TERM"]);
    let told = said(command).await;
    assert_eq!(told.status, Some(255));
    assert!(told.err.contains("exit-signal"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_comes_with_its_name_and_only_harmless_variables() {
    let house = alice().await;
    let mut command = house.bare_ssh();
    command.args(["-tt", "-o", "SendEnv=LC_ALL LD_PRELOAD", "-o", "IdentitiesOnly=yes", "-i"]);
    command.arg(house.path("alice")).args(["prod-gw", "terminal"]);
    command.env("TERM", "tmux-256color").env("LC_ALL", "C.UTF-8").env("LD_PRELOAD", "");
    let told = said(command).await;
    assert_eq!(told.out.trim_end(), r#"tmux-256color 80x24 {"LC_ALL": "C.UTF-8"}"#, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_one_session_is_an_error_there_and_nothing_elsewhere() {
    let house = alice().await;
    let told = house.run("alice", &["panic"]).await;
    assert_eq!(told.status, Some(70));
    assert!(told.err.contains("fault of the gateway"), "{}", told.err);
    assert_eq!(house.run("alice", &["whoami"]).await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_ends_its_session_at_once() {
    let house = alice().await;
    let mut child = house.ssh("alice", &["stuck"]).spawn().unwrap();
    while house.running.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().await.unwrap();
    let killed = Instant::now();
    while house.running.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        assert!(killed.elapsed() < Duration::from_secs(60), "still running");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.event(Kind::ConnectionClosed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_carry_bytes_and_say_why_they_do_not_open() {
    let house = alice().await;
    let tunnel = |to: &str| {
        let mut command = house.bare_ssh();
        command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("alice"));
        command.args(["-W", to, "prod-gw"]).stdin(Stdio::piped());
        command
    };
    let mut child = tunnel("echo.test.svc:7").spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"there and back").await.unwrap();
    drop(stdin);
    let output =
        tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.stdout, b"there and back");

    let told = said(tunnel("closed.test.svc:80")).await;
    assert!(told.err.contains("connect failed: nobody listens there"), "{}", told.err);
    let told = said(tunnel("secret.test.svc:80")).await;
    assert!(told.err.contains("administratively prohibited: no grant lets you go there"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_refused_and_recorded() {
    let house = alice().await;
    let agent = super::house::Agent::start(house.dir.path()).await;
    let mut command = house.bare_ssh();
    command.args(["-A", "-R", "127.0.0.1:0:127.0.0.1:1", "-o", "IdentitiesOnly=yes", "-i"]);
    command.arg(house.path("alice")).args(["prod-gw", "whoami"]).env("SSH_AUTH_SOCK", agent.socket());
    let told = said(command).await;
    assert_eq!((told.status, told.out.as_str()), (Some(0), "alice\n"));
    assert!(told.err.contains("remote port forwarding failed"), "{}", told.err);
    let actions: Vec<_> =
        house.events(Kind::AccessRefused).into_iter().filter_map(|event| event.action).collect();
    assert!(actions.contains(&"agent-forwarding".to_owned()), "{actions:?}");
    assert!(actions.contains(&"remote-forward".to_owned()), "{actions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_tunnel_is_refused_with_its_reason() {
    let house = alice().await;
    let local = house.path("local.sock");
    let mut command = house.bare_ssh();
    command.arg("-N").arg("-L").arg(format!("{}:/run/secret.sock", local.display()));
    command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("alice")).arg("prod-gw");
    let mut child = command.spawn().unwrap();
    let mut stream = super::house::listening(&local).await;
    let mut buf = Vec::new();
    stream.read_to_end(&mut buf).await.unwrap();
    assert!(buf.is_empty());
    assert_eq!(house.event(Kind::AccessRefused).await.action.as_deref(), Some("forward-socket"));
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_safe_algorithms_are_offered_and_nothing_is_compressed() {
    let house = alice().await;
    for option in [
        "Ciphers=aes256-cbc",
        "Ciphers=aes256-ctr",
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "HostKeyAlgorithms=ssh-rsa",
    ] {
        let mut command = house.bare_ssh();
        command
            .args(["-o", option, "-o", "IdentitiesOnly=yes", "-i"])
            .arg(house.path("alice"))
            .args(["prod-gw", "whoami"]);
        let told = said(command).await;
        assert!(told.err.contains("Unable to negotiate"), "{option}: {}", told.err);
    }
    let mut command = house.bare_ssh();
    command
        .args(["-vC", "-o", "IdentitiesOnly=yes", "-i"])
        .arg(house.path("alice"))
        .args(["prod-gw", "whoami"]);
    let told = said(command).await;
    assert!(told.err.contains("compression: none"), "{}", told.err);
    assert!(told.err.contains("ssh-ed25519-cert-v01@openssh.com"), "a host certificate is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_sign_in_is_shown_out_and_bounded_meanwhile() {
    let settings = Settings {
        // Long enough for `ssh` to sign in on a busy machine, and for what comes at once to come before.
        sign_in_grace: Duration::from_secs(10),
        max_startups_per_peer: 2,
        ..Settings::default()
    };
    let house = House::with(settings, Bounds::default()).await;
    house.alice();
    let started = Instant::now();
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    let mut half = TcpStream::connect(house.address).await.unwrap();
    half.write_all(b"SSH-2.0-test\r\n").await.unwrap();
    let mut third = TcpStream::connect(house.address).await.unwrap();
    let mut buf = Vec::new();
    let _ = third.read_to_end(&mut buf).await;
    assert!(buf.is_empty());
    house.event(Kind::ConnectionRefused).await;
    assert_eq!(house.events(Kind::ConnectionRefused).len(), 1, "turned away at once, before the others");
    let _ = silent.read_to_end(&mut buf).await;
    let _ = half.read_to_end(&mut buf).await;
    let took = started.elapsed();
    assert!(took > Duration::from_secs(9), "{took:?}");
    for _ in 0..6000 {
        if house.events(Kind::ConnectionRefused).len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let whys: Vec<_> =
        house.events(Kind::ConnectionRefused).into_iter().filter_map(|event| event.why).collect();
    assert_eq!(whys.iter().filter(|why| *why == "signing in took too long").count(), 2, "{whys:?}");
    assert_eq!(whys.len(), 3, "{whys:?}");
    assert_eq!(house.run("alice", &["whoami"]).await.status, Some(0), "and the places are free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_ends_the_timer_for_good() {
    let settings = Settings { sign_in_grace: Duration::from_secs(10), ..Settings::default() };
    let house = House::with(settings, Bounds::default()).await;
    house.alice();
    let mut command = house.ssh("alice", &["sip", "1"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    drop(child.stdin.take());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_has_so_many_connections_and_others_have_theirs() {
    let settings = Settings { max_connections_per_peer: 2, ..Settings::default() };
    let house = House::with(settings, Bounds::default()).await;
    house.alice();
    let mut first = house.ssh("alice", &["stuck"]).spawn().unwrap();
    let mut second = house.ssh("alice", &["stuck"]).spawn().unwrap();
    while house.running.load(std::sync::atomic::Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.run("alice", &["whoami"]).await.status, Some(255));
    assert!(house.event(Kind::ConnectionRefused).await.why.unwrap().contains("this address"));
    first.kill().await.unwrap();
    second.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_stops_accepting_tells_clients_and_ends() {
    let settings = Settings { drain: Duration::from_millis(300), ..Settings::default() };
    let house = House::with(settings, Bounds::default()).await;
    house.alice();
    let mut child = house.ssh("alice", &["stuck"]).spawn().unwrap();
    while house.running.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.shutdown.cancel();
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
    let line =
        tokio::time::timeout(Duration::from_secs(60), err.next_line()).await.unwrap().unwrap().unwrap();
    assert!(line.contains("the gateway is stopping"), "{line}");
    assert_eq!(child.wait().await.unwrap().code(), Some(255));
    assert!(TcpStream::connect(house.address).await.is_err());
    let wait = tokio::time::timeout(Duration::from_secs(60), house.shared.tasks.wait()).await;
    assert!(wait.is_ok(), "nothing is left running");
}
