//! Pieces of schema that the derive does not write.

use schemars::{Schema, SchemaGenerator, json_schema};

/// What a length of time looks like: `90s`, `30m`, `1h30m`.
pub(super) const DURATION: &str = "^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$";
/// An RFC 1123 label.
pub(super) const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A moment, RFC 3339.
pub(super) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Ports and ranges of ports.
pub(super) fn ports(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": { "x-kubernetes-int-or-string": true },
    })
}
