//! How many connections there may be: in all, and from one address. A slot is a value; dropping it gives it back.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Hands out slots.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    total: usize,
    per_peer: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    peers: HashMap<IpAddr, usize>,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// The whole gateway is.
    #[error("the gateway has as many connections as it may have")]
    Gateway,
    /// This peer is.
    #[error("this address has as many connections as it may have")]
    Peer,
}

/// A place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    inner: Arc<Inner>,
    peer: IpAddr,
}

impl Limits {
    pub(super) fn new(total: usize, per_peer: usize) -> Self {
        Self { inner: Arc::new(Inner { total, per_peer, taken: Mutex::default() }) }
    }

    pub(super) fn take(&self, peer: IpAddr) -> Result<Slot, Full> {
        let peer = who(peer);
        let mut taken = self.inner.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.inner.total {
            return Err(Full::Gateway);
        }
        let mine = taken.peers.entry(peer).or_insert(0);
        if *mine >= self.inner.per_peer {
            return Err(Full::Peer);
        }
        *mine += 1;
        taken.total += 1;
        drop(taken);
        Ok(Slot { inner: Arc::clone(&self.inner), peer })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.inner.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(mine) = taken.peers.get_mut(&self.peer) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                taken.peers.remove(&self.peer);
            }
        }
    }
}

/// One customer of IPv6 has a whole /64; counting single addresses would count nothing.
fn who(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_peer_cannot_take_what_others_need_and_a_slot_comes_back() {
        let limits = Limits::new(3, 2);
        let first = limits.take(ip("192.0.2.1")).unwrap();
        let _second = limits.take(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(limits.take(ip("192.0.2.1")).unwrap_err(), Full::Peer);
        let _other = limits.take(ip("192.0.2.2")).unwrap();
        assert_eq!(limits.take(ip("192.0.2.3")).unwrap_err(), Full::Gateway);
        drop(first);
        limits.take(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_peer() {
        let limits = Limits::new(10, 1);
        let _slot = limits.take(ip("2001:db8:1:2::1")).unwrap();
        assert_eq!(limits.take(ip("2001:db8:1:2:ffff::9")).unwrap_err(), Full::Peer);
        limits.take(ip("2001:db8:1:3::1")).unwrap();
    }

    #[test]
    fn nothing_is_remembered_of_peers_that_left() {
        let limits = Limits::new(10, 1);
        for last in 0..200 {
            drop(limits.take(ip(&format!("192.0.2.{last}"))).unwrap());
        }
        assert!(limits.inner.taken.lock().unwrap().peers.is_empty());
    }
}
