//! From the body of `POST /api/v1/requests` to what is asked for. Its fields are called as in the answer.

use jiff::Timestamp;
use sallyport_policy::{ContainerName, Namespace, PodName, PolicyName, Workload, duration};
use serde::Deserialize;

use super::no::No;
use crate::access::Ask;

/// A body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    policy: String,
    #[serde(default)]
    namespaces: Vec<String>,
    duration: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    starts: Option<Timestamp>,
    #[serde(default)]
    workloads: Vec<String>,
    #[serde(default)]
    pods: Vec<String>,
    #[serde(default)]
    containers: Vec<String>,
    #[serde(default)]
    ports: Vec<u16>,
}

impl Body {
    /// What it asks for, where every word of it is one.
    pub(super) fn ask(self, now: Timestamp) -> Result<Ask, No> {
        if self.starts.is_some_and(|start| start <= now) {
            return Err(No::unfit("`starts` is past; leave it out to begin at once"));
        }
        let length = self.duration.as_deref().map(duration::parse).transpose();
        Ok(Ask {
            namespaces: all("namespaces", &self.namespaces, Namespace::parse)?,
            duration: length.map_err(|error| No::unfit(&format!("`duration`: {error}")))?,
            reason: self.reason,
            ticket: self.ticket,
            start_at: self.starts,
            workloads: all("workloads", &self.workloads, Workload::parse)?,
            pods: all("pods", &self.pods, PodName::parse)?,
            containers: all("containers", &self.containers, ContainerName::parse)?,
            ports: self.ports,
            ..Ask::of(one("policy", &self.policy, PolicyName::parse)?)
        })
    }
}

fn one<T, E: std::fmt::Display>(
    field: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, No> {
    parse(text).map_err(|error| No::unfit(&format!("`{field}`: {error}")))
}

fn all<T, E: std::fmt::Display>(
    field: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, No> {
    texts.iter().map(|text| one(field, text, &parse)).collect()
}
