//! In and out: `/login` sends the browser to the provider, `/callback` takes the answer and begins the session, `/logout`
//! ends it; `/a/…` is where links of notifications lead.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sallyport_policy::RequestName;
use secrecy::SecretString;

use super::form::Form;
use super::http::Peer;
use super::links::NoLink;
use super::place::Place;
use super::public::{Public, cookie};
use super::session::{Session, Stray};
use super::{App, pages};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::{CodeAnswer, Identity, IdentityError};

/// How long the browser keeps the cookie of a sign-in, in seconds.
const SIGN_IN_COOKIE: u64 = 600;

/// Who is signed in.
pub(super) fn session(app: &App, headers: &HeaderMap) -> Option<Arc<Session>> {
    let public = app.public.as_ref()?;
    let found = app.sessions.find(cookie(headers, &public.session)?, app.clock.now())?;
    // Without the groups that the provider has denied them since.
    match app.oidc.rechecks().narrowed(&found.identity, found.since) {
        Some(identity) => Some(Arc::new(found.within(identity))),
        None => Some(found),
    }
}

/// To the sign-in, and back to `to` afterwards.
pub(super) fn sign_in_first(to: &Place) -> Response {
    Redirect::to(&format!("/login?to={}", to.path())).into_response()
}

/// The session that a form comes from, if it repeats the session's word.
pub(super) fn sender(
    app: &App,
    headers: &HeaderMap,
    form: Option<&Form>,
) -> Result<Arc<Session>, Box<Response>> {
    let Some(session) = session(app, headers) else {
        let why = "you are not signed in any more; sign in and try again";
        return Err(pages::problem(app, None, StatusCode::UNAUTHORIZED, why).into());
    };
    if form.and_then(|form| form.get("csrf")).is_some_and(|csrf| session.is_ours(csrf)) {
        return Ok(session);
    }
    let why = "this form did not come from a page of this session; open the page again";
    Err(pages::problem(app, Some(&session), StatusCode::FORBIDDEN, why).into())
}

pub(super) async fn login(State(app): State<App>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Some(public) = &app.public else { return pages::no_sign_in(&app) };
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let to = Place::parse(form.as_ref().and_then(|form| form.get("to")).unwrap_or_default());
    if session(&app, &headers).is_some() {
        return Redirect::to(&to.path()).into_response();
    }
    match app.oidc.begin_code(&public.callback).await {
        Ok(sign_in) => {
            let address = sign_in.address.clone();
            let browser = app.sign_ins.begin(sign_in, to, app.clock.now());
            let mut response = Redirect::to(address.as_str()).into_response();
            set(&mut response, public.cookie(&public.sign_in, &browser, Some(SIGN_IN_COOKIE)));
            response
        }
        Err(error) => {
            tracing::warn!(error = ?error, "a sign-in in a browser could not begin");
            pages::problem(&app, None, StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
    }
}

pub(super) async fn callback(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(public) = &app.public else { return pages::no_sign_in(&app) };
    let mut response = answer(&app, public, &peer.to_string(), &headers, &query.unwrap_or_default()).await;
    set(&mut response, public.cookie(&public.sign_in, "", Some(0)));
    response
}

async fn answer(app: &App, public: &Public, peer: &str, headers: &HeaderMap, query: &str) -> Response {
    let no = |status, why: &str| pages::problem(app, None, status, why);
    let Some(form) = Form::parse(query.as_bytes()) else {
        return no(StatusCode::BAD_REQUEST, "the provider's answer says something twice; sign in again");
    };
    let browser = cookie(headers, &public.sign_in);
    let now = app.clock.now();
    let (sign_in, to) = match app.sign_ins.take(form.get("state").unwrap_or_default(), browser, now) {
        Ok(found) => found,
        // Who came here twice, or by the back button, is where they wanted to be.
        Err(_) if session(app, headers).is_some() => return Redirect::to("/").into_response(),
        Err(Stray::Unknown) => {
            let why =
                "no sign-in waits for this answer: it was used already, or took too long; sign in again";
            return no(StatusCode::BAD_REQUEST, why);
        }
        Err(Stray::OtherBrowser) => {
            return no(StatusCode::BAD_REQUEST, "this sign-in was begun in another browser; sign in again");
        }
    };
    let answer = CodeAnswer {
        code: form.get("code").map(SecretString::from),
        error: form.get("error").map(str::to_owned),
        issuer: form.get("iss").map(str::to_owned),
    };
    let done = match app.exchanges.try_acquire() {
        Ok(_place) => app.oidc.finish_code(sign_in, answer).await,
        Err(_) => Err(IdentityError::Busy),
    };
    match done {
        Ok(identity) => begin(app, public, headers, peer, identity, &to).await,
        Err(error) => {
            tracing::info!(error = ?error, "a sign-in in a browser failed");
            let text = match &error {
                IdentityError::Denied => "the sign-in was refused at the provider; sign in again".to_owned(),
                other => other.to_string(),
            };
            app.audit.record(Event {
                peer: Some(peer.to_owned()),
                action: Some("console".to_owned()),
                why: Some(text.clone()),
                ..Event::new(app.clock.now(), Kind::SigninRefused, Outcome::Refused)
            });
            let status = if error.exit_status() == 77 {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            no(status, &text)
        }
    }
}

async fn begin(
    app: &App,
    public: &Public,
    headers: &HeaderMap,
    peer: &str,
    identity: Identity,
    to: &Place,
) -> Response {
    // Whoever was signed in in this browser is not any more.
    if let Some(before) = cookie(headers, &public.session) {
        app.sessions.end(before);
    }
    // Groups that they have left since end what those had opened.
    app.access.renewed(&identity).await;
    let now = app.clock.now();
    let (id, session) = app.sessions.begin(identity, now);
    app.audit.record(Event {
        person: Some(session.identity.audit_person()),
        peer: Some(peer.to_owned()),
        action: Some("console".to_owned()),
        until: Some(session.until),
        ..Event::new(now, Kind::SigninSucceeded, Outcome::Ok)
    });
    let mut response = Redirect::to(&to.path()).into_response();
    set(&mut response, public.cookie(&public.session, &id, None));
    response
}

pub(super) async fn logout(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(public) = &app.public else { return pages::no_sign_in(&app) };
    if session(&app, &headers).is_some()
        && let Err(no) = sender(&app, &headers, Form::parse(&body).as_ref())
    {
        return *no;
    }
    if let Some(id) = cookie(&headers, &public.session) {
        app.sessions.end(id);
    }
    let mut response = Redirect::to("/").into_response();
    set(&mut response, public.cookie(&public.session, "", Some(0)));
    response
}

/// A link of a notification: to the request's page, over the sign-in where that is needed. What is wrong with a link is
/// told before anything of the request is looked at.
pub(super) async fn link(
    State(app): State<App>,
    headers: HeaderMap,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let forged = || {
        let why = "this link was not made by this gateway, or was changed on its way; look for the request on your page";
        pages::problem(&app, None, StatusCode::FORBIDDEN, why)
    };
    let over = || {
        let why = "this link is too old; look for the request on your page";
        pages::problem(&app, None, StatusCode::GONE, why)
    };
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (Ok(name), Some(form)) = (RequestName::parse(&name), form) else { return forged() };
    let part = |name| form.get(name).unwrap_or_default();
    match app.links.check(&name, part("uid"), part("until"), part("sig"), app.clock.now()) {
        Err(NoLink::Forged) => return forged(),
        Err(NoLink::Over) => return over(),
        Ok(()) => {}
    }
    // Another request that got the same name is not the one that the message told of.
    if !app.access.is_there(&name, part("uid")) {
        return over();
    }
    let to = Place::Request(name);
    match session(&app, &headers) {
        Some(_) => Redirect::to(&to.path()).into_response(),
        None => sign_in_first(&to),
    }
}

fn set(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
