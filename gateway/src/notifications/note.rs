//! Writing down in a request's status that a notice was delivered. Only this field is touched, on what the API server
//! has at this moment; who comes second in a conflict reads again.

use std::time::Duration;

use kube::api::{Api, PostParams};
use kube::{Client, Error};
use tokio::time::{sleep, timeout};

use super::due::Notice;
use crate::crd::AccessRequest;

const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(50);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// As many entries as the schema allows.
const MOST: usize = 128;

/// The request as the API server has it.
pub(super) async fn read(client: &Client, name: &str) -> Result<Option<AccessRequest>, String> {
    let api: Api<AccessRequest> = Api::all(client.clone());
    match timeout(CALL, api.get_opt(name)).await {
        Ok(found) => found.map_err(|error| crate::crd::causes(&error)),
        Err(_) => Err("the API server does not answer".to_owned()),
    }
}

/// Notes it. A request that is gone, or another of the same name, needs no note.
pub(super) async fn note(client: &Client, request: &AccessRequest, notice: &Notice) -> Result<(), String> {
    let api: Api<AccessRequest> = Api::all(client.clone());
    let name = request.metadata.name.clone().unwrap_or_default();
    for attempt in 0..ATTEMPTS {
        sleep(PAUSE * attempt * attempt).await;
        let Some(mut live) = read(client, &name).await? else { return Ok(()) };
        if live.metadata.uid != request.metadata.uid || !add(&mut live, &notice.key) {
            return Ok(());
        }
        let params = PostParams::default();
        match timeout(CALL, api.replace_status(&name, &params, &live)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(Error::Api(status))) if status.code == 409 => {}
            Ok(Err(Error::Api(status))) if status.code == 404 => return Ok(()),
            Ok(Err(error)) => return Err(crate::crd::causes(&error)),
            Err(_) => return Err("the API server does not answer".to_owned()),
        }
    }
    Err("others keep changing it".to_owned())
}

/// Adds the entry; false where it is there already. A warning of an earlier end makes room for that of a later one.
fn add(request: &mut AccessRequest, key: &str) -> bool {
    let notified = &mut request.status.get_or_insert_default().notified;
    if notified.iter().any(|one| one == key) {
        return false;
    }
    if let Some((event, hook)) = key.split_once('@')
        && event.starts_with("ending")
    {
        notified.retain(|one| {
            one.split_once('@').is_none_or(|(before, at)| at != hook || !before.starts_with("ending"))
        });
    }
    if notified.len() >= MOST {
        // Webhooks that are not configured any more; the oldest entry is the least likely to be asked for.
        notified.remove(0);
    }
    notified.push(key.to_owned());
    true
}
