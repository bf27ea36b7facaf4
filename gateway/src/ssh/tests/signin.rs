//! Signing in, by the real `ssh`.

use std::time::Duration;

use jiff::Timestamp;

use super::house::{Agent, Said, said};
use super::*;
use crate::audit::{Kind, Outcome};
use crate::ca::Authority;
use crate::clock::{Clock, SystemClock};

fn ok(text: &str) -> Said {
    Said { out: format!("{text}\n"), err: String::new(), status: Some(0) }
}

fn long_ago() -> Timestamp {
    SystemClock.now() - Duration::from_secs(2 * 3600)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_beside_the_key_lets_its_person_in() {
    let house = House::open().await;
    let key = house.alice();
    assert_eq!(house.run("alice", &["whoami"]).await, ok("alice"));
    let event = house.event(Kind::ConnectionOpened).await;
    assert_eq!(event.person.unwrap().username, "alice");
    assert_eq!(event.fingerprint.unwrap(), super::super::auth::fingerprint(key.public_key()));
    assert_eq!(event.outcome, Outcome::Ok);
    house.event(Kind::ConnectionClosed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_holder_signs_once_and_the_bare_key_is_not_asked_to() {
    let house = House::open().await;
    house.alice();
    let mut verbose = house.bare_ssh();
    verbose
        .args(["-v", "-o", "IdentitiesOnly=yes", "-i"])
        .arg(house.path("alice"))
        .args(["alice@prod-gw", "whoami"]);
    let said = said(verbose).await;
    assert_eq!(said.status, Some(0), "{}", said.err);
    let accepted: Vec<_> = said.err.lines().filter(|line| line.contains("Server accepts key")).collect();
    assert!(matches!(accepted.as_slice(), [one] if one.contains("CERT")), "{}", said.err);
    assert!(!said.err.contains("keyboard-interactive\"") && !said.err.contains("partial"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_named_by_option_comes_first_and_works() {
    let house = House::open().await;
    house.alice();
    let mut command = house.bare_ssh();
    command.arg("-o").arg(format!("CertificateFile={}", house.path("alice-cert.pub").display()));
    command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("alice")).args(["prod-gw", "whoami"]);
    assert_eq!(said(command).await, ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_certificate_comes_in_as_nobody() {
    let house = House::open().await;
    house.key("new");
    let told = house.run("new", &["whoami"]).await;
    assert_eq!(told, ok("nobody: ssh showed no certificate"));
    let event = house.event(Kind::ConnectionOpened).await;
    assert_eq!(event.person, None);
    assert_eq!(event.why.unwrap(), "only to sign in: ssh showed no certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_agent_with_several_keys_the_certificate_is_found() {
    let house = House::open().await;
    let agent = Agent::start(house.dir.path()).await;
    for n in 0..6 {
        house.key(&format!("other{n}"));
        agent.add(&house.path(&format!("other{n}"))).await;
    }
    house.alice();
    agent.add(&house.path("alice")).await;
    let mut command = house.bare_ssh();
    command.args(["prod-gw", "whoami"]).env("SSH_AUTH_SOCK", agent.socket());
    assert_eq!(said(command).await, ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_many_keys_and_no_certificate_still_gets_to_sign_in() {
    let house = House::open().await;
    let agent = Agent::start(house.dir.path()).await;
    for n in 0..12 {
        house.key(&format!("other{n}"));
        agent.add(&house.path(&format!("other{n}"))).await;
    }
    let mut command = house.bare_ssh();
    command.args(["prod-gw", "whoami"]).env("SSH_AUTH_SOCK", agent.socket());
    assert_eq!(said(command).await, ok("nobody: ssh showed no certificate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_with_an_expired_certificate_is_told_so_in_either_order() {
    let house = House::open().await;
    let key = house.key("late");
    house.certify("late", &key, "alice", long_ago());
    let expired = ok("nobody: the certificate that ssh showed has expired (or is not valid yet)");
    assert_eq!(house.run("late", &["whoami"]).await, expired);

    let mut command = house.bare_ssh();
    command.arg("-o").arg(format!("CertificateFile={}", house.path("late-cert.pub").display()));
    command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("late")).args(["prod-gw", "whoami"]);
    assert_eq!(said(command).await, expired);

    let agent = Agent::start(house.dir.path()).await;
    agent.add(&house.path("late")).await;
    let mut command = house.bare_ssh();
    command.args(["prod-gw", "whoami"]).env("SSH_AUTH_SOCK", agent.socket());
    assert_eq!(said(command).await, expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused_and_leaves_no_name_behind() {
    let house = House::open().await;
    let other = Authority::init(&house.path("other-ca")).unwrap();
    let key = house.key("mallory");
    house.certify_by(&other, "mallory", &key, "alice", SystemClock.now());
    let told = house.run("mallory", &["whoami"]).await;
    assert!(told.out.starts_with("nobody: the certificate was signed by another authority"), "{told:?}");
    let refused = house.event(Kind::CertificateRefused).await;
    assert_eq!((refused.outcome, refused.person), (Outcome::Refused, None));
    assert!(refused.fingerprint.is_some() && refused.serial.is_some());
    assert_eq!(house.event(Kind::ConnectionOpened).await.person, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keyboard_interactive_a_bare_key_gets_nowhere() {
    let house = House::open().await;
    house.key("new");
    let mut command = house.bare_ssh();
    command.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("new"));
    command.args(["prod-gw", "whoami"]);
    let told = said(command).await;
    assert_eq!(told.status, Some(255));
    assert!(told.err.contains("Permission denied"), "{}", told.err);
    let event = house.event(Kind::ConnectionRefused).await;
    assert_eq!(event.why.as_deref(), Some("left before signing in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_prefers_to_be_asked_still_shows_its_certificate() {
    let house = House::open().await;
    house.alice();
    let mut command = house.bare_ssh();
    command.args(["-o", "PreferredAuthentications=keyboard-interactive,publickey"]);
    command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(house.path("alice")).args(["prod-gw", "whoami"]);
    assert_eq!(said(command).await, ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_key_at_all_has_nothing_to_certify_and_stays_outside() {
    let house = House::open().await;
    let mut command = house.bare_ssh();
    command.args(["-o", "IdentityFile=none", "prod-gw", "whoami"]);
    let told = said(command).await;
    assert_eq!(told.status, Some(255));
    assert!(told.err.contains("Permission denied (publickey)"), "{}", told.err);
}
