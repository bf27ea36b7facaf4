//! `request --wait`: asks, tells on standard error what happens meanwhile, and ends when the request is open or over.
//!
//! What it tells is what changed since it last looked, so that nothing is told twice and nothing that others do in
//! between is missed. Nothing is decided here: whoever goes on afterwards is authorised anew.

use std::future::Future;

use super::command::Request;
use super::desk::Desk;
use super::phrase;
use super::reply::{Failure, Reply};
use super::run::{Context, asking, told};
use super::show;
use crate::access::RequestView;
use crate::crd::Phase;

/// How long past its time a request is waited for whose end nobody wrote down, in seconds.
const GRACE: i64 = 30;

/// Where progress is told: lines on standard error.
pub trait Voice: Sync {
    /// One line, made fit for a terminal already.
    fn say(&self, line: &str) -> impl Future<Output = ()> + Send;
}

/// How the wait ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// It is open.
    Open(Box<RequestView>),
    /// It will not be, or could not even be asked: the answer.
    Not(Reply),
}

/// The status for a request that somebody, or a check, said no to.
const DENIED: u8 = 77;
/// The status for one that is over.
const OVER: u8 = 78;

/// Asks and waits.
pub async fn wait<D: Desk>(desk: &D, context: &Context, request: Request, voice: &impl Voice) -> Waited {
    match ask(desk, context, request, voice).await {
        Ok(waited) => waited,
        Err(failure) => Waited::Not(failure.into()),
    }
}

async fn ask<D: Desk>(
    desk: &D,
    context: &Context,
    request: Request,
    voice: &impl Voice,
) -> Result<Waited, Failure> {
    let ask = asking(context, &request)?;
    let mut seen = desk.request(ask).await?;
    let name = show::line(&seen.name);
    voice.say(&format!("{name} {}", phrase::state(&seen, context.now))).await;
    for line in super::run::warnings(&seen, context.now) {
        voice.say(&line).await;
    }
    if !is_settled(&seen) {
        let gateway = &context.gateway;
        if seen.phase == Phase::Pending {
            voice.say(&format!("They type: ssh {gateway} approve {name}")).await;
        }
        voice
            .say(&format!(
                "Ctrl-C ends the waiting, not the request; take it back with: ssh {gateway} withdraw {name}"
            ))
            .await;
    }
    loop {
        if is_settled(&seen) {
            return Ok(settled(context, seen, request.output));
        }
        desk.changed().await;
        let now = desk.now();
        let found = desk.requests().into_iter().find(|view| view.name == seen.name);
        let Some(view) = found else {
            let text = format!("request `{name}` is gone: it was deleted");
            return Ok(Waited::Not(Failure { text, exit: OVER }.into()));
        };
        for line in news(&seen, &view, now) {
            voice.say(&line).await;
        }
        seen = view;
        // A gateway that cannot open it goes on trying; whoever waits is not held for longer than the window.
        let late = seen.ends.is_some_and(|end| now.as_second() > end.as_second() + GRACE);
        if late && !is_settled(&seen) {
            let text = format!("{name} was approved and could not be opened before its window was over");
            return Ok(Waited::Not(Failure { text, exit: OVER }.into()));
        }
    }
}

/// Whether there is nothing to wait for any more.
const fn is_settled(view: &RequestView) -> bool {
    matches!(view.phase, Phase::Active) || view.phase.is_final()
}

fn settled(context: &Context, view: RequestView, output: super::Output) -> Waited {
    if view.phase == Phase::Active {
        return Waited::Open(Box::new(view));
    }
    let text = format!("{} {}\n", show::line(&view.name), phrase::state(&view, context.now));
    let mut reply = told(&view, output, text.clone());
    if output == super::Output::Table {
        // What went wrong belongs on standard error, and nothing is left to print.
        reply = Reply { stdout: String::new(), stderr: text, exit: reply.exit };
    }
    reply.exit = match view.phase {
        Phase::Denied => DENIED,
        Phase::Failed => 70,
        _ => OVER,
    };
    Waited::Not(reply)
}

/// What there is to tell since `before`.
fn news(before: &RequestView, now_is: &RequestView, now: jiff::Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for check in &now_is.checks {
        if before.checks.contains(check) {
            continue;
        }
        let said = match check.allow {
            Some(true) => "agrees",
            Some(false) => "says no",
            None => "cannot be asked at the moment",
        };
        let reasons = phrase::list(&check.reasons);
        let reasons = if reasons.is_empty() { reasons } else { format!(": {reasons}") };
        lines.push(format!("check `{}` {said}{reasons}", show::line(&check.name)));
    }
    for approval in now_is.approvals.iter().skip(before.approvals.len()) {
        lines.push(format!("approved by {}", show::line(&approval.by)));
    }
    let state = |view: &RequestView| phrase::state(view, now);
    let moved =
        before.phase != now_is.phase || before.stages != now_is.stages || before.starts != now_is.starts;
    if moved && !now_is.phase.is_final() && now_is.phase != Phase::Active {
        lines.push(state(now_is));
    }
    if now_is.message != before.message
        && let Some(message) = &now_is.message
        && !now_is.phase.is_final()
    {
        lines.push(show::line(message));
    }
    lines
}

#[cfg(test)]
mod tests;
