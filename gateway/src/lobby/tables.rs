//! The tables: headings as kubectl has them, and for nothing a sentence on what to type, on stderr.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sallyport_policy::commands::gathered;

use super::command::{Output, Rules};
use super::phrase::{self, list};
use super::reply::Reply;
use super::run::Context;
use crate::access::{PolicyView, RequestView};
use crate::bridge::PodRow;
use crate::crd::Phase;
use crate::terminal::{span, table};

fn rows(context: &Context, headings: &[&str], rows: &[Vec<String>]) -> Reply {
    Reply::said(context.paper.fit(&table(headings, rows)))
}

pub(super) fn policies(context: &Context, policies: &[PolicyView]) -> Reply {
    let Some(first) = policies.first() else {
        return Reply::default()
            .beside("No policies: none lists a group of yours. `whoami` shows your groups.");
    };
    let row = |policy: &PolicyView| {
        let approval = match policy.approvals_required {
            _ if policy.break_glass => "BREAK-GLASS".to_owned(),
            0 => "none".to_owned(),
            count => format!("{count} by {}", policy.approver_groups.join(" or ")),
        };
        let reason = if policy.reason_required { "required" } else { "optional" };
        vec![
            policy.name.clone(),
            policy.namespaces.join(","),
            policy.max_duration.clone(),
            approval,
            reason.to_owned(),
            phrase::allowed(policy),
        ]
    };
    let headings = ["NAME", "NAMESPACES", "LONGEST", "APPROVALS", "REASON", "ALLOWS"];
    rows(context, &headings, &policies.iter().map(row).collect::<Vec<_>>()).beside(format!(
        "Ask with: ssh {} {}",
        context.gateway,
        phrase::request_line(first)
    ))
}

/// What the command rules of policies say.
pub(super) fn rules(context: &Context, policies: &[PolicyView], asked: &Rules) -> Reply {
    let meant = |policy: &&PolicyView| asked.policy.as_ref().is_none_or(|name| policy.name == name.as_str());
    let found: Vec<_> = policies.iter().filter(meant).collect();
    if asked.output == Output::Json {
        let all: Vec<_> = found.iter().map(|policy| (&policy.name, &policy.commands)).collect();
        return Reply::json(&all.into_iter().collect::<BTreeMap<_, _>>());
    }
    if found.is_empty() {
        return Reply::default().beside("No such policy of yours. `policies` lists them.");
    }
    let mut table = Vec::new();
    let mut free = Vec::new();
    let mut weak: BTreeMap<(&String, &str), Vec<String>> = BTreeMap::new();
    for policy in found {
        let Some(commands) = &policy.commands else {
            free.push(policy.name.clone());
            continue;
        };
        let rules = commands.rules.iter();
        let rules = rules.map(|rule| (rule.rule.clone(), rule.says.clone(), rule.assurance.as_str()));
        for (rule, says, worth) in gathered(rules) {
            // A reason for many rules would stand in a wide column many times.
            let worth = match worth.split_once(": ") {
                Some((worth, because)) => {
                    let weak = weak.entry((&policy.name, because)).or_default();
                    if !weak.contains(&rule) {
                        weak.push(rule.clone());
                    }
                    worth
                }
                None => worth,
            };
            table.push(vec![policy.name.clone(), rule, worth.to_owned(), says]);
        }
    }
    let mut reply = match table.is_empty() {
        true => Reply::default(),
        false => rows(context, &["POLICY", "RULE", "WORTH", "SAYS"], &table),
    };
    for ((policy, because), rules) in weak {
        reply.stdout.push_str(&format!("guardrail: {} of {policy}: {because}\n", rules.join(", ")));
    }
    if !free.is_empty() {
        reply = reply.beside(format!("Any command runs under {}.", free.join(", ")));
    }
    reply
}

pub(super) fn requests(context: &Context, requests: &[RequestView]) -> Reply {
    if requests.is_empty() {
        return Reply::default().beside("No requests. `policies` shows what you can ask for.");
    }
    let row = |request: &RequestView| {
        vec![
            request.name.clone(),
            request.phase.to_string(),
            request.requester.clone(),
            request.namespaces.join(","),
            request.duration.clone(),
            waits_for(request),
            span(phrase::until(request.created, context.now)),
            request.reason.clone().unwrap_or_default(),
        ]
    };
    let headings = ["NAME", "PHASE", "REQUESTER", "NAMESPACES", "FOR", "WAITS FOR", "AGE", "REASON"];
    rows(context, &headings, &requests.iter().map(row).collect::<Vec<_>>())
}

fn waits_for(request: &RequestView) -> String {
    match request.phase {
        Phase::Pending if request.may_approve => "you".to_owned(),
        Phase::Pending => phrase::approvals(request.approvals_missing, &request.approver_groups),
        _ => String::new(),
    }
}

pub(super) fn grants(context: &Context, grants: &[RequestView]) -> Reply {
    if grants.is_empty() {
        return Reply::default()
            .beside("No grants. `policies` shows what you can ask for, `requests` what waits.");
    }
    let row = |grant: &RequestView| {
        vec![
            grant.name.clone(),
            grant.namespaces.join(","),
            grant.allow.join(","),
            grant.ends.map(|end| span(phrase::until(context.now, end))).unwrap_or_default(),
            grant.ends.map(phrase::moment).unwrap_or_default(),
            grant.reason.clone().unwrap_or_default(),
        ]
    };
    let headings = ["NAME", "NAMESPACES", "ALLOWS", "LEFT", "UNTIL", "REASON"];
    rows(context, &headings, &grants.iter().map(row).collect::<Vec<_>>())
}

pub(super) fn reviews(context: &Context, requests: &[RequestView]) -> Reply {
    if requests.is_empty() {
        return Reply::default().beside("No reviews wait for you.");
    }
    let row = |request: &RequestView| {
        vec![
            request.name.clone(),
            request.requester.clone(),
            request.namespaces.join(","),
            request.ended.map(|ended| phrase::ago(context.now, ended)).unwrap_or_default(),
            request.reason.clone().unwrap_or_default(),
        ]
    };
    let headings = ["NAME", "WHO", "NAMESPACES", "ENDED", "REASON"];
    rows(context, &headings, &requests.iter().map(row).collect::<Vec<_>>()).beside(format!(
        "Close one with: ssh {} review NAME --verdict justified|unjustified --reason WHY",
        context.gateway
    ))
}

pub(super) fn pods(context: &Context, namespace: &str, pods: &[PodRow]) -> Reply {
    if pods.is_empty() {
        return Reply::default().beside(format!("No pods in `{namespace}` that a grant of yours covers."));
    }
    let row = |pod: &PodRow| {
        vec![
            pod.name.clone(),
            format!("{}/{}", pod.ready, pod.containers.len()),
            pod.status.clone(),
            pod.restarts.to_string(),
            pod.created
                .map(|created: Timestamp| span(phrase::until(created, context.now)))
                .unwrap_or_default(),
            list(&pod.containers).replace(", ", ","),
        ]
    };
    let headings = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "CONTAINERS"];
    rows(context, &headings, &pods.iter().map(row).collect::<Vec<_>>())
}
