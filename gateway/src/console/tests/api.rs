//! `/api/v1`, with ID tokens and with sessions.

use reqwest::Method;

use super::browser::Answer;
use super::*;

/// An ID token of the embedded provider's.
async fn token(house: &House, who: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let issuer = house.idp.issuer();
    let ask = async |path: &str, form: &[(&str, &str)]| -> Value {
        client.post(format!("{issuer}{path}")).form(form).send().await.unwrap().json().await.unwrap()
    };
    let id = ("client_id", house.idp.client_id());
    let begun = ask("/device/code", &[id, ("scope", "openid groups")]).await;
    house.idp.sign_in(begun["user_code"].as_str().unwrap(), who).unwrap();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let tokens = ask("/token", &[id, grant, ("device_code", begun["device_code"].as_str().unwrap())]).await;
    tokens["id_token"].as_str().unwrap().to_owned()
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn error(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.json()["error"].as_str().expect("an error").to_owned()
    }
}

async fn get(house: &House, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    house.browser().send(Method::GET, &format!("/api/v1/{path}"), &headers, String::new()).await
}

async fn post(house: &House, token: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("content-type", "application/json; charset=utf-8")];
    house.browser().send(Method::POST, &format!("/api/v1/{path}"), &headers, body.to_string()).await
}

#[tokio::test]
async fn a_request_is_made_approved_and_taken_back_with_tokens_alone() {
    let house = House::open().await;
    let (alice, bob) = (token(&house, "alice").await, token(&house, "bob").await);
    let me = get(&house, &alice, "whoami").await.json();
    assert_eq!(
        (&me["username"], &me["signedIn"], &me["groups"]),
        (&json!("alice"), &json!(true), &json!(["oncall"]))
    );
    assert!(me["secondsLeft"].as_u64().unwrap() <= 600);
    let policies = get(&house, &alice, "policies").await.json();
    assert_eq!(policies[0]["name"], "debug");

    let ask = json!({"policy": "debug", "namespaces": ["payments"], "duration": "30m", "reason": "INC-7",
        "workloads": ["deploy/api"], "ports": [5432]});
    let made = post(&house, &alice, "requests", &ask).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let name = made["name"].as_str().unwrap();
    assert_eq!((&made["phase"], &made["mine"]), (&json!("Pending"), &json!(true)));
    assert_eq!((&made["workloads"], &made["duration"]), (&json!(["deployment/api"]), &json!("30m")));
    // The same as `-o json` over SSH.
    let identity = house.person("bob", "leads");
    let over_ssh = serde_json::to_value(house.access.requests(&identity)).unwrap();
    assert_eq!(get(&house, &bob, "requests").await.json(), over_ssh);
    assert_eq!(get(&house, &bob, &format!("requests/{name}")).await.json(), over_ssh[0]);

    let own = post(&house, &alice, &format!("requests/{name}/approve"), &json!({})).await;
    assert_eq!(own.status, 403);
    assert!(own.error().starts_with(&format!("refused: approve `{name}`")), "{own:?}");
    assert!(own.json()["rule"].as_str().unwrap().starts_with("policy `debug`: "), "{own:?}");

    let approved = post(&house, &bob, &format!("requests/{name}/approve"), &json!({})).await;
    assert_eq!((approved.status, &approved.json()["phase"]), (200, &json!("Active")));
    assert_eq!(get(&house, &alice, "grants").await.json()[0]["name"], *name);
    let longer = post(&house, &alice, &format!("requests/{name}/extend"), &json!({"by": "15m"})).await;
    assert_eq!(longer.status, 200, "{longer:?}");
    let ended = post(&house, &alice, &format!("requests/{name}/revoke"), &json!({"reason": "done"})).await;
    assert_eq!((ended.status, &ended.json()["phase"]), (200, &json!("Revoked")));
    let again = post(&house, &alice, &format!("requests/{name}/revoke"), &json!({})).await;
    assert_eq!(again.status, 409);
    assert!(again.error().contains("revoked"), "{again:?}");
    assert_eq!(get(&house, &alice, "locks").await.json(), json!([]));
}

#[tokio::test]
async fn a_review_is_closed_with_a_token() {
    let house = House::open().await;
    let asked = house.asked("glass").await;
    let name = RequestName::parse(&asked.name).unwrap();
    house.access.revoke(&house.person("alice", "oncall"), &name, None).await.unwrap();
    let sam = token(&house, "sam").await;
    assert_eq!(get(&house, &sam, "reviews").await.json()[0]["name"], *asked.name);
    let path = format!("requests/{name}/review");
    for bad in [
        json!({"verdict": "fine", "comment": "x"}),
        json!({"verdict": "justified", "comment": " "}),
        json!({}),
    ] {
        assert_eq!(post(&house, &sam, &path, &bad).await.status, 422, "{bad}");
    }
    let done = post(&house, &sam, &path, &json!({"verdict": "justified", "comment": "it burnt"})).await;
    assert_eq!(done.json()["review"]["verdict"], "Justified", "{done:?}");
    assert_eq!(get(&house, &sam, "reviews").await.json(), json!([]));
    let again = post(&house, &sam, &path, &json!({"verdict": "justified", "comment": "it burnt"})).await;
    assert_eq!(again.status, 409);
}

#[tokio::test]
async fn a_token_for_others_an_old_one_and_a_broken_one_open_nothing() {
    let house = House::open().await;
    let bob = token(&house, "bob").await;
    let refused = async |token: &str, why: &str| {
        let no = get(&house, token, "requests").await;
        assert_eq!((no.status, no.header("www-authenticate")), (401, "Bearer"), "{no:?}");
        assert!(no.error().contains(why), "{no:?}");
    };
    refused("x.y.z", "not").await;
    let mut parts: Vec<_> = bob.split('.').map(str::to_owned).collect();
    parts[2] = parts[2].chars().rev().collect();
    refused(&parts.join("."), "signature").await;
    refused(&format!("e30.{}.", parts[1]), "not").await;
    house.clock.advance(Duration::from_secs(700));
    refused(&bob, "expired").await;

    let others = House::build(
        |origin| Some(origin.to_owned()),
        |settings| {
            settings.audience = Some("another".to_owned());
        },
    )
    .await;
    let no = get(&others, &token(&others, "bob").await, "requests").await;
    assert_eq!(no.status, 401);
    assert!(no.error().contains("another audience"), "{no:?}");

    let mut nobody = house.browser();
    for headers in [vec![], vec![("authorization", "Basic eDp5")], vec![("authorization", "Bearer")]] {
        let no = nobody.send(Method::GET, "/api/v1/whoami", &headers, String::new()).await;
        assert_eq!(no.status, 401, "{headers:?}");
    }
}

#[tokio::test]
async fn a_cookie_does_not_make_up_for_a_bad_token() {
    let house = House::open().await;
    let mut bob = house.signed_in("bob").await;
    assert_eq!(bob.get("/api/v1/whoami").await.json()["username"], "bob");
    let no = bob.send(Method::GET, "/api/v1/whoami", &[("authorization", "Bearer x")], String::new()).await;
    assert_eq!(no.status, 401);
}

#[tokio::test]
async fn a_session_changes_things_only_with_its_word_and_from_our_pages() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut bob = house.signed_in("bob").await;
    let (csrf, origin) = (bob.csrf().await, house.origin());
    let path = format!("/api/v1/requests/{}/approve", asked.name);
    let json = ("content-type", "application/json");
    let (word, ours) = (("x-sallyport-csrf", &*csrf), ("origin", &*origin));
    for headers in [
        vec![json],
        vec![json, ours],
        vec![json, word],
        vec![json, ours, ("x-sallyport-csrf", "x")],
        vec![json, word, ("origin", "https://evil.test")],
        vec![json, word, ours, ("sec-fetch-site", "cross-site")],
    ] {
        let no = bob.send(Method::POST, &path, &headers, "{}".to_owned()).await;
        assert_eq!(no.status, 403, "{headers:?}");
    }
    assert_eq!(house.view(&asked.name).phase, Phase::Pending);
    let done = bob.send(Method::POST, &path, &[json, word, ours], "{}".to_owned()).await;
    assert_eq!((done.status, &done.json()["phase"]), (200, &json!("Active")));
}

#[tokio::test]
async fn bodies_are_short_json_and_nothing_else() {
    let house = House::open().await;
    let alice = token(&house, "alice").await;
    let bearer = format!("Bearer {alice}");
    let mut browser = house.browser();
    let mut send = async |kind: &str, body: String| {
        let headers = [("authorization", &*bearer), ("content-type", kind)];
        browser.send(Method::POST, "/api/v1/requests", &headers, body).await
    };
    let good = json!({"policy": "debug", "namespaces": ["payments"], "reason": "x"}).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let no = send(kind, good.clone()).await;
        assert_eq!(no.status, 415, "{kind}");
        no.error();
    }
    let no =
        send("application/json", json!({"policy": "debug", "reason": "x".repeat(70_000)}).to_string()).await;
    assert_eq!(no.status, 413, "{no:?}");
    no.error();
    for bad in [
        "",
        "{",
        "[]",
        r#"{"policy":"debug","polcy":1}"#,
        r#"{"policy":"De/bug"}"#,
        r#"{"policy":"debug","namespaces":["../x"]}"#,
        r#"{"policy":"debug","duration":"soon"}"#,
        r#"{"policy":"debug","workloads":["house/api"]}"#,
        r#"{"policy":"debug","ports":[70000]}"#,
        r#"{"policy":"debug","starts":"2020-01-01T00:00:00Z"}"#,
        r#"{"policy":"debug","policy":"debug"}"#,
    ] {
        let no = send("application/json", bad.to_owned()).await;
        assert_eq!(no.status, 422, "{bad}");
        no.error();
    }
    // Short enough for a body, and far more than the cluster takes: said here, not by a cluster that fails.
    let ports: Vec<String> = (1..10_000).map(|port| port.to_string()).collect();
    let many = format!(r#"{{"policy":"debug","namespaces":["payments"],"ports":[{}]}}"#, ports.join(","));
    assert_eq!(send("application/json", many).await.status, 422);
    assert_eq!(send("application/json", r#"{"policy":"none"}"#.to_owned()).await.status, 404);
    assert_eq!(house.fake.keys("accessrequests").len(), 0);
    for path in ["nothing", "requests/debug-zzzzzz", "requests/A%20b", "requests/x/explode"] {
        let no = match path.ends_with("explode") {
            true => post(&house, &alice, path, &json!({})).await,
            false => get(&house, &alice, path).await,
        };
        assert_eq!(no.status, 404, "{path}");
        no.error();
    }
    assert_eq!(post(&house, &alice, "whoami", &json!({})).await.status, 405);
}

#[tokio::test]
async fn a_cluster_out_of_reach_is_told_as_such() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let bob = token(&house, "bob").await;
    house.fake.faults(|_, _| Some(crate::crd::fake::Fault::Status(503)));
    let no = post(&house, &bob, &format!("requests/{}/approve", asked.name), &json!({})).await;
    assert_eq!(no.status, 503);
    assert!(no.error().contains("out of reach"), "{no:?}");
}

#[tokio::test]
async fn hostile_words_are_data_in_json_too() {
    let house = House::open().await;
    let asked = house.asked("debug").await;
    let mut stored = house.fake.get("accessrequests", &asked.name).unwrap();
    let hostile = "</script>\u{202e}\u{1b}[2J\"\n";
    stored["spec"]["reason"] = json!(hostile);
    house.fake.put("accessrequests", &stored);
    let bob = token(&house, "bob").await;
    let mut answer = get(&house, &bob, "requests").await;
    for _ in 0..6000 {
        if answer.json()[0]["reason"] == hostile {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = get(&house, &bob, "requests").await;
    }
    assert_eq!(answer.json()[0]["reason"], hostile);
    assert!(!answer.shows("\u{202e}") && !answer.shows("\u{1b}"), "{}", answer.body);
    let headers = (answer.header("content-type"), answer.header("x-content-type-options"));
    assert_eq!(headers, ("application/json", "nosniff"));
}
