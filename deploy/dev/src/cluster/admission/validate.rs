//! Checks beyond the schema: names, labels, and what the kinds of this cluster cannot do without.

use serde_json::{Value, json};

use crate::cluster::api::select::{LabelSelector, is_label_key, is_label_value};
use crate::cluster::catalog::Kind;
use crate::cluster::rbac::rules;
use crate::cluster::schema::Cause;
use crate::cluster::store::{self, ResourceId, object};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// All annotations of an object together, bytes.
const ANNOTATIONS: usize = 256 << 10;

/// Names, labels, annotations, owners.
pub(super) fn metadata(kind: &Kind, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check_name(&kind.id, object::name(object), &mut causes);
    let map = |key: &str| object.get("metadata").and_then(|m| m.get(key)).and_then(Value::as_object);
    for (key, value) in map("labels").into_iter().flatten() {
        if !is_label_key(key) {
            let why = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
            causes.push(Cause::invalid("metadata.labels", &json!(key), why));
        }
        if !value.as_str().is_some_and(is_label_value) {
            let why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
            causes.push(Cause::invalid("metadata.labels", value, why));
        }
    }
    let size: usize =
        map("annotations").into_iter().flatten().map(|(k, v)| k.len() + v.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATIONS {
        let why = format!("may not be more than {ANNOTATIONS} bytes");
        causes.push(Cause::invalid("metadata.annotations", &json!(size), &why));
    }
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    for (i, owner) in owners.into_iter().flatten().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).unwrap_or("").is_empty() {
                let path = format!("metadata.ownerReferences[{i}].{field}");
                causes.push(Cause::invalid(&path, &json!(""), &format!("{field} must not be empty")));
            }
        }
    }
    causes
}

fn check_name(id: &ResourceId, name: &str, causes: &mut Vec<Cause>) {
    let field = "metadata.name";
    if name.is_empty() {
        causes.push(Cause::required(field, "name or generateName is required"));
        return;
    }
    if id.group() == "rbac.authorization.k8s.io" {
        // Role names only have to fit into one segment of a path.
        if matches!(name, "." | "..") || name.contains(['/', '%']) {
            causes.push(Cause::invalid(
                field,
                &json!(name),
                "may not contain '/' or '%', and may not be '.' or '..'",
            ));
        }
        return;
    }
    let label = [store::NAMESPACES, store::SERVICES].contains(id);
    let (longest, why) = if label { (63, LABEL) } else { (253, SUBDOMAIN) };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let part = |p: &str| {
        edge(p.chars().next())
            && edge(p.chars().next_back())
            && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let well_formed = if label { part(name) } else { name.split('.').all(part) };
    if name.len() > longest {
        causes.push(Cause::invalid(
            field,
            &json!(name),
            &format!("must be no more than {longest} characters"),
        ));
    } else if !well_formed {
        causes.push(Cause::invalid(field, &json!(name), why));
    }
}

/// What one kind requires.
pub(super) fn specific(id: &ResourceId, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if *id == store::PODS {
        pod_spec(object.get("spec").unwrap_or(&Value::Null), "spec", &mut causes);
    } else if [store::DEPLOYMENTS, store::REPLICASETS, store::STATEFULSETS, store::DAEMONSETS].contains(id) {
        workload(object, &mut causes);
    } else if *id == store::JOBS {
        pod_spec(
            object.pointer("/spec/template/spec").unwrap_or(&Value::Null),
            "spec.template.spec",
            &mut causes,
        );
    } else if *id == store::ROLES || *id == store::CLUSTERROLES {
        role(id, object, &mut causes);
    } else if *id == store::ROLEBINDINGS || *id == store::CLUSTERROLEBINDINGS {
        binding(id, object, &mut causes);
    } else if *id == store::CUSTOMRESOURCEDEFINITIONS {
        definition(object, &mut causes);
    } else if *id == store::SERVICES {
        service(object, &mut causes);
    }
    causes
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn pod_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut names: Vec<&str> = Vec::new();
    if spec.get("containers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        causes.push(Cause::required(&format!("{path}.containers"), ""));
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (i, container) in spec.get(list).and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = format!("{path}.{list}[{i}]");
            let name = text(container, "/name");
            if name.is_empty() {
                causes.push(Cause::required(&format!("{at}.name"), ""));
            } else if names.contains(&name) {
                let message = format!("Duplicate value: \"{name}\"");
                let kind = crate::cluster::schema::CauseKind::Duplicate;
                causes.push(Cause { kind, field: format!("{at}.name"), message });
            }
            names.push(name);
            if text(container, "/image").is_empty() {
                causes.push(Cause::required(&format!("{at}.image"), ""));
            }
        }
    }
    let policy = text(spec, "/restartPolicy");
    if !matches!(policy, "" | "Always" | "OnFailure" | "Never") {
        let possible = ["\"Always\"", "\"OnFailure\"", "\"Never\""].map(str::to_owned);
        causes.push(Cause::unsupported(&format!("{path}.restartPolicy"), &json!(policy), &possible));
    }
}

fn workload(object: &Value, causes: &mut Vec<Cause>) {
    let selector = object.pointer("/spec/selector").filter(|s| s.as_object().is_some_and(|m| !m.is_empty()));
    let labels = object.pointer("/spec/template/metadata/labels").unwrap_or(&Value::Null);
    match selector.map(LabelSelector::of) {
        None => causes.push(Cause::required("spec.selector", "")),
        Some(Err(why)) => causes.push(Cause::invalid("spec.selector", &json!("object"), &why)),
        Some(Ok(selector)) if !selector.matches_labels(labels) => {
            let why = "`selector` does not match template `labels`";
            causes.push(Cause::invalid("spec.template.metadata.labels", labels, why));
        }
        Some(Ok(_)) => {}
    }
    if object.pointer("/spec/replicas").and_then(Value::as_i64).is_some_and(|n| n < 0) {
        let value = object.pointer("/spec/replicas").unwrap_or(&Value::Null);
        causes.push(Cause::invalid("spec.replicas", value, "must be greater than or equal to 0"));
    }
    pod_spec(object.pointer("/spec/template/spec").unwrap_or(&Value::Null), "spec.template.spec", causes);
}

fn role(id: &ResourceId, object: &Value, causes: &mut Vec<Cause>) {
    for (i, rule) in rules(object).iter().enumerate() {
        let at = |field: &str| format!("rules[{i}].{field}");
        if rule.verbs.is_empty() {
            causes.push(Cause::required(&at("verbs"), "verbs must contain at least one value"));
        }
        if !rule.non_resource_urls.is_empty() {
            if *id == store::ROLES {
                let why = "namespaced rules cannot apply to non-resource URLs";
                causes.push(Cause::invalid(&at("nonResourceURLs"), &json!(rule.non_resource_urls), why));
            }
            if !(rule.api_groups.is_empty() && rule.resources.is_empty() && rule.resource_names.is_empty()) {
                let why = "rules cannot apply to both regular resources and non-resource URLs";
                causes.push(Cause::invalid(&at("nonResourceURLs"), &json!(rule.non_resource_urls), why));
            }
            continue;
        }
        if rule.api_groups.is_empty() {
            causes
                .push(Cause::required(&at("apiGroups"), "resource rules must supply at least one api group"));
        }
        if rule.resources.is_empty() {
            causes
                .push(Cause::required(&at("resources"), "resource rules must supply at least one resource"));
        }
    }
}

fn binding(id: &ResourceId, object: &Value, causes: &mut Vec<Cause>) {
    let cluster = *id == store::CLUSTERROLEBINDINGS;
    let kind = text(object, "/roleRef/kind");
    let possible: &[&str] = if cluster { &["\"ClusterRole\""] } else { &["\"ClusterRole\"", "\"Role\""] };
    if !possible.contains(&format!("\"{kind}\"").as_str()) {
        let possible: Vec<String> = possible.iter().map(|s| (*s).to_owned()).collect();
        causes.push(Cause::unsupported("roleRef.kind", &json!(kind), &possible));
    }
    if text(object, "/roleRef/name").is_empty() {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (i, subject) in object.get("subjects").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = |field: &str| format!("subjects[{i}].{field}");
        if text(subject, "/name").is_empty() {
            causes.push(Cause::required(&at("name"), ""));
        }
        let kind = text(subject, "/kind");
        match kind {
            "ServiceAccount" if text(subject, "/namespace").is_empty() => {
                causes.push(Cause::required(&at("namespace"), ""));
            }
            "ServiceAccount" | "User" | "Group" => {}
            _ => {
                let possible = ["\"ServiceAccount\"", "\"User\"", "\"Group\""].map(str::to_owned);
                causes.push(Cause::unsupported(&at("kind"), &json!(kind), &possible));
            }
        }
    }
}

fn definition(object: &Value, causes: &mut Vec<Cause>) {
    let (plural, group) = (text(object, "/spec/names/plural"), text(object, "/spec/group"));
    if object::name(object) != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &json!(object::name(object)), why));
    }
    if !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &json!(group), "should be a domain with at least one dot"));
    }
    let versions = object.pointer("/spec/versions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let storing = versions.iter().filter(|v| v.get("storage") == Some(&Value::Bool(true))).count();
    if storing != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &json!("array"), why));
    }
    for (i, version) in versions.iter().enumerate() {
        let root = version.pointer("/schema/openAPIV3Schema");
        if root.is_none() {
            causes.push(Cause::required(
                &format!("spec.versions[{i}].schema.openAPIV3Schema"),
                "schemas are required",
            ));
        } else if root.and_then(|r| r.get("type")).and_then(Value::as_str) != Some("object") {
            let at = format!("spec.versions[{i}].schema.openAPIV3Schema.type");
            causes.push(Cause::invalid(&at, &json!(""), "must be object at the root"));
        }
    }
}

fn service(object: &Value, causes: &mut Vec<Cause>) {
    let ports = object.pointer("/spec/ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let headless = text(object, "/spec/clusterIP") == "None" || text(object, "/spec/type") == "ExternalName";
    if ports.is_empty() && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    for (i, port) in ports.iter().enumerate() {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            let at = format!("spec.ports[{i}].port");
            causes.push(Cause::invalid(&at, &json!(number), "must be between 1 and 65535, inclusive"));
        }
        if ports.len() > 1 && text(port, "/name").is_empty() {
            causes.push(Cause::required(&format!("spec.ports[{i}].name"), ""));
        }
    }
}
