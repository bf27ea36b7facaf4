//! Checking values against a schema, each fault in the words of the real server.

use serde_json::Value;

use super::{DEEPEST, Schema, flag};

/// `reason` of a cause in a 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CauseKind {
    Invalid,
    Required,
    NotSupported,
    Duplicate,
    TooLong,
    TooMany,
    Forbidden,
    TypeInvalid,
}

impl CauseKind {
    /// As it stands in `details.causes[].reason`.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            CauseKind::Invalid => "FieldValueInvalid",
            CauseKind::Required => "FieldValueRequired",
            CauseKind::NotSupported => "FieldValueNotSupported",
            CauseKind::Duplicate => "FieldValueDuplicate",
            CauseKind::TooLong => "FieldValueTooLong",
            CauseKind::TooMany => "FieldValueTooMany",
            CauseKind::Forbidden => "FieldValueForbidden",
            CauseKind::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// One fault of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub kind: CauseKind,
    pub field: String,
    /// Without the field: `Required value`, `Invalid value: 3: must be …`.
    pub message: String,
}

impl Cause {
    /// A value that is not what it must be.
    pub(crate) fn invalid(field: &str, value: &Value, why: &str) -> Cause {
        Cause {
            kind: CauseKind::Invalid,
            field: shown(field),
            message: format!("Invalid value: {}: {why}", abridged(value)),
        }
    }

    /// A value that is missing.
    pub(crate) fn required(field: &str, why: &str) -> Cause {
        let colon = if why.is_empty() { String::new() } else { format!(": {why}") };
        Cause { kind: CauseKind::Required, field: shown(field), message: format!("Required value{colon}") }
    }

    /// A value that is none of the possible ones.
    pub(crate) fn unsupported(field: &str, value: &Value, possible: &[String]) -> Cause {
        let possible = possible.join(", ");
        let message = format!("Unsupported value: {}: supported values: {possible}", abridged(value));
        Cause { kind: CauseKind::NotSupported, field: shown(field), message }
    }

    /// A change that is not allowed.
    pub(crate) fn forbidden(field: &str, why: &str) -> Cause {
        Cause { kind: CauseKind::Forbidden, field: shown(field), message: format!("Forbidden: {why}") }
    }
}

fn shown(field: &str) -> String {
    if field.is_empty() { "<nil>".to_owned() } else { field.to_owned() }
}

fn abridged(value: &Value) -> String {
    match value {
        Value::Object(_) => "\"object\"".into(),
        Value::Array(_) => "\"array\"".into(),
        other => other.to_string(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn check(
    of: &Schema,
    schema: &Value,
    value: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<Cause>,
) {
    if depth > DEEPEST {
        out.push(Cause::invalid(path, value, "nested too deeply"));
        return;
    }
    let schema = of.resolve(schema);
    if value.is_null() && (flag(schema, "nullable") || of.builtin) {
        return;
    }
    if flag(schema, "x-kubernetes-int-or-string") {
        if !(value.is_i64() || value.is_u64() || value.is_string() || (of.builtin && value.is_number())) {
            out.push(type_fault(path, value, "integer,string"));
        }
        return;
    }
    let wanted = schema.get("type").and_then(Value::as_str).unwrap_or("");
    let is = type_name(value);
    if !wanted.is_empty() && wanted != is && !(wanted == "number" && is == "integer") {
        let whole = wanted == "integer" && value.as_f64().is_some_and(|f| f.fract() == 0.0);
        if !whole {
            out.push(type_fault(path, value, wanted));
            return;
        }
    }
    check_enum(schema, value, path, out);
    match value {
        Value::Object(map) => check_object(of, schema, map, value, path, depth, out),
        Value::Array(items) => check_array(of, schema, items, value, path, depth, out),
        Value::String(text) => check_string(schema, text, value, path, out),
        Value::Number(_) => check_number(schema, value, path, out),
        _ => {}
    }
    check_junctors(of, schema, value, path, depth, out);
}

/// `allOf`, `anyOf`, `oneOf` and `not`.
fn check_junctors(
    of: &Schema,
    schema: &Value,
    value: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<Cause>,
) {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).map(Vec::as_slice);
    let fits = |schema: &Value| {
        let mut causes = Vec::new();
        check(of, schema, value, path, depth + 1, &mut causes);
        causes.is_empty()
    };
    for schema in list("allOf").unwrap_or_default() {
        check(of, schema, value, path, depth + 1, out);
    }
    if list("anyOf").is_some_and(|any| !any.iter().any(fits)) {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{} in body must validate at least one schema (anyOf)", shown(path)),
        ));
    }
    if list("oneOf").is_some_and(|one| one.iter().filter(|s| fits(s)).count() != 1) {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{} in body must validate one and only one schema (oneOf)", shown(path)),
        ));
    }
    if schema.get("not").is_some_and(fits) {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{} in body must not validate the schema (not)", shown(path)),
        ));
    }
}

fn type_fault(path: &str, value: &Value, wanted: &str) -> Cause {
    let why = format!("{} in body must be of type {wanted}: \"{}\"", shown(path), type_name(value));
    Cause { kind: CauseKind::TypeInvalid, ..Cause::invalid(path, &Value::from(type_name(value)), &why) }
}

fn check_enum(schema: &Value, value: &Value, path: &str, out: &mut Vec<Cause>) {
    if let Some(possible) = schema.get("enum").and_then(Value::as_array)
        && !possible.contains(value)
    {
        let possible: Vec<String> = possible.iter().map(Value::to_string).collect();
        out.push(Cause::unsupported(path, value, &possible));
    }
}

fn check_object(
    of: &Schema,
    schema: &Value,
    map: &serde_json::Map<String, Value>,
    value: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<Cause>,
) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for key in crate::cluster::store::object::strings(schema.get("required")) {
        let absent = map.get(key).is_none_or(|v| of.builtin && v.is_null());
        if absent && !(depth == 0 && key == "metadata") {
            out.push(Cause::required(&join(key), ""));
        }
    }
    limits(schema, "Properties", map.len(), value, path, out);
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties").filter(|a| a.is_object());
    for (key, value) in map {
        if depth == 0 && !of.builtin && matches!(key.as_str(), "metadata" | "apiVersion" | "kind") {
            continue;
        }
        if let Some(schema) = properties.and_then(|p| p.get(key)).or(additional) {
            check(of, schema, value, &join(key), depth + 1, out);
        }
    }
}

fn check_array(
    of: &Schema,
    schema: &Value,
    items: &[Value],
    value: &Value,
    path: &str,
    depth: usize,
    out: &mut Vec<Cause>,
) {
    limits(schema, "Items", items.len(), value, path, out);
    let keys = crate::cluster::store::object::strings(schema.get("x-kubernetes-list-map-keys"));
    let kind = schema.get("x-kubernetes-list-type").and_then(Value::as_str).unwrap_or("");
    for (i, item) in items.iter().enumerate() {
        if let Some(schema) = schema.get("items") {
            check(of, schema, item, &format!("{path}[{i}]"), depth + 1, out);
        }
        let same = |other: &Value| match kind {
            "set" => other == item,
            "map" if !of.builtin => keys.iter().all(|k| other.get(k) == item.get(k)),
            _ => false,
        };
        if items.iter().take(i).any(same) {
            let message = format!("Duplicate value: {}", duplicate(item, &keys));
            out.push(Cause { kind: CauseKind::Duplicate, field: format!("{path}[{i}]"), message });
        }
    }
    if flag(schema, "uniqueItems")
        && items.iter().enumerate().any(|(i, v)| items.iter().take(i).any(|o| o == v))
    {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{} in body shouldn't contain duplicates", shown(path)),
        ));
    }
}

fn duplicate(item: &Value, keys: &[&str]) -> String {
    if keys.is_empty() {
        return item.to_string();
    }
    let map: serde_json::Map<String, Value> =
        keys.iter().filter_map(|k| item.get(k).map(|v| ((*k).to_owned(), v.clone()))).collect();
    Value::Object(map).to_string()
}

/// `minItems`, `maxProperties` and the like.
fn limits(schema: &Value, what: &str, len: usize, value: &Value, path: &str, out: &mut Vec<Cause>) {
    let bound = |key: String| schema.get(&key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let noun = what.to_ascii_lowercase();
    if let Some(min) = bound(format!("min{what}")).filter(|min| len < *min) {
        out.push(Cause::invalid(
            path,
            value,
            &format!("{} in body should have at least {min} {noun}", shown(path)),
        ));
    }
    if let Some(max) = bound(format!("max{what}")).filter(|max| len > *max) {
        let message = format!("Too many: {len}: must have at most {max} {noun}");
        out.push(Cause { kind: CauseKind::TooMany, field: shown(path), message });
    }
}

fn check_string(schema: &Value, text: &str, value: &Value, path: &str, out: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    let at = shown(path);
    if let Some(min) = bound("minLength").filter(|min| length < *min) {
        out.push(Cause::invalid(path, value, &format!("{at} in body should be at least {min} chars long")));
    }
    if let Some(max) = bound("maxLength").filter(|max| length > *max) {
        let message = format!("Too long: may not be more than {max} bytes");
        out.push(Cause { kind: CauseKind::TooLong, field: at.clone(), message });
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        let fits = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().map(|r| r.is_match(text));
        if !fits.unwrap_or(false) {
            out.push(Cause::invalid(path, value, &format!("{at} in body should match '{pattern}'")));
        }
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or("");
    let right = match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uri" => url::Url::parse(text).is_ok(),
        _ => true,
    };
    if !right {
        out.push(Cause::invalid(path, value, &format!("{at} in body must be of type {format}: {value}")));
    }
}

fn check_number(schema: &Value, value: &Value, path: &str, out: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let at = shown(path);
    if let Some(min) = bound("minimum") {
        let strict = flag(schema, "exclusiveMinimum");
        if number < min || (strict && number <= min) {
            let than = if strict { "greater than" } else { "greater than or equal to" };
            out.push(Cause::invalid(path, value, &format!("{at} in body should be {than} {min}")));
        }
    }
    if let Some(max) = bound("maximum") {
        let strict = flag(schema, "exclusiveMaximum");
        if number > max || (strict && number >= max) {
            let than = if strict { "less than" } else { "less than or equal to" };
            out.push(Cause::invalid(path, value, &format!("{at} in body should be {than} {max}")));
        }
    }
    if let Some(step) = bound("multipleOf").filter(|s| *s != 0.0)
        && (number / step).fract().abs() > 1e-9
    {
        out.push(Cause::invalid(path, value, &format!("{at} in body should be a multiple of {step}")));
    }
    let narrow = schema.get("format").and_then(Value::as_str) == Some("int32");
    if narrow && (number < f64::from(i32::MIN) || number > f64::from(i32::MAX)) {
        out.push(Cause::invalid(path, value, &format!("{at} in body must be of type int32: {value}")));
    }
}
