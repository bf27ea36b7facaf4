//! A world: a cluster, a gateway before it, and people with keys and certificates.

mod embedded;
mod mortal;
pub mod real;
mod second;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use crate::apiserver::ApiServer;
use crate::idp::Idp;
use crate::process::Running;
use crate::ssh::Ssh;

pub use mortal::Mortal;
pub use second::Second;

/// The reason of the grant that cases share.
const SHARED: &str = "shared by all cases";

/// Which cluster a world stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `sallyport demo`.
    Embedded,
    /// `sallyport serve` with exactly the rights of `deploy/`, before a cluster that KUBECONFIG names.
    Real,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Real => "real",
        })
    }
}

/// Everything a case needs.
#[derive(Debug)]
pub struct World {
    /// Which cluster.
    pub kind: Kind,
    /// The cluster, as an administrator.
    pub api: ApiServer,
    /// An administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Where the gateway keeps its things; with `ssh_config`, `events.jsonl`, `recordings/`, `ca/` and `people/`.
    pub dir: PathBuf,
    /// The API server's audit log, where it can be read.
    pub audit_log: Option<PathBuf>,
    /// The certified provider, in the real world.
    pub idp: Option<Idp>,
    /// When it was started: what stands in logs from before is others'.
    pub started: jiff::Timestamp,
    /// Whether the cluster keeps one direction of a tunnel open when the other is over.
    pub half_close: bool,
    /// Ordinary cases hold it for reading, cases that take the gateway away for writing.
    pub quiet: RwLock<()>,
    gateway: Mutex<Option<Running>>,
    shared: Mutex<Option<String>>,
    /// What places are called: a case that took another's name would take its policy, too.
    names: Mutex<BTreeSet<String>>,
    tag: String,
    _temporary: tempfile::TempDir,
}

impl World {
    /// Starts a world of this kind.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        let world = match kind {
            Kind::Embedded => embedded::start(),
            Kind::Real => real::start(),
        };
        world.settled();
        world
    }

    /// `ssh` to one of the hosts: `prod-gw` (alice), `prod-gw-bob`, `prod-gw-sam`, `prod-gw-new` (a key alone).
    pub fn ssh(&self, host: &str) -> Ssh {
        Ssh::new(self.dir.join("ssh_config"), host)
    }

    /// As alice, who asks and works.
    pub fn alice(&self) -> Ssh {
        self.ssh("prod-gw")
    }

    /// As bob, who approves.
    pub fn bob(&self) -> Ssh {
        self.ssh("prod-gw-bob")
    }

    /// As sam, who neither asks nor approves.
    pub fn sam(&self) -> Ssh {
        self.ssh("prod-gw-sam")
    }

    /// The gateway's events.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.dir.join("events.jsonl")
    }

    /// Where the gateway's pages are.
    #[must_use]
    pub fn console(&self) -> String {
        let address = match self.kind {
            Kind::Embedded => std::fs::read_to_string(self.dir.join("test.addresses"))
                .expect("the demo's addresses")
                .split_once(' ')
                .expect("two of them")
                .1
                .to_owned(),
            Kind::Real => {
                let config =
                    std::fs::read_to_string(self.dir.join("gateway.yaml")).expect("the configuration");
                let after = config.split_once("console:\n  listen: ").expect("the console's address").1;
                after.lines().next().unwrap_or_default().to_owned()
            }
        };
        format!("http://{}", address.trim())
    }

    /// Waits for an event.
    #[track_caller]
    pub fn event(&self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        crate::events::wait(&self.events(), kind, fits)
    }

    /// The recordings' directory.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.dir.join("recordings")
    }

    /// The time of this machine.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        now()
    }

    /// The name of a case's own: `word` and the world's tag.
    ///
    /// # Panics
    /// Where another case has it.
    pub(crate) fn own_name(&self, word: &str) -> String {
        let name = format!("{word}-{}", self.tag);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let new = names.insert(name.clone());
        drop(names);
        assert!(new, "two cases call what is theirs `{word}`, and may run at once");
        name
    }

    /// A word that no other world on the same cluster has.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// A grant for alice on `oncall-debug` in `payments`, the same for all cases that only use one: asked for by
    /// her, approved by bob.
    #[track_caller]
    pub fn shared_grant(&self) -> String {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = &*shared {
            return name.clone();
        }
        let line = format!("request oncall-debug -n payments --for 2h --reason {SHARED}");
        let asked = self.alice().line(line);
        let name = first_word(&asked.run().exits(0).out);
        self.bob().words(["approve", &name]).run().exits(0);
        *shared = Some(name.clone());
        name
    }

    /// Kills the gateway without a warning.
    pub fn kill_gateway(&self) {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Starts the gateway again where it was.
    pub fn start_gateway(&self) {
        let running = match self.kind {
            Kind::Embedded => embedded::gateway(&self.dir),
            Kind::Real => real::gateway(&self.dir),
        };
        *self.gateway.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        self.settled();
    }

    /// Waits until the sample pods run that cases go into: those of the embedded cluster come and go with the gateway,
    /// and it does not wait for all of them.
    fn settled(&self) {
        let ready = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        };
        // One never runs for long, and one is a Job's.
        let stays = |pod: &&Value| {
            pod["metadata"]["name"] != "broken"
                && pod["metadata"]["ownerReferences"][0]["kind"] != "Job"
                && pod["status"]["phase"] != "Failed"
        };
        crate::until("the sample pods run", Duration::from_secs(180), || {
            let pods = self.api.list("/api/v1/namespaces/payments/pods");
            let mut stay = pods.iter().filter(stays).peekable();
            (stay.peek().is_some() && stay.all(ready)).then_some(())
        });
    }

    /// Stops the gateway as a service manager does, and waits for it; returns how it ended.
    #[track_caller]
    pub fn stop_gateway(&self) -> crate::Finished {
        let running =
            self.gateway.lock().unwrap_or_else(PoisonError::into_inner).take().expect("a running gateway");
        running.signal("TERM");
        running.finish(Duration::from_secs(60))
    }

    /// What the gateway has written on its standard error.
    #[must_use]
    pub fn gateway_log(&self) -> String {
        let gateway = self.gateway.lock().unwrap_or_else(PoisonError::into_inner);
        gateway.as_ref().map(|running| running.err.text()).unwrap_or_default()
    }

    /// Bytes of memory that the gateway's process holds.
    #[must_use]
    pub fn gateway_memory(&self) -> u64 {
        let id = self.gateway.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Running::id);
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
    }

    /// Takes away what cases made in a cluster that outlives the world, and stops the gateway.
    pub fn finish(&self) {
        if self.kind == Kind::Real {
            if let Some(name) = &*self.shared.lock().unwrap_or_else(PoisonError::into_inner) {
                self.api.delete(&format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}"));
            }
            let ours = format!("labelSelector=sallyport-test%3D{}", self.tag);
            for (path, named) in [
                ("/apis/sallyport.dev/v1alpha1/accesspolicies", "spec"),
                ("/apis/sallyport.dev/v1alpha1/commandsets", "spec"),
                ("/api/v1/namespaces", "spec"),
            ] {
                for item in self.api.list(&format!("{path}?{ours}")) {
                    debug_assert!(item[named].is_object());
                    self.api
                        .delete(&format!("{path}/{}", item["metadata"]["name"].as_str().unwrap_or_default()));
                }
            }
        }
        self.kill_gateway();
        if std::env::var_os("SALLYPORT_TEST_KEEP").is_some() {
            let kept = std::env::temp_dir().join(format!("sallyport-kept-{}-{}", self.kind, self.tag));
            let _ = Command::new("cp").arg("-r").arg(&self.dir).arg(&kept).status();
            eprintln!("kept: {}", kept.display());
        }
    }
}

/// The first word of an answer: how `request` gives the request's name.
#[must_use]
#[track_caller]
pub fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_else(|| panic!("no word in `{text}`")).to_owned()
}

/// The built `sallyport`: `SALLYPORT_BIN`, or beside the directory that this test binary is in.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("SALLYPORT_BIN") {
        return given.into();
    }
    let own = std::env::current_exe().expect("the path of this test");
    let built = own.parent().and_then(Path::parent).map(|profile| profile.join("sallyport"));
    built.filter(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no `sallyport` beside {}; build it first (`cargo build --workspace`), as tests/run does",
            own.display()
        )
    })
}

/// The time of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness stands outside of the gateway, whose clock is injected"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A TCP port that is free now, and stays so until somebody listens on it: it is none of those that the system gives to
/// who asks for any, or to connections that go out, and is given once. Runs beside this one begin at another.
pub fn free_port() -> SocketAddr {
    const PORTS: std::ops::Range<u16> = 15_000..30_000;
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let length = u32::from(PORTS.end - PORTS.start);
    for _ in PORTS {
        let first = || u16::try_from(std::process::id().wrapping_mul(97) % length).unwrap_or_default();
        let port = PORTS.start + (*next).unwrap_or_else(first);
        *next = Some((port - PORTS.start + 1) % (PORTS.end - PORTS.start));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port of {PORTS:?} is free")
}

/// A directory for a world, its path without symbolic links, and a tag of its own.
fn directory() -> (tempfile::TempDir, PathBuf, String) {
    let temporary = tempfile::Builder::new().prefix("sallyport-").tempdir().expect("a directory");
    let dir = temporary.path().canonicalize().expect("its path");
    let name = temporary.path().file_name().expect("its name").to_string_lossy().to_lowercase();
    let tag: String = name.chars().filter(char::is_ascii_alphanumeric).skip("sallyport".len()).collect();
    (temporary, dir, tag)
}

/// Writes a file that only we can read.
fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
