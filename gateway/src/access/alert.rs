//! Denied commands that webhooks hear of: noted in the grant's status, which is the outbox of all notifications.

use std::time::Duration;

use kube::api::PostParams;

use super::{Access, Permit};
use crate::crd::{CommandAlert, to_the_millisecond};

/// How many a grant keeps; what comes after is in events only.
const MOST: usize = 16;
/// The longest text, in characters.
const LONGEST: usize = 512;
/// How often a write is tried against others' writes.
const ATTEMPTS: usize = 5;

impl Access {
    /// Notes a denied command, so that it is told. Not doing so is logged and stops nobody: the event is written already.
    pub async fn alert(&self, permit: &Permit, session: &str, line: &str, why: &str) {
        let short = |text: &str| crate::terminal::clean(text).chars().take(LONGEST).collect::<String>();
        let alert = CommandAlert {
            at: to_the_millisecond(self.now()),
            session: session.to_owned(),
            line: short(line),
            why: short(why),
        };
        let name = permit.request();
        for attempt in 0..ATTEMPTS {
            let stored = match self.get_live(name).await {
                Ok(Some(stored)) => stored,
                Ok(None) => return,
                Err(error) => return tracing::warn!(request = %name, %error, "an alert could not be noted"),
            };
            let mut changed = stored;
            let Some(status) = changed.status.as_mut() else { return };
            if changed.metadata.uid.as_deref() != Some(permit.inner.uid.as_str())
                || status.alerts.len() >= MOST
            {
                return;
            }
            status.alerts.push(alert.clone());
            let api = self.requests_api();
            let params = PostParams::default();
            let call = api.replace_status(name.as_str(), &params, &changed);
            match self.bounded("note an alert", call).await {
                Ok(written) => return self.inner.requests.learn(written),
                Err(error) if attempt + 1 == ATTEMPTS => {
                    tracing::warn!(request = %name, %error, "an alert could not be noted");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}
