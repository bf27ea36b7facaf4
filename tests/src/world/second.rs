//! A second gateway of the same house: the same keys, people and cluster, but its way to the API server leads
//! through a [`Proxy`] that can be taken away. What a dead API server costs is tried here, and costs nobody else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use super::real::gateway_kubeconfig;
use super::{World, binary, free_port, write_private};
use crate::process::Running;
use crate::proxy::Proxy;
use crate::seconds;
use crate::ssh::Ssh;

/// A second gateway; stops when dropped.
#[derive(Debug)]
pub struct Second {
    /// The way to the API server.
    pub proxy: Proxy,
    /// Its own events.
    pub events: PathBuf,
    running: Running,
    ssh: SocketAddr,
    ssh_config: PathBuf,
    _temporary: tempfile::TempDir,
}

impl World {
    /// Starts a second gateway; `adjust` may change its configuration.
    #[must_use]
    pub fn second(&self, adjust: impl Fn(String) -> String) -> Second {
        let temporary = tempfile::tempdir().expect("a directory");
        let dir = temporary.path().canonicalize().expect("its path");
        let server = self.api.server().trim_start_matches("https://");
        let proxy =
            Proxy::start(server.replace("localhost", "127.0.0.1").parse().expect("an address and a port"));
        let through = format!("https://{}", proxy.address());
        write_private(&dir.join("kubeconfig"), &gateway_kubeconfig(&self.api, &through));
        let (ssh, console) = (free_port(), free_port());
        let oidc = match &self.idp {
            Some(idp) => format!(
                "  issuer: {}\n  clientId: sallyport\n  caFile: {}\n",
                idp.issuer(),
                idp.certificate().display()
            ),
            None => "  issuer: http://127.0.0.1:9\n  clientId: sallyport\n".to_owned(),
        };
        let (own, house) = (dir.display(), self.dir.display());
        let config = format!(
            "ssh:\n  listen: {ssh}\n  hostNames: [prod-gw]\ncertificates:\n  directory: {house}/ca\n\
             oidc:\n{oidc}  usernameClaim: preferred_username\nkubernetes:\n  kubeconfig: {own}/kubeconfig\n\
             recordings:\n  directory: {own}/recordings\nevents:\n  file: {own}/events.jsonl\n\
             console:\n  listen: {console}\nlog:\n  format: text\n"
        );
        std::fs::write(dir.join("gateway.yaml"), adjust(config)).expect("write the configuration");
        let mut serve = Command::new(binary());
        serve.arg("serve").arg("--config").arg(dir.join("gateway.yaml"));
        let running = Running::start(&mut serve);
        running.expect_err("ready", seconds(180));
        let events = dir.join("events.jsonl");
        Second { proxy, events, running, ssh, ssh_config: self.dir.join("ssh_config"), _temporary: temporary }
    }
}

impl Second {
    /// `ssh` to this gateway as the person of a host of the first.
    pub fn ssh(&self, host: &str) -> Ssh {
        self.at(Ssh::new(self.ssh_config.clone(), host))
    }

    /// The same `ssh`, to this gateway.
    pub fn at(&self, ssh: Ssh) -> Ssh {
        ssh.option("-p").option(self.ssh.port().to_string())
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.err.text()
    }
}
