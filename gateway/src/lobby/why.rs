//! `why`: the rules that would decide about a request, or which grant allows a use and, if none does, what to ask for.

use std::fmt::Write as _;

use sallyport_policy::Action;
use serde::Serialize;

use super::command::{Doing, Output, Why};
use super::desk::{Desk, May};
use super::place;
use super::reply::{Failure, Reply};
use super::run::{Context, asking};
use super::{phrase, show};
use crate::access::{PolicyView, WhyView};

pub(super) async fn answer<D: Desk>(desk: &D, context: &Context, why: Why) -> Result<Reply, Failure> {
    match why {
        Why::Asking(request) => {
            let view = desk.why(asking(context, &request)?)?;
            Ok(match request.output {
                Output::Json => Reply::json(&view),
                Output::Table => Reply::said(rules(&view)),
            })
        }
        Why::Doing { action, target, output } => {
            let target = match place::place(&target, &desk.grants()) {
                Ok(target) => target,
                Err(error) => return Err(error.into()),
            };
            let may = desk.may(used(action), &target).await;
            let asks = could_ask(&desk.policies(), action, target.namespace.as_str());
            Ok(doing(context, may, &asks, output))
        }
    }
}

fn used(action: Doing) -> Action {
    match action {
        Doing::Shell => Action::Shell,
        Doing::Exec => Action::Exec,
        Doing::Logs => Action::Logs,
        Doing::Forward(port) => Action::Forward { port },
    }
}

/// The policies of theirs that name the place and the use. Whether one would take the request, `why POLICY` says.
fn could_ask(policies: &[PolicyView], action: Doing, namespace: &str) -> Vec<PolicyView> {
    let word = match action {
        Doing::Shell => "shell",
        Doing::Exec => "exec",
        Doing::Logs => "logs",
        Doing::Forward(_) => "forward",
    };
    let fits = |policy: &&PolicyView| {
        policy.allow.contains(&word) && policy.namespaces.iter().any(|name| name == namespace)
    };
    policies.iter().filter(fits).cloned().collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoingJson<'a> {
    allowed: bool,
    #[serde(flatten)]
    may: Option<&'a May>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    could_ask: Vec<&'a str>,
}

fn doing(context: &Context, may: Result<May, Failure>, asks: &[PolicyView], output: Output) -> Reply {
    // Only a no is an answer; what could not be found out is a failure like any other.
    let (may, no) = match may {
        Ok(may) => (Some(may), None),
        Err(failure) if failure.exit == 77 => (None, Some(failure)),
        Err(failure) => return failure.into(),
    };
    let exit = no.as_ref().map_or(0, |failure| failure.exit);
    if output == Output::Json {
        let could_ask = asks.iter().map(|policy| policy.name.as_str()).collect();
        let why = no.map(|failure| failure.text);
        let mut reply = Reply::json(&DoingJson { allowed: may.is_some(), may: may.as_ref(), why, could_ask });
        reply.exit = exit;
        return reply;
    }
    let mut text = String::new();
    if let Some(may) = &may {
        let (grant, policy, pod) = (show::line(&may.grant), show::line(&may.policy), show::line(&may.pod));
        let (until, left) = (phrase::moment(may.until), phrase::left(context.now, may.until));
        let _ =
            writeln!(text, "yes: grant {grant} of policy {policy} covers pod {pod} until {until} ({left})");
    }
    if let Some(failure) = &no {
        let _ = writeln!(text, "no: {}", show::line(failure.text.trim_start_matches("refused: ")));
        if asks.is_empty() {
            text.push_str("no policy of yours covers it\n");
        }
        for policy in asks {
            let _ = writeln!(
                text,
                "you can ask:         ssh {} {}",
                context.gateway,
                phrase::request_line(policy)
            );
        }
    }
    Reply { exit, ..Reply::said(text) }
}

/// `allowed`, then rule by rule.
fn rules(view: &WhyView) -> String {
    let outcome = match view.outcome {
        "allowed" => "would be approved at once",
        "waits" => "would wait for approvals",
        _ => "would be refused",
    };
    let mut text = format!("a request to {} {outcome}\n", show::line(&view.policy));
    for step in &view.steps {
        let mark = match step.holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        let why = if step.why.is_empty() { String::new() } else { format!(": {}", show::line(&step.why)) };
        let _ = writeln!(text, "  {mark:<4}{}{why}", show::line(&step.rule));
    }
    text
}
