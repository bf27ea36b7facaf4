//! `pods/portforward`: connections to ports of a pod. Clients since 1.31 ask for SPDY inside the WebSocket, which is
//! for [`super::tunnel`]; the rest is here: two channels for each port, data both ways and an error text.
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
use super::tunnel;
use super::websocket::{self, Handshake, QUEUE, SPDY, Socket, V4, block, text};
use crate::cluster::kubelet::Kubelet;
use crate::cluster::status::Status;
use crate::cluster::store::object;

/// Ports in one request: their channels are numbered in a byte.
const PORTS: usize = 64;
const DIAL: Duration = Duration::from_secs(10);
const HALF_CLOSED: Duration = Duration::from_millis(100);

/// The pod that connections are made to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    ip: Ipv4Addr,
    uid: String,
}

impl Place {
    /// Connects to a port; the error is the text that a kubelet sends to the client.
    pub(super) async fn dial(&self, port: u16) -> Result<TcpStream, String> {
        let Place { ip, uid } = self;
        let why = match tokio::time::timeout(DIAL, TcpStream::connect((*ip, port))).await {
            Ok(Ok(stream)) => {
                // Small writes of interactive protocols are not to wait for one another.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "connect: connection refused".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "i/o timeout".to_owned(),
        };
        Err(format!(
            "error forwarding port {port} to pod {uid}, uid : failed to execute portforward in network namespace \
             \"host\": failed to connect to {ip}:{port} inside namespace \"{uid}\", IPv4: dial tcp4 {ip}:{port}: {why}"
        ))
    }
}

/// Answers the request.
pub(super) fn serve(
    request: Request,
    params: &Params,
    pod: &Value,
    kubelet: &Kubelet,
) -> Result<Response, Status> {
    // First, so that a client of another protocol hears of that: it says its ports later.
    let handshake = Handshake::read(request, &[SPDY, V4])?;
    // SPDY names a port in each stream; what the query says is not looked at.
    let ports = if handshake.protocol == V4 { Some(ports(params)?) } else { None };
    let found = kubelet.pod(object::namespace(pod), object::name(pod), object::uid(pod));
    let found = found.ok_or_else(|| Status::internal("unable to upgrade connection: pod does not exist"))?;
    let to = Place { ip: found.facts.ip, uid: found.facts.uid.clone() };
    Ok(handshake.accept(move |socket| async move {
        match ports {
            Some(ports) => stream(socket, ports, to).await,
            None => tunnel::stream(socket, to).await,
        }
    }))
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

async fn stream(socket: Socket, ports: Vec<u16>, to: Place) {
    let (sink, mut source) = socket.split();
    let (queue, messages) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(websocket::write(sink, messages));
    let (mut feeds, mut forwards) = (Vec::new(), Vec::new());
    for (index, port) in (0_u8..).zip(ports) {
        let (feed, food) = mpsc::channel(QUEUE);
        feeds.push(feed);
        forwards.push(tokio::spawn(forward(index * 2, to.clone(), port, food, queue.clone())));
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
    to: Place,
    port: u16,
    mut food: mpsc::Receiver<Bytes>,
    queue: mpsc::Sender<Bytes>,
) {
    for channel in [channel, channel + 1] {
        let mut opening = BytesMut::with_capacity(3);
        opening.put_u8(channel);
        opening.put_u16_le(port);
        if queue.send(opening.freeze()).await.is_err() {
            return;
        }
    }
    let stream = match to.dial(port).await {
        Ok(stream) => stream,
        Err(message) => {
            let _ = queue.send(text(channel + 1, &message)).await;
            return;
        }
    };
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
