//! `pods/attach`: what the container writes from now on. Its standard input is closed here, so nothing can be
//! sent to it.

use axum::extract::Request;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::exec::{ERROR, STDERR, STDOUT};
use super::params::Params;
use super::websocket::{self, Handshake, QUEUE, Socket, V4, V5, text};
use crate::cluster::kubelet::{ContainerError, Kubelet, LogOptions, LogReader, LogSource};
use crate::cluster::status::Status;
use crate::cluster::store::object;

/// Answers the request.
pub(super) async fn serve(
    request: Request,
    params: &Params,
    pod: &Value,
    kubelet: &Kubelet,
) -> Result<Response, Status> {
    let container = super::container(pod, params)?;
    let handshake = Handshake::read(request, &[V5, V4])?;
    let refused =
        |error: &dyn std::error::Error| Status::internal(format!("unable to upgrade connection: {error}"));
    let found = kubelet.pod(object::namespace(pod), object::name(pod), object::uid(pod));
    let log = found.ok_or(ContainerError::NotRunning(container.clone()));
    let log = log.and_then(|found| found.live_log(&container)).map_err(|error| refused(&error))?;
    let mut readers = Vec::new();
    for (name, channel, source) in
        [("stdout", STDOUT, LogSource::Stdout), ("stderr", STDERR, LogSource::Stderr)]
    {
        if params.is(name) {
            let options =
                LogOptions { follow: true, tail: Some(0), only: Some(source), ..LogOptions::default() };
            let reader = LogReader::open(log.clone(), options).await.map_err(|error| refused(&error))?;
            readers.push((channel, reader));
        }
    }
    Ok(handshake.accept(move |socket| stream(socket, readers)))
}

async fn stream(socket: Socket, readers: Vec<(u8, LogReader)>) {
    let (sink, mut source) = socket.split();
    let (queue, messages) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(websocket::write(sink, messages));
    // Read for its end only.
    let reading = tokio::spawn(async move { while websocket::read(&mut source).await.is_some() {} });
    let following = readers.into_iter().map(|(channel, reader)| follow(channel, reader, queue.clone()));
    tokio::select! {
        _ = futures::future::join_all(following) => {}
        () = queue.closed() => return reading.abort(),
    }
    let _ = queue.send(text(ERROR, &websocket::success().to_string())).await;
    drop(queue);
    let _ = writing.await;
    websocket::part(reading).await;
}

async fn follow(channel: u8, mut reader: LogReader, queue: mpsc::Sender<Bytes>) {
    while let Ok(Some(piece)) = reader.next().await {
        let mut message = BytesMut::with_capacity(1 + piece.len());
        message.put_u8(channel);
        message.put_slice(&piece);
        if queue.send(message.freeze()).await.is_err() {
            return;
        }
    }
}
