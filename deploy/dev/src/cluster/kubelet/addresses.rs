//! An address of its own for every pod, so that two pods may listen on the same port.
//!
//! Linux answers on all of 127.0.0.0/8. A cluster takes 127.N.0.0/16 for the first N whose 127.N.0.1:10250
//! (the port of a real kubelet) is free, and holds that port as its claim, so clusters on one machine keep
//! apart. Elsewhere only 127.0.0.1 answers and all pods share it: [`Addresses::shared`] tells.
//!
//! Programs must listen on `$POD_IP` rather than on all addresses; nothing here can make them.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

const KUBELET_PORT: u16 = 10250;
/// Second octets to try. 127.0 and 127.1 are used by people and resolvers.
const NETS: std::ops::Range<u8> = 64..250;
/// Pods at one time.
const PODS: u16 = 4096;
/// Host parts start here; those below are the node's and services'.
const FIRST: u16 = 0x0100;

/// Hands out pod addresses and takes them back.
#[derive(Debug)]
pub(crate) struct Addresses {
    net: Option<(u8, TcpListener)>,
    taken: Mutex<(u16, BTreeSet<u16>)>,
}

impl Addresses {
    /// Claims a network.
    pub(crate) fn claim() -> Addresses {
        let net = NETS
            .filter_map(|n| Some((n, TcpListener::bind((Ipv4Addr::new(127, n, 0, 1), KUBELET_PORT)).ok()?)))
            .next();
        Addresses { net, taken: Mutex::new((0, BTreeSet::new())) }
    }

    /// True where all pods share 127.0.0.1 and their ports collide.
    pub(crate) fn shared(&self) -> bool {
        self.net.is_none()
    }

    /// The node's own address.
    pub(crate) fn node(&self) -> Ipv4Addr {
        self.net.as_ref().map_or(Ipv4Addr::LOCALHOST, |(n, _)| Ipv4Addr::new(127, *n, 0, 1))
    }

    /// An address that no living pod has; the next in turn, so that a new pod seldom gets the address of one
    /// that just ended. `None` when all are taken.
    pub(crate) fn take(&self) -> Option<Ipv4Addr> {
        let Some((net, _)) = &self.net else { return Some(Ipv4Addr::LOCALHOST) };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, used) = &mut *taken;
        // The last byte avoids 0 and 255, which some programs take for a network or a broadcast address.
        let host = (0..PODS)
            .map(|step| last.wrapping_add(1).wrapping_add(step) % PODS)
            .find(|host| !used.contains(host) && !matches!(host & 0xff, 0 | 0xff))?;
        *last = host;
        used.insert(host);
        let [high, low] = (FIRST + host).to_be_bytes();
        Some(Ipv4Addr::new(127, *net, high, low))
    }

    /// Gives an address back.
    pub(crate) fn free(&self, address: Ipv4Addr) {
        let [_, _, high, low] = address.octets();
        if let Some(host) = u16::from_be_bytes([high, low]).checked_sub(FIRST) {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clusters_and_their_pods_never_share_an_address() {
        let (one, two) = (Addresses::claim(), Addresses::claim());
        let mut seen = BTreeSet::new();
        for addresses in [&one, &two] {
            for _ in 0..300 {
                let address = addresses.take().unwrap();
                assert!(seen.insert(address), "{address}");
                assert!(!matches!(address.octets()[3], 0 | 255));
            }
        }
        assert_ne!(one.node(), two.node());
    }

    #[test]
    fn an_address_given_back_is_not_the_next_one_handed_out() {
        let addresses = Addresses::claim();
        let first = addresses.take().unwrap();
        addresses.free(first);
        assert_ne!(addresses.take().unwrap(), first);
    }
}
