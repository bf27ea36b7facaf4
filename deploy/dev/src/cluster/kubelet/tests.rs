use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::cluster::store::{Delete, PODS, object};

struct World {
    store: Store,
    kubelet: Kubelet,
    cluster: Mark,
}

impl World {
    async fn at(dir: &Path) -> World {
        let store = Store::open(&dir.join("store")).unwrap();
        World::over(store, dir).await
    }

    async fn over(store: Store, dir: &Path) -> World {
        let config =
            KubeletConfig { backoff: Duration::from_millis(50), ..KubeletConfig::new(dir.to_owned(), None) };
        let kubelet = Kubelet::start(store.clone(), config, CancellationToken::new()).await.unwrap();
        let id = std::fs::read_to_string(dir.join("node-id")).unwrap();
        World { store, kubelet, cluster: Mark::cluster(&id) }
    }

    fn create(&self, name: &str, spec: Value) {
        self.store
            .create(&PODS, json!({"metadata": {"namespace": "ns", "name": name}, "spec": spec}))
            .unwrap();
    }

    async fn until(&self, name: &str, holds: impl Fn(&Value) -> bool) -> Arc<Value> {
        for _ in 0..6000 {
            if let Some(pod) = self.store.get(&PODS, "ns", name).filter(|pod| holds(pod)) {
                return pod;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:#?}", self.store.get(&PODS, "ns", name));
    }

    async fn log(&self, pod: &Value, options: LogOptions) -> String {
        let pod = self.kubelet.pod("ns", object::name(pod), object::uid(pod)).unwrap();
        let mut reader = LogReader::open(pod.log("app", options.previous).unwrap(), options).await.unwrap();
        let mut all = Vec::new();
        while let Some(piece) = reader.next().await.unwrap() {
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).unwrap()
    }
}

fn sh(script: &str) -> Value {
    json!({"name": "app", "image": "debian", "command": ["sh", "-c", script]})
}

/// Waits for a file that a container makes: it is ready as soon as its process is there, whatever that has done by then.
async fn there(file: &Path) {
    for _ in 0..6000 {
        if file.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {}", file.display());
}

fn phase(is: &'static str) -> impl Fn(&Value) -> bool {
    move |pod| pod.pointer("/status/phase") == Some(&json!(is))
}

fn ready(pod: &Value) -> bool {
    pod.pointer("/status/containerStatuses/0/ready") == Some(&json!(true))
}

#[tokio::test]
async fn a_pod_runs_is_deleted_with_grace_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create("p", json!({"containers": [sh("trap 'echo bye > ../../../../bye; exit 0' TERM; > ../../../../up; sleep 1000 & sleep 1000 & wait")]}));
    let pod = world.until("p", ready).await;
    there(&dir.path().join("up")).await;
    assert_eq!(pod.pointer("/spec/nodeName"), Some(&json!(NODE)));
    assert!(pod.pointer("/status/podIP").unwrap().as_str().unwrap().starts_with("127."));
    assert!(pod.pointer("/status/conditions/3/status") == Some(&json!("True")), "{pod:#}");
    world.store.delete(&PODS, "ns", "p", &Delete::default()).unwrap();
    while world.store.get(&PODS, "ns", "p").is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(dir.path().join("bye").exists(), "it was asked first");
    assert_eq!(mark::count(&world.cluster), 0);
    assert!(!dir.path().join("pods/ns/p").exists());
    assert_eq!(std::fs::read_dir(dir.path().join("logs")).unwrap().count(), 0);
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create(
        "p",
        json!({"containers": [sh("trap '' TERM; > ../../../../up; while :; do sleep 1; done")]}),
    );
    world.until("p", ready).await;
    there(&dir.path().join("up")).await;
    let begun = tokio::time::Instant::now();
    world.store.delete(&PODS, "ns", "p", &Delete { grace_seconds: Some(1), ..Delete::default() }).unwrap();
    while world.store.get(&PODS, "ns", "p").is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(mark::count(&world.cluster), 0);
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_pod_deleted_by_force_is_killed_and_its_name_can_be_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    let spec = json!({"containers": [sh("trap '' TERM; echo $$ > pid; while :; do sleep 1; done")]});
    world.create("p", spec.clone());
    let first = world.until("p", ready).await;
    world.store.delete(&PODS, "ns", "p", &Delete::now()).unwrap();
    world.create("p", spec);
    let second = world.until("p", |pod| ready(pod) && object::uid(pod) != object::uid(&first)).await;
    assert_eq!(mark::count(&world.kubelet.node().mark.within(object::uid(&first))), 0);
    assert!(mark::count(&world.kubelet.node().mark.within(object::uid(&second))) > 0);
    world.kubelet.stop().await;
    assert_eq!(mark::count(&world.cluster), 0);
}

#[tokio::test]
async fn restart_policies_decide_what_becomes_of_a_container_that_ends() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create("done", json!({"restartPolicy": "Never", "containers": [sh("echo fine")]}));
    world.create("failed", json!({"restartPolicy": "Never", "containers": [sh("exit 4")]}));
    world.create(
        "retried",
        json!({"restartPolicy": "OnFailure", "containers": [sh("[ -e x ] || { touch x; exit 1; }")]}),
    );
    let done = world.until("done", phase("Succeeded")).await;
    assert_eq!(world.log(&done, LogOptions::default()).await, "fine\n");
    let failed = world.until("failed", phase("Failed")).await;
    let how = failed.pointer("/status/containerStatuses/0/state/terminated").unwrap();
    assert_eq!((&how["exitCode"], &how["reason"]), (&json!(4), &json!("Error")));
    let retried = world.until("retried", phase("Succeeded")).await;
    assert_eq!(retried.pointer("/status/containerStatuses/0/restartCount"), Some(&json!(1)));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_crash_loop_backs_off_and_keeps_the_log_of_the_run_before() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create("p", json!({"containers": [sh("echo run >> runs; wc -l < runs; exit 3")]}));
    let looping = |pod: &Value| {
        pod.pointer("/status/containerStatuses/0/state/waiting/reason") == Some(&json!("CrashLoopBackOff"))
            && pod.pointer("/status/containerStatuses/0/restartCount").and_then(Value::as_u64) >= Some(3)
    };
    let pod = world.until("p", looping).await;
    assert_eq!(pod.pointer("/status/phase"), Some(&json!("Running")));
    assert_eq!(pod.pointer("/status/containerStatuses/0/lastState/terminated/exitCode"), Some(&json!(3)));
    let run: u64 =
        world.log(&pod, LogOptions { previous: true, ..LogOptions::default() }).await.trim().parse().unwrap();
    assert!(run >= 4, "{run}");
    let kept =
        std::fs::read_dir(dir.path().join("logs")).unwrap().next().unwrap().unwrap().path().join("app");
    assert!(std::fs::read_dir(kept).unwrap().count() <= 3);
    world.kubelet.stop().await;
}

#[tokio::test]
async fn init_containers_run_first_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    let init = |name: &str, script: &str| json!({"name": name, "command": ["sh", "-c", script]});
    world.create("p", json!({
        "initContainers": [init("one", "sleep 0.1; touch ../one"), init("two", "[ -e ../one ] && touch ../two")],
        "containers": [sh("[ -e ../two ] && sleep 1000")],
    }));
    let pod = world.until("p", phase("Running")).await;
    assert_eq!(pod.pointer("/status/initContainerStatuses/1/state/terminated/exitCode"), Some(&json!(0)));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_container_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create("p", json!({"containers": [{"name": "app", "image": "debian", "command": ["nonesuch"]}]}));
    let waiting = |pod: &Value| pod.pointer("/status/containerStatuses/0/state/waiting/message").is_some();
    let pod = world.until("p", waiting).await;
    assert!(pod.to_string().contains("executable file not found in $PATH"), "{pod}");
    assert_eq!(pod.pointer("/status/phase"), Some(&json!("Pending")));
    world.kubelet.stop().await;
}

#[tokio::test]
async fn an_image_without_bash_has_none_for_its_shell_either() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    for (image, found) in [("localhost/sallyport/busybox:1", "none"), ("debian", "bash")] {
        let script = "command -v cat >/dev/null || echo no cat; command -v bash || echo none";
        let container = json!({"name": "app", "image": image, "command": ["sh", "-c", script]});
        let name = image.rsplit('/').next().unwrap().split(':').next().unwrap();
        world.create(name, json!({"containers": [container], "restartPolicy": "Never"}));
        let pod = world.until(name, phase("Succeeded")).await;
        let said = world.log(&pod, LogOptions::default()).await;
        assert!(said.trim_end().ends_with(found) && !said.contains("cat"), "{said}");
    }
    world.kubelet.stop().await;
}

#[tokio::test]
async fn readiness_follows_the_probed_port() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    let mut container = sh("sleep 1000");
    container["ports"] = json!([{"name": "web", "containerPort": 8080}]);
    container["readinessProbe"] = json!({"tcpSocket": {"port": "web"}, "periodSeconds": 1});
    world.create("p", json!({"containers": [container]}));
    let pod = world.until("p", |pod| phase("Running")(pod) && !ready(pod)).await;
    let address = format!("{}:8080", pod.pointer("/status/podIP").unwrap().as_str().unwrap());
    let server = tokio::net::TcpListener::bind(address).await.unwrap();
    world.until("p", ready).await;
    drop(server);
    world.until("p", |pod| !ready(pod)).await;
    world.kubelet.stop().await;
}

#[tokio::test]
async fn a_stopped_cluster_leaves_no_process_and_its_pods_run_again_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.create("p", json!({"containers": [sh("echo $POD_IP; setsid sleep 1000 & exec sleep 1000")]}));
    world.create("job", json!({"restartPolicy": "Never", "containers": [sh("echo once")]}));
    world.until("p", ready).await;
    world.until("job", phase("Succeeded")).await;
    world.kubelet.stop().await;
    assert_eq!(mark::count(&world.cluster), 0);

    let world = World::over(world.store.clone(), dir.path()).await;
    let again = |pod: &Value| {
        pod.pointer("/status/containerStatuses/0/restartCount") == Some(&json!(1)) && ready(pod)
    };
    let pod = world.until("p", again).await;
    assert_eq!(
        pod.pointer("/status/containerStatuses/0/lastState/terminated/reason"),
        Some(&json!("Unknown"))
    );
    let job = world.until("job", phase("Succeeded")).await;
    assert_eq!(job.pointer("/status/containerStatuses/0/restartCount"), Some(&json!(0)));
    assert_eq!(world.log(&job, LogOptions::default()).await, "once\n");
    world.kubelet.stop().await;
}

#[tokio::test]
async fn what_a_killed_cluster_left_behind_is_ended_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path()).await;
    world.kubelet.stop().await;
    let left = world.cluster.within("an earlier run").within("pod");
    let mut stale = std::process::Command::new("setsid")
        .args(["sleep", "1000"])
        .env(mark::MARK, left.as_str())
        .spawn()
        .unwrap();
    while mark::count(&left) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let world = World::over(world.store.clone(), dir.path()).await;
    assert_eq!(mark::count(&left), 0);
    stale.wait().unwrap();
    world.kubelet.stop().await;
}
