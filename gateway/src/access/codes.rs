//! Sealed codes: that each is good once, and that whom they let in does nothing but break the glass.
//!
//! All codes of one sign-in are noted in one write of one ConfigMap against the version that was read, so of two gateways
//! that are shown the same code one wins. The object is made by an operator; one that is missing is not made here, since
//! a deleted object would make used codes good again. Whoever may write the object in the cluster can do that too.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use sallyport_policy::RequestName;

use super::{Access, AccessError, Refusal, is_conflict};
use crate::audit::{Event, Kind, Outcome};
use crate::config::codes_object;
use crate::identity::Identity;

/// How often a write is tried against others' writes.
const ATTEMPTS: u32 = 8;

/// Why codes were not taken. Nobody is let in, whichever it is.
#[derive(Debug, thiserror::Error)]
pub enum BurnError {
    /// There is nothing to note it in.
    #[error(
        "there is no ConfigMap `{0}`, or it is not that of this file; an operator makes it with what `sallyport codes make` printed"
    )]
    NoObject(String),
    /// One was used before.
    #[error("a code was used before")]
    Used,
    /// Others kept writing.
    #[error("the ConfigMap is being changed by others all the time")]
    Busy,
    /// The API server.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl Access {
    /// Notes that these codes are used, all or none; `marks` are what the file calls them. Only then may anybody be let in.
    ///
    /// # Errors
    /// Where it is not certain that this call was the one that used them.
    pub async fn burn_codes(&self, file: &str, marks: &[&str], by: &Identity) -> Result<(), BurnError> {
        let name = codes_object(file);
        let api: Api<ConfigMap> = Api::namespaced(self.inner.client.clone(), &self.inner.settings.namespace);
        let mut pause = Duration::from_millis(5);
        for _ in 0..ATTEMPTS {
            let read = self.bounded("read which codes are used", api.get_opt(&name)).await?;
            let Some(mut object) = read else { return Err(BurnError::NoObject(name)) };
            // Without the version that was read, a write would win over every other.
            if object.metadata.resource_version.as_deref().is_none_or(str::is_empty) {
                return Err(BurnError::NoObject(name));
            }
            let Some(data) =
                object.data.as_mut().filter(|data| data.get("file").is_some_and(|id| id == file))
            else {
                return Err(BurnError::NoObject(name));
            };
            let note = note(self.now(), by);
            for mark in marks {
                if data.insert(format!("used.{mark}"), note.clone()).is_some() {
                    return Err(BurnError::Used);
                }
            }
            let params = PostParams::default();
            match self.bounded("note that codes are used", api.replace(&name, &params, &object)).await {
                Ok(_) => return Ok(()),
                Err(AccessError::Cluster { source, .. }) if is_conflict(&source) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(200));
                }
                // Also where nobody knows whether it was written: then they are used, and nobody is let in.
                Err(error) => return Err(error.into()),
            }
        }
        Err(BurnError::Busy)
    }

    /// What such an identity may not.
    pub(super) fn refuse_by_codes(
        &self,
        who: &Identity,
        verb: &str,
        request: Option<&RequestName>,
        what: &str,
    ) -> AccessError {
        let refusal = only_break_glass(what);
        self.inner.audit.record(Event {
            person: Some(who.audit_person()),
            request: request.map(ToString::to_string),
            action: Some(verb.to_owned()),
            why: Some(refusal.to_string()),
            ..Event::new(self.now(), Kind::AccessRefused, Outcome::Refused)
        });
        refusal.into()
    }
}

fn note(now: Timestamp, by: &Identity) -> String {
    format!("{now} {}", by.username())
}

pub(super) fn only_break_glass(what: &str) -> Refusal {
    Refusal {
        what: format!("{what}: you are signed in by sealed codes"),
        rule: "sealed codes are for break-glass".to_owned(),
        hint: "ask for a break-glass policy (`policies` lists them), or sign in with `login`".to_owned(),
        decided: None,
    }
}
