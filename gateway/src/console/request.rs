//! The page of one request: all that one must know to decide, what was decided, and the forms.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use sallyport_policy::RequestName;

use super::html::Html;
use super::place::Place;
use super::session::Session;
use super::{App, login, pages};
use crate::access::{RequestView, VerdictView};
use crate::crd::{Phase, ReviewVerdict};
use crate::lobby;

pub(super) async fn page(State(app): State<App>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    if app.public.is_none() {
        return pages::no_sign_in(&app);
    }
    let Ok(name) = RequestName::parse(&name) else { return pages::nothing(State(app), headers).await };
    match login::session(&app, &headers) {
        Some(session) => show(&app, &session, &name, StatusCode::OK, None),
        None => login::sign_in_first(&Place::Request(name)),
    }
}

/// The page, with what did not work where something did not.
pub(super) fn show(
    app: &App,
    session: &Session,
    name: &RequestName,
    status: StatusCode,
    error: Option<&str>,
) -> Response {
    let Some(request) = app.access.one(&session.identity, name) else {
        // The same for what is not there and for what is not theirs to see.
        let why = format!("there is no request `{name}` that you can see");
        return pages::problem(app, Some(session), StatusCode::NOT_FOUND, error.unwrap_or(&why));
    };
    let mut body = Html::new();
    body.raw("<h1><bdi>").text(&request.requester).raw("</bdi> asks for ").value(&request.policy);
    body.raw("</h1>\n");
    if let Some(error) = error {
        pages::error(&mut body, error);
    }
    let state = lobby::state(&request, app.clock.now());
    body.raw("<p id=\"state\" class=\"state\"><span id=\"phase\" class=\"mark\">").text(phase(request.phase));
    body.raw("</span> ").value(&state).raw("</p>\n");
    if request.break_glass {
        body.raw("<p class=\"problem\">Break-glass: it opened at once, and somebody else reviews it.</p>\n");
    }
    facts(&mut body, &request);
    forms(&mut body, session, &request);
    history(&mut body, &request);
    pages::page(app, Some(session), status, &request.name, &body)
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "Pending",
        Phase::Approved => "Approved",
        Phase::Active => "Active",
        Phase::Denied => "Denied",
        Phase::Expired => "Expired",
        Phase::Revoked => "Revoked",
        Phase::Failed => "Failed",
    }
}

fn fact(html: &mut Html, what: &'static str, value: &str) {
    html.raw("<dt>").raw(what).raw("</dt><dd>").value(value).raw("</dd>\n");
}

fn facts(html: &mut Html, request: &RequestView) {
    html.raw("<dl id=\"facts\">\n");
    fact(html, "Who", &request.requester);
    fact(html, "Why", request.reason.as_deref().unwrap_or("no reason given"));
    if let Some(ticket) = &request.ticket {
        fact(html, "Ticket", ticket);
    }
    fact(html, "Where", &request.namespaces.join(", "));
    let narrowed = lobby::narrowed(request);
    let scope = narrowed.trim_start_matches(", ");
    fact(html, "Which pods", if scope.is_empty() { "all that the policy covers" } else { scope });
    fact(html, "To do what", &request.allow.join(", "));
    fact(html, "For how long", &request.duration);
    match (request.starts, request.ends) {
        (Some(start), Some(end)) => {
            fact(html, "Window", &format!("{} until {}", lobby::moment(start), lobby::moment(end)));
        }
        (Some(start), None) => fact(html, "Begins", &lobby::moment(start)),
        _ => {}
    }
    fact(html, "Policy", &request.policy);
    if let Some(from) = &request.extends {
        fact(html, "Goes on from", from);
    }
    if !request.approver_groups.is_empty() {
        fact(html, "Approvers", &request.approver_groups.join(", "));
    }
    for stage in &request.stages {
        let name = stage.name.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
        fact(html, "Still needed", &format!("{name}{} by {}", stage.needed, stage.groups.join(" or ")));
    }
    for check in &request.checks {
        let said = match check.allow {
            Some(true) => "agrees",
            Some(false) => "does not agree",
            None => "could not be asked yet",
        };
        let why =
            if check.reasons.is_empty() { String::new() } else { format!(": {}", check.reasons.join("; ")) };
        fact(html, "Check", &format!("{} {said}{why}", check.name));
    }
    fact(html, "Request", &request.name);
    html.raw("</dl>\n");
}

fn forms(html: &mut Html, session: &Session, request: &RequestView) {
    let open = matches!(request.phase, Phase::Approved | Phase::Active);
    let approver = request.approver_groups.iter().any(|group| session.identity.groups().contains(group));
    let begin = |html: &mut Html, verb: &'static str| {
        html.raw("<form class=\"act\" method=\"post\" action=\"/requests/")
            .text(&request.name)
            .raw("/")
            .raw(verb);
        html.raw("\">");
        pages::csrf(html, session);
    };
    if request.may_approve {
        begin(html, "approve");
        html.raw("<button id=\"approve\">Approve</button></form>\n");
        begin(html, "deny");
        html.raw(
            "<label for=\"reason\">Why not</label>\n<input type=\"text\" id=\"reason\" name=\"reason\" \
             maxlength=\"1024\" autocomplete=\"off\">\n<button id=\"deny\" class=\"quiet\">Deny</button></form>\n",
        );
    } else if (open && (request.mine || approver)) || (request.mine && request.phase == Phase::Pending) {
        begin(html, "revoke");
        html.raw(
            "<label for=\"reason\">Why</label>\n<input type=\"text\" id=\"reason\" name=\"reason\" \
             maxlength=\"1024\" autocomplete=\"off\">\n<button id=\"revoke\" class=\"quiet\">",
        );
        html.raw(if open { "End it now" } else { "Take it back" }).raw("</button></form>\n");
    }
    if request.may_review {
        begin(html, "review");
        html.raw(
            "<label for=\"verdict\">Was it justified?</label>\n<select id=\"verdict\" name=\"verdict\" required>\n\
             <option value=\"\">Choose</option>\n<option value=\"justified\">Justified</option>\n\
             <option value=\"unjustified\">Unjustified</option>\n</select>\n\
             <label for=\"comment\">What you found</label>\n<input type=\"text\" id=\"comment\" name=\"comment\" \
             maxlength=\"1024\" required autocomplete=\"off\">\n<button id=\"review\">Close the review</button></form>\n",
        );
    }
}

fn history(html: &mut Html, request: &RequestView) {
    let said = |what: &str, verdict: &VerdictView| {
        let reason = verdict.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{what} by {}{reason}", verdict.by)
    };
    let mut lines = vec![(Some(request.created), format!("asked for by {}", request.requester))];
    lines.extend(request.approvals.iter().map(|one| (Some(one.at), format!("approved by {}", one.by))));
    lines.extend(request.approved_by_rule.iter().map(|rule| (None, format!("approved by a rule: {rule}"))));
    lines.extend(request.denial.iter().map(|one| (Some(one.at), said("denied", one))));
    lines.extend(request.first_used.map(|at| (Some(at), "used for the first time".to_owned())));
    lines.extend(request.revocation.iter().map(|one| (Some(one.at), said("revoked", one))));
    lines.extend(request.ended.map(|at| (Some(at), "over".to_owned())));
    if let Some(review) = &request.review {
        let verdict = match review.verdict {
            Some(ReviewVerdict::Justified) => "reviewed, justified,",
            Some(ReviewVerdict::Unjustified) => "reviewed, unjustified,",
            None => "the review is open",
        };
        lines.push(match &review.closed {
            Some(closed) => (Some(closed.at), said(verdict, closed)),
            None => (None, verdict.to_owned()),
        });
    }
    lines.extend(request.message.iter().map(|message| (None, message.clone())));
    html.raw("<h2>What has happened</h2>\n<ul id=\"history\">\n");
    for (at, words) in &lines {
        html.raw("<li>");
        if let Some(at) = at {
            html.raw("<time>").text(&lobby::moment(*at)).raw("</time> ");
        }
        html.value(words).raw("</li>\n");
    }
    html.raw("</ul>\n");
}
