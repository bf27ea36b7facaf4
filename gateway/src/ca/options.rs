//! Critical options: conditions in a certificate that whoever does not understand them must not overlook.

use std::net::IpAddr;

use ipnet::IpNet;
use russh::keys::ssh_key::certificate::OptionsMap;

use super::CertificateRefusal;
use super::verify::printable;

/// The most networks that one `source-address` may list.
const MAX_NETWORKS: usize = 64;

/// Holds every critical option against the connection. Only `source-address` can be met; `force-command`,
/// `verify-required` and all that is unknown are refused, because this gateway would not honour them.
pub(super) fn check(options: &OptionsMap, peer: IpAddr) -> Result<(), CertificateRefusal> {
    for (name, value) in options.iter() {
        match name.as_str() {
            "source-address" => source_address(value, peer)?,
            "force-command" => return Err(CertificateRefusal::ForceCommand),
            _ => return Err(CertificateRefusal::UnknownOption(printable(name))),
        }
    }
    Ok(())
}

/// A comma-separated list of addresses and networks in CIDR form (`PROTOCOL.certkeys`).
fn source_address(list: &str, peer: IpAddr) -> Result<(), CertificateRefusal> {
    // An IPv4 client of a dual-stack socket shows up as ::ffff:a.b.c.d.
    let peer = peer.to_canonical();
    let mut inside = false;
    for (index, item) in list.split(',').enumerate() {
        let network = item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
        let Ok(network) = network else { return Err(CertificateRefusal::SourceAddressForm) };
        if index >= MAX_NETWORKS {
            return Err(CertificateRefusal::SourceAddressForm);
        }
        inside |= network.contains(&peer);
    }
    if inside { Ok(()) } else { Err(CertificateRefusal::SourceAddress(peer)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, peer: &str) -> bool {
        source_address(list, peer.parse().unwrap()).is_ok()
    }

    #[test]
    fn source_address_lets_in_the_listed_networks_only() {
        assert!(allows("10.0.0.0/8", "10.1.2.3"));
        assert!(allows("192.0.2.7", "192.0.2.7"));
        assert!(allows("192.0.2.7,10.0.0.0/8", "10.1.2.3"));
        assert!(allows("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(allows("2001:db8::/32", "2001:db8::1"));
        assert!(!allows("10.0.0.0/8", "11.0.0.1"));
        assert!(!allows("2001:db8::/32", "10.0.0.1"));
    }

    #[test]
    fn a_list_that_does_not_parse_lets_nobody_in() {
        for list in
            ["", ",", "10.0.0.0/8,", "10.0.0.0/33", "host.test", "10.0.0.0/8, 11.0.0.0/8", "!10.0.0.1"]
        {
            assert!(!allows(list, "10.0.0.1"), "{list}");
        }
        assert!(!allows(&vec!["10.0.0.0/8"; MAX_NETWORKS + 1].join(","), "10.0.0.1"));
    }
}
