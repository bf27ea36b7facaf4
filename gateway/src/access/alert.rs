//! Denied commands that webhooks hear of: noted in the grant's status, which is the outbox of all notifications.

use std::time::Duration;

use jiff::SignedDuration;
use kube::api::PostParams;

use super::{Access, AccessError, Permit, is_conflict};
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
        let mut alert = CommandAlert {
            at: to_the_millisecond(self.now()),
            session: session.to_owned(),
            line: short(line),
            why: short(why),
        };
        let name = permit.request();
        // Whether an earlier try may be there although no answer said so.
        let mut unsure = false;
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
            if unsure && status.alerts.contains(&alert) {
                return self.inner.requests.learn(changed);
            }
            // No two of a grant at one moment, so that whoever is told of both can tell them apart and put them in order.
            while let Some(later) = alert
                .at
                .checked_add(SignedDuration::from_millis(1))
                .ok()
                .filter(|_| status.alerts.iter().any(|one| one.at == alert.at))
            {
                alert.at = later;
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
                Err(error) => {
                    let conflict =
                        matches!(&error, AccessError::Cluster { source, .. } if is_conflict(source));
                    unsure |= !conflict;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}
