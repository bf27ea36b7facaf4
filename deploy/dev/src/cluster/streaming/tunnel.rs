//! Port-forwarding over SPDY in a WebSocket, as the API server has it since 1.31: any number of connections to
//! ports of one pod, each a pair of streams.
//!
//! A client opens a stream of `streamtype` `error` and one of `data` with the same `requestid` and `port`. Each
//! direction of the data stream ends by itself, as those of a TCP connection do; the error stream carries why a
//! connection could not be made, and ends when it is over. The WebSocket ends with its client.
//!
//! SPDY is used without flow control, so what a pod does not take is kept up to a bound ([`BUDGET`], for all
//! streams together), and from then on nothing is read from this client, also not for its other connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::SplitStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use self::forward::{Ends, Food};
use super::portforward::Place;
use super::spdy::{self, Frame, HeaderReader, Headers, Malformed, Refusal};
use super::websocket::{self, QUEUE, Socket};

mod forward;

/// Streams of one client at one time.
const STREAMS: usize = 256;
/// How long a stream may wait for its partner, as with a kubelet.
const PARTNER: Duration = Duration::from_secs(30);
/// Bytes from one client that pods have not taken yet.
const BUDGET: usize = 4 << 20;
/// Pieces of these for one stream.
const PIECES: usize = 64;
/// Answers to a client that does not take them.
const ANSWERS: usize = 64;

/// Serves a client until it goes away or breaks the protocol.
pub(super) async fn stream(socket: Socket, to: Place) {
    let (sink, source) = socket.split();
    let (urgent, urgents) = mpsc::channel(ANSWERS);
    let (queue, messages) = mpsc::channel(QUEUE);
    let writing = tokio::spawn(websocket::write_two(sink, urgents, messages));
    let mut session = Session {
        to,
        urgent,
        queue,
        headers: HeaderReader::new(),
        last: 0,
        replied: false,
        streams: HashMap::new(),
        halves: HashMap::new(),
        budget: Arc::new(Semaphore::new(BUDGET)),
        forwards: JoinSet::new(),
    };
    if let Err(End::Malformed(error)) = session.run(source).await {
        tracing::debug!(%error, "a client of port-forwarding does not speak SPDY/3.1");
        let _ = session.urgent.try_send(spdy::go_away(session.last));
    }
    // With it go the connections to the pod, and the queues.
    drop(session);
    websocket::part(writing).await;
}

/// Why no more is taken from a client.
#[derive(Debug)]
enum End {
    Gone,
    Malformed(Malformed),
}

impl From<Malformed> for End {
    fn from(error: Malformed) -> End {
        End::Malformed(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Data,
}

/// What is known of a stream that a client opened.
enum Stream {
    Error,
    /// `feed` is gone once the client has said that no more comes.
    Data {
        feed: Option<mpsc::Sender<Food>>,
        given_up: CancellationToken,
        paired: bool,
    },
}

/// A request of which only one stream has come.
struct Half {
    kind: Kind,
    stream: u32,
    port: u16,
    since: Instant,
    food: Option<(mpsc::Receiver<Food>, CancellationToken)>,
}

struct Session {
    to: Place,
    urgent: mpsc::Sender<Bytes>,
    queue: mpsc::Sender<Bytes>,
    headers: HeaderReader,
    /// The last stream that the client opened.
    last: u32,
    /// Whether a stream has been accepted yet.
    replied: bool,
    streams: HashMap<u32, Stream>,
    /// By `requestid`.
    halves: HashMap<String, Half>,
    budget: Arc<Semaphore>,
    forwards: JoinSet<Ends>,
}

impl Session {
    async fn run(&mut self, mut source: SplitStream<Socket>) -> Result<(), End> {
        let mut buffer = BytesMut::new();
        let mut tick = tokio::time::interval(PARTNER / 4);
        loop {
            let message = tokio::select! {
                message = source.next() => message,
                Some(over) = self.forwards.join_next() => {
                    self.forget(over.ok());
                    continue;
                }
                _ = tick.tick() => {
                    self.sweep().await?;
                    continue;
                }
                // The writer has found that the client is gone.
                () = self.urgent.closed() => return Err(End::Gone),
            };
            match message {
                Some(Ok(Message::Binary(bytes))) => buffer.extend_from_slice(&bytes),
                // Pings are answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return Err(End::Gone),
            }
            while let Some(frame) = spdy::take(&mut buffer)? {
                self.frame(frame).await?;
            }
        }
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::Open { stream, block, end, one_way } => {
                // Also of a stream that is refused: the next block goes on where this one ends.
                let headers = self.headers.read(&block)?;
                if stream % 2 == 0 || stream <= self.last {
                    return Err(Malformed::Stream.into());
                }
                self.last = stream;
                while let Some(over) = self.forwards.try_join_next() {
                    self.forget(over.ok());
                }
                if self.streams.len() >= STREAMS {
                    return self.answer(spdy::reset(stream, Refusal::Refused)).await;
                }
                match request(&headers).filter(|_| !one_way) {
                    Some(request) => self.open(stream, request, end).await,
                    None => self.answer(spdy::reset(stream, Refusal::Cancel)).await,
                }
            }
            Frame::Headers { block } => Ok(self.headers.read(&block).map(drop)?),
            Frame::Data { stream, bytes, end } => self.data(stream, bytes, end).await,
            Frame::Reset { stream } => {
                if let Some(Stream::Data { feed, given_up, .. }) = self.streams.get_mut(&stream) {
                    *feed = None;
                    given_up.cancel();
                }
                Ok(())
            }
            Frame::Ping { id } => self.answer(spdy::ping(id)).await,
        }
    }

    async fn open(&mut self, stream: u32, request: Request<'_>, end: bool) -> Result<(), End> {
        let Request { id, kind, port } = request;
        let partner = match self.halves.remove(id) {
            // Two of a kind, or of two minds about the port.
            Some(half) if half.kind == kind || half.port != port => {
                self.halves.insert(id.to_owned(), half);
                return self.answer(spdy::reset(stream, Refusal::Cancel)).await;
            }
            partner => partner,
        };
        let paired = partner.is_some();
        let mut food = None;
        let entry = match kind {
            Kind::Error => Stream::Error,
            Kind::Data => {
                let (feed, receiver) = mpsc::channel(PIECES);
                let given_up = CancellationToken::new();
                food = Some((receiver, given_up.clone()));
                Stream::Data { feed: (!end).then_some(feed), given_up, paired }
            }
        };
        self.streams.insert(stream, entry);
        let first = !std::mem::replace(&mut self.replied, true);
        self.answer(spdy::reply(stream, first)).await?;
        let Some(partner) = partner else {
            let since = Instant::now();
            self.halves.insert(id.to_owned(), Half { kind, stream, port, since, food });
            return Ok(());
        };
        let ends = match kind {
            Kind::Error => Ends { error: stream, data: partner.stream },
            Kind::Data => Ends { error: partner.stream, data: stream },
        };
        if let Some(Stream::Data { paired, .. }) = self.streams.get_mut(&ends.data) {
            *paired = true;
        }
        // One of the two is the data stream.
        if let Some((food, given_up)) = food.or(partner.food) {
            let (to, queue) = (self.to.clone(), self.queue.clone());
            self.forwards.spawn(forward::forward(to, port, ends, food, given_up, queue));
        }
        Ok(())
    }

    async fn data(&mut self, stream: u32, bytes: Bytes, end: bool) -> Result<(), End> {
        // A stream that is over, or an error stream: nothing is lost with that.
        let Some(Stream::Data { feed, paired, .. }) = self.streams.get_mut(&stream) else { return Ok(()) };
        if let Some(open) = feed.as_ref().filter(|_| !bytes.is_empty()) {
            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let budget = Arc::clone(&self.budget);
            if *paired {
                let give = async {
                    let held = budget.acquire_many_owned(size).await;
                    // It fails when that connection is over; others may go on.
                    if let Ok(held) = held {
                        let _ = open.send(Food { bytes, held }).await;
                    }
                };
                tokio::select! {
                    () = give => {}
                    () = self.urgent.closed() => return Err(End::Gone),
                }
            } else {
                // Nobody takes it yet, so there is nothing to wait for.
                let held = budget.try_acquire_many_owned(size).map_err(|_| Malformed::TooEarly)?;
                open.try_send(Food { bytes, held }).map_err(|_| Malformed::TooEarly)?;
            }
        }
        if end {
            *feed = None;
        }
        Ok(())
    }

    async fn answer(&self, frame: Bytes) -> Result<(), End> {
        self.urgent.send(frame).await.map_err(|_| End::Gone)
    }

    /// Gives up streams whose partner does not come.
    async fn sweep(&mut self) -> Result<(), End> {
        let late: Vec<_> = self.halves.extract_if(|_, half| half.since.elapsed() >= PARTNER).collect();
        for (_, half) in late {
            self.streams.remove(&half.stream);
            self.answer(spdy::reset(half.stream, Refusal::Cancel)).await?;
        }
        Ok(())
    }

    fn forget(&mut self, over: Option<Ends>) {
        if let Some(Ends { error, data }) = over {
            self.streams.remove(&error);
            self.streams.remove(&data);
        }
    }
}

/// What the headers of a stream ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Request<'a> {
    id: &'a str,
    kind: Kind,
    port: u16,
}

fn request(headers: &Headers) -> Option<Request<'_>> {
    let kind = match headers.get("streamtype")? {
        "error" => Kind::Error,
        "data" => Kind::Data,
        _ => return None,
    };
    let port = headers.get("port")?.parse().ok().filter(|port| *port > 0)?;
    let id = headers.get("requestid").filter(|id| !id.is_empty())?;
    Some(Request { id, kind, port })
}
