//! The real world: a cluster that KUBECONFIG names, the manifests of `deploy/` applied by its administrator, and
//! `sallyport serve` with the ServiceAccount's own token. People sign in at a certified OpenID provider.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use serde_json::json;

use super::{Kind, World, binary, directory, free_port, now, write_private};
use crate::apiserver::ApiServer;
use crate::browser::Browser;
use crate::idp::Idp;
use crate::process::{Finished, Running, run};
use crate::seconds;
use crate::ssh::Ssh;

/// Hosts of the `ssh_config`, and whose key and certificate they use.
const HOSTS: [(&str, &str); 4] =
    [("prod-gw", "alice"), ("prod-gw-bob", "bob"), ("prod-gw-sam", "sam"), ("prod-gw-new", "new")];

pub(super) fn start() -> World {
    let kubeconfig = PathBuf::from(std::env::var_os("KUBECONFIG").expect("KUBECONFIG names a cluster"));
    let text =
        std::fs::read_to_string(&kubeconfig).unwrap_or_else(|e| panic!("{}: {e}", kubeconfig.display()));
    let api = ApiServer::new(&text);
    let (temporary, dir, tag) = directory();
    let started = now();
    install(&api, &tag);
    write_private(&dir.join("gateway.kubeconfig"), &gateway_kubeconfig(&api, api.server()));

    let idp = Idp::start(&dir);
    let ssh = free_port();
    let config = config(&dir, ssh, free_port(), &idp, "gateway.kubeconfig");
    std::fs::write(dir.join("gateway.yaml"), config).expect("write the configuration");
    let running = gateway(&dir);
    people(&dir, ssh, &idp);

    let beside = kubeconfig.parent().map(|pki| pki.join("../audit/audit.log"));
    let audit_log = std::env::var_os("SALLYPORT_TEST_AUDIT_LOG").map(PathBuf::from).or(beside);
    World {
        kind: Kind::Real,
        api,
        kubeconfig,
        audit_log: audit_log.filter(|path| path.exists()),
        idp: Some(idp),
        // containerd before 1.7 closes both directions of a forwarded connection when one is over.
        half_close: false,
        dir,
        quiet: Default::default(),
        gateway: Some(running).into(),
        shared: Default::default(),
        names: Default::default(),
        tag,
        started,
        _temporary: temporary,
    }
}

/// What a cluster's administrator does: the shipped manifests, as they are. A cluster that has a gateway of its own
/// is somebody's, and left alone.
fn install(api: &ApiServer, tag: &str) {
    let theirs = api.list("/apis/apps/v1/namespaces/sallyport/deployments");
    assert!(
        theirs.is_empty(),
        "the cluster of KUBECONFIG runs a gateway of its own; name one that may be thrown away"
    );
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if api.get("/apis/apps/v1/namespaces/payments/deployments/api").is_none() {
        for object in crate::manifest::read(&here.join("cluster/etc/workloads.yaml")) {
            api.apply(&object);
        }
    }
    let deploy = here.join("../deploy");
    for part in ["crds", "rbac", "policies"] {
        for mut object in crate::manifest::read(&deploy.join(part)) {
            object["metadata"]["labels"]["sallyport-test-last"] = json!(tag);
            api.apply(&object);
        }
    }
    // What a run left behind that was killed: a person may have only so many requests open.
    for request in api.list("/apis/sallyport.dev/v1alpha1/accessrequests") {
        let created = request["metadata"]["creationTimestamp"]
            .as_str()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let old = created.is_some_and(|at| now().duration_since(at).as_mins() > 30);
        if old && request["spec"]["reason"] == super::SHARED {
            let name = request["metadata"]["name"].as_str().unwrap_or_default();
            api.delete(&format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}"));
        }
    }
}

/// A kubeconfig with a token of ServiceAccount sallyport/sallyport, and nothing else.
pub(super) fn gateway_kubeconfig(api: &ApiServer, server: &str) -> String {
    let ask = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}});
    let path = "/api/v1/namespaces/sallyport/serviceaccounts/sallyport/token";
    let (status, answer) = api.call(reqwest::Method::POST, path, Some(("application/json", &ask)));
    assert_eq!(status, 201, "no token for the gateway's ServiceAccount: {answer}");
    let ca = base64::engine::general_purpose::STANDARD.encode(api.certificate_authority());
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gateway",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "u", "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "gateway", "context": {"cluster": "c", "user": "u"}}],
    })
    .to_string()
}

/// The configuration file, as an administrator would write it.
pub(super) fn config(
    dir: &Path,
    ssh: SocketAddr,
    console: SocketAddr,
    idp: &Idp,
    kubeconfig: &str,
) -> String {
    let dir = dir.display();
    let (issuer, ca) = (idp.issuer(), idp.certificate().display());
    format!(
        "ssh:\n  listen: {ssh}\n  hostNames: [prod-gw]\n\
         certificates:\n  directory: {dir}/ca\n\
         oidc:\n  issuer: {issuer}\n  clientId: sallyport\n  usernameClaim: preferred_username\n  caFile: {ca}\n  recheck: 2s\n\
         kubernetes:\n  kubeconfig: {dir}/{kubeconfig}\n\
         recordings:\n  directory: {dir}/recordings\n\
         events:\n  file: {dir}/events.jsonl\n\
         console:\n  listen: {console}\n  publicUrl: http://{console}\n\
         log:\n  format: text\n"
    )
}

/// Starts the gateway and waits until it says that it is ready.
pub(super) fn gateway(dir: &Path) -> Running {
    if !dir.join("ca/user_ca").exists() {
        run(Command::new(binary()).args(["ca", "init"]).arg(dir.join("ca")), b"", seconds(20)).exits(0);
    }
    let mut serve = Command::new(binary());
    serve.arg("serve").arg("--config").arg(dir.join("gateway.yaml"));
    let running = Running::start(&mut serve);
    running.expect_err("ready", seconds(180));
    running
}

/// Keys for everybody, `ssh_config` and `known_hosts`; certificates by signing in.
fn people(dir: &Path, ssh: SocketAddr, idp: &Idp) {
    let shown =
        run(Command::new(binary()).args(["ca", "show"]).arg(dir.join("ca")), b"", seconds(20)).exits(0);
    let host_ca =
        shown.out.lines().find(|line| line.starts_with("@cert-authority")).expect("the host CA").to_owned();
    std::fs::write(
        dir.join("known_hosts"),
        host_ca.replace("@cert-authority *", "@cert-authority prod-gw") + "\n",
    )
    .expect("write");
    let mut config = String::new();
    for (host, person) in HOSTS {
        let home = dir.join("people").join(person);
        std::fs::create_dir_all(&home).expect("a directory");
        let key = home.join("id_ed25519");
        run(
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key),
            b"",
            seconds(20),
        )
        .exits(0);
        let (dir, key, port) = (dir.display(), key.display(), ssh.port());
        config += &format!(
            "Host {host}\n    HostName 127.0.0.1\n    Port {port}\n    User {person}\n    HostKeyAlias prod-gw\n    \
             IdentityFile {key}\n    IdentitiesOnly yes\n    UserKnownHostsFile {dir}/known_hosts\n    \
             GlobalKnownHostsFile none\n    StrictHostKeyChecking yes\n    ClearAllForwardings no\n",
        );
    }
    std::fs::write(dir.join("ssh_config"), config).expect("write");
    for (host, person) in HOSTS {
        if person != "new" {
            let signed = sign_in(Ssh::new(dir.join("ssh_config"), host), Some(idp), person);
            let certificate = dir.join("people").join(person).join("id_ed25519-cert.pub");
            std::fs::write(certificate, signed.exits(0).out).expect("write a certificate");
        }
    }
}

/// Signs in by plain `ssh HOST login`: the code is read off standard error and taken to the provider by a browser.
/// What is printed is the certificate.
#[track_caller]
pub fn sign_in(ssh: Ssh, idp: Option<&Idp>, person: &str) -> Finished {
    let running = ssh.words(["login"]).start();
    walk(&running, idp, person);
    running.finish(seconds(90))
}

/// Reads address and code off the standard error of a sign-in, and does what it asks for.
#[track_caller]
pub fn walk(running: &Running, idp: Option<&Idp>, person: &str) {
    // The address stands behind the code, and is whole when its line is.
    let address = running.err.wait_for("http", 0, seconds(60));
    let end = address.and_then(|at| running.err.wait_for("\n", at, seconds(60)));
    assert!(end.is_some(), "no address in\n{}", running.err.text());
    let said = running.err.text();
    let addresses: Vec<&str> = said.split_whitespace().filter(|word| word.starts_with("http")).collect();
    let complete = addresses.iter().find(|address| address.contains("user_code=")).or(addresses.first());
    let address = complete.unwrap_or_else(|| panic!("no address in\n{said}"));
    let code = said
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .find(|word| {
            word.len() == 9
                && word.as_bytes()[4] == b'-'
                && word.chars().all(|c| c.is_ascii_uppercase() || c == '-' || c.is_ascii_digit())
        })
        .unwrap_or_default();
    let trust = idp.map(|idp| std::fs::read(idp.certificate()).expect("the provider's certificate"));
    Browser::new(trust.as_deref()).sign_in(address, code, person);
}
