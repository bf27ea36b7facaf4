use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sallyport_policy::Action;

use super::server::{Server, script};
use crate::bridge::BridgeError;
use crate::bridge::spdy::{self, Frame};

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_apart_from_other_failures() {
    const REFUSED: &str = "error forwarding port 81 to pod 5f, uid : failed to execute portforward in network namespace \"/var/run/netns/cni-1\": failed to dial 81: dial tcp4 127.0.0.1:81: connect: connection refused";
    for (said, refused) in [(REFUSED, true), ("error forwarding port 81: network namespace is closed", false)]
    {
        let answer = script(move |ask| async move {
            let ask = match ask.version(36).await {
                Ok(tcp) => return tcp,
                Err(ask) => ask,
            };
            let mut peer = ask.socket("v4.channel.k8s.io").await;
            peer.send(0, &[81, 0]).await;
            peer.send(1, &[81, 0]).await;
            peer.send(1, said.as_bytes()).await;
            peer.next().await;
            None
        });
        let server = Server::start(answer).await;
        let error = server.bridge.dial(&server.place(Action::Forward { port: 81 }), 81).await.unwrap_err();
        assert_eq!(matches!(error, BridgeError::ConnectionRefused { port: 81, .. }), refused, "{error}");
        assert_eq!(matches!(error, BridgeError::ConnectionFailed { .. }), !refused, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_to_answer_is_given_time_to_refuse() {
    let answer = script(|ask| async {
        let ask = match ask.version(36).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut peer = ask.socket("v4.channel.k8s.io").await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        peer.send(0, &[81, 0]).await;
        peer.send(1, &[81, 0]).await;
        peer.send(1, b"dial tcp4 127.0.0.1:81: connect: connection refused").await;
        peer.next().await;
        None
    });
    let server = Server::start(answer).await;
    let error = server.bridge.dial(&server.place(Action::Forward { port: 81 }), 81).await.unwrap_err();
    assert!(matches!(error, BridgeError::ConnectionRefused { port: 81, .. }), "{error}");
}

#[tokio::test]
async fn a_tunnel_keeps_its_answer_coming_after_its_question_has_ended() {
    let answer = script(|ask| async {
        let ask = match ask.version(36).await {
            Ok(tcp) => return tcp,
            Err(ask) => ask,
        };
        let mut peer = ask.socket("SPDY/3.1+portforward.k8s.io").await;
        let (mut buffer, mut question) = (BytesMut::new(), Vec::new());
        'reading: loop {
            buffer.extend_from_slice(&peer.next().await.unwrap());
            while let Some(frame) = spdy::take(&mut buffer).unwrap() {
                if let Frame::Data { stream: 1, bytes, end } = frame {
                    question.extend_from_slice(&bytes);
                    if end {
                        break 'reading;
                    }
                }
            }
        }
        let mut frames = Vec::new();
        spdy::data(1, &question, false, &mut frames);
        spdy::data(3, b"", true, &mut frames);
        spdy::data(1, b"!", true, &mut frames);
        // SPDY does not care how a WebSocket cuts it.
        for piece in frames.chunks(3) {
            let _ = futures::SinkExt::send(&mut peer.0, piece.to_vec().into()).await;
        }
        peer.next().await;
        None
    });
    let server = Server::start(answer).await;
    let tunnel = server.bridge.dial(&server.place(Action::Forward { port: 80 }), 80).await.unwrap();
    assert!(tunnel.half_close_supported());
    let (input, mut output) = tunnel.split();
    input.write(Bytes::from_static(b"question")).await.unwrap();
    input.eof().await.unwrap();
    let mut said = Vec::new();
    while let Some(bytes) = output.next().await {
        said.extend_from_slice(&bytes.unwrap());
    }
    assert_eq!(said, b"question!");
}
