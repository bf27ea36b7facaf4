//! The questions about one person: userinfo (OpenID Connect Core 1.0, 5.3), introspection (RFC 7662), and new tokens
//! for old (RFC 6749, 6). Each is bounded in time and size (see `http`); the answers are believed only where they
//! speak of the very person.

use std::time::Duration;

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::super::device::{oauth_error, status_error};
use super::super::error::FetchError;
use super::super::oidc::Oidc;
use super::super::provider::Provider;
use super::super::tokens::TokenAnswer;
use super::super::{Identity, claims, http};
use super::{Held, Renewal};

/// An access token is renewed when it has no longer to live than this.
const MARGIN: Duration = Duration::from_secs(30);

/// What is known after asking.
#[derive(Debug)]
pub(super) enum Word {
    /// The person has these groups.
    Stays(Identity),
    /// They seem to be there; their groups are not told.
    Unknown(String),
    /// Their account, or their session with the provider, is over.
    Gone(String),
    /// Nothing is left to ask with.
    Lost(String),
    /// The provider could not be asked.
    Failed(String),
}

/// What one question, or several at once, came to.
enum Answer {
    Groups(Identity),
    /// It speaks of the person, and not of groups.
    Silent,
    /// The access token is not accepted.
    Refused,
    /// The access token, or what it stands for, is over.
    Inactive,
    Unusable(String),
    Failed(String),
}

/// What new tokens say beside being new.
enum Shown {
    Groups(Identity),
    /// Nothing about groups.
    Silent,
    /// Something that is not understood.
    Unreadable,
}

/// Asks what there is to be asked. What is held comes back unless it is worth nothing any more.
pub(super) async fn ask(oidc: &Oidc, who: &Identity, mut held: Box<Held>) -> (Word, Option<Box<Held>>) {
    let word = match oidc.provider().await {
        Ok(provider) => Asker { oidc, provider, who }.ask(&mut held).await,
        Err(error) => Word::Failed(with_cause(&error)),
    };
    let over = matches!(word, Word::Gone(_) | Word::Lost(_));
    (word, (!over).then_some(held))
}

struct Asker<'a> {
    oidc: &'a Oidc,
    provider: Provider,
    who: &'a Identity,
}

impl Asker<'_> {
    async fn ask(&self, held: &mut Held) -> Word {
        let now = self.oidc.clock().now();
        let ends = |until| now.checked_add(MARGIN).is_ok_and(|then| then >= until);
        let due = held.tokens.access.is_none()
            || held.tokens.access_until.is_some_and(ends)
            || held.renewal == Renewal::ShowsGroups;
        let mut renewed = None;
        if due {
            match self.renew(held).await {
                Ok(shown) => renewed = Some(shown),
                Err(word) => return word,
            }
        }
        let mut answer = self.question(held).await;
        let try_new = match answer {
            // Perhaps it was withdrawn; perhaps our clock is wrong. The refresh token knows.
            Answer::Refused => true,
            Answer::Silent => held.renewal == Renewal::Untried,
            _ => false,
        };
        if try_new && renewed.is_none() && held.tokens.refresh.is_some() {
            match self.renew(held).await {
                Ok(shown) => renewed = Some(shown),
                Err(word) => return word,
            }
            if matches!(answer, Answer::Refused) {
                answer = self.question(held).await;
            }
        }
        match answer {
            Answer::Groups(identity) => Word::Stays(identity),
            Answer::Silent => match renewed {
                Some(Shown::Groups(identity)) => {
                    held.renewal = Renewal::ShowsGroups;
                    Word::Stays(identity)
                }
                shown => {
                    if held.renewal == Renewal::Untried && matches!(shown, Some(Shown::Silent)) {
                        held.renewal = Renewal::ShowsNone;
                    }
                    Word::Unknown("its answers say nothing about groups".to_owned())
                }
            },
            Answer::Refused if renewed.is_some() => {
                Word::Unknown("it does not take its own new access token".to_owned())
            }
            Answer::Refused => Word::Lost(
                "the provider takes the access token no more, and gave no refresh token".to_owned(),
            ),
            Answer::Inactive => {
                Word::Gone("the provider says that the sign-in is no longer active".to_owned())
            }
            Answer::Unusable(why) => Word::Unknown(why),
            Answer::Failed(why) => Word::Failed(why),
        }
    }

    /// Userinfo and introspection, where they are.
    async fn question(&self, held: &mut Held) -> Answer {
        let told = self.userinfo(held).await;
        let vouched = self.introspect(held).await;
        match (told, vouched) {
            // An access token of unknown age may just have come to its end; and RFC 7662, 2.2, has `active: false` also
            // for a client that may not ask. Then a renewal has to show what is true.
            (told, Answer::Inactive) => {
                let certain = held.was_active || matches!(told, Answer::Refused);
                if certain && held.tokens.access_until.is_some() { Answer::Inactive } else { Answer::Refused }
            }
            (Answer::Silent | Answer::Failed(_) | Answer::Unusable(_), groups @ Answer::Groups(_)) => groups,
            (Answer::Silent, other) => other,
            (told, _) => told,
        }
    }

    async fn userinfo(&self, held: &Held) -> Answer {
        let (Some(url), Some(access)) = (&self.provider.userinfo_endpoint, &held.tokens.access) else {
            return Answer::Silent;
        };
        let request = self.provider.client.get(url.clone()).header("accept", "application/json");
        let request = request.bearer_auth(access.expose_secret());
        match http::exchange("userinfo", url, request).await {
            Ok((StatusCode::OK, body)) => self.read(&body, "userinfo"),
            Ok((StatusCode::UNAUTHORIZED, _)) => Answer::Refused,
            Ok((status, _)) => Answer::Failed(status_error("userinfo", url, status).to_string()),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    /// For confidential clients: others have no business there.
    async fn introspect(&self, held: &mut Held) -> Answer {
        let (Some(url), Some(access), Some(_)) = (
            &self.provider.introspection_endpoint,
            &held.tokens.access,
            &self.oidc.settings().client_secret_file,
        ) else {
            return Answer::Silent;
        };
        let form = vec![
            ("token", access.expose_secret().to_owned()),
            ("token_type_hint", "access_token".to_owned()),
        ];
        let request = match self.oidc.request(&self.provider, url, form) {
            Ok(request) => request,
            Err(error) => return Answer::Failed(with_cause(&error)),
        };
        let body = match http::exchange("introspection", url, request).await {
            Ok((StatusCode::OK, body)) => body,
            Ok((status, _)) => {
                return Answer::Failed(status_error("introspection", url, status).to_string());
            }
            Err(error) => return Answer::Failed(error.to_string()),
        };
        let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(&body) else {
            return Answer::Unusable("its introspection is not a JSON object".to_owned());
        };
        match fields.get("active") {
            Some(Value::Bool(false)) => Answer::Inactive,
            Some(Value::Bool(true)) => {
                held.was_active = true;
                // `sub` is optional there; without it nothing but `active` is read.
                if fields.contains_key("sub") { self.read(&body, "introspection") } else { Answer::Silent }
            }
            _ => Answer::Unusable("its introspection does not say whether the token is active".to_owned()),
        }
    }

    /// Only plain JSON: a signed or encrypted answer (`application/jwt`) is none, and changes nothing.
    fn read(&self, body: &[u8], what: &str) -> Answer {
        let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return Answer::Unusable(format!("its {what} is not a JSON object"));
        };
        match claims::again(&fields, self.oidc.settings(), self.who) {
            Ok(Some(identity)) => Answer::Groups(identity),
            Ok(None) => Answer::Silent,
            Err(problem) => Answer::Unusable(format!("its {what} cannot be used: {problem}")),
        }
    }

    /// New tokens for the refresh token.
    async fn renew(&self, held: &mut Held) -> Result<Shown, Word> {
        let lost = |why: &str| Err(Word::Lost(why.to_owned()));
        let failed = |why: String| Err(Word::Failed(why));
        let Some(refresh) = &held.tokens.refresh else {
            return lost("the access token is over, and the provider gave no refresh token");
        };
        let url = &self.provider.token_endpoint;
        let form = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", refresh.expose_secret().to_owned()),
        ];
        let request = match self.oidc.request(&self.provider, url, form) {
            Ok(request) => request,
            Err(error) => return failed(with_cause(&error)),
        };
        // From here until an answer is understood, nobody knows whether the refresh token is used up; also not if this
        // is called off.
        let doubt = std::mem::replace(&mut held.doubt, true);
        let (status, body) = match http::exchange("new tokens", url, request).await {
            Ok(answer) => answer,
            Err(error) => {
                if matches!(error, FetchError::Failed { arrived: false, .. }) {
                    held.doubt = doubt;
                }
                return failed(error.to_string());
            }
        };
        let now = self.oidc.clock().now();
        if status != StatusCode::OK {
            if status.is_server_error() {
                return failed(status_error("new tokens", url, status).to_string());
            }
            held.doubt = doubt;
            return match oauth_error(status, &body).as_deref() {
                Some("invalid_grant") if doubt => {
                    lost("the refresh token is not taken, but an answer to it may have been lost before")
                }
                Some("invalid_grant") if held.tokens.refresh_until.is_some_and(|until| now >= until) => {
                    lost("the refresh token's own time was over")
                }
                Some("invalid_grant") => {
                    let why = "the provider takes the refresh token no more: the account or its session there is over";
                    Err(Word::Gone(why.to_owned()))
                }
                Some(code) => {
                    failed(format!("it refuses to renew tokens: {}", super::super::token::shown(code)))
                }
                None => failed(status_error("new tokens", url, status).to_string()),
            };
        }
        let Ok(mut answer) = serde_json::from_slice::<TokenAnswer>(&body) else {
            return failed("its token response is not what RFC 6749 describes".to_owned());
        };
        let id_token = answer.id_token.take();
        let new = answer.keep(now);
        if new.access.is_none() {
            return failed("its token response has no access token".to_owned());
        }
        // The old refresh token is good for as long as there is no new one.
        let old = std::mem::replace(&mut held.tokens, new);
        if held.tokens.refresh.is_none() {
            held.tokens.refresh = old.refresh;
            held.tokens.refresh_until = held.tokens.refresh_until.or(old.refresh_until);
        }
        held.doubt = false;
        let Some(id_token) = id_token else { return Ok(Shown::Silent) };
        let unreadable = |problem: String| {
            tracing::warn!(problem, "a renewed ID token cannot be used");
            Ok(Shown::Unreadable)
        };
        let claims = match self.oidc.claims(&id_token, None).await {
            Ok(claims) => claims.0,
            Err(error) => return unreadable(with_cause(&error)),
        };
        // OpenID Connect Core 1.0, 12.2.
        if claims.get("sub").and_then(Value::as_str) != Some(self.who.subject()) {
            return lost("the provider's new ID token names another person");
        }
        match claims::again(&claims, self.oidc.settings(), self.who) {
            Ok(Some(identity)) => Ok(Shown::Groups(identity)),
            Ok(None) => Ok(Shown::Silent),
            Err(problem) => unreadable(problem.to_string()),
        }
    }
}

/// An error with what is behind it. Errors of this module carry addresses and statuses, never tokens.
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error} ({cause})"),
        None => error.to_string(),
    }
}
