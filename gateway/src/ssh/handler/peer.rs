//! One client's state, and what its callbacks have in common.

use std::sync::Arc;
use std::time::Duration;

use russh::ChannelId;
use russh::keys::Certificate;
use russh::server::Session;

use crate::ca::CertificateRefusal;
use crate::ssh::auth::{Door, Who};
use crate::ssh::channel::{Ask, Channels};
use crate::ssh::connection::Connection;
use crate::ssh::server::Shared;
use crate::ssh::wire::Taken;

/// A connection may open so many channels in its life. The library forgets a channel for good only when the client
/// closed it first, so each leaves a few kilobytes behind.
const MAX_CHANNELS_EVER: u64 = 20_000;

/// One client.
#[derive(Debug)]
pub(in crate::ssh) struct Peer {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Arc<Connection>,
    pub(super) taken: Taken,
    pub(super) door: Door,
    pub(super) channels: Channels,
    opened: u64,
    /// How long the loop has yet to be held back.
    pub(super) debt: Duration,
}

impl Peer {
    pub(in crate::ssh) fn new(
        shared: Arc<Shared>,
        connection: Arc<Connection>,
        channels: Channels,
        taken: Taken,
    ) -> Self {
        Self { shared, connection, taken, door: Door::default(), channels, opened: 0, debt: Duration::ZERO }
    }

    /// Why no further channel may be opened, if so.
    pub(super) fn full(&mut self) -> Option<&'static str> {
        self.opened += 1;
        if self.opened > MAX_CHANNELS_EVER {
            Some("this connection has opened too many channels; use a new one")
        } else if self.channels.len() >= self.shared.settings.max_channels {
            Some("this connection has as many sessions and tunnels as it may have")
        } else if self.connection.gone.is_cancelled() || self.shared.draining.is_cancelled() {
            Some("the gateway is stopping")
        } else {
            None
        }
    }

    pub(super) fn begin(
        &self,
        channel: ChannelId,
        ask: Ask,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (connection, handle) = (Arc::clone(&self.connection), session.handle());
        let Some(Some(work)) =
            self.channels.with(channel, |entry| entry.begin(connection, ask, handle.clone()))
        else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let output = Arc::clone(&work.output);
        self.shared.spawn(&self.channels, output, self.shared.work.session(work));
        Ok(())
    }

    pub(super) fn accept_certificate(
        &self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Who, CertificateRefusal> {
        let now = self.shared.clock.now();
        let verified = self.shared.authority.verify(certificate, self.connection.peer.ip(), now)?;
        tracing::debug!(user, serial = verified.serial, "certificate accepted");
        Ok(Who::Person(Box::new(verified)))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.connection.gone.cancel();
        self.channels.clear();
    }
}
