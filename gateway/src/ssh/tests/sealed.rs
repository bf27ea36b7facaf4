//! Sealed codes, by the real `ssh`, with an API server that does as it is told.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use russh::keys::Certificate;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::super::channel::{Session, TunnelAsk};
use super::super::inbound::Bounds;
use super::super::limits::Limits;
use super::super::sealed::{self, Desk};
use super::super::server::{Settings, Work};
use super::house::{Said, told};
use super::*;
use crate::access::{Access, AccessSettings};
use crate::audit::{Audit, Kind, Outcome};
use crate::ca::Authority;
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::codes::{Book, Plan, make};
use crate::config::codes_object;
use crate::crd::fake::{Fake, Fault};

#[derive(Debug)]
struct Counter(Desk);

impl Work for Counter {
    fn session(&self, session: Session) -> BoxFuture<'static, ()> {
        let desk = self.0.clone();
        async move { sealed::run(&desk, session).await }.boxed()
    }

    fn tunnel(&self, ask: TunnelAsk) -> BoxFuture<'static, ()> {
        async move { ask.reply.prohibit("not here").await }.boxed()
    }
}

struct Place {
    house: House,
    fake: Fake,
    authority: Arc<Authority>,
    /// The codes of alice, bob and carol.
    sheets: Vec<Vec<String>>,
    object: String,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(adjust: impl FnOnce(&mut Desk)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let people = ["alice", "bob", "carol"].map(|name| {
            format!(
                "  - {{issuer: 'https://issuer.test', subject: {name}, username: {name}, groups: [oncall]}}\n"
            )
        });
        let file = dir.path().join("people.yaml");
        std::fs::write(&file, format!("people:\n{}", people.concat())).unwrap();
        let made = make(Plan::load(&file, 2, 3).unwrap(), "sallyport").unwrap();
        let file = dir.path().join("codes.yaml");
        std::fs::write(&file, &made.file).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let book = Book::load(&file, "https://issuer.test").unwrap();
        let codes = |text: &str| {
            text.lines()
                .filter_map(|line| line.trim().split_once("   "))
                .map(|(_, code)| code.to_owned())
                .collect()
        };
        let sheets = made.sheets.iter().map(|sheet| codes(sheet.text.expose_secret())).collect();

        let clock: SharedClock = Arc::new(SystemClock);
        let fake = Fake::at(clock.now());
        let object = codes_object(book.id());
        let note = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"file": book.id()},
            "metadata": {"name": object, "namespace": "sallyport"}});
        fake.put("configmaps", &note);
        let settings = AccessSettings { namespace: "sallyport".to_owned(), ..AccessSettings::default() };
        let access = Access::start(fake.client(), settings, clock.clone(), Audit::in_memory()).await.unwrap();
        let authority = Arc::new(Authority::init(&dir.path().join("people-ca")).unwrap());
        let mut desk = Desk {
            book: Some(Arc::new(book)),
            access,
            authority: authority.clone(),
            audit: Audit::in_memory(),
            clock,
            tries: Limits::new(100, 4),
            draining: CancellationToken::new(),
        };
        adjust(&mut desk);
        let running = Arc::<AtomicUsize>::default();
        let house =
            House::working(Settings::default(), Bounds::default(), Arc::new(Counter(desk)), running).await;
        house.key("new");
        Self { house, fake, authority, sheets, object: format!("sallyport/{object}"), _dir: dir }
    }

    async fn types(&self, lines: &[&str]) -> Said {
        let mut command = self.house.ssh("new", &["break-glass"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let _ = input.write_all(text.as_bytes()).await;
        drop(input);
        told(
            &tokio::time::timeout(std::time::Duration::from_secs(90), child.wait_with_output())
                .await
                .unwrap()
                .unwrap(),
        )
    }

    fn code(&self, person: usize, number: usize) -> &str {
        &self.sheets[person][number]
    }

    fn used(&self) -> usize {
        let data = self.fake.get("configmaps", &self.object).unwrap()["data"].clone();
        data.as_object().unwrap().len() - 1
    }

    /// Nothing was signed, and nothing said that helps to guess.
    fn not_accepted(&self, said: &Said) {
        assert_eq!((said.status, said.out.as_str()), (Some(77), ""), "{said:?}");
        assert!(said.err.trim_end().ends_with("sallyport: not accepted"), "{said:?}");
        assert!(self.house.events(Kind::CertificateIssued).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_two_people_give_the_first_a_short_certificate_for_break_glass() {
    let place = Place::open().await;
    let said = place.types(&[place.code(0, 0), &place.code(2, 1).to_lowercase().replace('-', " ")]).await;
    assert_eq!(said.status, Some(0), "{said:?}");
    let certificate = Certificate::from_openssh(said.out.trim_end()).unwrap();
    let now = SystemClock.now();
    let verified = place.authority.verify(&certificate, "127.0.0.1".parse().unwrap(), now).unwrap();
    assert_eq!(verified.identity.username(), "alice");
    assert!(verified.identity.by_codes());
    let left = verified.until.duration_since(now).as_secs();
    assert!((14 * 60..=15 * 60).contains(&left), "{left}");
    assert_eq!(place.used(), 2);
    let event = place.house.event(Kind::BreakGlassCode).await;
    assert_eq!((event.outcome, event.why.as_deref()), (Outcome::Ok, Some("alice 1, carol 2")));
    assert_eq!(event.person.unwrap().username, "alice");
    // No event has a code.
    let events = format!("{:?}", place.house.audit.kept());
    for code in place.sheets.iter().flatten() {
        assert!(!events.contains(code.as_str()) && !events.contains(&code.replace('-', "")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_nothing_that_is_typed_is_shown_and_the_certificate_is_a_clean_line() {
    let place = Place::open().await;
    let mut ssh = place.house.bare_ssh();
    ssh.args(["-tt", "-o", "IdentitiesOnly=yes", "-i"]).arg(place.house.path("new"));
    let mut child = ssh.args(["prod-gw", "break-glass"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let typed = format!("{}x\x7f\r{}\r", place.code(0, 0), place.code(1, 0));
    input.write_all(typed.as_bytes()).await.unwrap();
    let output = tokio::time::timeout(std::time::Duration::from_secs(90), child.wait_with_output()).await;
    let said = told(&output.unwrap().unwrap());
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(
        said.out.ends_with('\n') && !said.out.contains('\r') && said.out.lines().count() == 1,
        "{said:?}"
    );
    Certificate::from_openssh(said.out.trim_end()).unwrap();
    assert!(!said.err.contains(place.code(0, 0)) && !said.err.contains(place.code(1, 0)), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_enough_is_not_accepted_and_uses_no_code() {
    let stranger = Place::open().await;
    let place = Place::open().await;
    for (first, second) in [(place.code(0, 0), place.code(0, 0)), (place.code(0, 0), place.code(0, 1))] {
        place.not_accepted(&place.types(&[first, second]).await);
    }
    place.not_accepted(&place.types(&[place.code(0, 0), stranger.code(1, 0)]).await);
    assert_eq!(place.used(), 0);
    let events = place.house.events(Kind::BreakGlassCode);
    assert!(events.len() == 3 && events.iter().all(|event| event.outcome == Outcome::Refused), "{events:?}");
    assert_eq!(place.fake.asked(&Method::PUT, "configmaps"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_code_is_not_accepted_and_spoils_no_other() {
    let place = Place::open().await;
    assert_eq!(place.types(&[place.code(0, 0), place.code(1, 0)]).await.status, Some(0));
    let again = place.types(&[place.code(0, 0), place.code(1, 1)]).await;
    assert_eq!((again.status, again.out.as_str()), (Some(77), ""), "{again:?}");
    assert!(again.err.trim_end().ends_with("sallyport: not accepted"), "{again:?}");
    assert_eq!(place.used(), 2);
    assert_eq!(place.types(&[place.code(0, 1), place.code(1, 1)]).await.status, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mistyped_is_asked_again_and_uses_no_try() {
    let place = Place::open().await;
    let said = place.types(&["hello", place.code(1, 0), &"2".repeat(24), place.code(0, 0)]).await;
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(said.err.matches("that is no code").count(), 2, "{said:?}");
    let endless = place.types(&["x"; 20]).await;
    assert_eq!((endless.status, endless.out.as_str()), (Some(64), ""));
    let long = place.types(&[&"2".repeat(100_000)]).await;
    assert_eq!((long.status, long.out.as_str()), (Some(64), ""));
    let none = place.types(&[]).await;
    assert_eq!((none.status, none.out.as_str()), (Some(64), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_cluster_out_of_reach_nobody_comes_in() {
    let place = Place::open().await;
    for (fault, status) in [(Fault::Refused, 69), (Fault::Status(500), 69), (Fault::Status(403), 70)] {
        place.fake.faults(move |_, path| path.contains("configmaps").then_some(fault));
        let said = place.types(&[place.code(0, 0), place.code(1, 0)]).await;
        assert_eq!((said.status, said.out.as_str()), (Some(status), ""), "{said:?}");
    }
    place.fake.faults(|_, _| None);
    place.fake.remove("configmaps", &place.object);
    let said = place.types(&[place.code(0, 0), place.code(1, 0)]).await;
    assert_eq!((said.status, said.out.as_str()), (Some(70), ""), "{said:?}");
    assert!(place.house.events(Kind::CertificateIssued).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_from_one_address_are_limited() {
    let place = Place::open().await;
    for _ in 0..4 {
        place.not_accepted(&place.types(&[place.code(0, 0), place.code(0, 1)]).await);
    }
    let said = place.types(&[place.code(0, 0), place.code(1, 1)]).await;
    assert_eq!((said.status, said.out.as_str()), (Some(69), ""), "{said:?}");
    assert!(said.err.contains("too many tries"), "{said:?}");
    assert_eq!(place.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_there_are_no_codes() {
    let place = Place::with(|desk| desk.book = None).await;
    let said = place.types(&[place.code(0, 0), place.code(1, 0)]).await;
    assert_eq!((said.status, said.out.as_str()), (Some(69), ""), "{said:?}");
}
