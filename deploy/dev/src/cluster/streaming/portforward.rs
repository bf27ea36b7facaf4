//! `pods/portforward`: connections to ports of a pod, two channels each: data both ways, and an error text.
//!
//! As with a kubelet, each channel opens with its port (two bytes, little endian), a connection that cannot be
//! made is told on the error channel, and the WebSocket ends with its last connection. The protocol has no way
//! to close one direction: when the pod has sent its last byte, the client gets a moment to send its own
//! (a second with containerd, less here).

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::params::Params;
use super::websocket::{self, Handshake, QUEUE, Socket, V4, block, text};
use crate::cluster::kubelet::Kubelet;
use crate::cluster::status::Status;
use crate::cluster::store::object;

/// Ports in one request: their channels are numbered in a byte.
const PORTS: usize = 64;
const DIAL: Duration = Duration::from_secs(10);
const HALF_CLOSED: Duration = Duration::from_millis(100);

/// Answers the request.
pub(super) fn serve(
    request: Request,
    params: &Params,
    pod: &Value,
    kubelet: &Kubelet,
) -> Result<Response, Status> {
    // First, so that a client of another protocol hears of that: it says its ports later.
    let handshake = Handshake::read(request, &[V4])?;
    let ports = ports(params)?;
    let found = kubelet.pod(object::namespace(pod), object::name(pod), object::uid(pod));
    let found = found.ok_or_else(|| Status::internal("unable to upgrade connection: pod does not exist"))?;
    Ok(handshake.accept(move |socket| stream(socket, ports, found.facts.ip, found.facts.uid.clone())))
}

pub(super) fn ports(params: &Params) -> Result<Vec<u16>, Status> {
    let words: Vec<&str> = params.all("ports").flat_map(|value| value.split(',')).collect();
    if words.is_empty() {
        return Err(Status::bad_request("query parameter \"ports\" is required"));
    }
    if words.len() > PORTS {
        return Err(Status::bad_request(format!(
            "at most {PORTS} ports may be forwarded over one connection"
        )));
    }
    let port = |word: &str| match word.parse() {
        Ok(0) => Err(Status::bad_request(format!("port \"{word}\" must be > 0"))),
        Ok(port) => Ok(port),
        Err(_) => Err(Status::bad_request(format!("unable to parse \"{word}\" as a port"))),
    };
    words.into_iter().map(port).collect()
}

async fn stream(socket: Socket, ports: Vec<u16>, ip: Ipv4Addr, uid: String) {
    let (sink, mut source) = socket.split();
    let (queue, messages) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(websocket::write(sink, messages));
    let (mut feeds, mut forwards) = (Vec::new(), Vec::new());
    for (index, port) in (0_u8..).zip(ports) {
        let (feed, food) = mpsc::channel(QUEUE);
        feeds.push(feed);
        forwards.push(tokio::spawn(forward(index * 2, (ip, port), uid.clone(), food, queue.clone())));
    }
    let reading = tokio::spawn(async move {
        while let Some((channel, payload)) = websocket::read(&mut source).await {
            // Error channels are ours to write; unknown ones are nobody's.
            if let (0, Some(feed)) = (channel % 2, feeds.get(usize::from(channel / 2))) {
                // It fails when that connection is over; others may go on.
                let _ = feed.send(payload).await;
            }
        }
    });
    // A client that goes away ends `reading`, with it the feeds, with them the forwards.
    join_all(forwards).await;
    drop(queue);
    let _ = writing.await;
    websocket::part(reading).await;
}

async fn forward(
    channel: u8,
    to: (Ipv4Addr, u16),
    uid: String,
    mut food: mpsc::Receiver<Bytes>,
    queue: mpsc::Sender<Bytes>,
) {
    let (ip, port) = to;
    for channel in [channel, channel + 1] {
        let mut opening = BytesMut::with_capacity(3);
        opening.put_u8(channel);
        opening.put_u16_le(port);
        if queue.send(opening.freeze()).await.is_err() {
            return;
        }
    }
    let stream = match tokio::time::timeout(DIAL, TcpStream::connect(to)).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let why = match failed {
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    "connect: connection refused".to_owned()
                }
                Ok(Err(error)) => error.to_string(),
                _ => "i/o timeout".to_owned(),
            };
            let message = format!(
                "error forwarding port {port} to pod {uid}, uid : failed to execute portforward in network namespace \
                 \"host\": failed to connect to {ip}:{port} inside namespace \"{uid}\", IPv4: dial tcp4 {ip}:{port}: {why}"
            );
            let _ = queue.send(text(channel + 1, &message)).await;
            return;
        }
    };
    // Small writes of interactive protocols are not to wait for one another.
    let _ = stream.set_nodelay(true);
    let (mut from, mut into) = stream.into_split();
    let up = async {
        let mut refused = false;
        while let Some(bytes) = food.recv().await {
            // A pod that takes no more may still have something to say.
            refused = refused || into.write_all(&bytes).await.is_err();
        }
        let _ = into.shutdown().await;
    };
    let down = async {
        let mut buffer = BytesMut::new();
        while let Some(message) = block(&mut from, channel, &mut buffer).await {
            if queue.send(message).await.is_err() {
                return;
            }
        }
    };
    let mut up = std::pin::pin!(up);
    tokio::select! {
        () = down => {
            let _ = tokio::time::timeout(HALF_CLOSED, up).await;
        }
        // The client is gone: there is nobody left to forward for.
        () = &mut up => {}
    }
}
