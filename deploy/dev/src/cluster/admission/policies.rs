//! ValidatingAdmissionPolicies, so that rules which are to be shipped can be tried.
//!
//! A subset, and what is outside of it is refused when the policy is written instead of being passed over: resource
//! rules over CREATE and UPDATE, match conditions, validations with a fixed message, `Deny`. No parameters, variables,
//! selectors, `authorizer`, `namespaceObject`, nor Kubernetes' own CEL libraries. Expressions are not checked for types when
//! they are written; one that cannot be evaluated refuses, unless `failurePolicy` is `Ignore`.
//! <https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>

use cel::{Context, Program};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Admission, Operation};
use crate::cluster::status::Status;
use crate::cluster::store::{self, object};

/// The longest expression, and how deep it may be nested: the parser recurses.
const LONGEST: usize = 4096;
const DEEPEST: usize = 24;
/// What is not evaluated here.
const UNSUPPORTED: [&str; 6] = [
    "/spec/paramKind",
    "/spec/variables",
    "/spec/auditAnnotations",
    "/spec/matchConstraints/namespaceSelector",
    "/spec/matchConstraints/objectSelector",
    "/spec/matchConstraints/excludeResourceRules",
];
const UNSUPPORTED_IN_BINDINGS: [&str; 2] = ["/spec/paramRef", "/spec/matchResources"];

/// Refuses to store what would not be enforced.
pub(super) fn check_written(admission: &Admission<'_>, object: &Value) -> Result<(), Status> {
    let id = &admission.kind.id;
    let (fields, expressions): (&[&str], _) = if *id == store::VALIDATINGADMISSIONPOLICIES {
        (
            &UNSUPPORTED,
            list(object, "/spec/matchConditions")
                .chain(list(object, "/spec/validations"))
                .collect::<Vec<_>>(),
        )
    } else if *id == store::VALIDATINGADMISSIONPOLICYBINDINGS {
        (&UNSUPPORTED_IN_BINDINGS, Vec::new())
    } else {
        return Ok(());
    };
    let set = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    let refuse = |what: String| {
        Err(Status::forbidden(
            id,
            object::name(object),
            &format!("{what} is not evaluated by this development cluster"),
        ))
    };
    if let Some(field) = fields.iter().find(|field| object.pointer(field).is_some_and(set)) {
        return refuse(field.trim_start_matches('/').replace('/', "."));
    }
    for rule in list(object, "/spec/matchConstraints/resourceRules") {
        let operations = object::strings(rule.get("operations"));
        if let Some(other) = operations.iter().find(|one| !matches!(**one, "CREATE" | "UPDATE")) {
            return refuse(format!("operation {other}"));
        }
    }
    for action in object::strings(object.pointer("/spec/validationActions")) {
        if action != "Deny" {
            return refuse(format!("action {action}"));
        }
    }
    for one in expressions {
        if one.get("messageExpression").is_some_and(set) {
            return refuse("messageExpression".to_owned());
        }
        if let Err(why) = compile(text(one, "expression")) {
            return Err(Status::bad_request(format!("expression: {why}")));
        }
    }
    Ok(())
}

/// Asks every bound policy about a write.
pub(super) fn check(
    admission: &Admission<'_>,
    object: &Value,
    operation: Operation<'_>,
) -> Result<(), Status> {
    let kind = admission.kind;
    if kind.id.group() == store::VALIDATINGADMISSIONPOLICIES.group() {
        return Ok(());
    }
    let (verb, old, subresource) = match operation {
        Operation::Create => ("CREATE", &Value::Null, ""),
        Operation::Update { current, subresource } => ("UPDATE", current, subresource),
    };
    let path = if subresource.is_empty() {
        kind.id.resource().to_owned()
    } else {
        format!("{}/{subresource}", kind.id.resource())
    };
    let mut request = None;
    for binding in admission.store.list(&store::VALIDATINGADMISSIONPOLICYBINDINGS, None).0 {
        let name = binding.pointer("/spec/policyName").and_then(Value::as_str).unwrap_or_default();
        let Some(policy) = admission.store.get(&store::VALIDATINGADMISSIONPOLICIES, "", name) else {
            continue;
        };
        let fits = |rule: &Value| {
            let has = |field: &str, wanted: &str| {
                object::strings(rule.get(field)).iter().any(|one| *one == wanted || *one == "*")
            };
            has("operations", verb)
                && has("apiGroups", kind.id.group())
                && has("apiVersions", &kind.version)
                && has("resources", &path)
        };
        if !list(&policy, "/spec/matchConstraints/resourceRules").any(fits) {
            continue;
        }
        let request = request.get_or_insert_with(|| described(admission, object, verb, subresource));
        let asked = Asked {
            policy: &policy,
            variables: [("object", object), ("oldObject", old), ("request", &*request)],
        };
        if let Some((why, reason)) = asked.refusal() {
            let (code, reason) = match reason.as_str() {
                "Forbidden" => (StatusCode::FORBIDDEN, "Forbidden"),
                "Unauthorized" => (StatusCode::UNAUTHORIZED, "Unauthorized"),
                "RequestEntityTooLarge" => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
                _ => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid"),
            };
            let (id, own) = (&kind.id, object::name(object));
            let bound = object::name(&binding);
            let message = format!(
                "{id} \"{own}\" is forbidden: ValidatingAdmissionPolicy '{name}' with binding '{bound}' denied request: {why}"
            );
            return Err(Status::new(code, reason, message).about(id, own));
        }
    }
    Ok(())
}

fn described(admission: &Admission<'_>, object: &Value, verb: &str, subresource: &str) -> Value {
    let kind = admission.kind;
    let (group, version) = (kind.id.group(), kind.version.as_str());
    json!({
        "operation": verb, "name": object::name(object), "namespace": object::meta(object, "namespace"),
        "userInfo": admission.user, "subResource": subresource, "dryRun": false,
        "kind": {"group": group, "version": version, "kind": kind.kind},
        "resource": {"group": group, "version": version, "resource": kind.id.resource()},
    })
}

/// One policy and what it is asked about.
struct Asked<'a> {
    policy: &'a Value,
    variables: [(&'static str, &'a Value); 3],
}

impl Asked<'_> {
    /// Why not, and the reason to give, if so.
    fn refusal(&self) -> Option<(String, String)> {
        let lenient = self.policy.pointer("/spec/failurePolicy").and_then(Value::as_str) == Some("Ignore");
        let failed = |why: String| (!lenient).then(|| (why, "Invalid".to_owned()));
        for condition in list(self.policy, "/spec/matchConditions") {
            match self.holds(text(condition, "expression")) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(why) => return failed(why),
            }
        }
        for validation in list(self.policy, "/spec/validations") {
            let expression = text(validation, "expression");
            match self.holds(expression) {
                Ok(true) => {}
                Ok(false) => {
                    let message = match text(validation, "message") {
                        "" => format!("failed expression: {expression}"),
                        message => message.to_owned(),
                    };
                    return Some((message, text(validation, "reason").to_owned()));
                }
                Err(why) => {
                    if let Some(refusal) = failed(why) {
                        return Some(refusal);
                    }
                }
            }
        }
        None
    }

    fn holds(&self, expression: &str) -> Result<bool, String> {
        let cannot =
            |why: &dyn std::fmt::Display| format!("expression '{expression}' resulted in error: {why}");
        let program = compile(expression).map_err(|why| cannot(&why))?;
        let mut context = Context::default();
        for (name, value) in &self.variables {
            context.add_variable(*name, value).map_err(|why| cannot(&why))?;
        }
        match program.execute(&context) {
            Ok(cel::Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(cannot(&"must evaluate to a bool")),
            Err(error) => Err(cannot(&error)),
        }
    }
}

fn compile(expression: &str) -> Result<Program, String> {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for c in expression.chars() {
        match c {
            '(' | '[' | '{' | '!' | '-' | '?' => depth = depth.saturating_add(1),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if expression.len() > LONGEST || deepest > DEEPEST {
        return Err("too long or too deeply nested".to_owned());
    }
    Program::compile(expression).map_err(|errors| errors.to_string())
}

fn list<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}
