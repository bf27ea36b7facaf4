//! The embedded cluster's API over HTTPS, as any client meets it.

mod world;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::world::{World, answer, config_map, grant};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn who_one_is_decides_what_one_is_told() {
    let world = World::start().await;
    let nobody = world.admin().with_token("");
    assert_eq!(nobody.request(Method::GET, "/healthz").send().await.unwrap().status(), StatusCode::OK);
    let (code, status) = nobody.get("/api/v1/pods").await;
    let message = "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope";
    assert_eq!((code, status["message"].as_str()), (StatusCode::FORBIDDEN, Some(message)));
    let (code, status) = world.admin().with_token("wrong").get("/api/v1/pods").await;
    assert_eq!((code, status["reason"].as_str()), (StatusCode::UNAUTHORIZED, Some("Unauthorized")));
    assert_eq!(world.user("alice", &[]).get("/version").await.1["minor"], "33");
    let (code, _) = world.user("alice", &[]).get(MAPS).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_stale_write_is_refused_and_a_second_creation_too() {
    let world = World::start().await;
    let admin = world.admin();
    let (code, first) = admin.post(MAPS, &config_map("m", json!({}))).await;
    assert_eq!(code, StatusCode::CREATED);
    let (code, status) = admin.post(MAPS, &config_map("m", json!({}))).await;
    assert_eq!(code, StatusCode::CONFLICT);
    assert_eq!(status["message"], "configmaps \"m\" already exists");
    let path = format!("{MAPS}/m");
    admin.merge(&path, &json!({"data": {"a": "2"}})).await;
    let (code, status) = admin.put(&path, &first).await;
    assert_eq!((code, status["reason"].as_str()), (StatusCode::CONFLICT, Some("Conflict")));
    assert_eq!(admin.get(&path).await.1["data"]["a"], "2");
    let rehearsal = admin.post(&format!("{MAPS}?dryRun=All"), &config_map("dry", json!({}))).await;
    assert_eq!(rehearsal.0, StatusCode::CREATED);
    assert_eq!(admin.get(&format!("{MAPS}/dry")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_watch_shows_who_enters_and_leaves_its_selection_and_resumes() {
    let world = World::start().await;
    let admin = world.admin();
    let version = admin.get(MAPS).await.1["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let mut watch =
        admin.watch(&format!("{MAPS}?watch=true&labelSelector=on%3Dyes&resourceVersion={version}")).await;
    admin.post(MAPS, &config_map("other", json!({}))).await;
    let (_, made) = admin.post(MAPS, &config_map("m", json!({"on": "yes"}))).await;
    admin.merge(&format!("{MAPS}/m"), &json!({"data": {"a": "2"}})).await;
    admin.merge(&format!("{MAPS}/m"), &json!({"metadata": {"labels": {"on": "no"}}})).await;
    admin.merge(&format!("{MAPS}/m"), &json!({"metadata": {"labels": {"on": "yes"}}})).await;
    admin.delete(&format!("{MAPS}/m")).await;
    for expected in ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"] {
        assert_eq!(watch.next_name().await, (expected.to_owned(), "m".to_owned()));
    }
    let since = made["metadata"]["resourceVersion"].as_str().unwrap();
    let mut resumed = admin.watch(&format!("{MAPS}?watch=1&resourceVersion={since}&timeoutSeconds=1")).await;
    assert_eq!(resumed.next_name().await.0, "MODIFIED");
    while resumed.next().await.is_some() {}
}

#[tokio::test]
async fn a_watch_that_wants_the_beginning_is_told_where_it_ends() {
    let world = World::start().await;
    let admin = world.admin();
    admin.post(MAPS, &config_map("m", json!({}))).await;
    let query = "watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    let mut watch = admin.watch(&format!("{MAPS}?{query}&fieldSelector=metadata.name%3Dm")).await;
    assert_eq!(watch.next_name().await, ("ADDED".to_owned(), "m".to_owned()));
    let (event, object) = watch.next().await.unwrap();
    assert_eq!(event, "BOOKMARK");
    assert_eq!(object["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn a_version_from_before_the_history_is_gone() {
    let world = World::start().await;
    world.admin().post(MAPS, &config_map("m", json!({}))).await;
    let world = world.restart().await;
    let mut watch = world.admin().watch(&format!("{MAPS}?watch=1&resourceVersion=1")).await;
    let (event, status) = watch.next().await.unwrap();
    assert_eq!(
        (event.as_str(), status["code"].as_i64(), status["reason"].as_str()),
        ("ERROR", Some(410), Some("Expired"))
    );
}

#[tokio::test]
async fn impersonation_needs_every_right_and_is_on_record() {
    let world = World::start().await;
    let rules = r#"[{verbs: [impersonate], apiGroups: [""], resources: [users, groups]},
        {verbs: [impersonate], apiGroups: [authentication.k8s.io], resources: [userextras/sallyport.dev/session]}]"#;
    grant(&world.cluster, "gate", "{kind: User, name: gateway}", rules);
    let reader = r#"[{verbs: [list], apiGroups: [""], resources: [pods]}]"#;
    grant(&world.cluster, "reader", "{kind: Group, name: 'sallyport:grant:g1'}", reader);
    let gateway = world.user("gateway", &[]);
    let ask = |extra: &'static str| {
        let request = gateway.request(Method::GET, "/api/v1/pods").header("impersonate-user", "alice");
        let request = request.header("impersonate-group", "sallyport:grant:g1");
        answer(request.header(extra, "s-1"))
    };
    let (code, status) = ask("impersonate-extra-other").await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    let message = "userextras.authentication.k8s.io \"s-1\" is forbidden: User \"gateway\" cannot impersonate resource \"userextras/other\" in API group \"authentication.k8s.io\" at the cluster scope";
    assert_eq!(status["message"], message);
    assert_eq!(ask("impersonate-extra-sallyport.dev%2fsession").await.0, StatusCode::OK);
    // Its own rights do not reach as far as those it may take on.
    assert_eq!(gateway.get("/api/v1/pods").await.0, StatusCode::FORBIDDEN);
    let alice = world.user("alice", &[]);
    let request = alice.request(Method::GET, "/api/v1/pods").header("impersonate-group", "system:masters");
    assert_eq!(answer(request.header("impersonate-user", "root")).await.0, StatusCode::FORBIDDEN);

    let audit = world.audit();
    let event = audit.iter().find(|e| e["responseStatus"]["code"] == 200 && e["verb"] == "list").unwrap();
    assert_eq!(event["user"]["username"], "gateway");
    assert_eq!(event["impersonatedUser"]["username"], "alice");
    assert_eq!(event["impersonatedUser"]["groups"], json!(["sallyport:grant:g1", "system:authenticated"]));
    assert_eq!(event["impersonatedUser"]["extra"], json!({"sallyport.dev/session": ["s-1"]}));
    assert_eq!(event["objectRef"], json!({"resource": "pods", "apiVersion": "v1"}));
    assert_eq!(
        (event["stage"].as_str(), event["apiVersion"].as_str()),
        (Some("ResponseComplete"), Some("audit.k8s.io/v1"))
    );
}

#[tokio::test]
async fn a_service_account_has_its_own_rights_until_it_is_gone() {
    let world = World::start().await;
    let admin = world.admin();
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    admin
        .post(accounts, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}))
        .await;
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
    let (code, answer) = admin.post(&format!("{accounts}/robot/token"), &body).await;
    assert_eq!(code, StatusCode::CREATED);
    let robot = admin.with_token(answer["status"]["token"].as_str().unwrap());
    assert_eq!(robot.get(MAPS).await.0, StatusCode::FORBIDDEN);
    let rules = r#"[{verbs: [list], apiGroups: [""], resources: [configmaps]}]"#;
    grant(&world.cluster, "robot", "{kind: ServiceAccount, name: robot, namespace: default}", rules);
    assert_eq!(robot.get(MAPS).await.0, StatusCode::OK);
    let elsewhere = json!({"spec": {"audiences": ["vault"]}});
    let (_, answer) = admin.post(&format!("{accounts}/robot/token"), &elsewhere).await;
    let stranger = admin.with_token(answer["status"]["token"].as_str().unwrap());
    assert_eq!(stranger.get(MAPS).await.0, StatusCode::UNAUTHORIZED);
    admin.delete(&format!("{accounts}/robot")).await;
    assert_eq!(robot.get(MAPS).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_as_a_table() {
    let world = World::start().await;
    let admin = world.admin();
    for name in ["a", "b", "c"] {
        admin.post(MAPS, &config_map(name, json!({}))).await;
    }
    let mut names = Vec::new();
    let mut next = String::new();
    loop {
        let (_, page) = admin.get(&format!("{MAPS}?limit=2&continue={next}")).await;
        assert_eq!(page["kind"], "ConfigMapList");
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| o["metadata"]["name"].as_str().unwrap().to_owned()),
        );
        match page["metadata"]["continue"].as_str() {
            Some(token) => next = token.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let (_, table) = answer(admin.request(Method::GET, MAPS).header("accept", accept)).await;
    assert_eq!(table["kind"], "Table");
    let cells = &table["rows"][0]["cells"];
    assert_eq!((&cells[0], &cells[1]), (&json!("a"), &json!(1)));
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_tokens_stay_good() {
    let world = World::start().await;
    let token = world.cluster.kubeconfig("alice", &["oncall"]).unwrap();
    world.admin().post(MAPS, &config_map("m", json!({}))).await;
    let world = world.restart().await;
    assert_eq!(world.admin().get(&format!("{MAPS}/m")).await.1["data"]["a"], "1");
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap()["users"].clone();
    assert_eq!(parsed(&token), parsed(&world.cluster.kubeconfig("alice", &["oncall"]).unwrap()));
}

#[tokio::test]
async fn bad_input_costs_its_sender_one_clear_answer() {
    let world = World::start().await;
    let admin = world.admin();
    let cases = [
        (Method::POST, MAPS, "{".to_owned(), 400),
        (Method::POST, MAPS, "[]".to_owned(), 400),
        (Method::POST, MAPS, String::new(), 400),
        (Method::POST, MAPS, "x".repeat(4 << 20), 413),
        (Method::POST, MAPS, json!({"apiVersion": "v2", "kind": "ConfigMap"}).to_string(), 400),
        (Method::POST, MAPS, json!({"metadata": {"name": "a", "namespace": "b"}}).to_string(), 400),
        (Method::POST, MAPS, json!({"metadata": {"name": "A"}}).to_string(), 422),
        (Method::POST, "/api/v1/namespaces/none/configmaps", config_map("a", json!({})).to_string(), 404),
        (Method::GET, "/api/v1/nonsense", String::new(), 404),
        (Method::GET, "/apis/apps/v1/namespaces/default/deployments/x/y/z", String::new(), 404),
        (Method::PUT, MAPS, "{}".to_owned(), 405),
        (Method::GET, "/api/v1/pods?labelSelector=a+b", String::new(), 400),
        (Method::GET, "/api/v1/pods?fieldSelector=spec.foo%3Dx", String::new(), 400),
        (Method::GET, "/api/v1/pods?limit=x", String::new(), 400),
        (Method::GET, "/api/v1/pods?continue=x", String::new(), 400),
    ];
    for (method, path, body, code) in cases {
        let request = admin.request(method.clone(), path).header("content-type", "application/json");
        let (status, body) = answer(request.body(body)).await;
        assert_eq!(status.as_u16(), code, "{method} {path}: {body}");
        assert_eq!((body["kind"].as_str(), body["code"].as_u64()), (Some("Status"), Some(u64::from(code))));
    }
}

#[tokio::test]
async fn a_custom_resource_is_never_replaced_blindly_and_its_status_has_its_own_door() {
    let world = World::start().await;
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "maximum": 10}}},
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    }});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema}}]},
    });
    let admin = world.admin();
    assert_eq!(
        admin.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await.0,
        201
    );
    let widgets = "/apis/example.com/v1/widgets";
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}, "status": {"phase": "Up"}});
    let (code, made) = admin.post(widgets, &widget).await;
    assert_eq!(
        (code.as_u16(), &made["status"], &made["metadata"]["generation"]),
        (201, &Value::Null, &json!(1))
    );
    let path = format!("{widgets}/w");
    let (code, status) = admin.put(&path, &widget).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    let message = "widgets.example.com \"w\" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update";
    assert_eq!(status["message"], message);
    let both = json!({"spec": {"size": 5}, "status": {"phase": "Up"}});
    let (_, after) = admin.merge(&format!("{path}/status"), &both).await;
    assert_eq!((&after["spec"]["size"], &after["status"]["phase"]), (&json!(3), &json!("Up")));
    let (_, after) = admin.merge(&path, &json!({"spec": {"size": 6}, "status": {"phase": "Down"}})).await;
    assert_eq!((&after["spec"]["size"], &after["status"]["phase"]), (&json!(6), &json!("Up")));
    assert_eq!(after["metadata"]["generation"], 2);
    assert_eq!(admin.merge(&path, &json!({"spec": {"size": 11}})).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let applied = admin.request(Method::PATCH, &format!("{widgets}/fresh?fieldManager=t"));
    let applied = applied.header("content-type", "application/apply-patch+yaml");
    let text = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: fresh}, spec: {size: 1}}";
    assert_eq!(answer(applied.body(text)).await.0, StatusCode::CREATED);
}
