//! Checks against a real HTTP server in this process, on its bad days too.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const YES: &str = r#"{"result": {"allow": true, "reasons": ["the ticket is open"]}}"#;

fn input() -> CheckInput {
    CheckInput {
        phase: CheckPhase::Asking,
        request: "alice-x1".to_owned(),
        policy: "oncall-debug".to_owned(),
        requester: Requester { username: "alice@example.com".to_owned(), groups: vec!["oncall".to_owned()] },
        scope: CheckScope {
            namespaces: vec!["payments".to_owned()],
            workloads: vec![],
            pods: vec![],
            containers: vec![],
            ports: vec![],
        },
        duration: "1h".to_owned(),
        reason: Some("a \u{1b}[2J reason".to_owned()),
        ticket: Some("OPS-1".to_owned()),
        start: None,
        end: None,
    }
}

fn checks(url: &str, token_file: Option<PathBuf>) -> Checks {
    patient(url, token_file, Duration::from_secs(20))
}

/// For servers that do not answer.
fn hasty(url: &str) -> Checks {
    patient(url, None, Duration::from_millis(300))
}

fn patient(url: &str, token_file: Option<PathBuf>, patience: Duration) -> Checks {
    let hook = config::Hook {
        name: "opa".to_owned(),
        url: Url::parse(url).unwrap(),
        timeout: config::Span(patience),
        token_file,
        ca_file: None,
    };
    Checks::new(&[hook]).unwrap()
}

/// A server whose n-th answer (from 1) is what `answer` gives.
async fn server<F>(answer: F) -> (String, Arc<AtomicU32>)
where
    F: Fn(u32, HeaderMap, Bytes) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let app = Router::new().route(
        "/v1/data/sallyport",
        post(move |headers: HeaderMap, body: Bytes| {
            let response = answer(counted.fetch_add(1, Ordering::SeqCst) + 1, headers, body);
            async move { response }
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/data/sallyport", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, count)
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).unwrap()
}

async fn out_of_reach(checks: &Checks) -> String {
    match checks.ask("opa", &input()).await {
        Err(CheckError::OutOfReach { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_question_is_opas_and_so_is_the_answer() {
    let (url, _) = server(|_, headers, body| {
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(headers["content-type"], "application/json");
        assert!(!headers.contains_key("authorization"));
        let same = body["input"]["requester"]["groups"][0] == "oncall"
            && body["input"]["phase"] == "asking"
            && body["input"]["scope"]["namespaces"][0] == "payments"
            && body["input"]["ticket"] == "OPS-1";
        answer(if same { 200 } else { 400 }, YES)
    })
    .await;
    let said = checks(&url, None).ask("opa", &input()).await.unwrap();
    assert_eq!(said, CheckAnswer { allow: true, reasons: vec!["the ticket is open".to_owned()] });
}

#[tokio::test]
async fn a_check_that_nobody_configured_is_unknown() {
    let error = Checks::default().ask("opa", &input()).await.unwrap_err();
    assert!(matches!(error, CheckError::Unknown(_)));
    assert!(error.to_string().contains("`opa`"));
}

#[tokio::test]
async fn a_token_is_sent_as_its_file_has_it_at_that_moment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let (url, _) = server(|_, headers, _| {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        answer(200, serde_json::json!({"result": {"allow": false, "reasons": [token]}}).to_string())
    })
    .await;
    let checks = checks(&url, Some(file.clone()));
    let why = out_of_reach(&checks).await;
    assert!(why.contains("token"), "no token, no question: {why}");
    for token in ["first", "second"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        assert_eq!(checks.ask("opa", &input()).await.unwrap().reasons, [format!("Bearer {token}")]);
    }
}

#[tokio::test]
async fn a_server_that_fails_and_recovers_has_answered() {
    let (url, count) = server(|n, _, _| if n < 3 { answer(500, "") } else { answer(200, YES) }).await;
    assert!(checks(&url, None).ask("opa", &input()).await.unwrap().allow);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_goes_on_failing_is_asked_three_times() {
    let (url, count) = server(|_, _, _| answer(503, YES)).await;
    assert_eq!(out_of_reach(&checks(&url, None)).await, "it answers 503");
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_refusal_is_not_a_no_and_not_repeated() {
    let (url, count) = server(|_, _, _| answer(403, YES)).await;
    assert_eq!(out_of_reach(&checks(&url, None)).await, "it answers 403");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (there, reached) = server(|_, _, _| answer(200, YES)).await;
    let (url, _) = server(move |_, _, _| {
        Response::builder().status(307).header("location", &there).body(Body::empty()).unwrap()
    })
    .await;
    assert!(out_of_reach(&checks(&url, None)).await.contains("redirects are not followed"));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_over_64_kib_is_not_read_whether_it_says_its_length_or_not() {
    let long = format!(r#"{{"result": {{"allow": true, "x": "{}"}}}}"#, "y".repeat(MAX_BYTES));
    let (url, _) = server({
        let long = long.clone();
        move |_, _, _| answer(200, long.clone())
    })
    .await;
    assert_eq!(out_of_reach(&checks(&url, None)).await, "its answer is over 64 KiB");
    let (url, _) = server(move |_, _, _| {
        let endless =
            futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096])));
        answer(200, Body::from_stream(endless))
    })
    .await;
    assert_eq!(out_of_reach(&checks(&url, None)).await, "its answer is over 64 KiB");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_in_time() {
    let (url, _) = server(|_, _, _| {
        let drips = futures::stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b" "))
        });
        answer(200, Body::from_stream(drips))
    })
    .await;
    let checks = hasty(&url);
    let began = Instant::now();
    assert!(out_of_reach(&checks).await.contains("no answer within"));
    assert!(began.elapsed() < checks.longest("opa").unwrap() + Duration::from_secs(60));
}

/// A server below HTTP: takes a connection, reads a little, then does what it is made to.
async fn rude(hangs: bool) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 64]).await;
            if hangs {
                kept.push(stream);
            } else {
                // Closing with unread bytes resets the connection.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{").await;
                drop(stream);
            }
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let (url, count) = rude(true).await;
    let checks = hasty(&url);
    let began = Instant::now();
    assert!(out_of_reach(&checks).await.contains("no answer within"));
    assert!(began.elapsed() < checks.longest("opa").unwrap() + Duration::from_secs(60));
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_again_and_then_no_answer() {
    let (url, count) = rude(false).await;
    out_of_reach(&checks(&url, None)).await;
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_out_of_reach() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(out_of_reach(&checks(&url, None)).await.to_lowercase().contains("refused"));
}

#[tokio::test]
async fn many_questions_to_one_that_hangs_end_all_in_time() {
    let (url, _) = rude(true).await;
    let checks = hasty(&url);
    let began = Instant::now();
    let all = (0..40).map(|_| out_of_reach(&checks));
    let whys = futures::future::join_all(all).await;
    assert!(whys.iter().any(|why| why.contains("too many questions")));
    assert!(began.elapsed() < checks.longest("opa").unwrap() + Duration::from_secs(60));
}
