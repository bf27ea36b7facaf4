//! What the gateway must know about its OpenID Connect provider.

use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::IdentityError;

/// The scope with which a refresh token outlives the person's session in the browser (OpenID Connect Core 1.0, 11).
pub(super) const OFFLINE: &str = "offline_access";

/// How to reach the provider and how to read its tokens. The names of prefixes and claims, and what they do,
/// are those of kube-apiserver's `--oidc-*` flags, so that both see the same people under the same names.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// The issuer exactly as tokens name it: an `https` URL; `http` only on loopback.
    pub issuer: String,
    /// The client that the provider knows this gateway as.
    pub client_id: String,
    /// A file with the client's secret; none for a public client. Read anew for every sign-in.
    pub client_secret_file: Option<PathBuf>,
    /// The audience that tokens must name; the client id if absent.
    pub audience: Option<String>,
    /// The claim that holds the username, like `preferred_username`, `email` or `sub`.
    pub username_claim: String,
    /// The claim that holds the groups, a string or a list of strings; none: nobody has groups.
    pub groups_claim: Option<String>,
    /// Put before every username. Absent or `-`: nothing (kube-apiserver would put the issuer before all but
    /// e-mail addresses; write it out where that is wanted).
    pub username_prefix: Option<String>,
    /// Put before every group. Absent or `-`: nothing.
    pub groups_prefix: Option<String>,
    /// PEM certificates that vouch for the provider instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What is asked for at sign-in; `openid` is always among it.
    pub scopes: Vec<String>,
    /// How often the provider is asked about people who have something to lose; none: never, and no tokens are kept.
    pub recheck: Option<Duration>,
    /// Whether `offline_access` is asked for too, where the provider says that it knows that scope.
    pub offline_access: bool,
    /// For how long after a sign-in it is remembered: as long as the certificates that it leads to.
    pub remember: Duration,
}

impl OidcSettings {
    /// Settings for a public client, with the claims most providers fill in.
    #[must_use]
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret_file: None,
            audience: None,
            username_claim: "preferred_username".to_owned(),
            groups_claim: Some("groups".to_owned()),
            username_prefix: None,
            groups_prefix: None,
            ca_file: None,
            scopes: ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec(),
            recheck: None,
            offline_access: true,
            remember: Duration::from_secs(8 * 3600),
        }
    }

    /// The audience that tokens must name.
    pub(super) fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or(&self.client_id)
    }

    /// The scopes as the provider wants them; `offline` adds the one that a refresh token may need.
    pub(super) fn scope(&self, offline: bool) -> String {
        let fixed = ["openid", OFFLINE];
        let others = self.scopes.iter().map(String::as_str).filter(|scope| !fixed.contains(scope));
        let named = self.scopes.iter().any(|scope| scope == OFFLINE);
        let last = (offline || named).then_some(OFFLINE);
        std::iter::once("openid").chain(others).chain(last).collect::<Vec<_>>().join(" ")
    }

    /// Checks what can be checked without asking anybody.
    pub(super) fn check(&self) -> Result<Url, IdentityError> {
        let refused = |what: String| Err(IdentityError::Settings(what));
        let Ok(url) = Url::parse(&self.issuer) else {
            return refused(format!("the issuer `{}` is not a URL", self.issuer));
        };
        if !is_safe(&url) {
            return refused(format!("the issuer `{}` must be https (http only on loopback)", self.issuer));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return refused(format!(
                "the issuer `{}` must be a URL without user, query and fragment",
                self.issuer
            ));
        }
        if self.client_id.is_empty() || self.client_id.chars().any(char::is_control) {
            return refused("the client id is empty or holds control characters".to_owned());
        }
        if self.audience.as_deref() == Some("") || self.username_claim.is_empty() {
            return refused("the audience and the username claim must not be empty".to_owned());
        }
        Ok(url)
    }
}

/// Encrypted, or not leaving this machine.
pub(super) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Plain http to this very machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_encrypted_or_on_this_machine() {
        for good in
            ["https://id.test", "https://id.test/realms/x/", "http://127.0.0.1:8000", "http://[::1]:1"]
        {
            OidcSettings::new(good, "c").check().unwrap();
        }
        for bad in
            ["http://id.test", "ftp://127.0.0.1", "id.test", "https://id.test/?a", "https://u@id.test", ""]
        {
            OidcSettings::new(bad, "c").check().unwrap_err();
        }
        OidcSettings::new("https://id.test", "").check().unwrap_err();
    }

    #[test]
    fn openid_is_always_asked_for_and_once() {
        let mut settings = OidcSettings::new("https://id.test", "c");
        settings.scopes = vec!["groups".to_owned(), "openid".to_owned()];
        assert_eq!(settings.scope(false), "openid groups");
        assert_eq!(settings.scope(true), "openid groups offline_access");
        settings.scopes.push(OFFLINE.to_owned());
        assert_eq!(settings.scope(false), "openid groups offline_access");
        assert_eq!(settings.scope(true), "openid groups offline_access");
    }
}
