//! Port-forwarding over SPDY, by a client that writes its frames itself.

use tokio::net::tcp::OwnedWriteHalf;

use super::*;

/// A client of the tunnel: frames out, frames in.
struct Tunnel {
    client: Client,
    buffer: Vec<u8>,
    opened: bool,
}

/// A frame of the server: a control frame's type and content, or data.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Control(u8, Vec<u8>),
    Data(u32, Vec<u8>, bool),
}

impl Tunnel {
    async fn to(world: &World) -> Tunnel {
        let client = world.open("/portforward", websocket::SPDY).await;
        Tunnel { client, buffer: Vec::new(), opened: false }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.client.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
    }

    async fn data(&mut self, stream: u32, bytes: &[u8], end: bool) {
        self.send(&spdy::data(stream, bytes, end)).await;
    }

    /// `SYN_STREAM` with a header block of stored blocks.
    async fn open(&mut self, stream: u32, headers: &[(&str, &str)], flags: u8) {
        let mut list = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            list.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
            list.extend_from_slice(text.as_bytes());
        }
        let length = u16::try_from(list.len()).unwrap();
        let zlib: &[u8] = if std::mem::replace(&mut self.opened, true) { &[] } else { &[0x78, 1] };
        let (size, check) = (length.to_le_bytes(), (!length).to_le_bytes());
        let block = [zlib, &[0], &size[..], &check[..], &list, &[0, 0, 0, 0xff, 0xff]].concat();
        let content = [&stream.to_be_bytes()[..], &[0; 6], &block].concat();
        let [_, l0, l1, l2] = u32::try_from(content.len()).unwrap().to_be_bytes();
        self.send(&[&[0x80, 3, 0, 1, flags, l0, l1, l2][..], &content].concat()).await;
    }

    /// The pair of streams `error` and `error + 2` for a port, as kubectl opens it.
    async fn pair(&mut self, error: u32, port: u16) {
        let (port, id) = (port.to_string(), error.to_string());
        for (stream, kind, end) in [(error, "error", 1), (error + 2, "data", 0)] {
            self.open(stream, &[("streamtype", kind), ("port", &port), ("requestid", &id)], end).await;
            assert_eq!(self.next().await, Some(reply(stream, stream == 1)));
        }
    }

    /// The next frame; `None` when the server has closed.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((head, rest)) = self.buffer.split_first_chunk::<8>() {
                let [first @ .., flags, l0, l1, l2] = *head;
                let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
                if rest.len() >= length {
                    let content = rest[..length].to_vec();
                    self.buffer.drain(..8 + length);
                    return Some(match first {
                        [0x80, 3, 0, kind] => Seen::Control(kind, content),
                        stream => Seen::Data(u32::from_be_bytes(stream), content, flags == 1),
                    });
                }
            }
            match self.client.next().await?.ok()? {
                Message::Binary(bytes) => self.buffer.extend_from_slice(&bytes),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Data of one stream until it ends; frames of other streams are an error.
    async fn rest(&mut self, stream: u32) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let Some(Seen::Data(on, bytes, end)) = self.next().await else { panic!("after {}", all.len()) };
            assert_eq!(on, stream);
            all.extend_from_slice(&bytes);
            if end {
                return all;
            }
        }
    }
}

fn reply(stream: u32, first: bool) -> Seen {
    Seen::Control(2, spdy::reply(stream, first)[8..].to_vec())
}

fn reset(stream: u8, status: u8) -> Seen {
    Seen::Control(3, vec![0, 0, 0, stream, 0, 0, 0, status])
}

/// A port of the pod, and the connections that are made to it.
async fn listen(world: &World) -> (TcpListener, u16) {
    let listener = TcpListener::bind((world.ip.as_str(), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn ended(mut into: OwnedWriteHalf) {
    // What is written to a connection that is gone fails, at the latest after the reset has come back.
    while into.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn each_direction_ends_by_itself() {
    let world = World::shell().await;
    let (listener, port) = listen(&world).await;
    let mut tunnel = Tunnel::to(&world).await;

    // The client is done first.
    tunnel.pair(1, port).await;
    let (mut pod, _) = listener.accept().await.unwrap();
    tunnel.data(3, b"question", false).await;
    tunnel.data(3, b"?", true).await;
    let mut asked = String::new();
    pod.read_to_string(&mut asked).await.unwrap();
    assert_eq!(asked, "question?");
    pod.write_all(b"answer").await.unwrap();
    drop(pod);
    assert_eq!(tunnel.rest(3).await, b"answer");
    assert_eq!(tunnel.next().await, Some(Seen::Data(1, Vec::new(), true)));

    // The pod is done first, and the WebSocket lives on.
    tunnel.pair(5, port).await;
    let (mut pod, _) = listener.accept().await.unwrap();
    pod.shutdown().await.unwrap();
    assert_eq!(tunnel.rest(7).await, b"");
    tunnel.data(7, b"still here", true).await;
    let mut said = String::new();
    pod.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "still here");
    assert_eq!(tunnel.next().await, Some(Seen::Data(5, Vec::new(), true)));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn many_connections_share_a_tunnel_and_bytes_arrive_intact() {
    const SIZE: usize = 8 << 20;
    const PAIRS: u32 = 8;
    let world = World::shell().await;
    let (listener, port) = listen(&world).await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&all).await.unwrap();
            });
        }
    });
    let mut tunnel = Tunnel::to(&world).await;
    for n in 0..PAIRS {
        tunnel.pair(4 * n + 1, port).await;
    }
    let byte = |n: u32, at: usize| u8::try_from((at + 31 * n as usize) % 251).unwrap();
    let sent: Vec<Vec<u8>> = (0..PAIRS).map(|n| (0..SIZE).map(|at| byte(n, at)).collect()).collect();
    // Pieces of all connections in turn, cut where frames are not.
    for at in (0..SIZE).step_by(256 << 10) {
        for (n, all) in (0..PAIRS).zip(&sent) {
            let frame = spdy::data(4 * n + 3, &all[at..at + (256 << 10)], at + (256 << 10) == SIZE);
            for piece in frame.chunks(100_000) {
                tunnel.client.feed(Message::Binary(piece.to_vec().into())).await.unwrap();
            }
        }
    }
    tunnel.client.flush().await.unwrap();
    let mut back = vec![Vec::new(); PAIRS as usize];
    let mut over = 0;
    while over < 2 * PAIRS {
        let Some(Seen::Data(stream, bytes, end)) = tunnel.next().await else { panic!("{over} ends") };
        over += u32::from(end);
        if stream % 4 == 3 {
            back[stream as usize / 4].extend_from_slice(&bytes);
        } else {
            assert_eq!(bytes, b"", "an error");
        }
    }
    assert!(back == sent, "{:?} bytes came back", back.iter().map(Vec::len).collect::<Vec<_>>());
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_refused_connection_is_told_on_the_error_stream() {
    let world = World::shell().await;
    let mut tunnel = Tunnel::to(&world).await;
    // The order of the gateway's own client: data first.
    tunnel.open(1, &[("streamtype", "data"), ("port", "1"), ("requestid", "0")], 0).await;
    tunnel.open(3, &[("streamtype", "error"), ("port", "1"), ("requestid", "0")], 1).await;
    assert_eq!([tunnel.next().await, tunnel.next().await], [Some(reply(1, true)), Some(reply(3, false))]);
    let text = String::from_utf8(tunnel.rest(3).await).unwrap();
    assert!(
        text.starts_with("error forwarding port 1 to pod") && text.ends_with("connect: connection refused"),
        "{text}"
    );
    assert_eq!(tunnel.rest(1).await, b"");
    // The tunnel is as good as before.
    tunnel.send(&spdy::ping(9)).await;
    assert_eq!(tunnel.next().await, Some(Seen::Control(6, vec![0, 0, 0, 9])));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_stream_and_with_its_client() {
    let world = World::shell().await;
    let (listener, port) = listen(&world).await;
    let mut tunnel = Tunnel::to(&world).await;
    tunnel.pair(1, port).await;
    let (_, into) = listener.accept().await.unwrap().0.into_split();
    tunnel.send(&spdy::reset(3, spdy::Refusal::Cancel)).await;
    assert_eq!(tunnel.next().await, Some(Seen::Data(1, Vec::new(), true)));
    ended(into).await;

    tunnel.pair(5, port).await;
    let (from, into) = listener.accept().await.unwrap().0.into_split();
    // A pod that does not read: the tunnel is full, and its end is noticed all the same.
    let full = async {
        while tunnel.client.send(Message::Binary(spdy::data(7, &[0; 65536], false))).await.is_ok() {}
    };
    assert!(tokio::time::timeout(Duration::from_millis(500), full).await.is_err());
    drop(tunnel);
    drop(from);
    ended(into).await;
    world.kubelet.stop().await;
}

#[tokio::test]
async fn streams_that_ask_for_nothing_sensible_are_reset_and_the_rest_goes_on() {
    let world = World::shell().await;
    let mut tunnel = Tunnel::to(&world).await;
    let cases: [(&[(&str, &str)], u8); 8] = [
        (&[], 0),
        (&[("streamtype", "data"), ("port", "80")], 0),
        (&[("streamtype", "data"), ("requestid", "0")], 0),
        (&[("streamtype", "stdin"), ("port", "80"), ("requestid", "0")], 0),
        (&[("streamtype", "data"), ("port", "0"), ("requestid", "0")], 0),
        (&[("streamtype", "data"), ("port", "65536"), ("requestid", "0")], 0),
        (&[("streamType", "data"), ("port", "80"), ("requestID", "0")], 0),
        (&[("streamtype", "data"), ("port", "80"), ("requestid", "0")], 2),
    ];
    let mut stream = 1;
    for (headers, flags) in cases {
        tunnel.open(stream, headers, flags).await;
        assert_eq!(tunnel.next().await, Some(reset(stream as u8, 5)), "{headers:?}");
        stream += 2;
    }
    // A second stream of one kind, and one with another port.
    let (data, other) = ([("streamtype", "data"), ("port", "80"), ("requestid", "0")], "81");
    tunnel.open(21, &data, 0).await;
    assert_eq!(tunnel.next().await, Some(reply(21, true)));
    tunnel.open(23, &data, 0).await;
    assert_eq!(tunnel.next().await, Some(reset(23, 5)));
    tunnel.open(25, &[("streamtype", "error"), ("port", other), ("requestid", "0")], 0).await;
    assert_eq!(tunnel.next().await, Some(reset(25, 5)));
    // What nobody knows is nobody's.
    tunnel.data(99, b"x", true).await;
    tunnel.send(&spdy::reset(99, spdy::Refusal::Cancel)).await;
    tunnel.send(&spdy::ping(1)).await;
    assert_eq!(tunnel.next().await, Some(Seen::Control(6, vec![0, 0, 0, 1])));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let world = World::shell().await;
    let mut tunnel = Tunnel::to(&world).await;
    for n in 0..257 {
        let id = n.to_string();
        tunnel.open(2 * n + 1, &[("streamtype", "data"), ("port", "80"), ("requestid", &id)], 0).await;
        let answer = tunnel.next().await.unwrap();
        match n {
            256 => {
                assert_eq!(answer, Seen::Control(3, [513_u32.to_be_bytes(), 3_u32.to_be_bytes()].concat()))
            }
            n => assert_eq!(answer, reply(2 * n + 1, n == 0)),
        }
    }
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_sent_away() {
    let world = World::shell().await;
    let go_away = |last: u32| Some(Seen::Control(7, spdy::go_away(last)[8..].to_vec()));
    let cases: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x80\x02\0\x01\0\0\0\0",
        b"\0\0\0\x01\0\x10\0\x01",
        b"\x80\x03\0\x06\0\0\0\x01\0",
        b"\x80\x03\0\x08\0\0\0\x06\0\0\0\x01zz",
        &spdy::reply(1, true),
    ];
    for case in cases {
        let mut tunnel = Tunnel::to(&world).await;
        tunnel.send(case).await;
        assert_eq!([tunnel.next().await, tunnel.next().await], [go_away(0), None], "{case:?}");
    }
    // Stream numbers that are not a client's, or do not grow.
    let headers = [("streamtype", "data"), ("port", "80"), ("requestid", "0")];
    for stream in [2, 5, 3] {
        let mut tunnel = Tunnel::to(&world).await;
        tunnel.open(5, &headers, 0).await;
        assert_eq!(tunnel.next().await, Some(reply(5, true)));
        tunnel.open(stream, &headers, 0).await;
        assert_eq!([tunnel.next().await, tunnel.next().await], [go_away(5), None], "{stream}");
    }
    // Data that nobody can take yet is kept up to a bound.
    let mut tunnel = Tunnel::to(&world).await;
    tunnel.open(1, &headers, 0).await;
    assert_eq!(tunnel.next().await, Some(reply(1, true)));
    for _ in 0..65 {
        tunnel.data(1, b"x", false).await;
    }
    assert_eq!([tunnel.next().await, tunnel.next().await], [go_away(1), None]);
    world.kubelet.stop().await;
}
