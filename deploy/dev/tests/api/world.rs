//! A cluster of its own for each test, and clients that speak plain HTTPS to it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "only tests use this")]

use std::net::SocketAddr;

use base64::Engine;
use reqwest::{Method, RequestBuilder, StatusCode};
use sallyport_dev::cluster::{Cluster, ClusterConfig};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cluster: Cluster,
}

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    token: String,
}

impl World {
    pub(crate) async fn start() -> World {
        let dir = tempfile::tempdir().unwrap();
        let cluster = start(&dir).await;
        World { dir, cluster }
    }

    /// Stops the cluster and starts it again on the same directory.
    pub(crate) async fn restart(self) -> World {
        self.cluster.shutdown().await;
        let cluster = start(&self.dir).await;
        World { dir: self.dir, cluster }
    }

    pub(crate) fn admin(&self) -> Client {
        Client::of(&self.cluster.admin_kubeconfig().unwrap())
    }

    pub(crate) fn user(&self, name: &str, groups: &[&str]) -> Client {
        Client::of(&self.cluster.kubeconfig(name, groups).unwrap())
    }

    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.cluster.audit_log()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn start(dir: &tempfile::TempDir) -> Cluster {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = ClusterConfig { dir: dir.path().to_owned(), listen, samples: false, binary: None };
    Cluster::start(config).await.unwrap()
}

impl Client {
    fn of(kubeconfig: &str) -> Client {
        let config: Value = serde_json::from_str(kubeconfig).unwrap();
        let ca = config["clusters"][0]["cluster"]["certificate-authority-data"].as_str().unwrap();
        let ca = base64::engine::general_purpose::STANDARD.decode(ca).unwrap();
        let certificate = reqwest::Certificate::from_pem(&ca).unwrap();
        Client {
            http: reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap(),
            server: config["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned(),
            token: config["users"][0]["user"]["token"].as_str().unwrap().to_owned(),
        }
    }

    /// The same server with another token; "" for none.
    pub(crate) fn with_token(&self, token: &str) -> Client {
        Client { token: token.to_owned(), ..self.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn merge(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request =
            self.request(Method::PATCH, path).header("content-type", "application/merge-patch+json");
        answer(request.body(body.to_string())).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn watch(&self, path: &str) -> Watch {
        Watch { response: self.request(Method::GET, path).send().await.unwrap(), pending: Vec::new() }
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

pub(crate) struct Watch {
    response: reqwest::Response,
    pending: Vec<u8>,
}

impl Watch {
    /// Type and object of the next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                return Some((event["type"].as_str().unwrap().to_owned(), event["object"].clone()));
            }
            let chunk = self.response.chunk();
            let chunk =
                tokio::time::timeout(std::time::Duration::from_secs(10), chunk).await.unwrap().unwrap()?;
            self.pending.extend_from_slice(&chunk);
        }
    }

    /// Type and name.
    pub(crate) async fn next_name(&mut self) -> (String, String) {
        let (event, object) = self.next().await.unwrap();
        (event, object["metadata"]["name"].as_str().unwrap_or("").to_owned())
    }
}

pub(crate) fn config_map(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"a": "1"}})
}

pub(crate) fn grant(cluster: &Cluster, name: &str, subject: &str, rules: &str) {
    let yaml = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: {rules}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects: [{subject}]\n"
    );
    cluster.apply(&yaml).unwrap();
}
