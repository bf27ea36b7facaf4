//! `break-glass` over SSH: sealed codes on standard input, a short certificate on standard output.
//!
//! The codes of all people are asked for before any is judged, so that an answer does not tell which one was wrong. They
//! are noted as used in the cluster before anything is signed; what cannot be noted lets nobody in. The certificate is
//! for the key that the client showed, as with `login` (see `auth`).

use std::sync::Arc;
use std::time::Duration;

use russh::keys::{HashAlg, PublicKey};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::channel::Session;
use super::inbound::Inflow;
use super::limits::{Limits, Slot};
use super::outflow::{Ending, Outflow};
use crate::access::{Access, BurnError};
use crate::audit::{Audit, Kind, Outcome};
use crate::ca::Authority;
use crate::clock::SharedClock;
use crate::codes::{Book, Code, Found};

/// How long the certificate is good.
const VALIDITY: Duration = Duration::from_secs(15 * 60);
/// How long people may take to type.
const TYPING: Duration = Duration::from_secs(10 * 60);
/// A line that is longer is no code.
const LONGEST: usize = 256;
/// How often one code may be mistyped.
const MISTYPED: usize = 5;
/// Tries under way or refused a moment ago, in all and from one address, and how long a refused one counts.
pub(super) const TRIES: usize = 1000;
pub(super) const TRIES_PER_PEER: usize = 10;
const COUNTS: Duration = Duration::from_secs(60);

/// What it takes.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) book: Option<Arc<Book>>,
    pub(super) access: Access,
    pub(super) authority: Arc<Authority>,
    pub(super) audit: Audit,
    pub(super) clock: SharedClock,
    pub(super) tries: Limits,
    pub(super) draining: CancellationToken,
}

/// Why nobody was let in: for the person, and for the event where that says more.
struct No {
    text: String,
    status: u8,
}

impl No {
    fn new(status: u8, text: impl Into<String>) -> Self {
        Self { text: text.into(), status }
    }
}

pub(super) async fn run(desk: &Desk, mut session: Session) {
    let output = Arc::clone(&session.output);
    let typed = tokio::select! {
        () = output.gone() => return,
        () = desk.draining.cancelled() => Err(No::new(69, "the gateway is stopping; try again in a moment")),
        typed = type_in(desk, &mut session) => typed,
    };
    // From here on a client that goes away changes nothing: what is used is told in the events.
    let done = match typed {
        Ok(typed) => sign_in(desk, &session, typed).await,
        Err(no) => Err(no),
    };
    let status = match done {
        Ok(()) => 0,
        Err(no) => {
            output.say(&crate::terminal::clean(&no.text)).await;
            no.status
        }
    };
    output.end(Ending::Status(status.into())).await;
}

/// What somebody has typed.
struct Typed {
    book: Arc<Book>,
    key: PublicKey,
    codes: Vec<Code>,
    slot: Slot,
}

async fn type_in(desk: &Desk, session: &mut Session) -> Result<Typed, No> {
    let Some(book) = desk.book.clone() else {
        return Err(No::new(69, "there are no sealed codes here; sign in with `login`"));
    };
    let Some(key) = session.connection.key() else {
        return Err(No::new(
            64,
            "ssh showed no key that could be certified; make one with `ssh-keygen -t ed25519`",
        ));
    };
    let Ok(slot) = desk.tries.take(session.connection.peer.ip()) else {
        return Err(No::new(69, "too many tries from here; try again in a minute"));
    };
    let output = Arc::clone(&session.output);
    let codes = tokio::time::timeout(TYPING, ask(&book, &mut session.input, &output)).await;
    let codes = codes.map_err(|_| No::new(69, "that took too long; begin anew"))??;
    Ok(Typed { book, key, codes, slot })
}

async fn sign_in(desk: &Desk, session: &Session, typed: Typed) -> Result<(), No> {
    let (connection, output) = (&session.connection, &session.output);
    let Typed { book, key, codes, slot } = typed;
    let found = book.find(&codes);
    let mut event = connection.event(Kind::BreakGlassCode, Outcome::Refused);
    event.fingerprint = Some(key.fingerprint(HashAlg::Sha256).to_string());
    let first = found.first().and_then(Option::as_ref);
    event.person = first.map(|found| found.owner.audit_person()).or(event.person);
    let refused = |why: String, no: No, slot: Slot| {
        let mut event = event.clone();
        event.why = Some(why);
        connection.record(event);
        // A refused try counts for a while.
        tokio::spawn(async move {
            tokio::time::sleep(COUNTS).await;
            drop(slot);
        });
        no
    };
    let Some(known) = book.judge(&found) else {
        let why = format!("not the codes of {} people: {}", book.need(), numbers(&found));
        return Err(refused(why, No::new(77, "not accepted"), slot));
    };
    let Some(own) = known.first() else { return Err(No::new(77, "not accepted")) };
    if !desk.audit.healthy() {
        return Err(refused("events cannot be written".to_owned(), No::new(79, "cannot record"), slot));
    }
    let marks: Vec<&str> = known.iter().map(|found| found.mark.as_str()).collect();
    if let Err(error) = desk.access.burn_codes(book.id(), &marks, own.owner).await {
        let no = match &error {
            BurnError::Used => No::new(77, "not accepted"),
            BurnError::NoObject(_) => {
                No::new(70, "the cluster has no place to note used codes; the gateway's log has the details")
            }
            BurnError::Busy => No::new(69, "the codes could not be noted as used; try again in a moment"),
            BurnError::Access(error) => No::new(error.exit_status(), error.to_string()),
        };
        tracing::warn!(%error, "sealed codes were not taken");
        return Err(refused(format!("{error}: {}", numbers(&found)), no, slot));
    }
    event.outcome = Outcome::Ok;
    event.why = Some(numbers(&found));
    connection.record(event.clone());

    let issued = desk.authority.issue(own.owner, &key, VALIDITY, desk.clock.now());
    let issued = issued.map_err(|error| No::new(77, error.to_string()))?;
    event.event = Kind::CertificateIssued;
    event.serial = Some(issued.serial);
    event.until = Some(issued.until);
    connection.record(event);
    let line = issued.certificate.to_openssh();
    let line = line.map_err(|error| No::new(70, format!("the certificate cannot be written: {error}")))?;
    let gone = |_| No::new(69, "the client went away");
    let said = format!(
        "Signed in by sealed codes as {}, for break-glass only, until {}.\n",
        own.owner.username(),
        issued.until.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    output.stderr(output.lines(said)).await.map_err(gone)?;
    // For a file, also where `ssh -t` made the terminal raw.
    output.stdout((line + "\n").into()).await.map_err(gone)
}

/// `alice 3, bob 7, unknown`.
fn numbers(found: &[Option<Found<'_>>]) -> String {
    let one = |found: &Option<Found<'_>>| match found {
        Some(found) => format!("{} {}", found.owner.username(), found.number),
        None => "unknown".to_owned(),
    };
    found.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Asks for all of them. What is no code at all is asked for again; whether it is a right one is not looked at here.
async fn ask(book: &Book, input: &mut Inflow, output: &Outflow) -> Result<Vec<Code>, No> {
    let gone = |_| No::new(69, "the client went away");
    let mut lines = Lines { input, kept: Vec::new() };
    let mut codes = Vec::new();
    for number in 1..=book.need() {
        let prompt = match number {
            1 => format!("Your own code (1 of {}): ", book.need()),
            _ => format!("Another person's code ({number} of {}): ", book.need()),
        };
        let mut tries = 0;
        let code = loop {
            output.stderr(output.lines(prompt.clone())).await.map_err(gone)?;
            let line = lines.next().await?;
            if output.raw() {
                output.stderr(output.lines("\n".to_owned())).await.map_err(gone)?;
            }
            if let Some(code) = Code::parse(line.expose_secret()) {
                break code;
            }
            tries += 1;
            if tries == MISTYPED {
                return Err(No::new(64, "that is no code either; begin anew"));
            }
            output.say("that is no code: 25 letters and digits; look again").await;
        };
        codes.push(code);
    }
    Ok(codes)
}

/// Lines of a client with a terminal in raw mode, which shows nothing of them, or without one.
struct Lines<'i> {
    input: &'i mut Inflow,
    kept: Vec<u8>,
}

impl Lines<'_> {
    async fn next(&mut self) -> Result<SecretString, No> {
        let mut line = Vec::new();
        loop {
            let mut bytes = std::mem::take(&mut self.kept).into_iter();
            while let Some(byte) = bytes.next() {
                match byte {
                    b'\r' | b'\n' if line.is_empty() => {}
                    b'\r' | b'\n' => {
                        self.kept = bytes.collect();
                        return Ok(String::from_utf8_lossy(&line).into_owned().into());
                    }
                    3 | 4 => return Err(No::new(130, "given up; no code is used")),
                    8 | 0x7f => _ = line.pop(),
                    _ if line.len() < LONGEST => line.push(byte),
                    _ => return Err(No::new(64, "that line is no code")),
                }
            }
            match self.input.next().await {
                Ok(Some(bytes)) => self.kept = bytes.to_vec(),
                Ok(None) => return Err(No::new(64, "no more input; no code is used")),
                Err(_) => return Err(No::new(69, "the client went away")),
            }
        }
    }
}
