//! Waiting for what others do.

use std::time::Duration;

use sallyport_policy::RequestName;
use tokio::sync::watch;

use super::{Access, AccessError, RequestView};
use crate::crd::Phase;
use crate::identity::Identity;

/// How often the time is looked at beside changes: an end may come without one.
const BEAT: Duration = Duration::from_millis(500);

impl Access {
    /// Changes its value whenever a request does.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.requests.changes()
    }

    /// Resolves when a request is open or over.
    ///
    /// # Errors
    /// When it is gone, or the API server has been out of reach for too long to tell.
    pub async fn settled(&self, who: &Identity, name: &RequestName) -> Result<RequestView, AccessError> {
        let mut changes = self.watch();
        loop {
            changes.mark_unchanged();
            self.must_be_fresh()?;
            let Some(request) = self.inner.requests.get(name.as_str()) else {
                return Err(AccessError::NotFound {
                    kind: "request",
                    name: name.to_string(),
                    near: String::new(),
                    list: "requests",
                });
            };
            let view = self.view(&request, who);
            if view.phase == Phase::Active || view.phase.is_final() {
                return Ok(view);
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Err(AccessError::stale()) },
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }
}
