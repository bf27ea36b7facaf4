//! The commands that answer: each asks the desk, and says in words or JSON what came of it.

use jiff::Timestamp;
use serde::Serialize;

use super::command::{Command, Output, Pods, Request, Topic, Verdict};
use super::desk::Desk;
use super::phrase;
use super::reply::{Failure, Reply};
use super::view::{Paper, Who};
use super::{help, page, place, show, tables};
use crate::access::{Ask, RequestView};
use crate::crd::Phase;

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
        Command::Lobby => page::lobby(desk, context, &context.who),
        Command::Help(topic) => Reply::said(help::text(topic)),
        Command::WhoAmI(output) => whoami(context, output),
        Command::Policies(Output::Json) => Reply::json(&desk.policies()),
        Command::Policies(Output::Table) => tables::policies(context, &desk.policies()),
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
            let cut = if request.starts.is_some() { "; its sessions are cut" } else { "" };
            told(&request, output, format!("{name} {state}{cut}\n"))
        }
        Command::Pods(Pods { namespace, output }) => {
            let namespace = place::namespace(namespace.as_ref(), &desk.grants())?;
            let pods = desk.pods(&namespace).await?;
            match output {
                Output::Json => Reply::json(&pods),
                Output::Table => tables::pods(context, namespace.as_str(), &pods),
            }
        }
        Command::Login | Command::Shell(_) | Command::Exec(_) | Command::Logs(_) => {
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

fn whoami(context: &Context, output: Output) -> Reply {
    let who = &context.who;
    let left = phrase::until(context.now, who.until);
    match output {
        Output::Json => Reply::json(&WhoJson { signed_in: true, who, seconds_left: left.as_secs() }),
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
    let Request { policy, namespaces, duration, reason, output } = request;
    let request = desk.request(Ask { namespaces, duration, reason, ..Ask::of(policy) }).await?;
    Ok(told(&request, output, asked(context, &request)))
}

/// The answer to something that was done to a request; one that cannot be opened, for good or for now, is said on
/// stderr.
fn told(request: &RequestView, output: Output, text: String) -> Reply {
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
        (Phase::Approved, Some(why)) => {
            let why = show::line(why);
            reply = reply
                .beside(format!("{name} is approved and cannot be opened yet: {why}; it is tried again"));
            reply.exit = 70;
        }
        _ => {}
    }
    reply
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

fn approved(context: &Context, request: &RequestView) -> String {
    let name = show::line(&request.name);
    let state = phrase::state(request, context.now);
    match request.phase {
        Phase::Active | Phase::Approved => {
            let (who, places) = (show::line(&request.requester), phrase::list(&request.namespaces));
            format!("{name} {state}: {who} in {places}\n")
        }
        _ => format!("{name} {state}\n"),
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
mod tests;
