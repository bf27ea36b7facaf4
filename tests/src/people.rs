//! People at the OpenID provider: they come, change their groups and go while everything runs. The same on both
//! worlds; the embedded one has an endpoint for it, the certified provider listens to its standard input.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::World;
use crate::apiserver::RUNTIME;

impl World {
    /// Somebody is in these groups from now on, known before or not. No case does that to those whom others use.
    pub fn groups_of(&self, person: &str, groups: &[&str]) {
        match &self.idp {
            Some(idp) => idp.tell(&format!("groups {person} {}", json!(groups)), "done"),
            None => self.admin(Method::PUT, &format!("people/{person}"), &json!({"groups": groups})),
        }
    }

    /// Closes somebody's account.
    pub fn close_account(&self, person: &str) {
        match &self.idp {
            Some(idp) => idp.tell(&format!("close {person}"), "done"),
            None => self.admin(Method::DELETE, &format!("people/{person}"), &Value::Null),
        }
    }

    /// The provider answers nobody, or does again. Only for cases that run alone.
    pub fn silence_provider(&self, silent: bool) {
        match &self.idp {
            Some(idp) => idp.tell(if silent { "silent" } else { "speak" }, "done"),
            None => self.admin(if silent { Method::PUT } else { Method::DELETE }, "silent", &Value::Null),
        }
    }

    #[track_caller]
    fn admin(&self, method: Method, what: &str, body: &Value) {
        let read = |name: &str| std::fs::read_to_string(self.dir.join(name)).expect("a file of the demo's");
        let (port, token) = (read("idp.port"), read("idp/admin-token"));
        let client = Client::builder().no_proxy().build().expect("an HTTP client");
        let address = format!("http://127.0.0.1:{}/admin/{what}", port.trim());
        let request = client.request(method, address).bearer_auth(token).json(body);
        let status = RUNTIME.block_on(request.send()).expect("the provider answers").status();
        assert!(status.is_success(), "{what}: {status}");
    }
}
