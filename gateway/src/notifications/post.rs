//! One delivery: the body is signed and sent; anything but a 2xx is a failure. What the receiver says is not read.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use secrecy::ExposeSecret;
use tokio::time::timeout;
use url::Url;

use super::NotifyError;
use super::body::Body;
use super::due::Notice;
use super::{sign, slack};
use crate::config::{self, NotificationFormat};
use crate::outbound;

/// No attempt takes longer, whatever is configured.
const LONGEST: Duration = Duration::from_secs(60);

/// A webhook made ready.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) settings: config::Notification,
    client: Client,
}

impl Hook {
    pub(super) fn new(settings: &config::Notification) -> Result<Self, NotifyError> {
        let plain = settings.url.as_ref().is_some_and(|url| url.scheme() == "http");
        let client = outbound::client(settings.ca_file.as_deref(), plain)
            .map_err(|source| NotifyError { name: settings.name.clone(), source })?;
        Ok(Self { settings: settings.clone(), client })
    }

    /// Sends it, once.
    pub(super) async fn deliver(&self, notice: &Notice, body: &Body, now: Timestamp) -> Result<(), String> {
        let limit = self.settings.timeout.0.min(LONGEST);
        match timeout(limit, self.send(notice, body, now)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {}s", limit.as_secs_f32())),
        }
    }

    async fn send(&self, notice: &Notice, body: &Body, now: Timestamp) -> Result<(), String> {
        let url = self.url().await?;
        let text = match self.settings.format {
            NotificationFormat::Json => serde_json::to_vec(body),
            NotificationFormat::Slack => serde_json::to_vec(&slack::message(body)),
        }
        .map_err(|error| error.to_string())?;
        let id = id(&body.data.uid, notice);
        let seconds = now.as_second();
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds);
        if let Some(file) = &self.settings.secret_file {
            let secret = outbound::secret(file).await.map_err(|error| error.to_string())?;
            request = request.header("webhook-signature", sign::sign(&secret, &id, seconds, &text)?);
        }
        let response = request.body(text).send().await.map_err(|error| outbound::chain(&error))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {}", status.as_u16())) }
    }

    async fn url(&self) -> Result<Url, String> {
        let Some(file) = &self.settings.url_file else {
            return self.settings.url.clone().ok_or_else(|| "it has no address".to_owned());
        };
        let text = outbound::secret(file).await.map_err(|error| error.to_string())?;
        let url = Url::parse(text.expose_secret()).ok().filter(config::is_safe);
        url.ok_or_else(|| format!("`{}` does not hold an https address", file.display()))
    }
}

/// The same for every attempt at one notice, and for no other: receivers know repeats by it.
pub(super) fn id(uid: &str, notice: &Notice) -> String {
    format!("{uid}_{}", notice.key.replace('@', "_"))
}
