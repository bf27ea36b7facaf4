//! External checks: servers that policies name in `approval.hooks`, asked in the shape of OPA's data API before a
//! request can be approved, and again while its grant is open where the policy says so.
//!
//! This asks and reads the answer; what follows from it (denied, waits, ended) is decided elsewhere. An answer is
//! yes, no, or [`CheckError::OutOfReach`], never a guess: what is not understood counts as not answered. A check is a
//! witness, not a boundary: whoever runs it can say yes to anything that the policy lets be asked.

mod answer;
mod input;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

pub use crate::outbound::OutboundError;
pub use answer::CheckAnswer;
pub use input::{CheckInput, CheckPhase, CheckScope, Requester};

use crate::config;
use crate::outbound::{self, BodyError};

/// How often one question is put.
const ATTEMPTS: u32 = 3;
/// The pause after the first attempt; the next is twice as long.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 400 });
/// No attempt takes longer, whatever is configured.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const MAX_BYTES: usize = 64 * 1024;
/// How many questions one check is asked at a time.
const AT_ONCE: usize = 8;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No check of that name is configured.
    #[error(
        "there is no check `{0}`: add it to `hooks` in the gateway's configuration, or take it out of the policy"
    )]
    Unknown(String),
    /// It was asked and has not answered, or not in words that are understood.
    #[error("the check `{name}` cannot be asked: {why}")]
    OutOfReach {
        /// Which.
        name: String,
        /// Why, in words that are safe to show.
        why: String,
    },
}

/// Every configured check; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    hooks: Arc<BTreeMap<String, Hook>>,
}

#[derive(Debug)]
struct Hook {
    url: Url,
    timeout: Duration,
    token_file: Option<PathBuf>,
    client: Client,
    room: Semaphore,
}

/// How one attempt failed.
struct Failed {
    why: String,
    /// Whether it may go better a moment later.
    again: bool,
}

impl Checks {
    /// Makes ready to ask these. Nothing is sent yet.
    ///
    /// # Errors
    /// When a file of certificates cannot be used.
    pub fn new(hooks: &[config::Hook]) -> Result<Self, OutboundError> {
        let hooks = hooks.iter().map(|hook| {
            let plain = hook.url.scheme() == "http";
            let ready = Hook {
                url: hook.url.clone(),
                timeout: hook.timeout.0.min(LONGEST),
                token_file: hook.token_file.clone(),
                client: outbound::client(hook.ca_file.as_deref(), plain)?,
                room: Semaphore::new(AT_ONCE),
            };
            Ok((hook.name.clone(), ready))
        });
        Ok(Self { hooks: Arc::new(hooks.collect::<Result<_, OutboundError>>()?) })
    }

    /// The longest that [`Checks::ask`] can take for this check, waiting for a turn included.
    #[must_use]
    pub fn longest(&self, name: &str) -> Option<Duration> {
        self.hooks.get(name).map(|hook| hook.timeout * (ATTEMPTS + 1) + PAUSE * 4)
    }

    /// Puts the question, up to three times.
    ///
    /// # Errors
    /// When there is no such check, or it gives no answer that is understood.
    pub async fn ask(&self, name: &str, input: &CheckInput) -> Result<CheckAnswer, CheckError> {
        let (Some(hook), Some(whole)) = (self.hooks.get(name), self.longest(name)) else {
            return Err(CheckError::Unknown(name.to_owned()));
        };
        let out_of_reach = |why| CheckError::OutOfReach { name: name.to_owned(), why };
        match timeout(whole, hook.ask(input)).await {
            Ok(answer) => answer.map_err(|failed| out_of_reach(failed.why)),
            Err(_) => Err(out_of_reach("too many questions wait for it".to_owned())),
        }
    }
}

impl Hook {
    async fn ask(&self, input: &CheckInput) -> Result<CheckAnswer, Failed> {
        let body = serde_json::to_vec(&serde_json::json!({ "input": input }))
            .map_err(|error| Failed { why: error.to_string(), again: false })?;
        let Ok(_room) = self.room.acquire().await else {
            return Err(Failed { why: "the gateway is stopping".to_owned(), again: false });
        };
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            let answer = match timeout(self.timeout, self.attempt(body.clone())).await {
                Ok(answer) => answer,
                Err(_) => {
                    let why = format!("no answer within {}", shown(self.timeout));
                    Err(Failed { why, again: true })
                }
            };
            match answer {
                Err(failed) if failed.again && attempt < ATTEMPTS => {
                    tracing::debug!(why = failed.why, attempt, "a check did not answer");
                    tokio::time::sleep(outbound::jittered(pause)).await;
                    (pause, attempt) = (pause * 2, attempt + 1);
                }
                answer => return answer,
            }
        }
    }

    async fn attempt(&self, body: Vec<u8>) -> Result<CheckAnswer, Failed> {
        let failed = |again| move |why: String| Failed { why, again };
        let mut request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body);
        if let Some(path) = &self.token_file {
            let token = outbound::secret(path).await.map_err(|error| failed(true)(error.to_string()))?;
            request = request.bearer_auth(token.expose_secret());
        }
        let response = request.send().await.map_err(|error| failed(true)(outbound::chain(&error)))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(failed(false)(format!(
                "it answers {} and redirects are not followed: name the address itself",
                status.as_u16()
            )));
        }
        if !status.is_success() {
            let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            return Err(failed(status.is_server_error() || passes)(format!(
                "it answers {}",
                status.as_u16()
            )));
        }
        let text = outbound::body(response, MAX_BYTES).await.map_err(|error| match error {
            BodyError::TooLong => failed(false)("its answer is over 64 KiB".to_owned()),
            BodyError::Broken(why) => failed(true)(why),
        })?;
        CheckAnswer::read(&text).map_err(failed(false))
    }
}

fn shown(span: Duration) -> String {
    let tenths = span.as_millis() / 100;
    format!("{}.{}s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests;
