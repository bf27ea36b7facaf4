//! Certificates that must not be let in, each signed by the gateway's own CA unless that is what is wrong with it.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use sallyport_tests::process::run;
use sallyport_tests::ssh::Ssh;
use sallyport_tests::{Finished, World, events, seconds};
use serde_json::Value;

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_certificate_minted_by_hand_is_let_in_when_nothing_is_wrong_with_it,
        certificates_with_something_wrong_are_refused,
        a_key_alone_may_only_sign_in,
        no_key_at_all_is_turned_away,
        the_host_shows_a_certificate,
    ]
}

/// A key with a certificate of our making.
struct Minted {
    config: PathBuf,
    key: PathBuf,
    _dir: tempfile::TempDir,
}

impl Minted {
    /// Alice's identity on a new key, signed with `arguments` of `ssh-keygen` by the CA key at `ca`.
    fn new(world: &World, ca: Option<PathBuf>, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let key = dir.path().join("id_ed25519");
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &key.display().to_string()]);
        let ca = ca.unwrap_or_else(|| {
            let own = dir.path().join("ca");
            keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &own.display().to_string()]);
            own
        });
        let identity = format!("extension:identity@sallyport.dev={}", identity(world));
        let mut all = vec![
            "-q".to_owned(),
            "-s".into(),
            ca.display().to_string(),
            "-I".into(),
            "alice".into(),
            "-O".into(),
            identity,
        ];
        all.extend(arguments.iter().map(|a| (*a).to_owned()));
        all.push(format!("{}.pub", key.display()));
        keygen(&all.iter().map(String::as_str).collect::<Vec<_>>());
        // The world's configuration, with this key in place of alice's.
        let text = std::fs::read_to_string(world.dir.join("ssh_config")).expect("the configuration");
        let alices = world.dir.join("people/alice/id_ed25519").display().to_string();
        assert!(text.contains(&alices), "{text}");
        let config = dir.path().join("ssh_config");
        std::fs::write(&config, text.replace(&alices, &key.display().to_string())).expect("write");
        Self { config, key, _dir: dir }
    }

    fn ssh(&self) -> Ssh {
        Ssh::new(self.config.clone(), "prod-gw")
    }

    fn exec(&self) -> Finished {
        self.ssh().line("exec -n payments deploy/api -- true").run()
    }
}

fn keygen(arguments: &[&str]) {
    run(Command::new("ssh-keygen").args(arguments), b"", seconds(60)).exits(0);
}

/// The identity inside alice's own certificate: the value of its private extension.
fn identity(world: &World) -> String {
    let text = std::fs::read_to_string(world.dir.join("people/alice/id_ed25519-cert.pub"))
        .expect("alice's certificate");
    let blob = text.split_whitespace().nth(1).expect("its blob");
    let bytes = base64::engine::general_purpose::STANDARD.decode(blob).expect("base64");
    let name = b"identity@sallyport.dev";
    let at = bytes.windows(name.len()).position(|w| w == name).expect("the extension") + name.len();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    String::from_utf8(bytes[at + 8..at + 8 + number(at + 4)].to_vec()).expect("text")
}

const GOOD: [&str; 6] = ["-n", "alice", "-V", "-1m:+1h", "-z", "77"];

fn ca(world: &World) -> Option<PathBuf> {
    Some(world.dir.join("ca/user_ca"))
}

fn a_certificate_minted_by_hand_is_let_in_when_nothing_is_wrong_with_it(world: &World) {
    world.shared_grant();
    let minted = Minted::new(world, ca(world), &GOOD);
    minted.ssh().line("whoami").run().exits(0).prints("alice");
    minted.exec().exits(0);
    let here = Minted::new(world, ca(world), &[&GOOD[..], &["-O", "source-address=127.0.0.1/32"]].concat());
    here.exec().exits(0);
}

fn certificates_with_something_wrong_are_refused(world: &World) {
    world.shared_grant();
    let good = &GOOD[..];
    let mut silent = Vec::new();
    let rsa = world.dir.join("people/alice/id_ed25519");
    for (what, ca, arguments) in [
        ("expired", ca(world), vec!["-n", "alice", "-V", "20200101000000:20200102000000"]),
        ("not yet", ca(world), vec!["-n", "alice", "-V", "20400101000000:20400102000000"]),
        ("without an end", ca(world), vec!["-n", "alice"]),
        ("of another CA", None, good.to_vec()),
        ("signed by a person's key", Some(rsa), good.to_vec()),
        ("signed by the host CA", Some(world.dir.join("ca/host_ca")), good.to_vec()),
        ("without principals", ca(world), vec!["-V", "-1m:+1h"]),
        ("for somebody else", ca(world), vec!["-n", "root", "-V", "-1m:+1h"]),
        ("of host type", ca(world), [good, &["-h"]].concat()),
        (
            "with an unknown critical option",
            ca(world),
            [good, &["-O", "critical:unknown@example.com=1"]].concat(),
        ),
        ("with a forced command", ca(world), [good, &["-O", "force-command=true"]].concat()),
        ("for another address", ca(world), [good, &["-O", "source-address=192.0.2.0/24"]].concat()),
    ] {
        let minted = Minted::new(world, ca, &arguments);
        let answer = minted.exec();
        assert!([77, 255].contains(&answer.code), "{what}\n{}", answer.show());
        assert!(answer.out.is_empty() && !answer.err.trim().is_empty(), "{what}\n{}", answer.show());
        let fingerprint = run(
            Command::new("ssh-keygen").args(["-l", "-f"]).arg(format!("{}.pub", minted.key.display())),
            b"",
            seconds(60),
        )
        .exits(0);
        let fingerprint = fingerprint.out.split_whitespace().nth(1).expect("a fingerprint").to_owned();
        if what == "of host type" {
            continue; // `ssh` does not even offer it
        }
        let refused = |e: &Value| e["event"] == "certificate.refused" && e["fingerprint"] == *fingerprint;
        let said = events::lines(&world.events()).into_iter().find(refused);
        match said.as_ref().and_then(|event| event["why"].as_str()) {
            Some(why) if !why.is_empty() => {}
            _ => silent.push(what),
        }
    }
    assert!(silent.is_empty(), "no event says why for certificates {silent:?}");
}

fn a_key_alone_may_only_sign_in(world: &World) {
    for line in [
        "exec -n payments deploy/api -- true",
        "shell -n payments deploy/api",
        "logs -n payments logger",
        "pods -n payments",
        "grants",
        "requests",
        "request oncall-debug -n payments --for 1h --reason x",
    ] {
        world.ssh("prod-gw-new").line(line).run().exits(77).says("login");
    }
    let tunnel = world.ssh("prod-gw-new").option("-W").option("postgres.payments.svc:5432").run();
    assert_eq!(tunnel.code, 255, "{}", tunnel.show());
    world.ssh("prod-gw-new").line("help").run().exits(0).prints("login");
    world.ssh("prod-gw-new").line("whoami").run().prints("").says("");
}

fn no_key_at_all_is_turned_away(world: &World) {
    let answer = world.alice().o("PubkeyAuthentication=no").line("whoami").run();
    assert!(answer.code == 255 && answer.out.is_empty(), "{}", answer.show());
    let password = world.alice().o("PreferredAuthentications=password").line("whoami").run();
    assert_eq!(password.code, 255, "{}", password.show());
}

fn the_host_shows_a_certificate(world: &World) {
    // Only the host CA is in known_hosts, and StrictHostKeyChecking is on: anything else would not connect.
    let known = std::fs::read_to_string(world.dir.join("known_hosts")).expect("known_hosts");
    assert!(
        known.lines().filter(|l| !l.is_empty()).all(|line| line.starts_with("@cert-authority")),
        "{known}"
    );
    let seen = world.alice().option("-v").line("whoami").run().exits(0);
    assert!(seen.err.contains("Server host certificate"), "{}", seen.show());
    let stranger = world.alice().o("UserKnownHostsFile=/dev/null").line("whoami").run();
    assert_eq!(stranger.code, 255, "{}", stranger.show());
}
