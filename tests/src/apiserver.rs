//! A small client of the Kubernetes API for what a case arranges and looks up as an administrator. It is a second
//! implementation on purpose: the gateway's own client is what is being tested.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use reqwest::{Certificate, Client, Identity, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::manifest::collection;

/// Where asynchronous clients of the harness run.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// An administrator's access to one cluster.
#[derive(Debug, Clone)]
pub struct ApiServer {
    client: Client,
    server: String,
    token: Option<String>,
    certificate_authority: Vec<u8>,
}

impl ApiServer {
    /// From a kubeconfig's text: its current context, with a client certificate or a token.
    #[must_use]
    pub fn new(kubeconfig: &str) -> Self {
        let all: Value = serde_saphyr::from_str(kubeconfig).expect("the kubeconfig is YAML");
        let named = |list: &str, name: &Value| {
            let entries = all[list].as_array().expect("a kubeconfig's list");
            entries
                .iter()
                .find(|entry| entry["name"] == *name)
                .unwrap_or_else(|| panic!("no {name} in {list}"))
                .clone()
        };
        let context = named("contexts", &all["current-context"])["context"].clone();
        let cluster = named("clusters", &context["cluster"])["cluster"].clone();
        let user = named("users", &context["user"])["user"].clone();
        let bytes = |from: &Value, field: &str| match (
            from[format!("{field}-data")].as_str(),
            from[field].as_str(),
        ) {
            (Some(data), _) => Some(base64::engine::general_purpose::STANDARD.decode(data).expect("base64")),
            (None, Some(path)) => Some(std::fs::read(path).expect("a file that the kubeconfig names")),
            (None, None) => None,
        };
        let certificate_authority = bytes(&cluster, "certificate-authority").expect("the cluster's CA");
        let mut builder = Client::builder().timeout(Duration::from_secs(60)).no_proxy().tls_certs_only([
            Certificate::from_pem(&certificate_authority).expect("the cluster's CA is PEM"),
        ]);
        if let (Some(mut pem), Some(key)) = (bytes(&user, "client-certificate"), bytes(&user, "client-key")) {
            pem.push(b'\n');
            pem.extend(key);
            builder = builder.identity(Identity::from_pem(&pem).expect("a client certificate and its key"));
        }
        Self {
            client: builder.build().expect("an HTTP client"),
            server: cluster["server"]
                .as_str()
                .expect("the server's address")
                .trim_end_matches('/')
                .to_owned(),
            token: user["token"].as_str().map(str::to_owned),
            certificate_authority,
        }
    }

    /// Address of the server, `https://…`.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The CA of the server's certificate, PEM.
    #[must_use]
    pub fn certificate_authority(&self) -> &[u8] {
        &self.certificate_authority
    }

    /// One call; status and body. A server that has too much to do says so, and is asked again.
    pub fn call(&self, method: Method, path: &str, body: Option<(&str, &Value)>) -> (u16, Value) {
        for _ in 0..60 {
            match self.attempt(method.clone(), path, body) {
                Ok((429 | 503 | 504, _)) => {}
                Ok(answer) => return answer,
                // A connection that was kept from before, and closed meanwhile.
                Err(error) if method == Method::GET && !error.is_timeout() => {}
                Err(error) => panic!("{path}: {error:?}"),
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        self.attempt(method, path, body).unwrap_or_else(|e| panic!("{path}: {e:?}"))
    }

    /// One call that may fail.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> reqwest::Result<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.server));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        RUNTIME.block_on(async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let text = response.text().await.unwrap_or_default();
            Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
        })
    }

    /// The object at `path`, when there is one.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.call(Method::GET, path, None) {
            (200, found) => Some(found),
            (404, _) => None,
            (status, body) => panic!("GET {path}: {status} {body}"),
        }
    }

    /// The items of a collection, empty when there is no such collection.
    #[must_use]
    pub fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).and_then(|list| list["items"].as_array().cloned()).unwrap_or_default()
    }

    /// Creates an object; one that is there is replaced.
    pub fn apply(&self, object: &Value) {
        let collection = collection(object);
        let one = format!("{collection}/{}", object["metadata"]["name"].as_str().expect("a name"));
        // A namespace's ServiceAccount comes a moment after the namespace: until then pods are forbidden.
        for _ in 0..240 {
            match self.call(Method::POST, &collection, Some(("application/json", object))) {
                (200..=202, _) => return,
                (409, _) => {
                    let patch = ("application/merge-patch+json", object);
                    match self.call(Method::PATCH, &one, Some(patch)) {
                        (200, _) => return,
                        (409 | 404, _) => {}
                        (status, body) => panic!("PATCH {one}: {status} {body}"),
                    }
                }
                (403 | 404 | 500, _) => {}
                (status, body) => panic!("POST {collection}: {status} {body}"),
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!(
            "{one} could not be made: {:?}",
            self.call(Method::POST, &collection, Some(("application/json", object)))
        );
    }

    /// Deletes what is at `path`, if it is there.
    pub fn delete(&self, path: &str) {
        let now = json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        let (status, body) = self.call(Method::DELETE, path, Some(("application/json", &now)));
        assert!(matches!(status, 200 | 202 | 404 | 409), "DELETE {path}: {status} {body}");
    }

    /// Changes what is at `path` by a JSON merge patch.
    pub fn patch(&self, path: &str, patch: &Value) -> (u16, Value) {
        self.call(Method::PATCH, path, Some(("application/merge-patch+json", patch)))
    }

    /// Major and minor version of the server.
    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        let version = self.get("/version").expect("the server's version");
        let number = |field: &str| {
            let text = version[field].as_str().unwrap_or_default();
            text.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
        };
        (number("major"), number("minor"))
    }
}
