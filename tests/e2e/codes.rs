//! Sealed codes: made by the command, noted in the cluster, used at a gateway whose provider is down.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sallyport_tests::process::{Finished, run};
use sallyport_tests::proxy::Mode;
use sallyport_tests::world::binary;
use sallyport_tests::{World, events, seconds};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![sealed_codes_let_in_for_break_glass_while_the_provider_is_down];
    // A second gateway, as in `outage`.
    cases.iter_mut().for_each(|case| case.alone = true);
    cases
}

const DEAD: &str = "https://127.0.0.1:9";

fn sallyport(words: &[&str]) -> Finished {
    run(Command::new(binary()).args(words), b"", seconds(60))
}

fn codes_of(dir: &Path, person: &str) -> Vec<String> {
    let files = std::fs::read_dir(dir).expect("a directory").map(|file| file.expect("a file").path());
    let sheet = files.into_iter().find(|path| path.to_string_lossy().contains(person)).expect("a sheet");
    let mode = std::fs::metadata(&sheet).expect("a sheet").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(sheet).expect("a sheet");
    let codes =
        text.lines().filter_map(|line| line.trim().split_once("   ")).map(|(_, code)| code.to_owned());
    codes.collect()
}

fn sealed_codes_let_in_for_break_glass_while_the_provider_is_down(world: &World) {
    let glass = world
        .plan("sealed")
        .with("approval", json!({"required": 0, "groups": []}))
        .with("breakGlass", json!({"reviewers": ["security"]}))
        .make(world);
    let plain = world.place("no-codes");
    let dir = tempfile::tempdir().expect("a directory");
    let people = dir.path().join("people.yaml");
    let person = |name: &str, group: &str| {
        format!("  - {{issuer: '{DEAD}', subject: 'codes-{name}', username: {name}, groups: [{group}]}}\n")
    };
    std::fs::write(&people, format!("people:\n{}{}", person("alice", "oncall"), person("bob", "leads")))
        .expect("write");
    let (people, out) = (people.display().to_string(), dir.path().join("codes"));
    let make = || {
        let out = out.display().to_string();
        sallyport(&["codes", "make", "--people", &people, "--need", "2", "--count", "3", "--out", &out])
    };
    let manifest = make().exits(0).out;
    assert_ne!(make().code, 0, "what is there is never written over");
    let file = out.join("codes.yaml").display().to_string();
    let checked = sallyport(&["codes", "check", &file, "-o", "json"]).exits(0);
    let checked: Value = serde_json::from_str(&checked.out).expect("JSON");
    assert_eq!((&checked["need"], &checked["people"][1]), (&json!(2), &json!(["bob", 3])));

    let second = world.second(|config| {
        let ours = |line: &str| line.trim_start().starts_with("issuer:");
        let lines =
            config.lines().map(|l| if ours(l) { format!("  issuer: {DEAD}\n") } else { format!("{l}\n") });
        lines.collect::<String>() + &format!("breakGlass:\n  codesFile: {file}\n")
    });
    let login = second.ssh("prod-gw-new").line("login").limit(seconds(60)).run();
    assert_ne!(login.code, 0, "{}", login.show());
    let types = |first: &str, other: &str| {
        let typed = format!("{first}\n{other}\n");
        second.ssh("prod-gw-new").line("break-glass").input(typed).limit(seconds(60)).run()
    };
    let (alice, bob) = (codes_of(&out, "alice"), codes_of(&out, "bob"));
    // Nobody has made the object yet, and the gateway does not.
    types(&alice[0], &bob[0]).exits(70);
    let yaml = dir.path().join("manifest.yaml");
    std::fs::write(&yaml, &manifest).expect("write");
    let apply = || {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["apply", "-f"]).arg(&yaml).env("KUBECONFIG", &world.kubeconfig).env("HOME", &world.dir);
        run(&mut kubectl, b"", seconds(60)).exits(0);
    };
    apply();
    types(&alice[0], &alice[1]).exits(77);
    let signed = types(&alice[0], &bob[0]).exits(0);
    assert!(signed.out.starts_with("ssh-ed25519-cert-v01@openssh.com "), "{}", signed.show());
    let certificate = dir.path().join("by-codes-cert.pub");
    std::fs::write(&certificate, &signed.out).expect("write");
    let ssh = |line: String| {
        let with = format!("CertificateFile={}", certificate.display());
        second.ssh("prod-gw-new").o(with).line(line).limit(seconds(60)).run()
    };
    ssh("whoami".to_owned()).exits(0).prints("alice");
    let asked = ssh(format!("request {0} -n {0} --for 5m --reason x", plain.name)).exits(77);
    assert!(asked.err.contains("sealed codes"), "{}", asked.show());
    ssh(format!("request {0} -n {0} --for 5m --reason the provider is down", glass.name)).exits(0);
    assert_eq!(ssh(format!("exec -n {} box -- echo inside", glass.name)).exits(0).out, "inside\n");
    ssh(format!("exec -n {} box -- true", plain.name)).exits(77);

    // Used is used, also after the manifest was applied once more.
    apply();
    types(&alice[0], &bob[1]).exits(77);
    second.proxy.set(Mode::Down);
    let down = types(&alice[1], &bob[1]).exits(69);
    assert!(down.out.is_empty(), "{}", down.show());

    let told = events::lines(&second.events);
    let tries: Vec<_> = told.iter().filter(|event| event["event"] == "breakglass.code").collect();
    let accepted: Vec<_> = tries.iter().filter(|event| event["outcome"] == "ok").collect();
    assert!(tries.len() == 5 && accepted.len() == 1, "{tries:#?}");
    assert_eq!(
        (&accepted[0]["why"], &accepted[0]["person"]["username"]),
        (&json!("alice 1, bob 1"), &json!("alice"))
    );
    let written = std::fs::read_to_string(&second.events).expect("events") + &second.log();
    assert!(alice.iter().chain(&bob).all(|code| !written.contains(code.as_str())), "a code was written down");
}
