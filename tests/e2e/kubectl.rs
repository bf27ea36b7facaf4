//! The embedded cluster as plain `kubectl` sees it.

use std::process::Command;

use sallyport_tests::process::run;
use sallyport_tests::{Finished, Kind, World, seconds, until};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        kubectl_gets_and_describes,
        kubectl_creates_and_deletes,
        kubectl_reads_logs_and_runs_commands,
        kubectl_explains_our_resources,
        kubectl_is_told_what_the_schema_forbids,
    ];
    cases.iter_mut().for_each(|case| case.only = Some(Kind::Embedded));
    cases
}

/// `kubectl` of the machine; versions before 1.31 do not speak WebSocket and cannot be used for exec.
fn kubectl(world: &World, line: &[&str], input: &str) -> Finished {
    let mut command = Command::new("kubectl");
    command.args(line).env("KUBECONFIG", &world.kubeconfig).env("HOME", &world.dir);
    run(&mut command, input.as_bytes(), seconds(120))
}

fn minor() -> u32 {
    let told = Command::new("kubectl").args(["version", "--client", "-o", "json"]).output();
    let told = told
        .expect("`kubectl` is needed for these cases: `apt-get install kubernetes-client` has an old one");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
    told["clientVersion"]["minor"].as_str().and_then(|m| m.trim_end_matches('+').parse().ok()).unwrap_or(0)
}

fn kubectl_gets_and_describes(world: &World) {
    kubectl(world, &["get", "pods", "-A"], "").exits(0).prints("postgres-0").prints("Running");
    kubectl(world, &["get", "deploy,sts,svc,job", "-n", "payments"], "")
        .exits(0)
        .prints("deployment.apps/api")
        .prints("2/2");
    kubectl(world, &["get", "pods", "-n", "payments", "-l", "app=api", "-o", "name"], "")
        .exits(0)
        .prints("pod/api-");
    kubectl(world, &["describe", "pod", "-n", "payments", "multi"], "")
        .exits(0)
        .prints("sidecar")
        .prints("Running");
    kubectl(world, &["get", "accesspolicies"], "").exits(0).prints("oncall-debug").prints("sallyport-debug");
    kubectl(world, &["get", "pod", "-n", "payments", "no-such"], "").exits(1).says("NotFound");
    kubectl(world, &["auth", "can-i", "create", "pods", "-n", "payments"], "").exits(0).prints("yes");
    kubectl(world, &["auth", "can-i", "create", "pods", "-n", "payments", "--as", "nobody"], "")
        .exits(1)
        .prints("no");
}

fn kubectl_creates_and_deletes(world: &World) {
    let name = format!("made-{}", world.tag());
    kubectl(world, &["create", "namespace", &name], "").exits(0);
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: one, namespace: {name}}}\nspec:\n  containers: [{{name: a, image: \"localhost/sallyport/debian:1\", command: [sleep, \"1000\"]}}]\n"
    );
    kubectl(world, &["apply", "-f", "-"], &pod).exits(0).prints("created");
    kubectl(world, &["apply", "-f", "-"], &pod).exits(0).prints("pod/one");
    kubectl(world, &["wait", "--for=condition=Ready", "pod/one", "-n", &name, "--timeout=60s"], "").exits(0);
    kubectl(world, &["label", "pod", "one", "-n", &name, "a=b"], "").exits(0);
    kubectl(world, &["delete", "pod", "one", "-n", &name], "").exits(0);
    kubectl(world, &["delete", "namespace", &name, "--wait=false"], "").exits(0);
    until("the namespace is gone", seconds(60), || {
        world.api.get(&format!("/api/v1/namespaces/{name}")).is_none().then_some(())
    });
}

fn kubectl_reads_logs_and_runs_commands(world: &World) {
    // It may have been started a moment ago.
    until("the logger's lines", seconds(60), || {
        let logs = kubectl(world, &["logs", "-n", "payments", "logger", "--tail=2"], "").exits(0);
        logs.out.contains("line").then_some(())
    });
    if minor() < 31 {
        eprintln!("kubectl exec is not tried: this kubectl does not speak WebSocket");
        return;
    }
    let said = kubectl(
        world,
        &["exec", "-n", "payments", "multi", "-c", "web", "--", "sh", "-c", "echo here; exit 3"],
        "",
    );
    said.exits(3).prints("here");
    kubectl(world, &["exec", "-i", "-n", "payments", "deploy/api", "--", "cat"], "through\n")
        .exits(0)
        .prints("through");
}

fn kubectl_explains_our_resources(world: &World) {
    kubectl(world, &["explain", "accesspolicy.spec.maxDuration"], "").exits(0).prints("longest");
    kubectl(world, &["explain", "accessrequest.status"], "").exits(0).prints("phase");
}

fn kubectl_is_told_what_the_schema_forbids(world: &World) {
    let bad = "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: bad}\nspec: {namespaces: [], clusterRole: x}\n";
    let answer = kubectl(world, &["create", "--validate=false", "-f", "-"], bad).exits(1);
    assert!(answer.err.contains("Required value") || answer.err.contains("invalid"), "{}", answer.show());
}
