//! What must not work.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test]
async fn every_page_forbids_scripts_frames_and_caches() {
    let house = House::open().await;
    let mut bob = house.signed_in("bob").await;
    for path in
        ["/", "/nothing", "/requests/debug-zzzzzz", "/callback?x", "/static/style.css", "/a/x", "/logout"]
    {
        let page = bob.get(path).await;
        let content = page.header("content-security-policy");
        assert!(
            content.starts_with("default-src 'none';") && !content.contains("unsafe"),
            "{path}: {content}"
        );
        assert!(
            content.contains("frame-ancestors 'none'") && content.contains("form-action 'self'"),
            "{path}"
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert!(!page.shows("<script") && !page.shows("style=\"") && !page.shows("onclick"), "{path}");
    }
}

#[tokio::test]
async fn a_form_without_the_sessions_word_or_from_elsewhere_changes_nothing() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let path = format!("/requests/{}/approve", asked.name);
    let mut bob = house.signed_in("bob").await;
    let csrf = bob.csrf().await;
    let others = house.signed_in("bob").await.csrf().await;
    assert_ne!(csrf, others);
    for fields in
        [vec![], vec![("csrf", "")], vec![("csrf", &*others)], vec![("csrf", &*csrf), ("csrf", &*csrf)]]
    {
        let refused = bob.post(&path, &fields).await;
        assert_eq!(refused.status, 403, "{fields:?}");
        assert!(refused.shows("id=\"error\""));
    }
    let origin = house.origin();
    for headers in [
        vec![],
        vec![("origin", "https://evil.test")],
        vec![("origin", "null")],
        vec![("origin", "https://evil.test"), ("sec-fetch-site", "same-origin")],
        vec![("origin", &*origin), ("sec-fetch-site", "cross-site")],
        vec![("origin", &*origin), ("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(bob.post_from(&path, &[("csrf", &csrf)], &headers).await.status, 403, "{headers:?}");
    }
    assert_eq!(bob.post_from("/logout", &[("csrf", &csrf)], &[]).await.status, 403);
    assert!(bob.get("/").await.shows("whoami"), "and nobody else signs bob out");
    let mut nobody = house.browser();
    assert_eq!(nobody.post(&path, &[("csrf", &csrf)]).await.status, 401);
    assert_eq!(house.view(&asked.name).phase, Phase::Pending);
}

#[tokio::test]
async fn an_answer_counts_once_and_only_for_the_browser_that_was_sent() {
    let house = House::open().await;
    // Somebody else's answer, in bob's browser: he would be signed in as them without noticing.
    let mut mallory = house.browser();
    let stolen = mallory.through_provider("alice", "/login").await;
    let mut bob = house.browser();
    let refused = bob.get(&stolen).await;
    assert_eq!((refused.status, bob.session()), (400, None));
    bob.get("/login").await;
    let refused = bob.get(&mallory.through_provider("alice", "/login").await).await;
    assert!(refused.shows("another browser") && bob.session().is_none(), "{refused:?}");
    // Used up, also by the attempt in the wrong browser.
    assert_eq!(mallory.get(&stolen).await.status, 400);

    let mut bob = house.browser();
    let callback = bob.through_provider("bob", "/login").await;
    let cookies = bob.cookies.clone();
    assert_eq!(bob.get(&callback).await.status, 303);
    bob.cookies = cookies;
    assert_eq!(bob.get(&callback).await.status, 400, "replayed");

    let mut bob = house.browser();
    let callback = bob.through_provider("bob", "/login").await;
    let forged = callback.replace("state=", "state=x");
    assert_eq!(bob.get(&forged).await.status, 400);
    let twice = format!("{callback}&state=x");
    assert_eq!(bob.get(&twice).await.status, 400);
    let mut bob = house.browser();
    let callback = bob.through_provider("bob", "/login").await;
    house.clock.advance(Duration::from_secs(10 * 60));
    assert_eq!(bob.get(&callback).await.status, 400, "too late");
}

#[tokio::test]
async fn an_answer_of_another_provider_or_a_wrong_code_signs_nobody_in() {
    let house = House::open().await;
    let mut bob = house.browser();
    let callback = bob.through_provider("bob", "/login").await;
    let mut url = Url::parse(&callback).unwrap();
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
    url.query_pairs_mut().clear().extend_pairs(&kept).append_pair("iss", "https://evil.test");
    let refused = bob.get(url.as_str()).await;
    assert_eq!((refused.status, bob.session()), (403, None));
    let callback = bob.through_provider("bob", "/login").await;
    let refused = bob.get(&callback.replace("code=", "code=x")).await;
    assert_eq!((refused.status, bob.session()), (403, None));
    assert_eq!(house.events(Kind::SigninRefused).len(), 2);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let house = House::open().await;
    for to in [
        "//evil.test",
        "/%5Cevil.test",
        "https:%2F%2Fevil.test",
        "/requests/%2F%2Fevil.test",
        "%09//evil.test",
    ] {
        let mut bob = house.browser();
        let callback = bob.through_provider("bob", &format!("/login?to={to}")).await;
        assert_eq!(bob.get(&callback).await.header("location"), "/", "{to}");
        // And with a session, at once.
        assert_eq!(bob.get(&format!("/login?to={to}")).await.header("location"), "/", "{to}");
    }
}

#[tokio::test]
async fn a_session_ends_and_its_forms_with_it() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut bob = house.signed_in("bob").await;
    let csrf = bob.csrf().await;
    house.clock.advance(Duration::from_secs(3600));
    let path = format!("/requests/{}/approve", asked.name);
    assert_eq!(bob.post(&path, &[("csrf", &csrf)]).await.status, 401);
    assert_eq!(bob.get("/").await.body.matches("id=\"login\"").count(), 1);
    assert_eq!(house.view(&asked.name).phase, Phase::Pending);
}

#[tokio::test]
async fn a_link_is_the_way_and_no_credential() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let stored = house.fake.get("accessrequests", &asked.name).unwrap();
    let uid = stored["metadata"]["uid"].as_str().unwrap();
    let origin = Url::parse(&house.origin()).unwrap();
    let links = Links::new(&KEY, Some(origin));
    let link = links.to(&asked.name, uid, house.now()).unwrap().to_string();
    let mut bob = house.browser();
    let sent = bob.get(&link).await;
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, &*format!("/login?to=/requests/{}", asked.name))
    );
    let to = sent.header("location").to_owned();
    assert!(bob.sign_in("bob", &to).await.shows("id=\"approve\""));
    assert_eq!(bob.get(&link).await.header("location"), format!("/requests/{}", asked.name));
    // Signed in as somebody whom the request does not concern, the link shows nothing.
    let mut sam = house.browser();
    assert_eq!(sam.sign_in("sam", &to).await.status, 404);

    let another = links.to(&asked.name, "another", house.now()).unwrap().to_string();
    for (bad, status) in [
        (link.replace(&asked.name, "debug-zzzzzz"), 403),
        (link.replace("until=1", "until=2"), 403),
        (link.replace("uid=", "uid=x"), 403),
        (link.replace("sig=", "sig=A"), 403),
        (link.split_once('?').unwrap().0.to_owned(), 403),
        (another, 410),
    ] {
        let page = bob.get(&bad).await;
        assert_eq!(page.status, status, "{bad}");
        assert!(!page.shows("INC-1") && !page.shows("alice"), "{bad}");
    }
    house.clock.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(bob.get(&link).await.status, 410);
}

#[tokio::test]
async fn hostile_words_are_shown_and_do_nothing() {
    let house = House::open().await;
    let hostile = "<script>alert(1)</script>\" onclick=\"x \u{202e}gnp\u{0}\u{1b}[2J' & ";
    let asked = house.asked("debug").await;
    // As somebody could write it with kubectl: nothing was cleaned on the way.
    let mut stored = house.fake.get("accessrequests", &asked.name).unwrap();
    stored["spec"]["reason"] = json!(format!("{hostile}{}", "x".repeat(2_000_000)));
    stored["spec"]["requester"]["username"] = json!("<b>alice</b>");
    house.fake.put("accessrequests", &stored);
    let mut bob = house.signed_in("bob").await;
    let path = format!("/requests/{}", asked.name);
    let mut page = bob.get(&path).await;
    for _ in 0..6000 {
        if page.shows("&lt;b&gt;alice") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        page = bob.get(&path).await;
    }
    for page in [page, bob.get("/").await] {
        assert!(
            page.shows(
                "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onclick=&quot;x �gnp��[2J&#39; &amp; xxx"
            ),
            "{}",
            page.body
        );
        assert!(
            !page.shows("<script>") && !page.shows("\u{202e}") && !page.shows("\u{1b}") && !page.shows("<b>")
        );
        assert!(page.body.len() < 30_000, "{}", page.body.len());
    }
}

#[tokio::test]
async fn what_is_too_long_or_too_slow_is_cut_off() {
    let house = House::open().await;
    let mut bob = house.signed_in("bob").await;
    let csrf = bob.csrf().await;
    let long = "x".repeat(70 * 1024);
    let refused = bob.post("/requests/debug-zzzzzz/deny", &[("csrf", &csrf), ("reason", &long)]).await;
    assert_eq!(refused.status, 413);

    // A head that never ends, and a body that never comes.
    let origin = house.origin();
    let head =
        format!("POST /logout HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\ncontent-length: 10\r\n\r\nab");
    for (sent, answered) in [("GET / HTTP/1.1\r\nx: y\r\n", ""), (&*head, "HTTP/1.1 408")] {
        let mut socket = TcpStream::connect(house.address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut got = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(90), socket.read_to_end(&mut got));
        read.await.expect("it is cut off in time").ok();
        assert!(String::from_utf8_lossy(&got).starts_with(answered), "{sent}");
    }
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let house = House::open().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(TcpStream::connect(house.address).await.unwrap());
    }
    let mut one_more = TcpStream::connect(house.address).await.unwrap();
    let _ = one_more.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut got = Vec::new();
    let _ = one_more.read_to_end(&mut got).await;
    assert!(got.is_empty(), "{}", String::from_utf8_lossy(&got));
    drop(open);
    // The places are free once the server has seen that these are gone.
    let mut got = String::new();
    for _ in 0..6000 {
        let mut again = TcpStream::connect(house.address).await.unwrap();
        let _ = again.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let _ = again.read_to_string(&mut got).await;
        if !got.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(got.ends_with("ok\n"), "{got}");
}
