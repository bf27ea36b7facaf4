use serde_json::{Value, json};

use super::*;
use crate::cluster::store::{
    DEPLOYMENTS, ENDPOINTS, JOBS, PODS, REPLICASETS, SERVICES, STATEFULSETS, object,
};

struct World {
    store: Store,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        World { store: Store::open(dir.path()).unwrap(), _dir: dir }
    }

    fn workload(&self, id: &ResourceId, name: &str, spec: Value) {
        let mut object = json!({"metadata": {"namespace": "ns", "name": name}, "spec": spec});
        object["spec"]["selector"] = json!({"matchLabels": {"app": name}});
        object["spec"]["template"] = json!({
            "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "v1"}]},
        });
        self.store.create(id, object).unwrap();
    }

    /// Passes until nothing changes any more; `node` plays the kubelet in between.
    fn settle(&self, node: impl Fn(&mut Value)) {
        for _ in 0..100 {
            let before = self.store.version();
            pass(&self.store);
            for pod in self.pods("") {
                if object::is_terminating(&pod) {
                    self.store.delete(&PODS, "ns", object::name(&pod), &store::Delete::now()).unwrap();
                } else {
                    self.store.modify(&PODS, "ns", object::name(&pod), &node).unwrap();
                }
            }
            if self.store.version() == before {
                return;
            }
        }
        panic!("it never settles");
    }

    fn pods(&self, prefix: &str) -> Vec<Arc<Value>> {
        let (mut pods, _) = self.store.list(&PODS, Some("ns"));
        pods.retain(|pod| object::name(pod).starts_with(prefix));
        pods
    }

    fn names(&self, prefix: &str) -> Vec<String> {
        self.pods(prefix).iter().map(|pod| object::name(pod).to_owned()).collect()
    }

    fn get(&self, id: &ResourceId, name: &str) -> Arc<Value> {
        self.store.get(id, "ns", name).unwrap()
    }

    fn set(&self, id: &ResourceId, name: &str, path: &str, value: Value) {
        self.store.modify(id, "ns", name, |object| *object.pointer_mut(path).unwrap() = value).unwrap();
    }
}

fn bind(pod: &mut Value) {
    if pod.pointer("/status/podIP").is_some() {
        return;
    }
    pod["spec"]["nodeName"] = json!("n");
    pod["status"]["podIP"] = json!(format!("127.0.1.{}", object::resource_version(pod) % 250));
}

fn run(pod: &mut Value) {
    bind(pod);
    pod["status"]["phase"] = json!("Running");
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
}

fn finish(phase: &'static str) -> impl Fn(&mut Value) {
    move |pod| pod["status"]["phase"] = json!(phase)
}

#[test]
fn a_deployment_makes_named_pods_replaces_lost_ones_and_scales() {
    let world = World::new();
    world.workload(&DEPLOYMENTS, "api", json!({"replicas": 2}));
    world.settle(run);
    let names = world.names("api-");
    assert_eq!(names.len(), 2);
    let parts: Vec<&str> = names[0].split('-').collect();
    assert!(parts.len() == 3 && (8..=10).contains(&parts[1].len()) && parts[2].len() == 5, "{names:?}");
    let pod = world.get(&PODS, &names[0]);
    assert_eq!(pod.pointer("/metadata/labels/pod-template-hash"), Some(&json!(parts[1])));
    assert_eq!(pod.pointer("/metadata/ownerReferences/0/kind"), Some(&json!("ReplicaSet")));
    let deployment = world.get(&DEPLOYMENTS, "api");
    assert_eq!(deployment.pointer("/status/availableReplicas"), Some(&json!(2)));
    assert_eq!(deployment.pointer("/status/conditions/1/reason"), Some(&json!("NewReplicaSetAvailable")));

    world.store.delete(&PODS, "ns", &names[0], &store::Delete::default()).unwrap();
    world.settle(run);
    let next = world.names("api-");
    assert!(next.len() == 2 && next.contains(&names[1]) && !next.contains(&names[0]));

    world.set(&DEPLOYMENTS, "api", "/spec/replicas", json!(5));
    world.settle(run);
    assert_eq!(world.names("api-").len(), 5);
    world.set(&DEPLOYMENTS, "api", "/spec/replicas", json!(0));
    world.settle(run);
    assert_eq!(world.names("api-"), Vec::<String>::new());
}

#[test]
fn a_new_template_rolls_out_and_a_bad_one_leaves_the_old_pods() {
    let world = World::new();
    world.workload(&DEPLOYMENTS, "api", json!({"replicas": 4}));
    world.settle(run);
    let image = "/spec/template/spec/containers/0/image";
    world.set(&DEPLOYMENTS, "api", image, json!("v2"));
    world.settle(run);
    let images = |world: &World| -> Vec<Value> {
        world
            .pods("api-")
            .iter()
            .map(|pod| pod.pointer("/spec/containers/0/image").unwrap().clone())
            .collect()
    };
    assert_eq!(images(&world), vec![json!("v2"); 4]);
    assert_eq!(world.store.list(&REPLICASETS, None).0.len(), 2);

    world.set(&DEPLOYMENTS, "api", image, json!("broken"));
    world.settle(|pod| {
        if pod.pointer("/spec/containers/0/image") != Some(&json!("broken")) {
            run(pod)
        }
    });
    let good = images(&world).iter().filter(|image| **image == "v2").count();
    assert!(good >= 3, "{good}");

    world.set(&DEPLOYMENTS, "api", image, json!("v1"));
    world.settle(run);
    assert_eq!(images(&world), vec![json!("v1"); 4]);
    let sets = world.store.list(&REPLICASETS, None).0;
    assert_eq!(sets.len(), 3, "the set of the first template is used again");
    let deployment = world.get(&DEPLOYMENTS, "api");
    assert_eq!(
        deployment.pointer("/metadata/annotations/deployment.kubernetes.io~1revision"),
        Some(&json!("4"))
    );
}

#[test]
fn a_statefulset_goes_up_in_order_and_down_in_reverse() {
    let world = World::new();
    world.workload(&STATEFULSETS, "db", json!({"replicas": 3, "serviceName": "db"}));
    world.settle(bind);
    assert_eq!(world.names("db-"), ["db-0"], "the second waits for the first");
    world.settle(run);
    assert_eq!(world.names("db-"), ["db-0", "db-1", "db-2"]);
    assert_eq!(world.get(&PODS, "db-1").pointer("/spec/hostname"), Some(&json!("db-1")));
    world.set(&STATEFULSETS, "db", "/spec/template/spec/containers/0/image", json!("v2"));
    world.settle(run);
    for pod in world.pods("db-") {
        assert_eq!(pod.pointer("/spec/containers/0/image"), Some(&json!("v2")));
    }
    world.set(&STATEFULSETS, "db", "/spec/replicas", json!(1));
    world.settle(run);
    assert_eq!(world.names("db-"), ["db-0"]);
    let set = world.get(&STATEFULSETS, "db");
    assert_eq!(set.pointer("/status/readyReplicas"), Some(&json!(1)));
    assert_eq!(set.pointer("/status/currentRevision"), set.pointer("/status/updateRevision"));
}

#[test]
fn a_job_ends_with_enough_successes_or_too_many_failures() {
    let world = World::new();
    world.workload(&JOBS, "good", json!({"completions": 3, "parallelism": 2}));
    world.settle(finish("Succeeded"));
    assert_eq!(world.names("good-").len(), 3);
    let job = world.get(&JOBS, "good");
    assert_eq!(job.pointer("/status/conditions/1/type"), Some(&json!("Complete")));
    assert_eq!(job.pointer("/status/succeeded"), Some(&json!(3)));

    world.workload(&JOBS, "bad", json!({"backoffLimit": 2}));
    world.settle(finish("Failed"));
    assert_eq!(world.names("bad-").len(), 3);
    assert_eq!(
        world.get(&JOBS, "bad").pointer("/status/conditions/1/reason"),
        Some(&json!("BackoffLimitExceeded"))
    );
}

#[test]
fn a_service_knows_its_ready_pods_and_their_named_ports() {
    let world = World::new();
    world.workload(&DEPLOYMENTS, "api", json!({"replicas": 2}));
    let ports = json!([{"name": "web", "containerPort": 8080}]);
    world
        .store
        .modify(&DEPLOYMENTS, "ns", "api", |it| {
            it["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
        })
        .unwrap();
    let service = json!({
        "metadata": {"namespace": "ns", "name": "front"},
        "spec": {"selector": {"app": "api"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]},
    });
    world.store.create(&SERVICES, service).unwrap();
    world.settle(bind);
    let endpoints = world.get(&ENDPOINTS, "front");
    assert_eq!(endpoints.pointer("/subsets/0/notReadyAddresses").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(endpoints.pointer("/subsets/0/addresses"), None);
    world.settle(run);
    let endpoints = world.get(&ENDPOINTS, "front");
    assert_eq!(endpoints.pointer("/subsets/0/addresses").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(
        endpoints.pointer("/subsets/0/ports/0"),
        Some(&json!({"name": "http", "port": 8080, "protocol": "TCP"}))
    );
    world.store.delete(&SERVICES, "ns", "front", &store::Delete::default()).unwrap();
    world.settle(run);
    assert!(world.store.get(&ENDPOINTS, "ns", "front").is_none());
}
