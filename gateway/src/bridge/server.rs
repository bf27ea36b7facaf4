//! What the API server can do, by its version. Asked under the gateway's own name, and not for anybody.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Clusters are upgraded under running gateways.
const FRESH: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(5);

/// What depends on the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
    /// `v5.channel.k8s.io`: exec can be told that standard input is over (1.30).
    pub(super) ends_channels: bool,
    /// `SPDY/3.1+portforward.k8s.io`: port-forwarding inside a WebSocket (1.31).
    pub(super) tunnels_in_websockets: bool,
}

impl Abilities {
    const fn of(minor: u32) -> Self {
        Self { ends_channels: minor >= 30, tunnels_in_websockets: minor >= 31 }
    }
}

/// Remembers the answer; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    known: Arc<Mutex<Option<(Abilities, Instant)>>>,
}

impl Server {
    /// A server that does not tell is taken for a new one: those negotiate what they cannot do.
    pub(super) async fn abilities(&self, base: &kube::Client) -> Abilities {
        let mut known = self.known.lock().await;
        if let Some((abilities, since)) = *known
            && since.elapsed() < FRESH
        {
            return abilities;
        }
        let told = tokio::time::timeout(PATIENCE, base.apiserver_version()).await;
        let minor = told.ok().and_then(Result::ok).and_then(|version| minor(&version.minor));
        let abilities = Abilities::of(minor.unwrap_or(u32::MAX));
        *known = minor.map(|_| (abilities, Instant::now()));
        abilities
    }
}

/// `20`, and `20+` as some providers write it.
fn minor(text: &str) -> Option<u32> {
    text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_say_which_protocols_there_are() {
        for (text, ends_channels, tunnels_in_websockets) in [
            ("20", false, false),
            ("29+", false, false),
            ("30", true, false),
            ("31", true, true),
            ("36+", true, true),
        ] {
            let abilities = Abilities::of(minor(text).unwrap());
            assert_eq!(abilities, Abilities { ends_channels, tunnels_in_websockets });
        }
        assert_eq!(minor("new"), None);
    }
}
