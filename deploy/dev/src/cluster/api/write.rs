//! create, update and patch.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, StatusCode, Uri};
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{Output, json_response};
use super::patch::Patch;
use super::read::scope;
use super::request::param;
use super::{Api, body};
use crate::cluster::admission::{Admission, FieldValidation, Operation};
use crate::cluster::catalog::Kind;
use crate::cluster::rbac::Attributes;
use crate::cluster::status::Status;
use crate::cluster::store::{StoreError, object};

/// How often a patch is applied anew when somebody else wrote in between.
const TRIES: usize = 8;
/// Random part of a generated name, and its letters: no vowels, nothing that looks like something else.
const SUFFIX: usize = 5;
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What of the query says how to write.
#[derive(Clone, Copy, Debug)]
struct Options {
    dry_run: bool,
    validation: FieldValidation,
}

impl Options {
    fn of(uri: &Uri) -> Result<Options, Status> {
        let dry_run = match param(uri, "dryRun").as_deref() {
            None | Some("") => false,
            Some("All") => true,
            Some(other) => {
                let message = format!("dryRun: Unsupported value: {other:?}: supported values: \"All\"");
                return Err(Status::bad_request(message));
            }
        };
        let validation = match param(uri, "fieldValidation").as_deref() {
            None | Some("" | "Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let message = format!(
                    "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
                );
                return Err(Status::bad_request(message));
            }
        };
        Ok(Options { dry_run, validation })
    }
}

impl Api {
    pub(super) async fn create(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        if !context.info.name.is_empty() {
            return Err(Status::method_not_allowed());
        }
        let options = Options::of(request.uri())?;
        let output = Output::of(request.headers(), request.uri())?;
        let object = body::object(request)
            .await?
            .ok_or_else(|| Status::bad_request("the body of the request is empty"))?;
        let (made, warnings) = self.create_object(context, kind, object, options)?;
        Ok(warned(json_response(StatusCode::CREATED, &output.one(kind, &made)), &warnings))
    }

    fn create_object(
        &self,
        context: &Context,
        kind: &Kind,
        mut object: Value,
        options: Options,
    ) -> Result<(Arc<Value>, Vec<String>), Status> {
        let metadata = object::metadata_mut(&mut object);
        if kind.namespaced && !metadata.contains_key("namespace") {
            metadata.insert("namespace".into(), context.info.namespace.clone().into());
        }
        let given = object::namespace(&object);
        if kind.namespaced && given != context.info.namespace {
            let message =
                "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Status::bad_request(message));
        }
        let prefix = object::meta(&object, "generateName").to_owned();
        let generated = object::name(&object).is_empty() && !prefix.is_empty();
        if generated {
            object::metadata_mut(&mut object).insert("name".into(), generated_name(&prefix).into());
        }
        let admission =
            Admission { store: &self.store, authorizer: &self.authorizer, user: &context.user, kind };
        let warnings = admission.run(&mut object, Operation::Create, options.validation)?;
        let made = if options.dry_run {
            self.store.rehearse_create(&kind.id, object)?
        } else {
            let made = self.store.create(&kind.id, object)?;
            admission.after(&made);
            made
        };
        Ok((made, warnings))
    }

    pub(super) async fn update(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let options = Options::of(request.uri())?;
        let output = Output::of(request.headers(), request.uri())?;
        let next = body::object(request)
            .await?
            .ok_or_else(|| Status::bad_request("the body of the request is empty"))?;
        let current = self.store.fetch(&kind.id, &scope(kind, context), &context.info.name)?;
        if object::meta(&next, "resourceVersion").is_empty() && !kind.takes_unconditional_updates() {
            return Err(unconditional(kind, &context.info.name));
        }
        let (done, warnings) = self.replace(context, kind, &current, next, options)?;
        Ok(warned(json_response(StatusCode::OK, &output.one(kind, &done)), &warnings))
    }

    pub(super) async fn patch(
        &self,
        context: &Context,
        kind: &Kind,
        request: Request<Body>,
    ) -> Result<Response, Status> {
        let options = Options::of(request.uri())?;
        let output = Output::of(request.headers(), request.uri())?;
        let patch = Patch::of(kind, request).await?;
        let mut last = None;
        for _ in 0..TRIES {
            let current = match self.store.fetch(&kind.id, &scope(kind, context), &context.info.name) {
                Ok(current) => current,
                Err(StoreError::NotFound { .. })
                    if patch.creates() && context.info.subresource.is_empty() =>
                {
                    return self.apply_new(context, kind, &patch, output, options);
                }
                Err(error) => return Err(error.into()),
            };
            let mut next = Value::clone(&current);
            patch.apply(kind, &mut next)?;
            let pinned = object::meta(&next, "resourceVersion") != object::meta(&current, "resourceVersion");
            match self.replace(context, kind, &current, next, options) {
                Err(status) if status.reason() == "Conflict" && !pinned => last = Some(status),
                other => {
                    let (done, warnings) = other?;
                    return Ok(warned(json_response(StatusCode::OK, &output.one(kind, &done)), &warnings));
                }
            }
        }
        Err(last.unwrap_or_else(|| Status::internal("the patch found no quiet moment")))
    }

    /// Server-side apply of an object that does not exist is a creation, and needs that verb too.
    fn apply_new(
        &self,
        context: &Context,
        kind: &Kind,
        patch: &Patch,
        output: Output,
        options: Options,
    ) -> Result<Response, Status> {
        let info = &context.info;
        let create = Attributes::resource(
            "create",
            kind.id.group(),
            &kind.version,
            kind.id.resource(),
            &info.namespace,
            &info.name,
        );
        let decision = self.authorizer.authorize(&context.user, &create);
        if !decision.allowed {
            return Err(create.refusal(&context.user.username, &decision.reason));
        }
        let mut object = Value::Object(serde_json::Map::new());
        patch.apply(kind, &mut object)?;
        object::metadata_mut(&mut object).insert("name".into(), info.name.clone().into());
        let (made, warnings) = self.create_object(context, kind, object, options)?;
        Ok(warned(json_response(StatusCode::CREATED, &output.one(kind, &made)), &warnings))
    }

    fn replace(
        &self,
        context: &Context,
        kind: &Kind,
        current: &Value,
        mut next: Value,
        options: Options,
    ) -> Result<(Arc<Value>, Vec<String>), Status> {
        let info = &context.info;
        let metadata = object::metadata_mut(&mut next);
        for (key, expected) in [("name", &info.name), ("namespace", &info.namespace)] {
            let given = metadata.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
            if given.is_empty() && (key == "name" || kind.namespaced) {
                metadata.insert(key.to_owned(), expected.as_str().into());
            } else if key == "name" && given != *expected {
                let message = format!(
                    "the name of the object ({given}) does not match the name on the URL ({expected})"
                );
                return Err(Status::bad_request(message));
            }
        }
        let admission =
            Admission { store: &self.store, authorizer: &self.authorizer, user: &context.user, kind };
        let operation = Operation::Update { current, subresource: &info.subresource };
        let warnings = admission.run(&mut next, operation, options.validation)?;
        // Whatever was decided above was decided about `current`: without a version of its own, the write holds only if
        // that is still what is stored.
        let asked = object::meta(&next, "resourceVersion").to_owned();
        if asked.is_empty() {
            let version = object::meta(current, "resourceVersion").to_owned();
            object::metadata_mut(&mut next).insert("resourceVersion".into(), version.into());
        }
        if options.dry_run {
            return Ok((Arc::new(next), warnings));
        }
        let done = self.store.update(&kind.id, next)?;
        admission.after(&done);
        Ok((done, warnings))
    }
}

/// Some kinds are never replaced without saying which version is meant.
fn unconditional(kind: &Kind, name: &str) -> Status {
    let why = "Invalid value: 0x0: must be specified for an update";
    let message = format!("{} \"{name}\" is invalid: metadata.resourceVersion: {why}", kind.id);
    let cause = json!([{"reason": "FieldValueInvalid", "message": why, "field": "metadata.resourceVersion"}]);
    let status = Status::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
    status.about(&kind.id, name).detail("causes", cause)
}

/// `prefix` and five random letters; the prefix is cut so that the whole fits a label.
fn generated_name(prefix: &str) -> String {
    let mut rng = rand::rng();
    let prefix: String = prefix.chars().take(63 - SUFFIX).collect();
    let suffix = (0..SUFFIX).filter_map(|_| LETTERS.choose(&mut rng).map(|b| char::from(*b)));
    prefix.chars().chain(suffix).collect()
}

/// Adds `Warning` headers (RFC 7234, code 299), which kubectl shows.
fn warned(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings.iter().take(16) {
        if let Ok(value) = HeaderValue::from_str(&format!("299 - {warning:?}")) {
            response.headers_mut().append("warning", value);
        }
    }
    response
}
