//! A gateway that is alone with its cluster and can be killed at any of its calls. On the embedded side the cluster
//! lives in the test's own process, so that it outlives the gateway; on the real side it is the one of the world, whose
//! own gateway is stopped meanwhile.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use sallyport_dev::cluster::{Cluster, ClusterConfig};
use serde_json::{Value, json};

use super::real::gateway_kubeconfig;
use super::{Kind, World, binary, free_port, write_private};
use crate::apiserver::{ApiServer, RUNTIME};
use crate::gate::Gate;
use crate::process::Running;
use crate::ssh::Ssh;
use crate::{seconds, until};

/// The gateway and its cluster; on the real side, the world's own gateway comes back when dropped.
#[derive(Debug)]
pub struct Mortal<'w> {
    /// The cluster, as an administrator.
    pub api: ApiServer,
    /// The way to it.
    pub gate: Gate,
    /// A namespace, and a policy of that name: alice asks, a lead approves, ten minutes at most. With `-free` after
    /// it, another one that needs no approval.
    pub name: String,
    /// Where it keeps its things, `events.jsonl` for one.
    pub dir: PathBuf,
    world: &'w World,
    running: Option<Running>,
    ssh: SocketAddr,
    cluster: Option<Cluster>,
    _temporary: tempfile::TempDir,
}

impl World {
    /// Starts one; only for cases that run alone.
    #[must_use]
    pub fn mortal(&self, name: &str) -> Mortal<'_> {
        self.mortal_with(name, |_, config| config)
    }

    /// Starts one whose configuration is adjusted; the directory is its own, for files that are named there.
    #[must_use]
    pub fn mortal_with(&self, name: &str, adjust: impl FnOnce(&Path, String) -> String) -> Mortal<'_> {
        let temporary = tempfile::tempdir().expect("a directory");
        let dir = temporary.path().canonicalize().expect("its path");
        let (api, cluster) = match self.kind {
            Kind::Embedded => own_cluster(&dir),
            Kind::Real => {
                self.kill_gateway();
                (self.api.clone(), None)
            }
        };
        let gate = Gate::start(&api);
        let through = format!("http://{}", gate.address());
        write_private(&dir.join("kubeconfig"), &gateway_kubeconfig(&api, &through));
        let (ssh, console) = (free_port(), free_port());
        let oidc = match &self.idp {
            Some(idp) => format!("  issuer: {}\n  caFile: {}\n", idp.issuer(), idp.certificate().display()),
            None => "  issuer: http://127.0.0.1:9\n".to_owned(),
        };
        let (own, house) = (dir.display(), self.dir.display());
        let config = format!(
            "ssh:\n  listen: {ssh}\n  hostNames: [prod-gw]\ncertificates:\n  directory: {house}/ca\n\
             oidc:\n  clientId: sallyport\n{oidc}  usernameClaim: preferred_username\n\
             kubernetes:\n  kubeconfig: {own}/kubeconfig\nrecordings:\n  directory: {own}/recordings\n\
             events:\n  file: {own}/events.jsonl\nconsole:\n  listen: {console}\nlog:\n  format: text\n"
        );
        std::fs::write(dir.join("gateway.yaml"), adjust(&dir, config)).expect("write the configuration");
        let name = self.own_name(name);
        let labels = json!({"sallyport-test": self.tag()});
        let metadata = json!({"name": name, "labels": labels});
        api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
        for (suffix, required) in [("", 1), ("-free", 0)] {
            api.apply(&json!({
                "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy",
                "metadata": {"name": format!("{name}{suffix}"), "labels": labels},
                "spec": {
                    "subjects": {"groups": ["oncall"]}, "namespaces": [name], "allow": {"exec": true},
                    "clusterRole": "sallyport-debug", "maxDuration": "10m", "reasonRequired": false,
                    "approval": {"required": required, "groups": ["leads"]},
                },
            }));
        }
        let mut mortal =
            Mortal { api, gate, name, world: self, running: None, ssh, dir, cluster, _temporary: temporary };
        mortal.rise();
        // The one before it was killed, and its Lease has to run out first.
        mortal.leads();
        mortal
    }
}

/// An embedded cluster without pods, with everything that an administrator applies.
fn own_cluster(dir: &Path) -> (ApiServer, Option<Cluster>) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = ClusterConfig { dir: dir.join("cluster"), listen, samples: false, binary: None };
    std::fs::create_dir_all(&config.dir).expect("a directory");
    let cluster = RUNTIME.block_on(Cluster::start(config)).expect("an embedded cluster");
    let api = ApiServer::new(&cluster.admin_kubeconfig().expect("an administrator"));
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    for part in ["crds", "rbac"] {
        for object in crate::manifest::read(&deploy.join(part)) {
            api.apply(&object);
        }
    }
    (api, Some(cluster))
}

impl Mortal<'_> {
    /// Starts the gateway (again) and waits until it is ready.
    pub fn rise(&mut self) {
        self.running = None;
        let mut serve = Command::new(binary());
        serve.arg("serve").arg("--config").arg(self.dir.join("gateway.yaml"));
        let running = Running::start(&mut serve);
        self.gate.aims_at(running.id());
        running.expect_err("ready", seconds(180));
        self.running = Some(running);
    }

    /// One more policy: alice asks, a lead approves; `change` makes of it what it shall be.
    pub fn policy(&self, suffix: &str, change: impl FnOnce(&mut Value)) -> String {
        let name = format!("{}-{suffix}", self.name);
        let mut policy = json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy",
            "metadata": {"name": name, "labels": {"sallyport-test": self.world.tag()}},
            "spec": {
                "subjects": {"groups": ["oncall"]}, "namespaces": [self.name], "allow": {"exec": true},
                "clusterRole": "sallyport-debug", "maxDuration": "1h", "reasonRequired": false,
                "approval": {"required": 1, "groups": ["leads"]},
            },
        });
        change(&mut policy["spec"]);
        self.api.apply(&policy);
        until("the gateway knows the policy", seconds(60), || {
            let known = self.ssh("prod-gw").words(["policies", "-o", "json"]).run().exits(0);
            known.out.contains(&name).then_some(())
        });
        name
    }

    #[track_caller]
    fn leads(&self) {
        let (start, events) = (std::time::Instant::now(), self.dir.join("events.jsonl"));
        while !crate::events::lines(&events).iter().any(|event| event["event"] == "gateway.leads") {
            assert!(start.elapsed() < seconds(120), "it does not lead within 120 s:\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Alice asks under this policy; the request's name.
    #[track_caller]
    pub fn asks(&self, policy: &str, words: &str) -> String {
        let line = format!("request {policy} -n {} {words} --reason INC-1 a test", self.name);
        crate::world::first_word(&self.ssh("prod-gw").line(line).run().exits(0).out)
    }

    /// The request of this name.
    #[must_use]
    pub fn request(&self, name: &str) -> Option<Value> {
        self.api.get(&format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}"))
    }

    /// Waits until the request of this name is in that phase, and returns it.
    #[track_caller]
    pub fn reaches(&self, name: &str, phase: &str) -> Value {
        let start = std::time::Instant::now();
        loop {
            let request = self.request(name).unwrap_or_default();
            if request["status"]["phase"] == phase {
                return request;
            }
            assert!(
                start.elapsed() < seconds(120),
                "{name} is not {phase} within 120 s: {request:#}\n{}",
                self.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// What it wrote on its standard error since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.as_ref().map(|running| running.err.text()).unwrap_or_default()
    }

    /// `ssh` to it as the person of a host of the world.
    pub fn ssh(&self, host: &str) -> Ssh {
        Ssh::new(self.world.dir.join("ssh_config"), host).option("-p").option(self.ssh.port().to_string())
    }
}

impl Drop for Mortal<'_> {
    fn drop(&mut self) {
        self.running = None;
        if let Some(cluster) = self.cluster.take() {
            RUNTIME.block_on(cluster.shutdown());
        } else {
            self.world.start_gateway();
        }
    }
}
