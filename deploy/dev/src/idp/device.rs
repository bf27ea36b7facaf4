//! The device grant (RFC 8628): the code that the terminal shows, and the page where it is confirmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use rand::RngExt;
use serde::Deserialize;
use serde_json::json;

use super::server::Csrf;
use super::state::{State, secret};
use super::token::{self, OauthError};
use super::{CLIENT_ID, pages};

/// How long a person has.
const LIFE: Duration = Duration::from_secs(600);

/// A code is remembered a little longer, to be able to say that it is too late.
pub(super) const KEPT: Duration = Duration::from_secs(900);

/// The pause that is asked for between two polls.
const INTERVAL: Duration = Duration::from_secs(1);

/// No vowels, and nothing that looks like something else (RFC 8628, 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

#[derive(Debug)]
pub(super) struct Device {
    user_code: String,
    decision: Option<Decision>,
    until: Instant,
    interval: Duration,
    asked: Option<Instant>,
    offline: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    As(String),
    Denied,
}

#[derive(Deserialize)]
pub(super) struct Begin {
    client_id: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Ask {
    user_code: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Answer {
    user_code: String,
    csrf: String,
    action: String,
    #[serde(default)]
    account: String,
}

/// The device authorization endpoint.
pub(super) async fn begin(
    Shared(state): Shared<Arc<State>>,
    Form(form): Form<Begin>,
) -> Result<Response, OauthError> {
    if form.client_id.as_deref() != Some(CLIENT_ID) {
        return Err(OauthError::client());
    }
    let (device_code, user_code) = (secret(), user_code());
    let device = Device {
        user_code: user_code.clone(),
        decision: None,
        until: Instant::now() + LIFE,
        interval: INTERVAL,
        asked: None,
        offline: token::is_offline(form.scope.as_deref()),
    };
    state.with(|inner| inner.devices.insert(device_code.clone(), device)).map_err(|_| OauthError::busy())?;
    let issuer = &state.issuer;
    Ok(Json(json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": format!("{issuer}/device"),
        "verification_uri_complete": format!("{issuer}/device?user_code={user_code}"),
        "expires_in": LIFE.as_secs(),
        "interval": INTERVAL.as_secs(),
    }))
    .into_response())
}

/// What a poll with `device_code` comes to, once: the username, and whether a refresh token was asked for.
pub(super) fn redeem(state: &State, device_code: &str) -> Result<(String, bool), OauthError> {
    state.with(|inner| {
        let Some(device) = inner.devices.get_mut(device_code) else {
            return Err(OauthError::of("invalid_grant", "no such device code"));
        };
        let now = Instant::now();
        if now >= device.until {
            return Err(OauthError::of("expired_token", "the sign-in was not confirmed in time"));
        }
        // Half the pause is forgiven: timers are not exact.
        let early = device.asked.is_some_and(|asked| now.duration_since(asked) < device.interval / 2);
        device.asked = Some(now);
        match &device.decision {
            None if early => {
                device.interval += Duration::from_secs(5);
                Err(OauthError::of("slow_down", "wait five seconds more between two questions"))
            }
            None => Err(OauthError::of("authorization_pending", "nobody has confirmed it yet")),
            Some(Decision::Denied) => {
                inner.devices.take(device_code);
                Err(OauthError::of("access_denied", "the sign-in was cancelled"))
            }
            Some(Decision::As(username)) => {
                let redeemed = (username.clone(), device.offline);
                inner.devices.take(device_code);
                Ok(redeemed)
            }
        }
    })
}

/// Settles the sign-in that waits under `user_code`. False when there is none, or it is settled already.
pub(super) fn decide(state: &State, user_code: &str, decision: Decision) -> bool {
    state.with(|inner| waiting(&mut inner.devices, user_code).map(|d| d.decision = Some(decision)).is_some())
}

fn waiting<'a>(devices: &'a mut super::table::Table<Device>, user_code: &str) -> Option<&'a mut Device> {
    let (code, now) = (plain(user_code), Instant::now());
    devices.find(|d| d.decision.is_none() && d.until > now && plain(&d.user_code) == code)
}

/// The page: where to type the code, or to confirm it.
pub(super) async fn ask(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Query(query): Query<Ask>,
) -> Response {
    let Some(typed) = query.user_code.filter(|code| !code.trim().is_empty()) else {
        return pages::enter_code(None);
    };
    let code = state.with(|inner| waiting(&mut inner.devices, &typed).map(|d| d.user_code.clone()));
    let Some(code) = code else {
        return pages::enter_code(Some(&typed.chars().take(16).collect::<String>()));
    };
    let csrf = Csrf::of(&state, &headers);
    csrf.set(pages::confirm_code(&state.people(), &code, csrf.value()))
}

/// The page's form.
pub(super) async fn answer(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    Form(form): Form<Answer>,
) -> Response {
    if !Csrf::of(&state, &headers).is_repeated(&state, &headers, &form.csrf) {
        return pages::refused(StatusCode::FORBIDDEN, token::FOREIGN_FORM);
    }
    let decision = if form.action == "allow" {
        let Some(person) = state.person(&form.account) else {
            return pages::refused(StatusCode::BAD_REQUEST, "There is no such account.");
        };
        Decision::As(person.username.clone())
    } else {
        Decision::Denied
    };
    if !decide(&state, &form.user_code, decision.clone()) {
        return pages::enter_code(Some(&form.user_code.chars().take(16).collect::<String>()));
    }
    match decision {
        Decision::As(username) => pages::device_done(Some(&username)).into_response(),
        Decision::Denied => pages::device_done(None).into_response(),
    }
}

/// `XXXX-XXXX`, 34 bits.
fn user_code() -> String {
    let mut rng = rand::rng();
    let mut letters = std::iter::repeat_with(|| {
        ALPHABET.get(rng.random_range(0..ALPHABET.len())).copied().map_or('X', char::from)
    });
    let first: String = letters.by_ref().take(4).collect();
    let second: String = letters.take(4).collect();
    format!("{first}-{second}")
}

/// What people type, without what does not matter.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}
