//! Tables: what `kubectl get` prints, made by the server (`meta.k8s.io/v1` `Table`).

mod columns;
mod custom;
mod values;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::{partial, present};
use crate::cluster::catalog::Kind;
use crate::cluster::store::object;
use crate::cluster::time;

/// What of the object goes along with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Include {
    Metadata,
    Object,
    Nothing,
}

impl Include {
    pub(in crate::cluster) fn of(param: Option<&str>) -> Include {
        match param {
            Some("Object") => Include::Object,
            Some("None") => Include::Nothing,
            _ => Include::Metadata,
        }
    }
}

/// A column: heading, JSON type, priority (columns above 0 are shown with `-o wide`), and its cell.
struct Column {
    name: &'static str,
    kind: &'static str,
    priority: i64,
    cell: fn(&Value) -> Value,
}

/// The table of `objects`.
pub(super) fn of(kind: &Kind, objects: &[&Value], metadata: Value, include: Include) -> Value {
    let (definitions, cells): (Vec<Value>, Vec<Vec<Value>>) = match &kind.custom {
        Some(custom) => custom::table(&custom.columns, objects),
        None => {
            let columns = columns::of(&kind.id);
            let cells = objects.iter().map(|o| columns.iter().map(|c| (c.cell)(o)).collect()).collect();
            (columns.iter().map(definition).collect(), cells)
        }
    };
    let rows: Vec<Value> = objects
        .iter()
        .zip(cells)
        .map(|(object, cells)| {
            let shown = match include {
                Include::Metadata => partial(object),
                Include::Object => present(kind, object),
                Include::Nothing => Value::Null,
            };
            json!({"cells": cells, "object": shown})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({"name": column.name, "type": column.kind, "format": format, "description": "", "priority": column.priority})
}

/// `5d3h`, `12m`, `7s`: how long ago, as kubectl shows ages.
fn age_of(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => human(time::now().as_second().saturating_sub(at.as_second())),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// A duration in seconds with at most two units, the finer one only while it matters.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |big: i64, unit: char, small: i64, sub: char| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{sub}") }
    };
    match seconds {
        s if s < -1 => "<invalid>".to_owned(),
        s if s < 0 => "0s".to_owned(),
        s if s < 120 => format!("{s}s"),
        s if minutes < 10 => pair(minutes, 'm', s % 60, 's'),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => pair(days, 'd', hours % 24, 'h'),
        _ if days < 365 * 2 => format!("{days}d"),
        _ if days < 365 * 8 => pair(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

fn age(object: &Value) -> Value {
    age_of(object::meta(object, "creationTimestamp")).into()
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn durations_read_as_kubectl_writes_them() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (3_600, "60m"),
            (10_800, "3h"),
            (10_860, "3h1m"),
            (90_000, "25h"),
            (200_000, "2d7h"),
            (864_000, "10d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(seconds), text);
        }
    }
}
