//! Deliveries to a real HTTP server in this process, from an API server that has its bad days.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::Timestamp;
use kube::Api;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::clock::ManualClock;
use crate::config::{NotificationFormat, Span};
use crate::crd::fake::{Fake, Fault};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PLURAL: &str = "accessrequests";

fn now() -> Timestamp {
    "2026-01-01T10:06:00Z".parse().unwrap()
}

#[derive(Debug, Clone)]
struct Got {
    id: String,
    signature: Option<String>,
    timestamp: String,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A receiver that refuses the first `refuses` deliveries and never answers where `hangs`.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    asked: Arc<AtomicU32>,
}

async fn receiver(refuses: u32, hangs: bool) -> Receiver {
    let (got, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
    let (kept, count) = (got.clone(), asked.clone());
    let take = move |headers: HeaderMap, body: Bytes| {
        let (kept, count) = (kept.clone(), count.clone());
        async move {
            if count.fetch_add(1, Ordering::SeqCst) < refuses {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            if hangs {
                std::future::pending::<()>().await;
            }
            let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            kept.lock().unwrap().push(Got {
                id: text("webhook-id").unwrap(),
                signature: text("webhook-signature"),
                timestamp: text("webhook-timestamp").unwrap(),
                body,
            });
            StatusCode::NO_CONTENT
        }
    };
    let app = Router::new().route("/hook", post(take));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Receiver { url, got, asked }
}

fn hook(name: &str, url: &str) -> config::Notification {
    config::Notification {
        name: name.to_owned(),
        url: Some(url.parse().unwrap()),
        url_file: None,
        format: NotificationFormat::Json,
        secret_file: None,
        events: vec![],
        policies: BTreeSet::new(),
        timeout: Span(Duration::from_secs(20)),
        ca_file: None,
    }
}

/// For receivers that do not answer.
fn hasty(name: &str, url: &str) -> config::Notification {
    config::Notification { timeout: Span(Duration::from_millis(400)), ..hook(name, url) }
}

fn put(fake: &Fake, name: &str, reason: &str) {
    fake.put(
        PLURAL,
        &json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": name},
            "spec": {"requester": {"username": "alice", "issuer": "i", "subject": "s"}, "policy": "debug",
                "namespaces": ["payments"], "duration": "1h", "reason": reason},
            "status": {"phase": "Active", "approvedByRule": "autoApprove",
                "window": {"start": "2026-01-01T10:05:00Z", "end": "2026-01-01T11:05:00Z"}},
        }),
    );
}

fn notified(fake: &Fake, name: &str) -> Vec<String> {
    let object = fake.get(PLURAL, name).unwrap();
    serde_json::from_value(object["status"]["notified"].clone()).unwrap_or_default()
}

struct Running {
    audit: Audit,
    leads: watch::Sender<bool>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), NotifyError>>,
}

fn start(fake: &Fake, hooks: Vec<config::Notification>) -> Running {
    let client = fake.client();
    let (audit, stop) = (Audit::in_memory(), CancellationToken::new());
    let leads = watch::Sender::new(true);
    let parts = Parts {
        requests: Mirror::start(Api::all(client.clone()), None),
        client,
        link: Arc::new(|request| {
            let name = request.metadata.name.as_deref().unwrap_or_default();
            Url::parse("https://access.example.com/requests/").unwrap().join(name).ok()
        }),
        clock: ManualClock::at(now()),
        audit: audit.clone(),
        leads: leads.subscribe(),
    };
    let token = stop.clone();
    let task = tokio::spawn(async move { run(&hooks, parts, token).await });
    Running { audit, leads, stop, task }
}

async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let wait = async {
        while !so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(90), wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[tokio::test]
async fn a_delivery_is_signed_noted_and_made_once() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    put(&fake, "alice-1", "why \u{1b}[2J");
    let siem = config::Notification { secret_file: Some(secret), ..hook("siem", &receiver.url) };
    let running = start(&fake, vec![siem]);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
    sleep(Duration::from_millis(300)).await;
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(got.len(), 1, "{got:?}");
    let one = &got[0];
    assert_eq!(one.timestamp, now().as_second().to_string());
    let expected = sign::sign(&SECRET.to_owned().into(), &one.id, now().as_second(), &one.body).unwrap();
    assert_eq!(one.signature.as_deref(), Some(expected.as_str()));
    assert_eq!(one.json()["type"], "approved");
    assert_eq!(one.json()["timestamp"], "2026-01-01T10:05:00Z");
    assert_eq!(one.json()["data"]["reason"], "why �[2J");
    assert!(running.audit.kept().is_empty());
    running.stop.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_receiver_that_refuses_at_first_gets_it_under_the_same_id_and_the_failure_is_an_event() {
    let (fake, receiver) = (Fake::at(now()), receiver(3, false).await);
    put(&fake, "alice-1", "why");
    let running = start(&fake, vec![hook("siem", &receiver.url)]);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 4);
    let events = running.audit.kept();
    assert_eq!(events.len(), 1, "one for the outage, not one for each attempt");
    assert_eq!(events[0].event, Kind::NotificationFailed);
    assert!(events[0].why.as_deref().unwrap().contains("503"));
}

#[tokio::test]
async fn one_that_hangs_holds_up_nobody_else() {
    let (fake, stuck, good) = (Fake::at(now()), receiver(0, true).await, receiver(0, false).await);
    (0..20).for_each(|n| put(&fake, &format!("alice-{n}"), "why"));
    let _running = start(&fake, vec![hasty("stuck", &stuck.url), hook("good", &good.url)]);
    until("all told", || good.got.lock().unwrap().len() == 20).await;
    assert!(stuck.asked.load(Ordering::SeqCst) < 20, "one that hangs is not given everything");
    until("noted", || notified(&fake, "alice-0") == ["approved@good"]).await;
}

#[tokio::test]
async fn one_notice_that_is_never_accepted_does_not_keep_the_others() {
    let fake = Fake::at(now());
    let got = Arc::new(AtomicU32::new(0));
    let count = got.clone();
    let app = Router::new().route(
        "/hook",
        post(move |body: String| {
            let poison = body.contains("poison");
            count.fetch_add(u32::from(!poison), Ordering::SeqCst);
            async move { if poison { StatusCode::BAD_REQUEST } else { StatusCode::OK } }
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    put(&fake, "alice-0", "poison");
    (1..9).for_each(|n| put(&fake, &format!("alice-{n}"), "fine"));
    let _running = start(&fake, vec![hook("siem", &url)]);
    until("the others", || got.load(Ordering::SeqCst) == 8).await;
    assert!(notified(&fake, "alice-0").is_empty());
}

#[tokio::test]
async fn who_asks_now_does_not_wait_behind_a_day_of_history() {
    let earlier = now() - jiff::SignedDuration::from_secs(30);
    let (fake, receiver) = (Fake::at(earlier), receiver(0, false).await);
    for n in 0..300 {
        put(&fake, &format!("alice-{n}"), "long ago");
    }
    fake.put(
        PLURAL,
        &json!({
            "apiVersion": "sallyport.dev/v1alpha1", "kind": "AccessRequest",
            "metadata": {"name": "bob-1"},
            "spec": {"requester": {"username": "bob", "issuer": "i", "subject": "s"}, "policy": "debug",
                "namespaces": ["payments"], "duration": "1h", "reason": "now"},
        }),
    );
    let running = start(&fake, vec![hook("siem", &receiver.url)]);
    until("all told", || receiver.got.lock().unwrap().len() == 301).await;
    let told = receiver.got.lock().unwrap().clone();
    let place = told.iter().position(|got| got.json()["type"] == "requested");
    // The first look may come before the request is in the mirror.
    assert!(place.is_some_and(|place| place < 2 * BATCH), "{place:?}");
    running.stop.cancel();
}

#[tokio::test]
async fn what_cannot_be_noted_is_not_sent_again_by_the_same_gateway() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    put(&fake, "alice-1", "why");
    fake.faults(|method, _| (method == "PUT").then_some(Fault::Status(500)));
    let _running = start(&fake, vec![hook("siem", &receiver.url)]);
    until("told", || receiver.got.lock().unwrap().len() == 1).await;
    sleep(Duration::from_millis(300)).await;
    assert!(notified(&fake, "alice-1").is_empty());
    fake.faults(|_, _| None);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
    assert_eq!(receiver.got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn conflicts_are_read_again() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    put(&fake, "alice-1", "why");
    let left = AtomicU32::new(3);
    fake.faults(move |method, _| {
        let lost = method == "PUT" && left.load(Ordering::SeqCst) > 0;
        lost.then(|| left.fetch_sub(1, Ordering::SeqCst)).map(|_| Fault::Status(409))
    });
    let _running = start(&fake, vec![hook("siem", &receiver.url)]);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
    assert_eq!(receiver.got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_is_cut_off_in_a_delivery_repeats_it_under_the_same_id() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    put(&fake, "alice-1", "why");
    fake.faults(|method, _| (method == "PUT").then_some(Fault::Silence));
    let first = start(&fake, vec![hook("siem", &receiver.url)]);
    until("told", || receiver.got.lock().unwrap().len() == 1).await;
    first.task.abort();
    fake.faults(|_, _| None);
    let _second = start(&fake, vec![hook("siem", &receiver.url)]);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].id, got[1].id);
}

#[tokio::test]
async fn only_the_gateway_that_leads_tells() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    let running = start(&fake, vec![hook("siem", &receiver.url)]);
    running.leads.send_replace(false);
    sleep(Duration::from_millis(100)).await;
    put(&fake, "alice-1", "why");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.asked.load(Ordering::SeqCst), 0);
    running.leads.send_replace(true);
    until("noted", || notified(&fake, "alice-1") == ["approved@siem"]).await;
}

#[tokio::test]
async fn an_address_in_a_file_is_read_at_each_use_and_must_be_safe() {
    let (fake, receiver) = (Fake::at(now()), receiver(0, false).await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "http://slack.example.com/secret").unwrap();
    put(&fake, "alice-1", "why");
    let slack = config::Notification {
        url: None,
        url_file: Some(file.clone()),
        format: NotificationFormat::Slack,
        ..hook("slack", &receiver.url)
    };
    let running = start(&fake, vec![slack]);
    until("refused", || !running.audit.kept().is_empty()).await;
    let why = running.audit.kept()[0].why.clone().unwrap();
    assert!(why.contains("https address") && !why.contains("secret"), "{why}");
    std::fs::write(&file, &receiver.url).unwrap();
    until("told", || !receiver.got.lock().unwrap().is_empty()).await;
    assert!(receiver.got.lock().unwrap()[0].json()["blocks"].is_array());
}

#[test]
fn no_reason_can_mention_a_channel_or_make_a_link_in_slack() {
    let hostile = "<!channel> & <https://evil.example.com|click> @here";
    let mut request = AccessRequest::new(
        "alice-1",
        serde_json::from_value(json!({"requester": {"username": "<@U1>", "issuer": "i", "subject": "s"},
            "policy": "debug", "namespaces": ["payments"], "duration": "1h", "reason": hostile}))
        .unwrap(),
    );
    request.metadata.uid = Some("u".to_owned());
    let notice = Notice {
        event: config::NotificationEvent::Requested,
        at: now(),
        times: 0,
        key: "requested@s".to_owned(),
    };
    let link = Url::parse("https://access.example.com/r/alice-1?a=1&b=2").unwrap();
    let message = slack::message(&Body::of(&request, &notice, Some(link.clone())));
    let text = message.to_string();
    assert!(!text.contains('<'), "{text}");
    assert!(text.contains("&lt;!channel&gt; &amp; &lt;https://evil.example.com|click&gt; @here"), "{text}");
    assert!(message["text"].as_str().unwrap().contains("&lt;@U1&gt;"));
    assert_eq!((&message["parse"], &message["link_names"]), (&json!("none"), &json!(false)));
    assert_eq!(message["blocks"][2]["elements"][0]["url"], link.as_str());
}

#[test]
fn only_what_waits_for_people_leads_to_its_page() {
    use config::NotificationEvent::{Approved, BreakGlass, Denied, Ended, FirstUsed, Requested};
    let request = |status: serde_json::Value| {
        let spec = json!({"requester": {"username": "alice", "issuer": "i", "subject": "s"},
            "policy": "debug", "namespaces": ["payments"], "duration": "1h"});
        let mut request = AccessRequest::new("alice-1", serde_json::from_value(spec).unwrap());
        request.status = serde_json::from_value(status).unwrap();
        request
    };
    let waits = |request: &AccessRequest, event| {
        waits_for_people(request, &Notice { event, at: now(), times: 0, key: "x@s".to_owned() })
    };
    let plain = request(json!({"phase": "Pending"}));
    assert!(waits(&plain, Requested));
    assert!(![Approved, Denied, FirstUsed, Ended].into_iter().any(|event| waits(&plain, event)));
    let open = request(json!({"phase": "Active", "review": {}}));
    assert!(waits(&open, BreakGlass) && waits(&open, Ended));
    let closed = request(json!({"phase": "Expired", "review": {"verdict": "Justified"}}));
    assert!(!waits(&closed, BreakGlass) && !waits(&closed, Ended));
}
