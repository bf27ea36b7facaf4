//! The provider through its own front door: real HTTP, as a browser and a client would.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::Url;

use super::*;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const REDIRECT: &str = "http://127.0.0.1:9/back?keep=1";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-1";

struct World {
    dir: TempDir,
    idp: Idp,
    http: Client,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let idp = Idp::start(ANY, dir.path(), DevPerson::cast()).await.unwrap();
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap();
        Self { dir, idp, http }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.idp.issuer())
    }

    async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(self.url(path)).form(form).send().await.unwrap()
    }

    async fn json(response: Response) -> Value {
        response.json().await.unwrap()
    }

    async fn begin(&self) -> (String, String) {
        let begun = Self::json(self.post("/device/code", &[("client_id", CLIENT_ID)]).await).await;
        (text(&begun, "device_code"), text(&begun, "user_code"))
    }

    async fn poll(&self, device_code: &str) -> Value {
        let form =
            [("grant_type", token::DEVICE_GRANT), ("device_code", device_code), ("client_id", CLIENT_ID)];
        Self::json(self.post("/token", &form).await).await
    }

    /// The claims of an ID token, checked against the published keys.
    async fn claims(&self, id_token: &str) -> HashMap<String, Value> {
        let keys: JwkSet = self.get("/jwks").await.json().await.unwrap();
        let kid = jsonwebtoken::decode_header(id_token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).expect("the key is published")).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[CLIENT_ID]);
        validation.set_issuer(&[self.idp.issuer()]);
        jsonwebtoken::decode(id_token, &key, &validation).unwrap().claims
    }

    fn device(&self, code: &str) -> Url {
        Url::parse_with_params(&self.url("/device"), [("user_code", code)]).unwrap()
    }

    fn authorize(&self, change: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut query: HashMap<&str, &str> = HashMap::from([
            ("client_id", CLIENT_ID),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "openid profile"),
            ("state", "the state & more"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        query.extend(change.iter().copied());
        let mut url = Url::parse(&self.url("/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        url.to_string()
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` in {value}")).to_owned()
}

/// The cookie of a page, and the hidden fields of its form.
async fn form_of(page: Response) -> (String, HashMap<String, String>) {
    assert_eq!(page.status(), StatusCode::OK);
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let html = page.text().await.unwrap();
    let fields = html
        .split("<input type=\"hidden\" name=\"")
        .skip(1)
        .map(|rest| {
            let (name, rest) = rest.split_once("\" value=\"").unwrap();
            (name.to_owned(), rest.split('"').next().unwrap().to_owned())
        })
        .collect();
    (cookie, fields)
}

fn pairs(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

#[tokio::test]
async fn discovery_names_the_issuer_and_only_endpoints_that_answer() {
    let world = World::new().await;
    let document = World::json(world.get("/.well-known/openid-configuration").await).await;
    assert_eq!(document["issuer"], world.idp.issuer());
    for (name, endpoint) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let status = world.http.get(endpoint.as_str().unwrap()).send().await.unwrap().status();
            assert_ne!(status, StatusCode::NOT_FOUND, "{name}");
        }
    }
}

#[tokio::test]
async fn a_terminal_is_signed_in_by_confirming_its_code_on_the_page() {
    let world = World::new().await;
    let (device_code, user_code) = world.begin().await;
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");

    let typed = user_code.to_lowercase().replace('-', " ");
    let page = world.http.get(world.device(&typed)).send().await.unwrap();
    let (cookie, fields) = form_of(page).await;
    assert_eq!(fields["user_code"], user_code);
    let mut form = fields.clone();
    form.extend([("account".to_owned(), "bob".to_owned()), ("action".to_owned(), "allow".to_owned())]);
    let sent =
        world.http.post(world.url("/device")).header("cookie", cookie).form(&form).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    assert!(sent.text().await.unwrap().contains("<b>bob</b>"));

    let tokens = world.poll(&device_code).await;
    let claims = world.claims(&text(&tokens, "id_token")).await;
    assert_eq!(claims["preferred_username"], "bob");
    assert_eq!(claims["groups"], serde_json::json!(["leads"]));

    let info = world.http.get(world.url("/userinfo")).bearer_auth(text(&tokens, "access_token"));
    assert_eq!(World::json(info.send().await.unwrap()).await["sub"], claims["sub"]);
    assert_eq!(world.get("/userinfo").await.status(), StatusCode::UNAUTHORIZED);

    assert_eq!(world.poll(&device_code).await["error"], "invalid_grant", "a device code works once");
    let used = world.http.get(world.device(&user_code));
    assert_eq!(used.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_not_taken() {
    let world = World::new().await;
    let (device_code, user_code) = world.begin().await;
    let page = world.get(&format!("/device?user_code={user_code}")).await;
    let (cookie, fields) = form_of(page).await;
    let mut form = fields;
    form.extend([("account".to_owned(), "alice".to_owned()), ("action".to_owned(), "allow".to_owned())]);

    let send = |cookie: Option<&str>, origin: Option<&str>, form: &HashMap<String, String>| {
        let mut request = world.http.post(world.url("/device")).form(form);
        for (name, value) in [("cookie", cookie), ("origin", origin)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        async { request.send().await.unwrap().status() }
    };
    assert_eq!(send(None, None, &form).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some(&cookie), Some("http://evil.test"), &form).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some(&cookie), Some("null"), &form).await, StatusCode::FORBIDDEN);
    let mut changed = form.clone();
    changed.insert("csrf".to_owned(), String::new());
    assert_eq!(send(Some(&cookie), None, &changed).await, StatusCode::FORBIDDEN);
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");
    assert_eq!(send(Some(&cookie), Some(world.idp.issuer()), &form).await, StatusCode::OK);
}

#[tokio::test]
async fn another_host_name_is_not_answered() {
    let world = World::new().await;
    let request = world.http.get(world.url("/device")).header("host", "rebound.test");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
    Idp::start("0.0.0.0:0".parse().unwrap(), world.dir.path(), Vec::new()).await.unwrap_err();
}

#[tokio::test]
async fn what_is_typed_comes_back_escaped() {
    let world = World::new().await;
    let page = world.http.get(world.device("\"><script>x"));
    let html = page.send().await.unwrap().text().await.unwrap();
    assert!(html.contains("&quot;&gt;&lt;script&gt;x") && !html.contains("<script"), "{html}");
}

#[tokio::test]
async fn cancelling_and_asking_too_often_are_told() {
    let world = World::new().await;
    let (device_code, user_code) = world.begin().await;
    assert_eq!(world.poll(&device_code).await["error"], "authorization_pending");
    assert_eq!(world.poll(&device_code).await["error"], "slow_down");
    world.idp.deny(&user_code).unwrap();
    assert_eq!(world.poll(&device_code).await["error"], "access_denied");
    assert!(matches!(world.idp.sign_in(&user_code, "alice"), Err(IdpError::UnknownCode(_))));
    let (_, user_code) = world.begin().await;
    assert!(matches!(world.idp.sign_in(&user_code, "mallory"), Err(IdpError::UnknownPerson(_))));
    assert_eq!(world.post("/device/code", &[("client_id", "x")]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_web_application_gets_a_code_and_redeems_it_once() {
    let world = World::new().await;
    let page = world.http.get(world.authorize(&[])).send().await.unwrap();
    let (cookie, mut form) = form_of(page).await;
    form.extend([("account".to_owned(), "alice".to_owned()), ("action".to_owned(), "allow".to_owned())]);
    let send = || world.http.post(world.url("/authorize")).header("cookie", &cookie).form(&form).send();
    let sent = send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(REDIRECT));
    let answer = pairs(&location);
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("the state & more", world.idp.issuer()));
    assert_eq!(send().await.unwrap().status(), StatusCode::GONE, "the page works once");

    let redeem = |code: String, verifier: &'static str, redirect: &'static str| {
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", CLIENT_ID.to_owned()),
            ("code", code),
            ("code_verifier", verifier.to_owned()),
            ("redirect_uri", redirect.to_owned()),
        ];
        let request = world.http.post(world.url("/token")).form(&form);
        async { World::json(request.send().await.unwrap()).await }
    };
    let tokens = redeem(answer["code"].clone(), VERIFIER, REDIRECT).await;
    let claims = world.claims(&text(&tokens, "id_token")).await;
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["preferred_username"], "alice");
    assert_eq!(redeem(answer["code"].clone(), VERIFIER, REDIRECT).await["error"], "invalid_grant");

    for (verifier, redirect) in
        [("b-verifier-that-is-long-enough-for-rfc-7636-1", REDIRECT), (VERIFIER, "http://127.0.0.1:9/else")]
    {
        let page = world.http.get(world.authorize(&[])).send().await.unwrap();
        let (cookie, mut form) = form_of(page).await;
        form.extend([("account".to_owned(), "alice".to_owned()), ("action".to_owned(), "allow".to_owned())]);
        let sent = world.http.post(world.url("/authorize")).header("cookie", &cookie).form(&form);
        let location = sent.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
        let code = pairs(&location)["code"].clone();
        assert_eq!(redeem(code, verifier, redirect).await["error"], "invalid_grant");
    }
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_where_it_is_safe_to_say_so() {
    let world = World::new().await;
    for (name, value) in [
        ("client_id", "other"),
        ("redirect_uri", "https://evil.test/"),
        ("redirect_uri", "http://127.0.0.1.evil.test/"),
        ("redirect_uri", "http://127.0.0.1@evil.test/"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", ""),
    ] {
        let answer = world.http.get(world.authorize(&[(name, value)])).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{name} {value}");
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("prompt", "none", "login_required"),
    ] {
        let answer = world.http.get(world.authorize(&[(name, value)])).send().await.unwrap();
        assert_eq!(pairs(answer.headers()["location"].to_str().unwrap())["error"], error);
    }
}

#[tokio::test]
async fn old_tokens_verify_after_one_rotation_and_keys_outlive_a_restart_on_the_same_port() {
    let world = World::new().await;
    let sign_in = async |world: &World| {
        let (device_code, user_code) = world.begin().await;
        world.idp.sign_in(&user_code, "sam").unwrap();
        text(&world.poll(&device_code).await, "id_token")
    };
    let first = sign_in(&world).await;
    world.idp.rotate_keys().unwrap();
    let second = sign_in(&world).await;
    let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
    assert_ne!(kid(&first), kid(&second));
    world.claims(&first).await;

    let (address, issuer) = (world.idp.address(), world.idp.issuer().to_owned());
    let World { dir, idp, http } = world;
    idp.shutdown().await;
    let idp = Idp::start(address, dir.path(), DevPerson::cast()).await.unwrap();
    assert_eq!(idp.issuer(), issuer);
    let world = World { dir, idp, http };
    world.claims(&first).await;
    world.claims(&second).await;
    world.idp.rotate_keys().unwrap();
    let keys: JwkSet = world.get("/jwks").await.json().await.unwrap();
    assert!(keys.find(&kid(&first).unwrap()).is_none(), "two rotations ago is long enough");
}

#[tokio::test]
async fn no_more_sign_ins_wait_than_there_is_room_for() {
    let world = World::new().await;
    let mut busy = 0;
    for _ in 0..300 {
        let status = world.post("/device/code", &[("client_id", CLIENT_ID)]).await.status();
        busy += u32::from(status == StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(busy, 300 - 256);
}

#[tokio::test]
async fn a_refresh_token_is_given_to_whom_asks_for_it_and_works_once() {
    let world = World::new().await;
    let sign_in = async |scope: &str| {
        let form = [("client_id", CLIENT_ID), ("scope", scope)];
        let begun = World::json(world.post("/device/code", &form).await).await;
        world.idp.sign_in(&text(&begun, "user_code"), "alice").unwrap();
        world.poll(&text(&begun, "device_code")).await
    };
    assert!(sign_in("openid groups").await["refresh_token"].is_null());
    let renew = async |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", CLIENT_ID)];
        World::json(world.post("/token", &form).await).await
    };
    let first = text(&sign_in("openid groups offline_access").await, "refresh_token");
    let renewed = renew(&first).await;
    assert_eq!(world.claims(&text(&renewed, "id_token")).await["preferred_username"], "alice");
    let second = text(&renewed, "refresh_token");
    assert_ne!(first, second);
    assert_eq!(renew(&first).await["error"], "invalid_grant");
    assert_eq!(renew("guessed").await["error"], "invalid_grant");

    world.idp.close("alice").unwrap();
    assert_eq!(renew(&second).await["error"], "invalid_grant");
    let userinfo = world.http.get(world.url("/userinfo")).bearer_auth(text(&renewed, "access_token"));
    assert_eq!(userinfo.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn people_change_while_it_runs_by_whoever_can_read_the_secret() {
    let world = World::new().await;
    let token = std::fs::read_to_string(world.dir.path().join("admin-token")).unwrap();
    let call = async |method: Method, path: &str, token: &str, body: &str| {
        let request = world.http.request(method, world.url(path)).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        request.send().await.unwrap().status()
    };
    let groups = r#"{"groups": ["oncall", "dev"]}"#;
    assert_eq!(call(Method::PUT, "/admin/people/dora", "guessed", groups).await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(Method::DELETE, "/admin/people/alice", "", "").await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(Method::PUT, "/admin/silent", "", "").await, StatusCode::UNAUTHORIZED);
    assert_eq!(call(Method::PUT, "/admin/people/dora", &token, groups).await, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::PUT, "/admin/people/d%20a", &token, groups).await, StatusCode::BAD_REQUEST);

    let form = [("client_id", CLIENT_ID), ("scope", "openid")];
    let begun = World::json(world.post("/device/code", &form).await).await;
    world.idp.sign_in(&text(&begun, "user_code"), "dora").unwrap();
    let tokens = world.poll(&text(&begun, "device_code")).await;
    let userinfo = async || {
        let request = world.http.get(world.url("/userinfo")).bearer_auth(text(&tokens, "access_token"));
        request.send().await.unwrap()
    };
    assert_eq!(World::json(userinfo().await).await["groups"], serde_json::json!(["oncall", "dev"]));
    assert_eq!(
        call(Method::PUT, "/admin/people/dora", &token, r#"{"groups": []}"#).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(World::json(userinfo().await).await["groups"], serde_json::json!([]));

    assert_eq!(call(Method::PUT, "/admin/silent", &token, "").await, StatusCode::NO_CONTENT);
    assert_eq!(userinfo().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(call(Method::DELETE, "/admin/silent", &token, "").await, StatusCode::NO_CONTENT);
    assert_eq!(userinfo().await.status(), StatusCode::OK);
    assert_eq!(call(Method::DELETE, "/admin/people/dora", &token, "").await, StatusCode::NO_CONTENT);
    assert_eq!(call(Method::DELETE, "/admin/people/dora", &token, "").await, StatusCode::NOT_FOUND);
    assert_eq!(userinfo().await.status(), StatusCode::UNAUTHORIZED);
}
