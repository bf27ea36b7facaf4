use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;

mod tunnel;

use super::*;
use crate::cluster::kubelet::KubeletConfig;
use crate::cluster::store::{PODS, Store};

type Client = tokio_tungstenite::WebSocketStream<TcpStream>;

/// A store, a node, one pod with a container `app`, and a server for its subresources.
struct World {
    kubelet: Kubelet,
    address: std::net::SocketAddr,
    ip: String,
    _dir: tempfile::TempDir,
}

impl World {
    async fn with(container: Value) -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let config = KubeletConfig::new(dir.path().to_owned(), None);
        let kubelet = Kubelet::start(store.clone(), config, CancellationToken::new()).await.unwrap();
        let pod = json!({"metadata": {"namespace": "ns", "name": "p"}, "spec": {"containers": [container]}});
        store.create(&PODS, pod).unwrap();
        let mut pod = store.get(&PODS, "ns", "p").unwrap();
        while pod.pointer("/status/containerStatuses/0/state/running").is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            pod = store.get(&PODS, "ns", "p").unwrap();
        }
        let ip = pod.pointer("/status/podIP").unwrap().as_str().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = kubelet.clone();
        let app = axum::Router::new().fallback(move |request: Request| async move {
            let subresource = match request.uri().path() {
                "/exec" => Subresource::Exec,
                "/attach" => Subresource::Attach,
                "/portforward" => Subresource::PortForward,
                _ => Subresource::Log,
            };
            serve(request, pod, subresource, &served).await
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        World { kubelet, address, ip, _dir: dir }
    }

    async fn shell() -> World {
        World::with(json!({"name": "app", "image": "debian", "command": ["sleep", "1000"]})).await
    }

    async fn open(&self, path: &str, protocol: &str) -> Client {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        let stream = TcpStream::connect(self.address).await.unwrap();
        tokio_tungstenite::client_async(request, stream).await.unwrap().0
    }

    async fn exec(&self, argv: &[&str], flags: &str) -> Client {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for word in argv {
            query.append_pair("command", word);
        }
        self.open(&format!("/exec?{}&{flags}", query.finish()), websocket::V5).await
    }
}

/// What came out of an exec: stdout, stderr, and the status.
async fn rest(client: &mut Client) -> (Vec<u8>, Vec<u8>, Value) {
    let (mut out, mut err, mut status) = (Vec::new(), Vec::new(), Value::Null);
    while let Some(message) = client.next().await {
        match message.unwrap() {
            Message::Binary(message) => match message[0] {
                1 => out.extend_from_slice(&message[1..]),
                2 => err.extend_from_slice(&message[1..]),
                3 => status = serde_json::from_slice(&message[1..]).unwrap(),
                channel => panic!("channel {channel}"),
            },
            Message::Close(frame) => assert_eq!(u16::from(frame.unwrap().code), 1000),
            _ => {}
        }
    }
    (out, err, status)
}

fn message(channel: u8, payload: &[u8]) -> Message {
    Message::Binary([&[channel], payload].concat().into())
}

#[tokio::test]
async fn exec_reports_streams_exit_codes_and_signals_as_a_kubelet_does() {
    let world = World::shell().await;
    let run = async |argv: &[&str]| rest(&mut world.exec(argv, "stdout=true&stderr=true").await).await;

    let (out, err, status) = run(&["sh", "-c", "echo out; echo err >&2; pwd; echo $0 $HOME", "a b"]).await;
    let out = String::from_utf8(out).unwrap();
    assert!(out.starts_with("out\n") && out.contains("/pods/ns/p/app\na b "), "{out}");
    assert_eq!((err.as_slice(), status), (b"err\n".as_slice(), json!({"metadata": {}, "status": "Success"})));

    let (_, _, status) = run(&["sh", "-c", "exit 3"]).await;
    assert_eq!(
        status,
        json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        })
    );
    let (_, _, status) = run(&["sh", "-c", "kill -TERM $$"]).await;
    assert_eq!(status.pointer("/details/causes/0/message"), Some(&json!("143")));
    let (_, _, status) = run(&["no-such-program"]).await;
    let why = status["message"].as_str().unwrap();
    assert!(why.starts_with("Internal error occurred: error executing command in container"), "{why}");
    assert!(why.ends_with("exec: \"no-such-program\": executable file not found in $PATH: unknown"), "{why}");
    world.kubelet.stop().await;
}

#[tokio::test]
async fn nothing_of_the_hosts_environment_reaches_a_process() {
    let world = World::shell().await;
    let (out, _, _) = rest(&mut world.exec(&["env"], "stdout=1").await).await;
    let out = String::from_utf8(out).unwrap();
    let mut names: Vec<&str> = out.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "HOSTNAME", "PATH", "POD_IP", "SALLYPORT_DEV_MARK", "TMPDIR"]);
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_closed_stdin_is_seen_and_64_mib_pass_through_intact() {
    let world = World::shell().await;
    let client = world.exec(&["cat"], "stdin=true&stdout=true").await;
    let (mut sink, mut source) = client.split();
    let total = 64 << 20;
    let sending = tokio::spawn(async move {
        let block = Bytes::from((0..1 << 20).map(|n: u32| (n % 251) as u8).collect::<Vec<u8>>());
        for _ in 0..total >> 20 {
            sink.send(message(0, &block)).await.unwrap();
        }
        sink.send(message(255, &[0])).await.unwrap();
        sink
    });
    let (mut seen, mut status) = (0_usize, Value::Null);
    while let Some(Ok(next)) = source.next().await {
        let Message::Binary(next) = next else { continue };
        match next[0] {
            1 => {
                for byte in &next[1..] {
                    assert_eq!(u32::from(*byte), (seen as u32 % (1 << 20)) % 251, "at {seen}");
                    seen += 1;
                }
            }
            _ => status = serde_json::from_slice(&next[1..]).unwrap(),
        }
    }
    drop(sending.await.unwrap());
    assert_eq!((seen, &status["status"]), (total, &json!("Success")));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_terminal_has_the_size_it_is_given_and_sends_signals() {
    let world = World::shell().await;
    let mut client = world.exec(&["sh"], "stdin=true&stdout=true&tty=true").await;
    client.send(message(4, br#"{"Width":101,"Height":33}"#)).await.unwrap();
    client.send(message(0, b"stty size; tty; sleep 100; echo rc=$?\n")).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("/dev/pts/") {
        let next = client.next().await.unwrap().unwrap().into_data();
        seen.push_str(&String::from_utf8_lossy(&next[1..]));
    }
    assert!(seen.contains("33 101"), "{seen}");
    // The sleep is a moment away.
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.send(message(0, b"\x03")).await.unwrap();
    client.send(message(0, b"exit 7\n")).await.unwrap();
    let (_, _, status) = rest(&mut client).await;
    assert_eq!(status.pointer("/details/causes/0/message"), Some(&json!("7")));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_stdin_and_leaves_the_process() {
    let world = World::shell().await;
    let home = world._dir.path().join("pods/ns/p/app");
    let script = "echo ready; cat > /dev/null; echo eof > eof; sleep 0.2; echo done > done";
    let mut client = world.exec(&["sh", "-c", script], "stdin=1&stdout=1").await;
    assert_eq!(client.next().await.unwrap().unwrap().into_data(), Bytes::from_static(b"\x01ready\n"));
    drop(client);
    until(&home.join("done")).await;

    let mut client =
        world.exec(&["sh", "-c", "echo $$ > pid; echo ready; sleep 1000"], "stdin=1&stdout=1&tty=1").await;
    client.next().await.unwrap().unwrap();
    drop(client);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pid = std::fs::read_to_string(home.join("pid")).unwrap();
    assert!(Path::new("/proc").join(pid.trim()).exists(), "a shell on a terminal is left as it is");
    world.kubelet.stop().await;
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "and ends with its container");
}

async fn until(path: &Path) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered_before_the_upgrade() {
    let world = World::shell().await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("http://{}{path}", world.address)).await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap()["message"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        get("/exec?command=true&stdout=1&container=web").await,
        (400, "container web is not valid for pod p".into())
    );
    assert_eq!(get("/exec?command=true&stdout=1").await, (400, "Upgrade request required".into()));
    assert_eq!(get("/exec?stdout=1").await, (400, "you must specify at least 1 command".into()));
    assert_eq!(get("/portforward?ports=0").await, (400, "Upgrade request required".into()));
    assert_eq!(
        get("/log?previous=true").await,
        (400, "previous terminated container \"app\" in pod \"p\" not found".into())
    );
    world.kubelet.stop().await;
}

#[test]
fn ports_are_read_as_a_kubelet_reads_them() {
    let read = |query| portforward::ports(&Params::of(query)).map_err(|status| status.message().to_owned());
    assert_eq!(read("ports=80,81&ports=5432"), Ok(vec![80, 81, 5432]));
    assert_eq!(read("ports=0"), Err("port \"0\" must be > 0".into()));
    assert_eq!(read("ports=65536"), Err("unable to parse \"65536\" as a port".into()));
    assert_eq!(read(""), Err("query parameter \"ports\" is required".into()));
}

#[tokio::test]
async fn a_port_is_forwarded_intact_and_a_refused_connection_is_told_apart() {
    let world = World::shell().await;
    let listener = TcpListener::bind((world.ip.as_str(), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut block = vec![0; 64 << 20];
        stream.read_exact(&mut block).await.unwrap();
        stream.write_all(&block).await.unwrap();
    });
    let client = world.open(&format!("/portforward?ports={port}"), websocket::V4).await;
    let (mut sink, mut source) = client.split();
    let [low, high] = port.to_le_bytes();
    for channel in [0, 1] {
        let opening = source.next().await.unwrap().unwrap().into_data();
        assert_eq!(opening.as_ref(), [channel, low, high]);
    }
    let sent: Vec<u8> = (0..64_u32 << 20).map(|n| (n % 249) as u8).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        for piece in sent.chunks(128 << 10) {
            sink.send(message(0, piece)).await.unwrap();
        }
        sink
    });
    let mut back = Vec::new();
    while let Some(Ok(next)) = source.next().await {
        if let Message::Binary(next) = next {
            assert_eq!(next[0], 0);
            back.extend_from_slice(&next[1..]);
        }
    }
    assert!(back == expected, "{} bytes came back", back.len());
    drop(sending.await.unwrap());

    let mut refused = world.open("/portforward?ports=1", websocket::V4).await;
    let mut last = Bytes::new();
    while let Some(Ok(Message::Binary(next))) = refused.next().await {
        last = next;
    }
    let text = String::from_utf8(last.to_vec()).unwrap();
    assert!(
        text.starts_with("\u{1}error forwarding port 1 to pod") && text.contains("connection refused"),
        "{text}"
    );
    world.kubelet.stop().await;
}

#[tokio::test]
async fn attach_shows_what_comes_and_ends_with_the_container() {
    let script = "while [ ! -e go ]; do sleep 0.02; done; echo hello; echo oops >&2";
    let world = World::with(json!({"name": "app", "command": ["sh", "-c", script]})).await;
    let mut client = world.open("/attach?stdout=1&stderr=1", websocket::V5).await;
    std::fs::write(world._dir.path().join("pods/ns/p/app/go"), "").unwrap();
    let (out, err, status) = rest(&mut client).await;
    assert_eq!((out.as_slice(), err.as_slice()), (b"hello\n".as_slice(), b"oops\n".as_slice()));
    assert_eq!(status["status"], "Success");
    world.kubelet.stop().await;
}
