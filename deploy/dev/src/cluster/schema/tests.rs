use serde_json::json;

use super::*;

fn schema() -> Schema {
    Schema::structural(json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "maximum": 10},
                    "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                    "ports": {"type": "array", "maxItems": 2, "items": {"x-kubernetes-int-or-string": true}},
                    "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "keys": {
                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                        "items": {"type": "object", "properties": {"id": {"type": "string"}}},
                    },
                    "gone": {"type": "string", "nullable": true},
                },
            },
        },
    }))
}

fn faults(spec: Value) -> Vec<String> {
    let object = json!({"apiVersion": "v", "kind": "K", "metadata": {"name": "x"}, "spec": spec});
    schema().validate(&object).into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
}

#[test]
fn unknown_fields_are_pruned_and_named_and_free_ones_are_kept() {
    let mut object = json!({
        "apiVersion": "v", "kind": "K", "metadata": {"name": "x"}, "extra": 1,
        "spec": {"size": 1, "nonsense": 1, "free": {"a": {"b": 1}}, "labels": {"any": "thing"}, "keys": [{"id": "a", "b": 1}]},
    });
    let mut gone = schema().prune(&mut object);
    gone.sort();
    assert_eq!(gone, ["extra", "spec.keys[0].b", "spec.nonsense"]);
    assert_eq!(object["spec"]["free"], json!({"a": {"b": 1}}));
    assert_eq!(object["spec"]["labels"], json!({"any": "thing"}));
    assert_eq!(object["metadata"], json!({"name": "x"}));
}

#[test]
fn defaults_fill_what_is_absent_or_null() {
    for spec in [json!({"size": 1}), json!({"size": 1, "colour": null})] {
        let mut object = json!({"spec": spec});
        schema().fill_defaults(&mut object);
        assert_eq!(object["spec"]["colour"], "red");
    }
}

#[test]
fn what_is_right_passes() {
    let spec = json!({"size": 10, "colour": "blue", "ports": [80, "http"], "name": "abc", "gone": null});
    assert_eq!(faults(spec), Vec::<String>::new());
}

#[test]
fn each_fault_is_worded_as_the_real_server_words_it() {
    let cases = [
        (json!({}), "spec.size: Required value"),
        (
            json!({"size": 11}),
            "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        (
            json!({"size": "1"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"size": 1, "colour": "green"}),
            "spec.colour: Unsupported value: \"green\": supported values: \"red\", \"blue\"",
        ),
        (
            json!({"size": 1, "name": "A"}),
            "spec.name: Invalid value: \"A\": spec.name in body should match '^[a-z]+$'",
        ),
        (json!({"size": 1, "name": "abcdef"}), "spec.name: Too long: may not be more than 5 bytes"),
        (json!({"size": 1, "ports": [1, 2, 3]}), "spec.ports: Too many: 3: must have at most 2 items"),
        (
            json!({"size": 1, "ports": [true]}),
            "spec.ports[0]: Invalid value: \"boolean\": spec.ports[0] in body must be of type integer,string: \"boolean\"",
        ),
        (
            json!({"size": 1, "labels": {"a": 1}}),
            "spec.labels.a: Invalid value: \"integer\": spec.labels.a in body must be of type string: \"integer\"",
        ),
        (
            json!({"size": 1, "keys": [{"id": "a"}, {"id": "a"}]}),
            "spec.keys[1]: Duplicate value: {\"id\":\"a\"}",
        ),
    ];
    for (spec, text) in cases {
        assert_eq!(faults(spec), [text]);
    }
}

#[test]
fn depth_has_an_end() {
    let definitions = Arc::new(
        json!({"N": {"type": "object", "properties": {"n": {"$ref": "#/definitions/N"}}}})
            .as_object()
            .unwrap()
            .clone(),
    );
    let schema = Schema::named(&definitions, "N").unwrap();
    let mut object = json!({});
    for _ in 0..100 {
        object = json!({"n": object});
    }
    assert!(!schema.validate(&object).is_empty());
}
