//! The SSH library's callbacks. They run inside the connection's only loop, so none of them waits for anything
//! slow: they look at the request, answer, and leave the work to tasks of their own. The one exception is
//! [`Peer::data`], which holds the loop back in short slices when a channel has taken in too much (`inbound`).

mod peer;

use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Certificate, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Pty, Sig};

use super::auth::{LastResort, NoCertificate, Who};
use super::channel::{Ask, Entry, Reply, TunnelAsk};
use super::inbound::{self, Pressure};
use super::outflow::Outflow;
use crate::audit::{Kind, Outcome};
use crate::terminal::Size;
pub(super) use peer::Peer;

/// A command line longer than this is refused; the library's packets are bounded, this is tighter.
const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// The loop is held back by no less than this at a time.
const DEBT: Duration = Duration::from_millis(5);

/// No; and this is what else may be tried.
fn no(methods: &[MethodKind], partial_success: bool) -> Auth {
    Auth::Reject { proceed_with_methods: Some(MethodSet::from(methods)), partial_success }
}

const BOTH: &[MethodKind] = &[MethodKind::PublicKey, MethodKind::KeyboardInteractive];

impl Handler for Peer {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.door.none(user, self.taken.bytes());
        Ok(no(BOTH, false))
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let (key, algorithm) = (offer.public_key, offer.algorithm.as_str());
        let sign = self.door.offered(user, key, algorithm, self.taken.bytes());
        Ok(if sign { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.door.signed(user, key.public_key, self.taken.bytes());
        Ok(Auth::reject())
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        match self.accept_certificate(user, certificate) {
            Ok(who) => {
                self.connection.signed_in(user, who);
                Ok(Auth::Accept)
            }
            Err(refusal) => {
                let mut event = self.connection.event(Kind::CertificateRefused, Outcome::Refused);
                event.why = Some(refusal.to_string());
                event.serial = Some(certificate.serial());
                let key = certificate.public_key().fingerprint(russh::keys::HashAlg::Sha256);
                event.fingerprint = Some(key.to_string());
                self.connection.record(event);
                let key = PublicKey::new(certificate.public_key().clone(), "");
                self.door.refused(user, &key, refusal, self.taken.bytes());
                Ok(Auth::reject())
            }
        }
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        _response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        match self.door.interactive(user, self.taken.bytes()) {
            LastResort::Enter(stranger) => {
                // Turned away by the library before we were asked: this is the first we can say of it.
                if stranger.why == NoCertificate::Dates {
                    let mut event = self.connection.event(Kind::CertificateRefused, Outcome::Refused);
                    event.why = Some(stranger.why.to_string());
                    event.fingerprint = stranger.key.as_ref().map(super::auth::fingerprint);
                    self.connection.record(event);
                }
                self.connection.signed_in(user, Who::Stranger(Box::new(stranger)));
                Ok(Auth::Accept)
            }
            // Partial success makes OpenSSH go on to its keys; the list must stay the same until it has shown them all.
            LastResort::KeysFirst => Ok(no(&[MethodKind::PublicKey], true)),
            LastResort::No => Ok(no(BOTH, false)),
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let reply = Reply::new(reply);
        if let Some(why) = self.full() {
            reply.no_room(why).await;
            return Ok(());
        }
        let (inbox, input) = inbound::channel(self.shared.bounds, &self.shared.budget);
        let (id, (_, half)) = (channel.id(), channel.split());
        self.channels.insert(id, Entry::session(half, inbox, input, self.connection.gone.child_token()));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let reply = Reply::new(reply);
        if let Some(why) = self.full() {
            reply.no_room(why).await;
            return Ok(());
        }
        let (inbox, input) = inbound::channel(self.shared.bounds, &self.shared.budget);
        let (id, (_, half)) = (channel.id(), channel.split());
        let gone = self.connection.gone.child_token();
        let entry = Entry::tunnel(inbox, gone.clone());
        let overfull = entry.overfull.clone();
        self.channels.insert(id, entry);
        let output = Arc::new(Outflow::new(half, session.handle(), gone, false));
        let ask = TunnelAsk {
            connection: Arc::clone(&self.connection),
            // Names are resolved by their own rules; what is longer than a DNS name is none.
            host: host.chars().take(256).collect(),
            port,
            reply,
            input,
            output: Arc::clone(&output),
            overfull,
        };
        self.shared.spawn(&self.channels, output, self.shared.work.tunnel(ask));
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let why = "tunnels to Unix sockets are not served here";
        self.connection.refuse("forward-socket", why);
        Reply::new(reply).prohibit(why).await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        Reply::new(reply).prohibit("X11 is not served here").await;
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        Reply::new(reply).prohibit("only servers open such channels").await;
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some((inbox, alone)) = self.channels.inbox(channel) else { return Ok(()) };
        match inbox.push(data) {
            Pressure::Easy => {}
            Pressure::Slow(full) => {
                // Timers are too coarse for a packet's share; several are waited for together.
                self.debt += inbound::slice(data.len(), full, alone);
                if self.debt >= DEBT {
                    inbox.room(std::mem::take(&mut self.debt)).await;
                }
            }
            // The session says so to the client and ends; more data until then is dropped.
            Pressure::Over => _ = self.channels.with(channel, |entry| entry.overfull.cancel()),
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.with(channel, |entry| entry.inbox.finish());
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let allowed = self.connection.person().map_or(true, |certificate| certificate.permits_pty);
        let size = Size::bounded(columns, rows);
        if allowed && self.channels.with(channel, |entry| entry.terminal(term, size)) == Some(true) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels.with(channel, |entry| entry.env(name, value)) == Some(true) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        _pixel_width: u32,
        _pixel_height: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.with(channel, |entry| entry.resize(Size::bounded(columns, rows)));
        session.channel_success(channel)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.with(channel, |entry| entry.signal(&signal));
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.begin(channel, Ask::Shell, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match std::str::from_utf8(data) {
            Ok(command) if data.len() <= MAX_COMMAND_BYTES => {
                self.begin(channel, Ask::Command(command.to_owned()), session)
            }
            _ => {
                self.connection.refuse("command", "the command line is too long or not UTF-8");
                session.channel_failure(channel)
            }
        }
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let name = name.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
        self.begin(channel, Ask::Subsystem(name), session)
    }

    async fn agent_request(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<bool, Self::Error> {
        self.connection.refuse("agent-forwarding", "a person's agent is never reached from here");
        Ok(false)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.connection.refuse("x11-forwarding", "X11 is not served here");
        session.channel_failure(channel)
    }

    async fn tcpip_forward(&mut self, _: &str, _: &mut u32, _: &mut Session) -> Result<bool, Self::Error> {
        self.connection
            .refuse("remote-forward", "nothing in the cluster may reach into the client (`ssh -R`)");
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, _: &str, _: &mut Session) -> Result<bool, Self::Error> {
        self.connection
            .refuse("remote-forward", "nothing in the cluster may reach into the client (`ssh -R`)");
        Ok(false)
    }
}
