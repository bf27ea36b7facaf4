//! Host names of tunnels: the names that Kubernetes' own DNS gives.

use sallyport_policy::Namespace;

use super::{BridgeError, Target, TargetKind};
use crate::terminal::clean;

/// Reads `<service>.<namespace>.svc[.cluster.local]` or `<pod>.<namespace>.pod[.cluster.local]`, with or without the
/// dot at the end.
///
/// # Errors
/// When it is neither.
pub fn parse_host(host: &str) -> Result<Target, BridgeError> {
    let unknown = || {
        BridgeError::Target(format!(
            "`{}` is not a name to tunnel to; use `SERVICE.NAMESPACE.svc` or `POD.NAMESPACE.pod`",
            clean(host)
        ))
    };
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let name = name.strip_suffix(".cluster.local").unwrap_or(&name);
    let (rest, kind) = name.rsplit_once('.').ok_or_else(unknown)?;
    let kind = match kind {
        "svc" => TargetKind::Service,
        "pod" => TargetKind::Pod,
        _ => return Err(unknown()),
    };
    // A pod's own name may have dots, a namespace's cannot.
    let (name, namespace) = rest.rsplit_once('.').ok_or_else(unknown)?;
    let namespace = Namespace::parse(namespace).map_err(|error| BridgeError::Target(error.to_string()))?;
    let target = Target { namespace, kind, name: name.to_owned(), container: None };
    target.checked_name()?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_in_cluster_dns_are_understood() {
        for (host, namespace, shown) in [
            ("postgres.payments.svc", "payments", "svc/postgres"),
            ("Postgres.payments.svc.cluster.local.", "payments", "svc/postgres"),
            ("api-0.payments.pod", "payments", "api-0"),
            ("web.v2.staging.pod.cluster.local", "staging", "web.v2"),
        ] {
            let target = parse_host(host).unwrap();
            assert_eq!((target.namespace.as_str(), target.to_string().as_str()), (namespace, shown));
        }
    }

    #[test]
    fn other_names_are_refused_with_the_two_forms() {
        for host in [
            "localhost",
            "10.0.0.1",
            "example.com",
            "postgres",
            "postgres.payments",
            ".svc",
            "a..svc",
            "x/y.payments.svc",
            "",
            "metadata.google.internal",
        ] {
            assert_eq!(parse_host(host).unwrap_err().exit_status(), 64, "{host}");
        }
    }
}
