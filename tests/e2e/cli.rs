//! The binary itself: its configuration, its keys, the demo's comings and goings.

use std::path::Path;
use std::process::Command;

use sallyport_tests::process::{Running, run};
use sallyport_tests::ssh::Ssh;
use sallyport_tests::world::{binary, first_word};
use sallyport_tests::{Finished, Kind, World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut all = cases![
        the_default_configuration_is_printed_and_valid,
        a_bad_configuration_is_said_with_line_and_column,
        authority_keys_are_made_once_and_shown,
        two_demos_do_not_share_a_directory,
        the_demo_stops_cleanly_and_leaves_nothing_running,
    ];
    all.iter_mut().for_each(|case| case.only = Some(Kind::Embedded));
    let mut real = cases![the_demo_uses_a_real_cluster];
    for case in &mut real {
        (case.only, case.alone) = (Some(Kind::Real), true);
    }
    all.extend(real);
    all
}

fn sallyport(arguments: &[&str]) -> Finished {
    run(Command::new(binary()).args(arguments), b"", seconds(60))
}

fn the_default_configuration_is_printed_and_valid(_: &World) {
    let printed = sallyport(&["serve", "--print-default"]).exits(0).prints("oidc:").prints("ssh:");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("gateway.yaml");
    std::fs::write(&file, &printed.out).expect("write");
    let checked = sallyport(&["serve", "--config", &file.display().to_string(), "--check"]);
    assert_eq!(checked.code, 0, "{}", checked.show());
}

fn a_bad_configuration_is_said_with_line_and_column(_: &World) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("gateway.yaml");
    std::fs::write(
        &file,
        "oidc:\n  issuer: https://id.example.com\n  clientId: x\nssh:\n  lissten: 127.0.0.1:1\n",
    )
    .expect("write");
    let refused = sallyport(&["serve", "--config", &file.display().to_string()]);
    assert!(
        refused.code != 0 && refused.err.contains("lissten") && refused.err.contains('5'),
        "{}",
        refused.show()
    );
    let missing = sallyport(&["serve", "--config", "/no/such/file"]);
    assert!(missing.code != 0 && missing.err.contains("/no/such/file"), "{}", missing.show());
}

fn authority_keys_are_made_once_and_shown(_: &World) {
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca").display().to_string();
    sallyport(&["ca", "init", &ca]).exits(0);
    let shown = sallyport(&["ca", "show", &ca]).exits(0).prints("@cert-authority").prints("ssh-ed25519");
    let again = sallyport(&["ca", "init", &ca]);
    assert_ne!(again.code, 0, "keys were replaced\n{}", again.show());
    assert_eq!(sallyport(&["ca", "show", &ca]).exits(0).out, shown.out);
}

/// Processes whose working directory or arguments lie below `dir`.
fn below(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let inside = |process: &Path| {
        let cwd = std::fs::read_link(process.join("cwd")).unwrap_or_default();
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        cwd.starts_with(&dir) || String::from_utf8_lossy(&arguments).contains(&dir)
    };
    all.filter(|entry| inside(&entry.path())).map(|entry| entry.path().display().to_string()).collect()
}

fn two_demos_do_not_share_a_directory(world: &World) {
    let second = sallyport(&[
        "demo",
        "--dir",
        &world.dir.display().to_string(),
        "--ssh",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    assert!(second.code != 0 && !second.err.trim().is_empty(), "{}", second.show());
    world.alice().line("whoami").run().exits(0);
}

fn the_demo_stops_cleanly_and_leaves_nothing_running(_: &World) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("its path");
    for start in 0..2 {
        let mut demo = Command::new(binary());
        demo.arg("demo").arg("--dir").arg(&path).args(["--ssh", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
        let demo = Running::start(&mut demo);
        demo.expect("\nready", seconds(180));
        Ssh::new(path.join("ssh_config"), "prod-gw").line("whoami").run().exits(0).prints("alice");
        assert!(below(&path).len() > 1, "pods run as processes");
        demo.signal("INT");
        demo.finish(seconds(60)).exits(0);
        until(&format!("nothing runs after stop {start}"), seconds(60), || {
            below(&path).is_empty().then_some(())
        });
    }
}

fn the_demo_uses_a_real_cluster(world: &World) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("its path");
    let mut demo = Command::new(binary());
    demo.arg("demo").arg("--dir").arg(&path).arg("--kubeconfig").arg(&world.kubeconfig);
    demo.args(["--ssh", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    let demo = Running::start(&mut demo);
    demo.expect("\nready", seconds(180));
    let ssh = |host: &str| Ssh::new(path.join("ssh_config"), host);
    let asked = ssh("prod-gw")
        .line("request oncall-debug -n staging --for 5m --reason the demo on a real cluster")
        .run()
        .exits(0);
    let name = first_word(&asked.out);
    ssh("prod-gw-bob").line(format!("approve {name}")).run().exits(0);
    ssh("prod-gw").line("exec -n staging deploy/api -- sh -c 'echo $HOSTNAME'").run().exits(0).prints("api-");
    ssh("prod-gw").line(format!("revoke {name}")).run().exits(0);
    demo.signal("INT");
    demo.finish(seconds(60)).exits(0);
}
