//! Asking by `kubectl create`, and what the API server holds everybody to: `deploy/admission` on the embedded cluster,
//! which evaluates these policies as servers from 1.30 on do.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use sallyport_tests::process::run;
use sallyport_tests::{Finished, Kind, World, manifest, seconds};
use serde_json::{Value, json};

use crate::{Case, cases};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![the_api_server_holds_people_to_their_own_name_and_the_status_to_the_gateway];
    for case in &mut cases {
        // Other cases write statuses as an administrator.
        (case.alone, case.only) = (true, Some(Kind::Embedded));
    }
    cases
}

/// `kubectl create -f -` as somebody.
fn create(world: &World, who: &str, groups: &[&str], object: &Value) -> Finished {
    let mut command = Command::new("kubectl");
    command.args(["create", "-f", "-", "--as", who]);
    for group in groups {
        command.args(["--as-group", group]);
    }
    command.env("KUBECONFIG", &world.kubeconfig).env("HOME", &world.dir);
    run(&mut command, object.to_string().as_bytes(), seconds(60))
}

/// What is put there for a case goes with it.
struct Rules<'w>(&'w World, Vec<Value>);

impl Drop for Rules<'_> {
    fn drop(&mut self) {
        for object in &self.1 {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let path = format!("{}/{name}", manifest::collection(object));
            let _ = self.0.api.attempt(Method::DELETE, &path, None);
        }
    }
}

fn the_api_server_holds_people_to_their_own_name_and_the_status_to_the_gateway(world: &World) {
    let place = world.plan("admitted").approvals(1).make(world);
    let mut objects = manifest::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/admission"));
    objects.push(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": place.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "sallyport-ask"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oncall"}],
    }));
    for object in &objects {
        world.api.apply(object);
    }
    let _rules = Rules(world, objects);
    let asked = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut object = json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
            "metadata": {"name": format!("{}-{name}", place.name)},
            "spec": {
                "requester": {"username": "alice", "groups": ["oncall"], "issuer": "kubernetes", "subject": "alice"},
                "policy": place.name, "namespaces": [place.name], "duration": "30m", "reason": "INC-1",
            },
        });
        change(&mut object["spec"]);
        object
    };
    type Lie = fn(&mut Value);
    let refused: [(&str, Lie, &str); 5] = [
        ("bcdfg1", |spec| spec["requester"]["username"] = json!("bob"), "must be your own name"),
        ("bcdfg2", |spec| spec["requester"]["subject"] = json!("bob"), "must be your own name too"),
        ("bcdfg3", |spec| spec["requester"]["issuer"] = json!("https://idp"), "must be `kubernetes`"),
        ("bcdfg4", |spec| spec["requester"]["groups"] = json!(["oncall", "leads"]), "groups that you are in"),
        ("bcdfg5", |spec| spec["requester"]["username"] = json!("system:admin"), "must be your own name"),
    ];
    for (name, change, told) in refused {
        create(world, "alice", &["oncall"], &asked(name, &change)).exits(1).says(told);
    }
    create(world, "mallory", &[], &asked("bcdfg6", &|_| {})).exits(1).says("cannot create resource");
    let good = asked("bcdfg7", &|_| {});
    create(world, "alice", &["oncall"], &good).exits(0).prints("created");
    let name = good["metadata"]["name"].as_str().expect("a name");
    let path = format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}");
    // Not even the cluster's administrator approves in the gateway's name, or changes what was asked.
    let (code, answer) = world.api.patch(&format!("{path}/status"), &json!({"status": {"phase": "Active"}}));
    assert_eq!(code, 403, "{answer}");
    assert!(
        answer["message"].as_str().is_some_and(|why| why.contains("only the gateway decides")),
        "{answer}"
    );
    let (code, answer) = world.api.patch(&path, &json!({"spec": {"duration": "2h"}}));
    assert!(matches!(code, 403 | 422), "{code} {answer}");
    // The gateway goes on as before, in people's names.
    let grant = sallyport_tests::world::first_word(&place.ask("30m").exits(0).out);
    world.bob().line(format!("approve {grant}")).run().exits(0);
    place.exec("true").exits(0);
}
