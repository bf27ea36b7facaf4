//! exec, attach, portforward and logs over HTTP, for requests that were authorized already.
//!
//! The streams are WebSockets with the subprotocols `v5.channel.k8s.io` and `v4.channel.k8s.io`: binary
//! messages whose first byte names a channel. Port-forwarding is offered as `SPDY/3.1+portforward.k8s.io` too, SPDY
//! inside a WebSocket. Bare SPDY, which older clients ask for with POST, is not spoken; they are told so. What a client sees of success and failure is worded as a kubelet with containerd words it.

mod attach;
mod exec;
mod log;
mod params;
mod portforward;
mod spdy;
mod tunnel;
mod websocket;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::params::Params;
use super::kubelet::Kubelet;
use super::status::Status;
use super::store::object;

/// What of a pod was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subresource {
    Exec,
    Attach,
    PortForward,
    Log,
}

/// Answers a request for a pod's subresource. Upgraded connections go on in tasks of their own until their
/// client, their process or the cluster ends.
pub async fn serve(
    request: Request,
    pod: Arc<Value>,
    subresource: Subresource,
    kubelet: &Kubelet,
) -> Response {
    let params = Params::of(request.uri().query().unwrap_or_default());
    let answer = match subresource {
        Subresource::Exec => exec::serve(request, &params, &pod, kubelet),
        Subresource::Attach => attach::serve(request, &params, &pod, kubelet).await,
        Subresource::PortForward => portforward::serve(request, &params, &pod, kubelet),
        Subresource::Log => log::serve(&params, &pod, kubelet).await,
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

/// The container that a request means: the one it names, or the only one.
fn container(pod: &Value, params: &Params) -> Result<String, Status> {
    let names = |list: &str| -> Vec<&str> {
        let list = pod.pointer(&format!("/spec/{list}")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|one| one.get("name")?.as_str()).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    let name = object::name(pod);
    match (params.one("container").filter(|asked| !asked.is_empty()), main.as_slice()) {
        (Some(asked), _) if main.contains(&asked) || init.contains(&asked) => Ok(asked.to_owned()),
        (Some(asked), _) => {
            Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                main.join(" ")
            );
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(Status::bad_request(message))
        }
    }
}
