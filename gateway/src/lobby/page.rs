//! The page that `ssh prod-gw` alone prints: who you are, what you have, what waits for you, what you could have.
//! Each thing stands with the line to type, complete.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::command::Topic;
use super::desk::Desk;
use super::phrase::{self, list};
use super::reply::Reply;
use super::run::Context;
use super::view::Who;
use super::{help, show};
use crate::access::{LockView, PolicyView, RequestView};
use crate::crd::Phase;

/// From here on, what is left of a grant is shown as a warning.
const SOON_SECONDS: u64 = 300;

pub(super) fn lobby<D: Desk>(desk: &D, context: &Context, who: &Who, locks: &[LockView]) -> Reply {
    let (policies, requests, grants) = (desk.policies(), desk.requests(), desk.grants());
    let mut page = Page { context, text: String::new() };
    page.line(0, &format!("You are {}.", who_line(who, context.now)));
    let locks: Vec<_> = locks.iter().filter(|lock| lock.hits_me).cloned().collect();
    if !locks.is_empty() {
        page.section("Locked", "", &locks, |page, lock| {
            let why = phrase::because(lock.reason.as_deref());
            let until =
                lock.until.map(|until| format!(" until {}", phrase::moment(until))).unwrap_or_default();
            let line =
                format!("{}: shuts out {}{until}{why}", show::line(&lock.name), phrase::shut_out(lock));
            let line = page.context.paper.warn(&line);
            page.line(2, &line);
        });
    }
    page.section("Your grants", "none", &grants, |page, grant| page.grant(grant, &policies));
    let waiting: Vec<_> = requests.iter().filter(|request| request.may_approve).cloned().collect();
    if !waiting.is_empty() {
        page.section("Waiting for your approval", "", &waiting, Page::waiting);
    }
    let reviews = desk.reviews();
    if !reviews.is_empty() {
        page.section("Waiting for your review", "", &reviews, Page::review);
    }
    let own =
        |request: &&RequestView| request.mine && matches!(request.phase, Phase::Pending | Phase::Approved);
    let pending: Vec<_> = requests.iter().filter(own).cloned().collect();
    if !pending.is_empty() {
        page.section("Your requests", "", &pending, |page, request| {
            page.line(2, &format!("{} {}", show::line(&request.name), phrase::state(request, context.now)));
        });
    }
    page.section("You can ask for", "nothing: no policy lists a group of yours", &policies, Page::policy);
    page.text.push('\n');
    page.text.push_str(&help::text(Topic::Overview));
    Reply::said(page.text)
}

/// `alice@example.com, signed in until 2026-11-21 09:00 UTC (7h59m left)`
pub(super) fn who_line(who: &Who, now: Timestamp) -> String {
    let until = format!("signed in until {} ({})", phrase::moment(who.until), phrase::left(now, who.until));
    format!("{}, {until}", show::line(&who.username))
}

struct Page<'a> {
    context: &'a Context,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "");
    }

    /// A line to type.
    fn typed(&mut self, line: &str) {
        let gateway = &self.context.gateway;
        let line = match line.strip_prefix('-') {
            // Options of ssh itself come before the host.
            Some(rest) => match rest.split_once(" @ ") {
                Some((options, rest)) => format!("ssh -{options} {gateway} {rest}"),
                None => format!("ssh -{rest} {gateway}"),
            },
            None => format!("ssh {gateway} {line}"),
        };
        self.line(4, &line);
    }

    fn section<T>(&mut self, title: &str, nothing: &str, items: &[T], mut show: impl FnMut(&mut Self, &T)) {
        self.text.push('\n');
        let title = self.context.paper.bold(title);
        self.line(0, &title);
        if items.is_empty() {
            self.line(2, nothing);
        }
        for item in items {
            show(self, item);
        }
    }

    fn grant(&mut self, grant: &RequestView, policies: &[PolicyView]) {
        let left = grant.ends.map(|end| {
            let text = phrase::left(self.context.now, end);
            let soon = phrase::until(self.context.now, end).as_secs() < SOON_SECONDS;
            let text = if soon { self.context.paper.warn(&text) } else { text };
            format!(": {text}, until {}", phrase::moment(end))
        });
        let name = show::line(&grant.name);
        self.line(2, &format!("{name} in {}{}", list(&grant.namespaces), left.unwrap_or_default()));
        let namespace = grant.namespaces.first().map_or_else(|| "NS".to_owned(), |name| show::line(name));
        self.typed(&format!("pods -n {namespace}"));
        for action in &grant.allow {
            match *action {
                "shell" => self.typed(&format!("-t @ shell -n {namespace} POD")),
                "exec" => self.typed(&format!("exec -n {namespace} POD -- COMMAND")),
                "logs" => self.typed(&format!("logs -n {namespace} POD -f")),
                "forward" => {
                    let policy = policies.iter().find(|policy| policy.name == grant.policy);
                    let port = policy.map_or("PORT", |policy| first_port(&policy.ports)).to_owned();
                    self.typed(&format!("-N -L {port}:SERVICE.{namespace}.svc:{port}"));
                }
                _ => {}
            }
        }
    }

    fn waiting(&mut self, request: &RequestView) {
        let name = show::line(&request.name);
        let (who, places) = (show::line(&request.requester), list(&request.namespaces));
        let (long, ago) = (show::line(&request.duration), phrase::ago(self.context.now, request.created));
        let only = phrase::narrowed(request);
        let because = phrase::because(request.reason.as_deref());
        self.line(2, &format!("{name}: {who}, {long} in {places}{only}, asked {ago}{because}"));
        self.typed(&format!("approve {name}"));
    }

    fn review(&mut self, request: &RequestView) {
        let name = show::line(&request.name);
        let (who, places) = (show::line(&request.requester), list(&request.namespaces));
        let because = phrase::because(request.reason.as_deref());
        self.line(2, &format!("{name}: {who} broke the glass in {places}{because}"));
        self.typed(&format!("review {name} --verdict justified --reason WHY"));
    }

    fn policy(&mut self, policy: &PolicyView) {
        let approvals = match policy.approvals_required {
            _ if policy.break_glass => {
                "BREAK-GLASS: at once, everyone is told, reviewed afterwards".to_owned()
            }
            0 => "at once".to_owned(),
            count => format!("with {}", phrase::approvals(count, &policy.approver_groups)),
        };
        let (name, places) = (show::line(&policy.name), list(&policy.namespaces));
        let (allowed, longest) = (phrase::allowed(policy), show::line(&policy.max_duration));
        self.line(2, &format!("{name}: {allowed} in {places}, up to {longest}, {approvals}"));
        self.typed(&phrase::request_line(policy));
    }
}

/// The first port of `5432, 8000-8999`.
fn first_port(ports: &str) -> &str {
    let first = ports.split([',', '-', ' ']).next().unwrap_or_default();
    if first.is_empty() { "PORT" } else { first }
}
