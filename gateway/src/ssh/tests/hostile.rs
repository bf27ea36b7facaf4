//! Clients that do what OpenSSH does not.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::PrivateKey;
use russh::{Channel, ChannelMsg, ChannelOpenFailure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::inbound::Bounds;
use super::super::server::Settings;
use super::*;
use crate::audit::Kind;
use crate::clock::{Clock, SystemClock};

struct Anyone;

impl client::Handler for Anyone {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _key: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn connect(house: &House) -> Handle<Anyone> {
    client::connect(Arc::new(client::Config::default()), house.address, Anyone).await.unwrap()
}

async fn alice(house: &House) -> Handle<Anyone> {
    let key = house.key("alice");
    let certificate = house.certify("alice", &key, "alice", SystemClock.now());
    let mut client = connect(house).await;
    let key: Arc<PrivateKey> = Arc::new(key);
    assert!(client.authenticate_openssh_cert("alice", key, certificate).await.unwrap().success());
    client
}

/// What came until the channel's end, or until nothing comes.
async fn answers(channel: &mut Channel<client::Msg>) -> Vec<ChannelMsg> {
    let mut all = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_secs(10), channel.wait()).await {
        let last = matches!(message, ChannelMsg::Close | ChannelMsg::Failure);
        all.push(message);
        if last {
            break;
        }
    }
    all
}

fn refused(messages: &[ChannelMsg]) -> bool {
    messages.iter().any(|message| matches!(message, ChannelMsg::Failure))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_method() {
    let house = House::open().await;
    let mut client = connect(&house).await;
    assert!(!client.authenticate_none("alice").await.unwrap().success());
    assert!(!client.authenticate_password("alice", "secret").await.unwrap().success());
    let key = Arc::new(house.key("new"));
    let bare = russh::keys::PrivateKeyWithHashAlg::new(key, None);
    // Signed at once, without asking first.
    assert!(!client.authenticate_publickey("alice", bare).await.unwrap().success());
    assert!(house.events(Kind::ConnectionOpened).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_keeps_trying_is_shown_out() {
    let house = House::open().await;
    let mut client = connect(&house).await;
    let mut tries = 0;
    while let Ok(result) = client.authenticate_password("alice", "secret").await {
        assert!(!result.success());
        tries += 1;
        assert!(tries < 60, "no end of tries");
    }
    house.event(Kind::ConnectionRefused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_runs_one_thing() {
    let house = House::open().await;
    let client = alice(&house).await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.exec(true, "stuck").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::WindowAdjusted { .. } | ChannelMsg::Success)));
    for again in 0..3 {
        match again {
            0 => channel.exec(true, "whoami").await.unwrap(),
            1 => channel.request_shell(true).await.unwrap(),
            _ => channel.request_subsystem(true, "sftp").await.unwrap(),
        }
        assert!(refused(&answers(&mut channel).await), "{again}");
    }
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    assert!(refused(&answers(&mut channel).await), "a terminal comes before the command or not at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_and_the_agent_are_refused_on_the_channel() {
    let house = House::open().await;
    let client = alice(&house).await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0).await.unwrap();
    assert!(refused(&answers(&mut channel).await));
    channel.agent_forward(true).await.unwrap();
    assert!(refused(&answers(&mut channel).await));
    let actions: Vec<_> =
        house.events(Kind::AccessRefused).into_iter().filter_map(|event| event.action).collect();
    assert_eq!(actions, ["x11-forwarding", "agent-forwarding"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_of_other_kinds_do_not_open() {
    let house = House::open().await;
    let client = alice(&house).await;
    let prohibited = |result: Result<Channel<client::Msg>, russh::Error>| {
        matches!(
            result,
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))
        )
    };
    assert!(prohibited(client.channel_open_x11("127.0.0.1", 1).await));
    assert!(prohibited(client.channel_open_direct_streamlocal("/run/x.sock").await));
    assert!(client.tcpip_forward("0.0.0.0", 80).await.is_err());
    assert!(client.streamlocal_forward("/tmp/x").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_counted_and_come_back() {
    let settings = Settings { max_channels: 3, ..Settings::default() };
    let house = House::with(settings, Bounds::default()).await;
    let client = alice(&house).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(client.channel_open_session().await.unwrap());
    }
    for _ in 0..50 {
        let result = client.channel_open_session().await;
        assert!(matches!(
            result,
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage))
        ));
    }
    open.pop().unwrap().close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut channel = client.channel_open_session().await.unwrap();
    channel.exec(true, "whoami").await.unwrap();
    let told = answers(&mut channel).await;
    assert!(
        told.iter().any(|message| matches!(message, ChannelMsg::ExitStatus { exit_status: 0 })),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn command_lines_are_text_and_bounded() {
    let house = House::open().await;
    let client = alice(&house).await;
    for line in [vec![0xff, 0xfe], vec![b'x'; 70_000]] {
        let mut channel = client.channel_open_session().await.unwrap();
        channel.exec(true, line).await.unwrap();
        assert!(refused(&answers(&mut channel).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_for_a_channel_that_runs_nothing_is_bounded() {
    let small = Bounds { memory: 64 << 10, soft: 1 << 20, hard: 2 << 20 };
    let house = House::with(Settings::default(), small).await;
    let client = alice(&house).await;
    let idle = client.channel_open_session().await.unwrap();
    for _ in 0..128 {
        let _ = tokio::time::timeout(Duration::from_secs(2), idle.data_bytes(vec![0; 32 << 10])).await;
    }
    let mut channel = client.channel_open_session().await.unwrap();
    channel.exec(true, "whoami").await.unwrap();
    let told = answers(&mut channel).await;
    assert!(
        told.iter().any(|message| matches!(message, ChannelMsg::ExitStatus { exit_status: 0 })),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_refused_for_ever_does_not_fill_the_event_log() {
    let house = House::open().await;
    let client = alice(&house).await;
    for _ in 0..150 {
        assert!(client.channel_open_direct_streamlocal("/run/x.sock").await.is_err());
    }
    let events = house.events(Kind::AccessRefused);
    assert_eq!(events.len(), 101);
    assert!(events.last().unwrap().why.as_deref().unwrap().contains("further refusals"));
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_instead_of_ssh_costs_its_sender_the_connection() {
    let house = House::open().await;
    for noise in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4096], b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let _ = stream.write_all(noise).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(90), stream.read_to_end(&mut answer))
            .await
            .expect("an end");
    }
    house.event(Kind::ConnectionRefused).await;
    house.alice();
    assert_eq!(house.run("alice", &["whoami"]).await.status, Some(0));
}
