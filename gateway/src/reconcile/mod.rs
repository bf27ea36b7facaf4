//! Makes the cluster follow the requests: bindings for grants that begin, none for those that ended.

use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::clock::SharedClock;

/// Why reconciling ended.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {}

/// Runs until `shutdown`.
///
/// # Errors
/// None so far.
pub async fn run(
    _client: kube::Client,
    _clock: SharedClock,
    _audit: Audit,
    shutdown: CancellationToken,
) -> Result<(), ReconcileError> {
    shutdown.cancelled().await;
    Ok(())
}
