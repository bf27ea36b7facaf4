//! A grant's whole way on API servers that are not made for this test: the embedded one, and with `--ignored` the one
//! that `KUBECONFIG` names, as `tests/run real` does it.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use sallyport_dev::cluster::{Cluster, ClusterConfig};

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, PostParams};

use super::*;
use crate::clock::{SharedClock, SystemClock};
use crate::crd::AccessPolicy;

#[tokio::test]
#[ignore = "needs KUBECONFIG; `tests/run real` runs it"]
async fn a_grant_from_asking_to_its_end_on_a_real_api_server() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Box::pin(trial(kube::Client::try_default().await.unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_from_asking_to_its_end_on_the_embedded_api_server() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ClusterConfig { dir: dir.path().to_owned(), listen, samples: false, binary: None };
    let cluster = Cluster::start(config).await.unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&cluster.admin_kubeconfig().unwrap()).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    Box::pin(trial(client)).await;
    cluster.shutdown().await;
}

/// The custom resources and the namespace, unless they are there.
async fn furnish(client: &kube::Client) {
    let or_there = |error: kube::Error| match error {
        kube::Error::Api(status) if status.code == 409 => {}
        error => panic!("{error}"),
    };
    let resources: Api<CustomResourceDefinition> = Api::all(client.clone());
    for manifest in crate::crd::manifests() {
        let _ = resources.create(&PostParams::default(), &manifest).await.map_err(or_there);
    }
    let namespaces: Api<NamespaceObject> = Api::all(client.clone());
    let mut namespace = NamespaceObject::default();
    namespace.metadata.name = Some("access-trial".into());
    let _ = namespaces.create(&PostParams::default(), &namespace).await.map_err(or_there);
}

async fn gone(bindings: &Api<RoleBinding>, name: &RequestName) {
    for _ in 0..100 {
        if bindings.get_opt(&name.binding()).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the binding of `{name}` is still there");
}

async fn trial(client: kube::Client) {
    furnish(&client).await;
    let policies: Api<AccessPolicy> = Api::all(client.clone());
    let mut trial = policy("access-trial", 1);
    trial["spec"]["namespaces"] = json!(["access-trial"]);
    trial["spec"]["clusterRole"] = json!("sallyport-logs");
    let _ = policies.delete("access-trial", &DeleteParams::default()).await;
    let made =
        policies.create(&PostParams::default(), &serde_json::from_value(trial).unwrap()).await.unwrap();

    let (clock, audit): (SharedClock, _) = (Arc::new(SystemClock), Audit::in_memory());
    let stop = CancellationToken::new();
    let access =
        Access::start(client.clone(), crate::access::AccessSettings::default(), clock.clone(), audit.clone())
            .await
            .unwrap();
    // Two at once, as two gateways would.
    for name in ["one", "other"] {
        let settings = crate::reconcile::Settings::for_tests(name);
        let (leads, _) = tokio::sync::watch::channel(false);
        let (clock, audit, stop) = (clock.clone(), audit.clone(), stop.clone());
        tokio::spawn(crate::reconcile::run(
            client.clone(),
            access.clone(),
            settings,
            clock,
            audit,
            stop,
            leads,
        ));
    }
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), "access-trial");
    let place = Namespace::parse("access-trial").unwrap();
    let mut asked = ask("access-trial");
    asked.namespaces.clear();
    asked.duration = Some(Duration::from_secs(6));

    let began = std::time::Instant::now();
    let view = access.request(&alice(), asked.clone()).await.unwrap();
    println!("asked in {:?}: {view:?}", began.elapsed());
    let name = RequestName::parse(&view.name).unwrap();
    let began = std::time::Instant::now();
    let view = access.approve(&bob(), &name).await.unwrap();
    println!("approved and active in {:?}: {view:?}", began.elapsed());
    assert_eq!(view.phase, Phase::Active);
    let permit = access.authorize(&alice(), Action::Shell, &place).await.unwrap().best().clone();

    bindings.delete(&name.binding(), &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(bindings.get_opt(&name.binding()).await.unwrap().is_some(), "a deleted binding is repaired");

    let end = access.ended(&permit).await;
    let late = clock.now().duration_since(permit.ends_at());
    println!("{end}, {late:?} after its end");
    assert_eq!(end, GrantEnd::Expired);
    gone(&bindings, &name).await;

    asked.duration = Some(Duration::from_secs(600));
    let view = access.request(&alice(), asked).await.unwrap();
    let name = RequestName::parse(&view.name).unwrap();
    access.approve(&bob(), &name).await.unwrap();
    let permit = access.authorize(&alice(), Action::Shell, &place).await.unwrap().best().clone();
    let ended = tokio::spawn(access.ended(&permit));
    let began = std::time::Instant::now();
    access.revoke(&alice(), &name, Some("done".into())).await.unwrap();
    println!("revoked: {} after {:?}", ended.await.unwrap(), began.elapsed());
    gone(&bindings, &name).await;
    for event in audit.kept() {
        println!("{}", serde_json::to_string(&event).unwrap());
    }
    let requests: Api<AccessRequest> = Api::all(client.clone());
    println!("{}", serde_json::to_string_pretty(&requests.get(name.as_str()).await.unwrap()).unwrap());
    for view in access.requests(&alice()) {
        let _ = requests.delete(&view.name, &DeleteParams::default()).await;
    }
    policies.delete(&made.metadata.name.unwrap(), &DeleteParams::default()).await.unwrap();
    stop.cancel();
}
