//! `login` over SSH: a device code on standard error, a certificate on standard output.
//!
//! The certificate is for the key that the client showed (see `auth`), and for whoever the OIDC provider says has
//! confirmed the code. Both stand in the events.

use jiff::Timestamp;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::channel::Session;
use super::gateway::Rooms;
use super::outflow::{Ending, Gone};
use crate::audit::{Kind, Outcome};
use crate::identity::DeviceSignIn;

/// Why nobody was signed in.
struct No {
    text: String,
    status: u8,
}

pub(super) async fn run(rooms: &Rooms, session: &Session) {
    let output = &session.output;
    let status = tokio::select! {
        () = output.gone() => return,
        () = rooms.draining.cancelled() => {
            output.say("the gateway is stopping; sign in again in a moment").await;
            69
        }
        done = sign_in(rooms, session) => match done {
            Ok(()) => 0,
            Err(no) => {
                let mut event = session.connection.event(Kind::SigninRefused, Outcome::Refused);
                event.why = Some(no.text.clone());
                session.connection.record(event);
                output.say(&crate::terminal::clean(&no.text)).await;
                no.status
            }
        },
    };
    output.end(Ending::Status(status.into())).await;
}

async fn sign_in(rooms: &Rooms, session: &Session) -> Result<(), No> {
    let (gateway, connection, output) = (&rooms.gateway, &session.connection, &session.output);
    let Some(key) = connection.key() else {
        let text =
            "ssh showed no key that could be certified; make one with `ssh-keygen -t ed25519`".to_owned();
        return Err(No { text, status: 64 });
    };
    let _place = rooms.sign_ins.take(connection.peer.ip()).map_err(|_| No {
        text: "too many sign-ins are under way from here; finish one, or try again in a moment".to_owned(),
        status: 69,
    })?;
    let failed = |error: crate::identity::IdentityError| {
        tracing::info!(error = ?error, "a sign-in failed");
        No { text: error.to_string(), status: error.exit_status() }
    };
    let device = gateway.oidc.begin_device().await.map_err(failed)?;
    let gone = |_: Gone| No { text: "the client went away".to_owned(), status: 69 };
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    output.stderr(output.lines(instructions(&device, &key, &fingerprint))).await.map_err(gone)?;
    let identity = device.finish().await.map_err(failed)?;

    let now = gateway.clock.now();
    let mut event = connection.event(Kind::SigninSucceeded, Outcome::Ok);
    event.person = Some(identity.audit_person());
    event.fingerprint = Some(fingerprint.clone());
    connection.record(event.clone());
    // Groups that they have left since end what those had opened; what cannot be ended now is refused at its next use.
    gateway.access.renewed(&identity).await;
    let validity = gateway.config.certificates.validity.0;
    let issued = gateway.authority.issue(&identity, &key, validity, now);
    let issued = issued.map_err(|error| No { text: error.to_string(), status: 77 })?;
    event.event = Kind::CertificateIssued;
    event.serial = Some(issued.serial);
    event.until = Some(issued.until);
    connection.record(event);

    let line = issued.certificate.to_openssh();
    let line =
        line.map_err(|error| No { text: format!("the certificate cannot be written: {error}"), status: 70 })?;
    let said = format!("Signed in as {} until {}.\n", identity.username(), clock_time(issued.until));
    output.stderr(output.lines(said)).await.map_err(gone)?;
    output.stdout(output.lines(line + "\n")).await.map_err(gone)
}

fn instructions(device: &DeviceSignIn, key: &PublicKey, fingerprint: &str) -> String {
    let address = device.verification_uri_complete.as_deref().unwrap_or(&device.verification_uri);
    format!(
        "To sign in, open this address and confirm the code {code} (until {until}):\n\n    {address}\n\n\
         The certificate will be for the key {fingerprint} ({kind}).\n",
        code = device.user_code,
        until = clock_time(device.expires_at),
        kind = kind(&key.algorithm()),
    )
}

fn kind(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "ED25519",
        Algorithm::SkEd25519 => "ED25519-SK",
        Algorithm::Ecdsa { .. } => "ECDSA",
        Algorithm::SkEcdsaSha2NistP256 => "ECDSA-SK",
        Algorithm::Rsa { .. } => "RSA",
        _ => "of another kind",
    }
}

fn clock_time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
