//! Questions that are posted and answered: access reviews, rules reviews, self review, token review, and
//! requests for tokens of ServiceAccounts.

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::context::Context;
use super::output::json_response;
use super::{Api, body};
use crate::cluster::auth::User;
use crate::cluster::auth::serviceaccount::ISSUER;
use crate::cluster::catalog::Kind;
use crate::cluster::rbac::{Attributes, Decision};
use crate::cluster::status::Status;
use crate::cluster::store::{self, object};
use crate::cluster::time;

impl Api {
    pub(super) async fn review(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let mut review = body::object(request)
            .await?
            .ok_or_else(|| Status::bad_request("the body of the request is empty"))?;
        let spec = review.get("spec").cloned().unwrap_or(Value::Null);
        let status = match kind.kind.as_str() {
            "SelfSubjectAccessReview" => {
                access(&self.authorizer.authorize(&context.user, &attributes(&spec)?))
            }
            "SubjectAccessReview" => {
                access(&self.authorizer.authorize(&subject(&spec)?, &attributes(&spec)?))
            }
            "LocalSubjectAccessReview" => {
                let what = attributes(&spec)?;
                if what.namespace != context.info.namespace {
                    return Err(Status::bad_request(
                        "spec.resourceAttributes.namespace must match metadata.namespace",
                    ));
                }
                access(&self.authorizer.authorize(&subject(&spec)?, &what))
            }
            "SelfSubjectRulesReview" => self.rules_review(&context.user, &spec)?,
            "SelfSubjectReview" => json!({"userInfo": context.user}),
            "TokenReview" => self.token_review(&spec),
            _ => return Err(Status::no_such_path()),
        };
        object::metadata_mut(&mut review).insert("creationTimestamp".into(), Value::Null);
        if let Value::Object(map) = &mut review {
            map.insert("status".into(), status);
            map.insert("kind".into(), kind.kind.clone().into());
            map.insert("apiVersion".into(), kind.api_version().into());
        }
        Ok(json_response(StatusCode::CREATED, &review))
    }

    fn rules_review(&self, user: &User, spec: &Value) -> Result<Value, Status> {
        let namespace = spec.get("namespace").and_then(Value::as_str).unwrap_or("");
        if namespace.is_empty() {
            return Err(Status::bad_request("no namespace on request"));
        }
        let (granted, errors) = self.authorizer.rules_for(user, namespace);
        let mut resources = Vec::new();
        let mut others = Vec::new();
        for rule in granted.iter().map(|g| &g.rule) {
            if !rule.resources.is_empty() {
                resources.push(json!({
                    "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
                    "resourceNames": rule.resource_names,
                }));
            }
            if !rule.non_resource_urls.is_empty() {
                others.push(json!({"verbs": rule.verbs, "nonResourceURLs": rule.non_resource_urls}));
            }
        }
        let mut status =
            json!({"resourceRules": resources, "nonResourceRules": others, "incomplete": !errors.is_empty()});
        if let (false, Value::Object(map)) = (errors.is_empty(), &mut status) {
            map.insert("evaluationError".into(), errors.join(", ").into());
        }
        Ok(status)
    }

    fn token_review(&self, spec: &Value) -> Value {
        let token = spec.get("token").and_then(Value::as_str).unwrap_or("");
        let audiences = object::strings(spec.get("audiences"));
        let wanted = if audiences.is_empty() { vec![ISSUER] } else { audiences };
        let matched: Vec<&str> =
            wanted.iter().copied().filter(|a| self.user_of(token, &[*a]).is_some()).collect();
        match self.user_of(token, &wanted) {
            Some(user) => json!({"authenticated": true, "user": user, "audiences": matched}),
            None => json!({"user": {}, "error": "[invalid bearer token, token lookup failed]"}),
        }
    }

    /// `serviceaccounts/NAME/token`.
    pub(super) async fn token_request(
        &self,
        context: &Context,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let info = &context.info;
        let mut asked = body::object(request).await?.unwrap_or_else(|| json!({}));
        let account = self.store.fetch(&store::SERVICEACCOUNTS, &info.namespace, &info.name)?;
        let audiences =
            object::strings(asked.pointer("/spec/audiences")).into_iter().map(str::to_owned).collect();
        let seconds = asked.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(3_600);
        if seconds < 600 {
            let message = format!(
                "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            );
            return Err(Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message));
        }
        let issued = self
            .signer
            .issue(&account, audiences, seconds)
            .ok_or_else(|| Status::internal("cannot sign a token"))?;
        let until = Timestamp::from_second(issued.expires).map(time::seconds).unwrap_or_default();
        let spec = object::child_mut(&mut asked, "spec");
        spec.insert("audiences".into(), json!(issued.audiences));
        spec.insert("expirationSeconds".into(), issued.validity.into());
        spec.entry("boundObjectRef").or_insert(Value::Null);
        let metadata = object::metadata_mut(&mut asked);
        metadata.insert("name".into(), info.name.clone().into());
        metadata.insert("namespace".into(), info.namespace.clone().into());
        metadata.insert("creationTimestamp".into(), time::seconds(time::now()).into());
        if let Value::Object(map) = &mut asked {
            map.insert("kind".into(), "TokenRequest".into());
            map.insert("apiVersion".into(), "authentication.k8s.io/v1".into());
            map.insert(
                "status".into(),
                json!({"token": issued.token.expose_secret(), "expirationTimestamp": until}),
            );
        }
        Ok(json_response(StatusCode::CREATED, &asked))
    }
}

fn access(decision: &Decision) -> Value {
    let mut status = json!({"allowed": decision.allowed});
    if let (false, Value::Object(map)) = (decision.reason.is_empty(), &mut status) {
        map.insert("reason".into(), decision.reason.clone().into());
    }
    status
}

fn subject(spec: &Value) -> Result<User, Status> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let groups = object::strings(spec.get("groups")).into_iter().map(str::to_owned).collect();
    let user = User { username: text("user"), uid: text("uid"), groups, ..User::default() };
    if user.username.is_empty() && user.groups.is_empty() {
        return Err(Status::bad_request(
            "spec.user: Invalid value: \"\": at least one of user or group must be specified",
        ));
    }
    Ok(user)
}

/// Exactly one of `resourceAttributes` and `nonResourceAttributes`.
fn attributes(spec: &Value) -> Result<Attributes, Status> {
    let of = |key: &str| spec.get(key).filter(|v| v.is_object());
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    match (of("resourceAttributes"), of("nonResourceAttributes")) {
        (Some(r), None) => Ok(Attributes {
            verb: text(r, "verb"),
            group: text(r, "group"),
            version: text(r, "version"),
            resource: text(r, "resource"),
            subresource: text(r, "subresource"),
            namespace: text(r, "namespace"),
            name: text(r, "name"),
            path: None,
        }),
        (None, Some(p)) => Ok(Attributes::path(&text(p, "verb"), &text(p, "path"))),
        _ => Err(Status::bad_request(
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )),
    }
}
