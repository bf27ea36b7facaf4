//! Kubeconfig files for the embedded cluster.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::json;

use super::Cluster;
use super::auth::user::MASTERS;
use super::pki::PkiError;

impl Cluster {
    /// A kubeconfig for a user in these groups; the same token at every call and every start.
    pub fn kubeconfig(&self, user: &str, groups: &[&str]) -> Result<String, PkiError> {
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let token = self.api.tokens.token_for(user, &groups)?;
        Ok(self.kubeconfig_with(user, token.expose_secret()))
    }

    /// A kubeconfig for `kubernetes-admin` in `system:masters`.
    pub fn admin_kubeconfig(&self) -> Result<String, PkiError> {
        self.kubeconfig("kubernetes-admin", &[MASTERS])
    }

    /// A kubeconfig that shows this token, such as one of a ServiceAccount. The result is JSON, which is YAML.
    pub fn kubeconfig_with(&self, user: &str, token: &str) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "sallyport-dev",
            "clusters": [{"name": "sallyport-dev", "cluster": {
                "server": format!("https://{}", self.address),
                "certificate-authority-data": STANDARD.encode(self.pki.ca_pem()),
            }}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "sallyport-dev", "context": {
                "cluster": "sallyport-dev", "user": user, "namespace": "default",
            }}],
        });
        serde_json::to_string_pretty(&config).unwrap_or_default()
    }

    /// A token of a ServiceAccount that exists, valid for `seconds` (ten minutes at least); `None` when it does not.
    pub fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        seconds: i64,
    ) -> Option<secrecy::SecretString> {
        let account = self.api.store.get(&super::store::SERVICEACCOUNTS, namespace, name)?;
        self.api.signer.issue(&account, Vec::new(), seconds).map(|issued| issued.token)
    }
}
