//! A corner of the cluster that belongs to one case: a namespace, a pod in it, a policy for it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::Finished;
use crate::world::{Kind, World, first_word};
use crate::{seconds, until};

/// A namespace, a policy of the same name, and a pod `box` with a shell.
#[derive(Debug)]
pub struct Place<'w> {
    world: &'w World,
    /// Name of the namespace and of the policy.
    pub name: String,
}

/// What a place should be like.
#[derive(Debug, Clone)]
#[must_use]
pub struct Plan {
    name: String,
    approvals: u32,
    spec: Value,
    pods: Vec<Value>,
    policy: bool,
}

impl World {
    /// Plans a place: alice's group may ask, nobody needs to approve, everything is allowed, at most 2 h.
    pub fn plan(&self, name: &str) -> Plan {
        let name = self.own_name(name);
        let spec = json!({
            "subjects": {"groups": ["oncall"]},
            "namespaces": [name],
            "allow": {"shell": true, "exec": true, "logs": true, "forward": {"ports": ["1-65535"]}},
            "clusterRole": "sallyport-debug",
            "maxDuration": "2h",
            "approval": {"required": 0, "groups": ["leads"]},
            "reasonRequired": false,
        });
        let command = "trap 'exit 0' TERM; echo started; while :; do sleep 1; done";
        let pods = vec![self.pod("box", "debian", &["sh", "-c", command])];
        Plan { name, approvals: 0, spec, pods, policy: true }
    }

    /// A place as it is planned.
    pub fn place(&self, name: &str) -> Place<'_> {
        self.plan(name).make(self)
    }

    /// A pod whose program runs as `command` in one of the test images. It listens on `$LISTEN` if at all: pods of
    /// the embedded cluster share the machine's network and keep to an address each, real ones take any.
    #[must_use]
    pub fn pod(&self, name: &str, image: &str, command: &[&str]) -> Value {
        let listen = match self.kind {
            Kind::Embedded => {
                json!({"name": "LISTEN", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
            }
            Kind::Real => json!({"name": "LISTEN", "value": "0.0.0.0"}),
        };
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "main", "image": format!("localhost/sallyport/{image}:1"), "imagePullPolicy": "IfNotPresent",
                    "command": command, "env": [listen],
                }],
            },
        })
    }
}

impl Plan {
    /// So many approvals by leads.
    pub fn approvals(mut self, required: u32) -> Self {
        self.approvals = required;
        self
    }

    /// Changes the policy's `spec` by a JSON merge.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// One more pod.
    pub fn and(mut self, pod: Value) -> Self {
        self.pods.push(pod);
        self
    }

    /// No policy at all.
    pub const fn without_policy(mut self) -> Self {
        self.policy = false;
        self
    }

    /// Makes it and waits until the pods run and the gateway knows the policy.
    #[track_caller]
    pub fn make(mut self, world: &World) -> Place<'_> {
        let labels = json!({"sallyport-test": world.tag()});
        let name = self.name;
        world.api.apply(
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
        );
        if self.policy {
            self.spec["approval"]["required"] = json!(self.approvals);
            world.api.apply(&json!({
                "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessPolicy",
                "metadata": {"name": name, "labels": labels}, "spec": self.spec,
            }));
        }
        for pod in &mut self.pods {
            pod["metadata"]["namespace"] = json!(name);
            world.api.apply(pod);
        }
        for pod in &self.pods {
            let path = format!(
                "/api/v1/namespaces/{name}/pods/{}",
                pod["metadata"]["name"].as_str().expect("a name")
            );
            until(&format!("{path} ready"), seconds(180), || {
                let pod = world.api.get(&path)?;
                let conditions = pod["status"]["conditions"].as_array()?.clone();
                conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True").then_some(())
            });
        }
        let place = Place { world, name };
        if self.policy {
            until("the gateway knows the policy", seconds(60), || {
                let policies = world.alice().words(["policies", "-o", "json"]).run().exits(0);
                policies.out.contains(&place.name).then_some(())
            });
        }
        place
    }
}

/// What was asked for in a place goes with it: a person may have only so many requests open, and a machine only so
/// many pods.
impl Drop for Place<'_> {
    fn drop(&mut self) {
        // A case that has failed may have left no API server: nothing here may panic.
        let ours = "/apis/sallyport.dev/v1alpha1";
        let call = |method, path: String| self.world.api.attempt(method, &path, None).map(|(_, body)| body);
        let requests = call(Method::GET, format!("{ours}/accessrequests")).unwrap_or_default();
        for request in requests["items"].as_array().into_iter().flatten() {
            if request["spec"]["policy"] == *self.name {
                let name = request["metadata"]["name"].as_str().unwrap_or_default();
                let _ = call(Method::DELETE, format!("{ours}/accessrequests/{name}"));
            }
        }
        let _ = call(Method::DELETE, format!("{ours}/accesspolicies/{}", self.name));
        let _ = call(Method::DELETE, format!("/api/v1/namespaces/{}", self.name));
    }
}

impl<'w> Place<'w> {
    /// The world that it is in.
    #[must_use]
    pub const fn world(&self) -> &'w World {
        self.world
    }

    /// Alice asks for this long; the answer as it came.
    #[track_caller]
    pub fn ask(&self, duration: &str) -> Finished {
        let words =
            ["request", &self.name, "-n", &self.name, "--for", duration, "--reason", "INC-1", "a", "test"];
        self.world.alice().words(words).run()
    }

    /// Alice asks for this long, and gets it; the name of the grant.
    #[track_caller]
    pub fn grant(&self, duration: &str) -> String {
        first_word(&self.ask(duration).exits(0).out)
    }

    /// Runs words in the pod `box` as alice, by `exec`.
    #[track_caller]
    pub fn exec(&self, words: &str) -> Finished {
        let all = ["exec", "-n", &self.name, "box", "--"].into_iter().chain([words]);
        self.world.alice().words(all).run()
    }

    /// The RoleBinding of a grant, while it is there.
    #[must_use]
    pub fn binding(&self, grant: &str) -> Option<Value> {
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces";
        self.world.api.get(&format!("{path}/{}/rolebindings/sallyport-{grant}", self.name))
    }

    /// Waits until the RoleBinding of a grant is gone.
    #[track_caller]
    pub fn unbound(&self, grant: &str) {
        until("the binding is gone", seconds(60), || self.binding(grant).is_none().then_some(()));
    }

    /// The AccessRequest of this name.
    #[must_use]
    pub fn request(&self, name: &str) -> Option<Value> {
        self.world.api.get(&format!("/apis/sallyport.dev/v1alpha1/accessrequests/{name}"))
    }
}
