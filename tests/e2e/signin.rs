//! Signing in: the device grant, walked by a browser, ends with a certificate for exactly the key that asked.

use std::path::PathBuf;
use std::process::Command;

use sallyport_tests::process::{Running, run};
use sallyport_tests::ssh::Ssh;
use sallyport_tests::world::{binary, real};
use sallyport_tests::{World, seconds};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        signing_in_by_plain_ssh_prints_a_certificate,
        signing_in_by_the_command_puts_the_certificate_beside_the_key,
        a_sign_in_survives_a_change_of_the_providers_keys,
        a_sign_in_that_nobody_completes_harms_nobody,
    ]
}

/// A new key in a directory of its own, and a configuration that uses it for `prod-gw-new`.
pub(crate) fn newcomer(world: &World) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let key = dir.path().join("id_ed25519");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key), b"", seconds(60))
        .exits(0);
    let text = std::fs::read_to_string(world.dir.join("ssh_config")).expect("the configuration");
    let old = world.dir.join("people/new/id_ed25519").display().to_string();
    assert!(text.contains(&old), "{text}");
    let config = dir.path().join("ssh_config");
    std::fs::write(&config, text.replace(&old, &key.display().to_string())).expect("write");
    (dir, key, config)
}

fn signing_in_by_plain_ssh_prints_a_certificate(world: &World) {
    let (_dir, key, config) = newcomer(world);
    let new = || Ssh::new(config.clone(), "prod-gw-new");
    new().line("exec -n payments deploy/api -- true").run().exits(77);
    let signed = real::sign_in(new(), world.idp.as_ref(), "alice").exits(0);
    assert!(
        signed.out.starts_with("ssh-ed25519-cert-v01@openssh.com ") && signed.out.lines().count() == 1,
        "{}",
        signed.show()
    );
    let certificate = key.with_file_name("id_ed25519-cert.pub");
    std::fs::write(&certificate, &signed.out).expect("write");
    new().line("whoami").run().exits(0).prints("alice").prints("oncall");
    let shown =
        run(Command::new("ssh-keygen").args(["-L", "-f"]).arg(&certificate), b"", seconds(60)).exits(0);
    for fact in ["user certificate", "Key ID: \"", "alice", "Principals:", "identity@sallyport.dev"] {
        assert!(shown.out.contains(fact), "no {fact}\n{}", shown.out);
    }
    let serial = world.event("certificate.issued", |e| e["person"]["username"] == "alice");
    assert!(serial["serial"].is_u64() && serial["until"].is_string(), "{serial}");
    world.event("signin.succeeded", |e| e["person"]["username"] == "alice");
}

fn signing_in_by_the_command_puts_the_certificate_beside_the_key(world: &World) {
    let (_dir, key, config) = newcomer(world);
    let mut login = Command::new(binary());
    login
        .args(["login", "prod-gw-new", "--device", "-F"])
        .arg(&config)
        .arg("-i")
        .arg(&key)
        .env_remove("SSH_AUTH_SOCK");
    let running = Running::start(&mut login);
    real::walk(&running, world.idp.as_ref(), "bob");
    running.finish(seconds(60)).exits(0);
    assert!(key.with_file_name("id_ed25519-cert.pub").exists(), "no certificate beside the key");
    Ssh::new(config, "prod-gw-new").line("whoami").run().exits(0).prints("bob").prints("leads");
}

fn a_sign_in_survives_a_change_of_the_providers_keys(world: &World) {
    let Some(idp) = &world.idp else { return };
    idp.rotate();
    let (_dir, _key, config) = newcomer(world);
    let signed = real::sign_in(Ssh::new(config, "prod-gw-new"), Some(idp), "sam").exits(0);
    signed.prints("ssh-ed25519-cert-v01@openssh.com");
}

fn a_sign_in_that_nobody_completes_harms_nobody(world: &World) {
    let waiting: Vec<_> = (0..2).map(|_| world.ssh("prod-gw-new").line("login").start()).collect();
    for running in &waiting {
        running.expect_err("http", seconds(60));
    }
    world.alice().line("whoami").run().exits(0);
    drop(waiting);
    world.alice().line("whoami").run().exits(0);
}
