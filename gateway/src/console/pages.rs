//! The frame of every page, the first page, and those that say what went wrong.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::html::Html;
use super::session::Session;
use super::{App, login, rows};
use crate::crd::Phase;
use crate::lobby;

/// A page with its frame. `session` is who looks at it.
pub(super) fn page(
    app: &App,
    session: Option<&Session>,
    status: StatusCode,
    title: &str,
    body: &Html,
) -> Response {
    let mut html = Html::new();
    html.raw(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
    );
    html.text(title).raw(" - Sallyport</title>\n<link rel=\"stylesheet\" href=\"/static/style.css\">\n");
    if let Some(session) = session {
        html.raw("<meta name=\"csrf\" content=\"").text(session.csrf()).raw("\">\n");
    }
    html.raw("</head>\n<body>\n<header>\n<a class=\"brand\" href=\"/\">Sallyport</a>\n");
    if let Some(session) = session {
        html.raw("<span class=\"who\">").raw("<span id=\"whoami\">").value(session.identity.username());
        html.raw("</span></span>\n<form method=\"post\" action=\"/logout\">");
        csrf(&mut html, session);
        html.raw("<button id=\"logout\" class=\"quiet\">Sign out</button></form>\n");
    }
    html.raw("</header>\n<main>\n");
    if session.is_some() && !app.access.healthy() {
        html.raw(
            "<p class=\"problem\" role=\"status\">The Kubernetes API is out of reach. What is shown may be old, and \
             nothing can be decided at the moment.</p>\n",
        );
    }
    html.add(body).raw("</main>\n</body>\n</html>\n");
    html.response(status)
}

/// What a form repeats.
pub(super) fn csrf(html: &mut Html, session: &Session) {
    html.raw("<input type=\"hidden\" name=\"csrf\" value=\"").text(session.csrf()).raw("\">");
}

/// The line that says why something did not work.
pub(super) fn error(html: &mut Html, why: &str) {
    html.raw("<p id=\"error\" class=\"problem\" role=\"alert\">").value(why).raw("</p>\n");
}

/// A page for what did not work.
pub(super) fn problem(app: &App, session: Option<&Session>, status: StatusCode, why: &str) -> Response {
    let mut body = Html::new();
    body.raw("<h1>That did not work</h1>\n");
    error(&mut body, why);
    body.raw("<p><a href=\"/\">To the first page</a></p>\n");
    page(app, session, status, "That did not work", &body)
}

/// Where nobody can sign in in a browser.
pub(super) fn no_sign_in(app: &App) -> Response {
    let mut body = Html::new();
    body.raw("<h1>Sallyport</h1>\n");
    error(
        &mut body,
        "nobody can sign in here: the gateway's configuration does not say which address browsers reach it by \
         (`console.publicUrl`)",
    );
    body.raw("<p>Over SSH everything works: <code>ssh GATEWAY help</code>.</p>\n");
    page(app, None, StatusCode::SERVICE_UNAVAILABLE, "No sign-in", &body)
}

pub(super) async fn nothing(State(app): State<App>, headers: HeaderMap) -> Response {
    let session = login::session(&app, &headers);
    problem(&app, session.as_deref(), StatusCode::NOT_FOUND, "there is no such page")
}

/// The first page: who I am, what waits for me, what is open to me.
pub(super) async fn home(State(app): State<App>, headers: HeaderMap) -> Response {
    if app.public.is_none() {
        return no_sign_in(&app);
    }
    let Some(session) = login::session(&app, &headers) else {
        let mut body = Html::new();
        body.raw(
            "<h1>Access to production, approved</h1>\n<p>Sign in to see what waits for your approval, and what is open \
             to you.</p>\n<p><a id=\"login\" class=\"button\" href=\"/login\">Sign in</a></p>\n",
        );
        return page(&app, None, StatusCode::OK, "Sign in", &body);
    };
    let (who, now) = (&session.identity, app.clock.now());
    let (requests, reviews) = (app.access.requests(who), app.access.reviews(who));
    // The page is worth having without the locks.
    let locks = app.access.locks(who).await.unwrap_or_default();

    let mut body = Html::new();
    for lock in locks.iter().filter(|lock| lock.hits_me) {
        body.raw("<p class=\"problem\" role=\"status\">A lock shuts out ").value(&lobby::shut_out(lock));
        if let Some(reason) = &lock.reason {
            body.raw(": ").value(reason);
        }
        body.raw("</p>\n");
    }
    let to_approve: Vec<_> = requests.iter().filter(|request| request.may_approve).collect();
    let open: Vec<_> = requests.iter().filter(|one| one.mine && one.seconds_left.is_some()).collect();
    let mine: Vec<_> = requests.iter().filter(|one| one.mine && one.seconds_left.is_none()).collect();
    let others: Vec<_> = requests.iter().filter(|one| !one.mine && one.phase == Phase::Active).collect();
    let reviews: Vec<_> = reviews.iter().collect();

    body.raw("<section id=\"waiting\">\n<h1>Waiting for your approval</h1>\n");
    rows::list(&mut body, &to_approve, now, "Nothing waits for you.");
    body.raw("</section>\n");
    if !reviews.is_empty() {
        body.raw("<section id=\"reviews\">\n<h2>Break-glass to review</h2>\n");
        rows::list(&mut body, &reviews, now, "");
        body.raw("</section>\n");
    }
    body.raw("<section id=\"grants\">\n<h2>Open to you</h2>\n");
    rows::list(&mut body, &open, now, "Nothing is open to you.");
    body.raw("</section>\n<section id=\"requests\">\n<h2>Your requests</h2>\n");
    rows::list(&mut body, &mine, now, "You have asked for nothing in the last week.");
    body.raw("</section>\n");
    if !others.is_empty() {
        body.raw("<section id=\"others\">\n<h2>Open to others, revocable by you</h2>\n");
        rows::list(&mut body, &others, now, "");
        body.raw("</section>\n");
    }
    body.raw("<section id=\"me\">\n<h2>You</h2>\n<dl>\n<dt>Name</dt><dd>").value(who.username());
    body.raw("</dd>\n<dt>Groups</dt><dd>");
    let groups: Vec<&str> = who.groups().iter().map(String::as_str).collect();
    body.value(if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }.as_str());
    body.raw("</dd>\n<dt>Vouched for by</dt><dd>").value(who.issuer());
    body.raw("</dd>\n<dt>Signed in until</dt><dd>").text(&lobby::moment(session.until));
    body.raw("</dd>\n</dl>\n</section>\n");
    page(&app, Some(&session), StatusCode::OK, "Yours", &body)
}
