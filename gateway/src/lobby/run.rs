//! The commands that answer: each asks the desk, and says in words or JSON what came of it.

use jiff::Timestamp;
use serde::Serialize;

use super::command::{Command, Extend, Lock, Output, Pods, Request, Review, Topic, Unlock, Verdict};
use super::desk::Desk;
use super::locks::{lock_table, locked, unlocked};
use super::phrase;
use super::reply::{Failure, Reply};
use super::usage::UsageError;
use super::view::{Paper, Who};
use super::{help, page, place, show, tables, why};
use crate::access::{Ask, LockAsk, RequestView};
use crate::crd::{Phase, ReviewVerdict};
use sallyport_policy::RequestName;

/// What an answer depends on beside the question.
#[derive(Debug, Clone)]
pub struct Context {
    /// What people type after `ssh` to get here; the first of the configured host names.
    pub gateway: String,
    /// The moment of the question.
    pub now: Timestamp,
    /// The person, by their certificate.
    pub who: Who,
    /// What the answer is printed on.
    pub paper: Paper,
}

/// Does a command that only answers ([`Command::answers`]).
pub async fn run<D: Desk>(desk: &D, context: &Context, command: Command) -> Reply {
    answer(desk, context, command).await.unwrap_or_else(Reply::from)
}

async fn answer<D: Desk>(desk: &D, context: &Context, command: Command) -> Result<Reply, Failure> {
    Ok(match command {
        Command::Lobby => {
            // The page is worth having without the locks.
            let locks = desk.locks().await.unwrap_or_default();
            page::lobby(desk, context, &context.who, &locks)
        }
        Command::Help(topic) => Reply::said(help::text(topic)),
        Command::WhoAmI(output) => whoami(context, output),
        Command::Policies(Output::Json) => Reply::json(&desk.policies()),
        Command::Policies(Output::Table) => tables::policies(context, &desk.policies()),
        Command::Rules(rules) => tables::rules(context, &desk.policies(), &rules),
        Command::Requests(Output::Json) => Reply::json(&desk.requests()),
        Command::Requests(Output::Table) => tables::requests(context, &desk.requests()),
        Command::Grants(Output::Json) => Reply::json(&desk.grants()),
        Command::Grants(Output::Table) => tables::grants(context, &desk.grants()),
        Command::Request(request) => ask(desk, context, request).await?,
        Command::Approve(Verdict { name, output, .. }) => {
            let request = desk.approve(&name).await?;
            told(&request, output, approved(context, &request))
        }
        Command::Deny(Verdict { name, reason, output }) => {
            let request = desk.deny(&name, reason).await?;
            told(
                &request,
                output,
                format!("{} {}\n", show::line(&request.name), phrase::state(&request, context.now)),
            )
        }
        Command::Revoke(Verdict { name, reason, output }) => {
            let request = desk.revoke(&name, reason).await?;
            let name = show::line(&request.name);
            let state = phrase::state(&request, context.now);
            let cut = if request.ends.is_some() { "; its sessions are cut" } else { "" };
            told(&request, output, format!("{name} {state}{cut}\n"))
        }
        Command::Withdraw(Verdict { name, reason, output }) => {
            let found = desk.requests().into_iter().find(|request| request.name == name.as_str());
            if let Some(request) = found.filter(|request| !request.mine || request.phase == Phase::Active) {
                let text = if request.mine {
                    format!("refused: `{name}` is open already; `revoke {name}` ends it")
                } else {
                    format!("refused: `{name}` is not your request; `deny {name}` says no to it")
                };
                return Err(Failure { text, exit: 77 });
            }
            let request = desk.revoke(&name, reason).await?;
            let text = format!("{} is taken back\n", show::line(&request.name));
            told(&request, output, text)
        }
        Command::Extend(Extend { name, by, reason, output }) => {
            let request = desk.extend(&name, by, reason).await?;
            told(&request, output, extended(context, &name, &request))
        }
        Command::Why(why) => why::answer(desk, context, why).await?,
        Command::Reviews(Output::Json) => Reply::json(&desk.reviews()),
        Command::Reviews(Output::Table) => tables::reviews(context, &desk.reviews()),
        Command::Review(Review { name, verdict, reason, output }) => {
            let request = desk.review(&name, verdict, reason).await?;
            let found = match verdict {
                ReviewVerdict::Justified => "justified",
                ReviewVerdict::Unjustified => "unjustified",
            };
            let text = format!("{}: the review is closed, {found}\n", show::line(&request.name));
            match output {
                Output::Json => Reply::json(&request),
                Output::Table => Reply::said(text),
            }
        }
        Command::Locks(Output::Json) => Reply::json(&desk.locks().await?),
        Command::Locks(Output::Table) => lock_table(context.paper, &desk.locks().await?),
        Command::Lock(Lock { subject, duration, reason, output }) => {
            let until = duration.and_then(|length| context.now.checked_add(length).ok());
            let lock = desk.lock(LockAsk { subject, reason: Some(reason), until }).await?;
            match output {
                Output::Json => Reply::json(&lock),
                Output::Table => locked(&lock, &format!("ssh {}", context.gateway)),
            }
        }
        Command::Unlock(Unlock { name, output }) => {
            let lock = desk.unlock(name.as_str()).await?;
            match output {
                Output::Json => Reply::json(&lock),
                Output::Table => unlocked(&lock),
            }
        }
        Command::Pods(Pods { namespace, output }) => {
            let namespace = place::namespace(namespace.as_ref(), &desk.grants())?;
            let pods = desk.pods(&namespace).await?;
            match output {
                Output::Json => Reply::json(&pods),
                Output::Table => tables::pods(context, namespace.as_str(), &pods),
            }
        }
        Command::Login | Command::BreakGlass | Command::Shell(_) | Command::Exec(_) | Command::Logs(_) => {
            let text = format!("`{}` is not an answer, it runs by itself", command.name());
            return Err(Failure { text, exit: 70 });
        }
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoJson<'a> {
    signed_in: bool,
    #[serde(flatten)]
    who: &'a Who,
    seconds_left: u64,
}

/// Who somebody is, as JSON.
#[must_use]
pub fn whoami_json(who: &Who, now: Timestamp) -> Reply {
    let seconds_left = phrase::until(now, who.until).as_secs();
    Reply::json(&WhoJson { signed_in: true, who, seconds_left })
}

fn whoami(context: &Context, output: Output) -> Reply {
    let who = &context.who;
    match output {
        Output::Json => whoami_json(who, context.now),
        Output::Table => {
            let groups = if who.groups.is_empty() { "none".to_owned() } else { phrase::list(&who.groups) };
            Reply::said(format!(
                "{}\ngroups: {groups}\nissuer: {}\nsubject: {}\n",
                page::who_line(who, context.now),
                show::line(&who.issuer),
                show::line(&who.subject)
            ))
        }
    }
}

async fn ask<D: Desk>(desk: &D, context: &Context, request: Request) -> Result<Reply, Failure> {
    let ask = asking(context, &request)?;
    let view = desk.request(ask).await?;
    let mut reply = told(&view, request.output, asked(context, &view));
    for line in warnings(&view, context.now) {
        reply = reply.beside(line);
    }
    Ok(reply)
}

/// The answer to somebody whose request has opened while they waited; on one line where a session follows.
#[must_use]
pub fn opened(context: &Context, request: &RequestView, session_follows: bool) -> Reply {
    if session_follows {
        return Reply::said(format!("{} {}", show::line(&request.name), phrase::state(request, context.now)));
    }
    Reply::said(asked(context, request))
}

/// What is asked for, once the moment of asking is known.
pub(super) fn asking(context: &Context, request: &Request) -> Result<Ask, UsageError> {
    let start_at = request.start.as_ref().and_then(|start| start.moment(context.now));
    if start_at.is_some_and(|moment| moment <= context.now) {
        let value = start_at.map(phrase::moment).unwrap_or_default();
        let why = "it is past; leave `--start` out to begin at once".to_owned();
        return Err(UsageError::Invalid { what: "the start", value, why });
    }
    Ok(Ask {
        namespaces: request.namespaces.clone(),
        workloads: request.workloads.clone(),
        pods: request.pods.clone(),
        containers: request.containers.clone(),
        ports: request.ports.clone(),
        duration: request.duration,
        start_at,
        ticket: request.ticket.clone(),
        reason: request.reason.clone(),
        ..Ask::of(request.policy.clone())
    })
}

/// What somebody who has just asked should know: what was understood of the start, and what break-glass means.
pub(super) fn warnings(view: &RequestView, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(start) = view.starts.filter(|start| phrase::is_ahead(*start, now)) {
        let wait = crate::terminal::span(phrase::until(now, start));
        lines.push(format!(
            "It begins at {}, {wait} from now, if it is approved by then.",
            phrase::moment(start)
        ));
    }
    if view.break_glass {
        lines.push(
            "BREAK-GLASS: everyone concerned is told now, and a review stays open until somebody else closes it."
                .to_owned(),
        );
    }
    lines
}

/// The answer to something that was done to a request; one that cannot be opened, for good or for now, is said on
/// stderr.
pub(super) fn told(request: &RequestView, output: Output, text: String) -> Reply {
    let mut reply = match output {
        Output::Json => Reply::json(request),
        Output::Table => Reply::said(text),
    };
    let name = show::line(&request.name);
    match (request.phase, &request.message) {
        (Phase::Failed, why) => {
            let why = show::line(why.as_deref().unwrap_or("see the gateway's log"));
            reply = reply.beside(format!("{name} could not be opened: {why}"));
            reply.exit = 70;
        }
        (Phase::Approved, Some(why)) if !is_planned(request) => {
            let why = show::line(why);
            reply = reply
                .beside(format!("{name} is approved and cannot be opened yet: {why}; it is tried again"));
            reply.exit = 70;
        }
        _ => {}
    }
    reply
}

/// Approved, and its time has not come: the message says so, and nothing is wrong.
fn is_planned(request: &RequestView) -> bool {
    request.starts.is_some() && request.seconds_left.is_none() && request.first_used.is_none() && {
        let message = request.message.as_deref().unwrap_or_default();
        message.is_empty() || message.starts_with("opens ")
    }
}

/// The request's name first, for scripts; then what happens next.
fn asked(context: &Context, request: &RequestView) -> String {
    let (name, gateway) = (show::line(&request.name), &context.gateway);
    let state = phrase::state(request, context.now);
    match request.phase {
        Phase::Pending => format!(
            "{name} {state}\nThey type:           ssh {gateway} approve {name}\nWhen it is open:     ssh {gateway} grants\n"
        ),
        _ => format!("{name} {state}\n{}", how_to_go(context, request)),
    }
}

/// The same grant with a later end, or a new request that goes on from it.
fn extended(context: &Context, old: &RequestName, request: &RequestView) -> String {
    if request.name == old.as_str() {
        return format!("{} {}\n", show::line(&request.name), phrase::state(request, context.now));
    }
    let goes_on = "; your open sessions move over to it when it is open";
    let (name, state) = (show::line(&request.name), phrase::state(request, context.now));
    let more = if request.phase == Phase::Pending {
        format!("They type:           ssh {} approve {name}\n", context.gateway)
    } else {
        String::new()
    };
    format!("{name} {state}: {old} is at its longest, so this asks again{goes_on}\n{more}")
}

fn approved(context: &Context, request: &RequestView) -> String {
    let name = show::line(&request.name);
    let state = phrase::state(request, context.now);
    match (request.phase, &request.command) {
        // Whoever waits for it runs it in a moment; there is nothing to go to.
        (Phase::Active | Phase::Approved, Some(command)) => {
            format!("{name}: {} may run it once: {}\n", show::line(&request.requester), show::line(command))
        }
        (Phase::Active | Phase::Approved, None) => {
            let (who, places) = (show::line(&request.requester), phrase::list(&request.namespaces));
            format!("{name} {state}: {who} in {places}\n")
        }
        (_, _) => format!("{name} {state}\n"),
    }
}

fn how_to_go(context: &Context, request: &RequestView) -> String {
    let namespace = request.namespaces.first().map_or_else(|| "NS".to_owned(), |name| show::line(name));
    format!("Look around:         ssh {} pods -n {namespace}\n", context.gateway)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyJson<'a> {
    signed_in: bool,
    key: &'a str,
}

/// The answer for somebody whose key is all that is known: how to sign in. `key` is the key's fingerprint.
/// `login` is not answered here.
#[must_use]
pub fn answer_key(gateway: &str, key: &str, command: &Command) -> Reply {
    let sign_in = format!("ssh {gateway} login > ~/.ssh/id_ed25519-cert.pub");
    match command {
        Command::Help(topic) => Reply::said(help::text(*topic)),
        Command::WhoAmI(Output::Json) => Reply::json(&KeyJson { signed_in: false, key }),
        Command::WhoAmI(Output::Table) => {
            Reply::said(format!("not signed in, known only by the key {key}\n"))
                .beside(format!("Sign in with: {sign_in}"))
        }
        Command::Lobby => Reply::said(format!(
            "You are not signed in; your key is {key}.\n\n\
             Sign in, and put the certificate beside your key, under its name with `-cert.pub` at the end:\n    \
             {sign_in}\n\n\
             It shows a code to confirm in the browser. `sallyport login {gateway}` does both steps for you.\n\n{}",
            help::text(Topic::Overview)
        )),
        _ => Failure {
            text: format!(
                "refused: {} needs a certificate, and you only showed a key; type `{sign_in}`",
                command.name()
            ),
            exit: 77,
        }
        .into(),
    }
}

#[cfg(test)]
pub(super) mod tests;
