//! The accept loop and one connection's life: limits, the sign-in timer, the library's configuration, the end.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, PrivateKey};
use russh::server::{Config, run_stream};
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::channel::{Channels, Session, TunnelAsk};
use super::connection::Connection;
use super::handler::Peer;
use super::inbound::{Bounds, Budget, WINDOW};
use super::limits::{Limits, Slot};
use super::outflow::{Ending, Outflow};
use super::wire::Wire;
use crate::audit::{Audit, Event, Kind, Outcome};
use crate::ca::Authority;
use crate::clock::SharedClock;

/// What the server may be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address (one /64 for IPv6).
    pub max_connections_per_peer: usize,
    /// Connections that have not signed in yet, in all.
    pub max_startups: usize,
    /// Connections from one address that have not signed in yet.
    pub max_startups_per_peer: usize,
    /// Sessions and tunnels of one connection at a time.
    pub max_channels: usize,
    /// How long signing in may take.
    pub sign_in_grace: Duration,
    /// How long sessions may take to end when the gateway stops.
    pub drain: Duration,
    /// Where input that a pod does not read is kept, encrypted and without a name.
    pub spool: PathBuf,
    /// How much memory and disk all such input may take together, in bytes.
    pub spool_memory: u64,
    /// See `spool_memory`.
    pub spool_disk: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 4000,
            max_connections_per_peer: 100,
            max_startups: 256,
            max_startups_per_peer: 32,
            max_channels: 64,
            sign_in_grace: Duration::from_secs(60),
            drain: Duration::from_secs(5),
            spool: std::env::temp_dir(),
            spool_memory: 512 << 20,
            spool_disk: 4 << 30,
        }
    }
}

/// What is done on channels. The server knows no more of it.
pub(super) trait Work: std::fmt::Debug + Send + Sync + 'static {
    /// Runs one session to its end.
    fn session(&self, session: Session) -> BoxFuture<'static, ()>;
    /// Answers and serves one tunnel.
    fn tunnel(&self, ask: TunnelAsk) -> BoxFuture<'static, ()>;
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) bounds: Bounds,
    pub(super) budget: Arc<Budget>,
    pub(super) clock: SharedClock,
    pub(super) audit: Audit,
    pub(super) authority: Arc<Authority>,
    pub(super) work: Arc<dyn Work>,
    /// The gateway is stopping: nothing new.
    pub(super) draining: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        clock: SharedClock,
        audit: Audit,
        authority: Arc<Authority>,
        work: Arc<dyn Work>,
    ) -> Self {
        let budget = Budget::new(settings.spool.clone(), settings.spool_memory, settings.spool_disk);
        Self {
            settings,
            bounds: Bounds::default(),
            budget,
            clock,
            audit,
            authority,
            work,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Runs a channel's work; however that ends, the channel is closed and forgotten.
    pub(super) fn spawn(&self, channels: &Channels, output: Arc<Outflow>, work: BoxFuture<'static, ()>) {
        let channels = channels.clone();
        self.tasks.spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                output.say("this session ended by a fault of the gateway").await;
                output.end(Ending::Status(70)).await;
            }
            output.close().await;
            channels.remove(output.id());
        });
    }
}

/// Serves until `shutdown`, then tells the sessions, waits for them a moment, and ends.
pub(super) async fn run(
    shared: Arc<Shared>,
    config: impl Fn() -> Arc<Config>,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let settings = &shared.settings;
    let all = Limits::new(settings.max_connections, settings.max_connections_per_peer);
    let startups = Limits::new(settings.max_startups, settings.max_startups_per_peer);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let slots = all.take(peer.ip()).and_then(|slot| Ok([slot, startups.take(peer.ip())?]));
                match slots {
                    Ok(slots) => {
                        shared.tasks.spawn(connection(Arc::clone(&shared), config(), stream, peer, slots));
                    }
                    Err(full) => turned_away(&shared, peer, &full.to_string()),
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: others must end before anybody else can come.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    shared.draining.cancel();
    shared.tasks.close();
    let _ = tokio::time::timeout(shared.settings.drain + Duration::from_secs(1), shared.tasks.wait()).await;
}

fn turned_away(shared: &Shared, peer: SocketAddr, why: &str) {
    let mut event = Event::new(shared.clock.now(), Kind::ConnectionRefused, Outcome::Refused);
    event.peer = Some(peer.to_string());
    event.why = Some(why.to_owned());
    shared.audit.record(event);
}

async fn connection(
    shared: Arc<Shared>,
    config: Arc<Config>,
    stream: TcpStream,
    peer: SocketAddr,
    slots: [Slot; 2],
) {
    let [slot, startup] = slots;
    let _ = stream.set_nodelay(true);
    // `gone` is cancelled by whoever ends the connection; `cut` ends the stream itself.
    let (gone, cut) = (CancellationToken::new(), CancellationToken::new());
    let clock = Arc::clone(&shared.clock);
    let connection = Arc::new(Connection::new(peer, startup, gone.clone(), clock, shared.audit.clone()));
    let channels = Channels::default();
    let (wire, taken) = Wire::new(stream, cut.clone());
    let handler = Peer::new(Arc::clone(&shared), Arc::clone(&connection), channels.clone(), taken);
    let grace = tokio::time::sleep(shared.settings.sign_in_grace);
    tokio::pin!(grace);
    let started = tokio::select! {
        started = run_stream(config, wire, handler) => started,
        () = &mut grace => return not_signed_in(&connection, TOO_LONG),
        () = shared.draining.cancelled() => return not_signed_in(&connection, "the gateway is stopping"),
    };
    let mut running = match started {
        Ok(running) => running,
        Err(error) => return not_signed_in(&connection, &error.to_string()),
    };
    let handle = running.handle();
    let (mut graced, mut late) = (false, false);
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended,
            () = &mut grace, if !graced => {
                graced = true;
                late = connection.who().is_none();
                if late {
                    cut.cancel();
                }
            }
            () = shared.draining.cancelled() => {
                channels.wait_empty(shared.settings.drain).await;
                let text = "the gateway is stopping".to_owned();
                let tell = handle.disconnect(Disconnect::ByApplication, text, "en".to_owned());
                let _ = tokio::time::timeout(SOON, async { (tell.await, (&mut running).await) }).await;
                cut.cancel();
                break Ok(());
            }
        }
    };
    gone.cancel();
    if connection.who().is_none() {
        let why = match ended {
            _ if late => TOO_LONG.to_owned(),
            Ok(()) => LEFT.to_owned(),
            Err(russh::Error::IO(error)) if error.kind() == ErrorKind::UnexpectedEof => LEFT.to_owned(),
            Err(error) => error.to_string(),
        };
        return not_signed_in(&connection, &why);
    }
    let mut event = connection.event(Kind::ConnectionClosed, Outcome::Ok);
    event.why = match ended {
        // OpenSSH says good-bye or just goes.
        Err(russh::Error::IO(error)) if error.kind() == ErrorKind::UnexpectedEof => None,
        ended => ended.err().map(|error| error.to_string()),
    };
    connection.record(event);
    drop(slot);
}

const TOO_LONG: &str = "signing in took too long";
const LEFT: &str = "left before signing in";

/// A client that was told good-bye has this long to go.
const SOON: Duration = Duration::from_millis(500);

fn not_signed_in(connection: &Connection, why: &str) {
    connection.gone.cancel();
    let mut event = connection.event(Kind::ConnectionRefused, Outcome::Refused);
    event.why = Some(why.chars().filter(|c| !c.is_control()).take(200).collect());
    connection.record(event);
}

/// What the library is told. Algorithms: what OpenSSH 8.0 and later have in common with the safest of today.
pub(super) fn config(keys: Vec<PrivateKey>, certificates: Vec<Certificate>) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Sallyport")),
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]),
        // Nothing is guessed by timing here: keys are public, and there are no passwords.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // An agent with many keys offers them all, twice.
        max_auth_attempts: 48,
        keys,
        certificates,
        window_size: WINDOW,
        // One unsent batch per session is plenty; the window is what bounds what is under way.
        event_buffer_size: 16,
        channel_buffer_size: 1,
        inactivity_timeout: Some(Duration::from_secs(150)),
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 3,
        preferred: preferred(),
        ..Config::default()
    }
}

fn preferred() -> Preferred {
    const KEX: &[kex::Name] = &[
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ];
    const KEYS: &[Algorithm] = &[
        Algorithm::Ed25519,
        Algorithm::SkEd25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::SkEcdsaSha2NistP256,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    ];
    const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::CHACHA20_POLY1305];
    // Used by none of the ciphers above; some clients insist on a list.
    const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];
    Preferred {
        kex: Cow::Borrowed(KEX),
        key: Cow::Borrowed(KEYS),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}
