//! The one configuration file of `sallyport serve`: YAML, every field documented in `default.yaml` and in the
//! published schema (`docs/schemas/config.schema.json`), unknown fields refused, mistakes shown with line and
//! column. What is read here is only the shape; whether a directory or a provider exists is found out by those
//! who use it.

mod access;
mod span;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

pub use access::{
    BreakGlass, Hook, Locks, Notification, NotificationEvent, NotificationFormat, Policies, Requests,
};
pub(crate) use access::{codes_object, is_safe};
pub use span::Span;

/// The documented defaults, as `sallyport serve --print-default` shows them.
pub const DEFAULT: &str = include_str!("default.yaml");

/// A file longer than this is not a configuration.
const MAX_BYTES: u64 = 1024 * 1024;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Sallyport configuration")]
pub struct Config {
    /// The SSH server.
    #[serde(default)]
    pub ssh: Ssh,
    /// The certificate authority.
    #[serde(default)]
    pub certificates: Certificates,
    /// The OIDC provider that says who people are.
    pub oidc: Oidc,
    /// The cluster behind the gateway.
    #[serde(default)]
    pub kubernetes: Kubernetes,
    /// Where sessions are recorded.
    #[serde(default)]
    pub recordings: Recordings,
    /// Where audit events go.
    #[serde(default)]
    pub events: Events,
    /// The HTTP side.
    #[serde(default)]
    pub console: Console,
    /// Where policies come from.
    #[serde(default)]
    pub policies: Policies,
    /// Requests and their history.
    #[serde(default)]
    pub requests: Requests,
    /// External checks that policies may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Who is told what happens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Notification>,
    /// Who may shut people, places or everything out.
    #[serde(default)]
    pub locks: Locks,
    /// What there is for the time in which the OIDC provider is down.
    #[serde(default)]
    pub break_glass: BreakGlass,
    /// The gateway's own log.
    #[serde(default)]
    pub log: Log,
}

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ssh {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Names that people reach the gateway by: the principals of its host certificate.
    pub host_names: Vec<String>,
    /// How long somebody may take to sign in before the connection is closed.
    pub sign_in_grace: Span,
    /// Connections in all.
    pub max_connections: NonZeroUsize,
    /// Connections from one address.
    pub max_connections_per_peer: NonZeroUsize,
    /// Sessions and tunnels of one connection at a time.
    pub max_channels_per_connection: NonZeroUsize,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 2222)),
            host_names: vec!["prod-gw".to_owned()],
            sign_in_grace: Span(Duration::from_secs(60)),
            max_connections: at_least_one(4000),
            max_connections_per_peer: at_least_one(100),
            max_channels_per_connection: at_least_one(64),
        }
    }
}

fn at_least_one(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}

/// The certificate authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Certificates {
    /// Where the keys are.
    pub directory: PathBuf,
    /// How long a person's certificate is good for.
    pub validity: Span,
}

impl Default for Certificates {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/sallyport/ca"),
            validity: Span(Duration::from_secs(8 * 3600)),
        }
    }
}

/// The OIDC provider. Claims and prefixes mean what the API server's `--oidc-*` flags mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oidc {
    /// The provider's address, exactly as its tokens say it (`iss`).
    pub issuer: String,
    /// The gateway's client id there; the device grant must be allowed for it.
    pub client_id: String,
    /// A file that holds the client's secret, for a confidential client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// Who a token must be meant for (`aud`); the client id unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Scopes to ask for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that names the person.
    #[serde(default = "username_claim")]
    pub username_claim: String,
    /// What to put before the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_prefix: Option<String>,
    /// The claim that lists the groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// What to put before each group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_prefix: Option<String>,
    /// Certificates to trust for the provider (PEM), instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How often the provider is asked again about people with open requests or grants; `0s`: only at sign-in.
    #[serde(default = "recheck")]
    pub recheck: Span,
    /// Whether to ask for `offline_access` too, where the provider offers it, so that tokens can be renewed.
    #[serde(default = "yes")]
    pub offline_access: bool,
}

impl Oidc {
    /// The settings with every default, for a provider and a client id.
    #[must_use]
    pub fn of(issuer: &str, client_id: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret_file: None,
            audience: None,
            scopes: scopes(),
            username_claim: username_claim(),
            username_prefix: None,
            groups_claim: groups_claim(),
            groups_prefix: None,
            ca_file: None,
            recheck: recheck(),
            offline_access: yes(),
        }
    }
}

const fn recheck() -> Span {
    Span(Duration::from_secs(300))
}

const fn yes() -> bool {
    true
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec()
}

fn username_claim() -> String {
    "email".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

/// The cluster behind the gateway: the pod's own ServiceAccount, unless a kubeconfig is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Kubernetes {
    /// A kubeconfig file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// A context in it other than the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace that the gateway runs in: its Lease is there. The pod's own where it is in one, else `sallyport`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Where sessions are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Recordings {
    /// A directory that only the gateway and reviewers can read.
    pub directory: PathBuf,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { directory: PathBuf::from("/var/lib/sallyport/recordings") }
    }
}

/// Where audit events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Events {
    /// A file that is appended to, or `-` for standard output.
    pub file: PathBuf,
}

impl Default for Events {
    fn default() -> Self {
        Self { file: PathBuf::from("-") }
    }
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Console {
    /// Address and port for HTTP: pages, the API, `/healthz` and `/readyz`. TLS ends in front of it.
    pub listen: SocketAddr,
    /// The address that browsers reach it by, `https://sallyport.example.com`. The provider must know
    /// `PUBLIC-URL/callback` as a redirect URI. Without it nobody signs in in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<Url>,
}

impl Default for Console {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8080)), public_url: None }
    }
}

/// The gateway's own log, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Log {
    /// One JSON object a line, or text for people.
    pub format: LogFormat,
    /// A level or a filter, as `tracing` writes them.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a log collector.
    Json,
    /// For people.
    Text,
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long to be one.
    #[error("the configuration `{path}` is over 1 MiB")]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// It says something that is not understood; the text has line and column.
    #[error("{path}: {what}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What and where.
        what: String,
    },
    /// A value is out of bounds.
    #[error("`{field}` {what}")]
    Value {
        /// The field's full name.
        field: &'static str,
        /// What must be true of it.
        what: &'static str,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not such a configuration, or a value is out of bounds.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > MAX_BYTES {
            return Err(ConfigError::TooLong { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = serde_saphyr::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), what: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let value = |field, what| Err(ConfigError::Value { field, what });
        let validity = self.certificates.validity.0;
        if validity < Duration::from_secs(60) || validity > Duration::from_secs(24 * 3600) {
            return value("certificates.validity", "must lie between 1m and 24h");
        }
        if self.ssh.sign_in_grace.0 < Duration::from_secs(5) {
            return value("ssh.signInGrace", "must be at least 5s");
        }
        if self.ssh.host_names.is_empty() {
            return value("ssh.hostNames", "needs at least one name");
        }
        let Ok(issuer) = Url::parse(&self.oidc.issuer) else {
            return value("oidc.issuer", "must be an https address");
        };
        if !is_safe(&issuer) {
            return value("oidc.issuer", "must be an https address (http is for loopback only)");
        }
        if self.oidc.client_id.is_empty() {
            return value("oidc.clientId", "must not be empty");
        }
        if !self.oidc.recheck.0.is_zero()
            && !(Duration::from_secs(1)..=Duration::from_secs(24 * 3600)).contains(&self.oidc.recheck.0)
        {
            return value("oidc.recheck", "must lie between 1s and 24h, or be 0s");
        }
        if let Some(url) = &self.console.public_url {
            if !is_safe(url) {
                return value("console.publicUrl", "must be an https address (http is for loopback only)");
            }
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            if !bare || !url.username().is_empty() || url.password().is_some() {
                return value("console.publicUrl", "must have no user, path, query and fragment");
            }
        }
        access::check(&self.hooks, &self.notifications, &self.requests)
    }

    /// The JSON Schema of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

#[cfg(test)]
mod tests;

/// Holds a published file equal to what the code says; `UPDATE=1` writes it anew.
#[cfg(test)]
pub(crate) fn published(path: &Path, value: &serde_json::Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == text,
        "`{}` is not what the code says: run the tests once with UPDATE=1",
        path.display()
    );
}
