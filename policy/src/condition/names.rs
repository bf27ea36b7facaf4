//! The names that conditions may use.

/// The variables.
pub(super) const VARIABLES: &[&str] = &["request", "person", "groups", "now", "history", "target"];

pub(super) fn is_variable(name: &str) -> bool {
    VARIABLES.contains(&name)
}

/// The fields of a variable that has a fixed set of them. `groups` and `now` have none.
pub(super) fn fields(variable: &str) -> Option<&'static [&'static str]> {
    Some(match variable {
        "request" => &[
            "policy",
            "namespaces",
            "workloads",
            "pods",
            "containers",
            "ports",
            "duration",
            "reason",
            "ticket",
            "start",
            "breakGlass",
        ],
        "person" => &["username", "groups"],
        "history" => &["openNow", "askedLastHour", "askedLastDay", "deniedLastDay", "grantedLastDay"],
        "target" => &["namespace", "pod", "container", "labels", "action"],
        "groups" | "now" => &[],
        _ => return None,
    })
}

/// Everything that a condition can mention, each with a bit: a field of a variable, or a variable without fields.
const MENTIONED: &[(&str, &str)] = &[
    ("request", "policy"),
    ("request", "namespaces"),
    ("request", "workloads"),
    ("request", "pods"),
    ("request", "containers"),
    ("request", "ports"),
    ("request", "duration"),
    ("request", "reason"),
    ("request", "ticket"),
    ("request", "start"),
    ("request", "breakGlass"),
    ("person", "username"),
    ("person", "groups"),
    ("groups", ""),
    ("now", ""),
    ("history", "openNow"),
    ("history", "askedLastHour"),
    ("history", "askedLastDay"),
    ("history", "deniedLastDay"),
    ("history", "grantedLastDay"),
    ("target", "namespace"),
    ("target", "pod"),
    ("target", "container"),
    ("target", "labels"),
    ("target", "action"),
];

/// What conditions mention, so that nothing else is put together for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mentions(u32);

impl Mentions {
    /// Adds a field; without one, all that the variable has.
    pub(super) fn add(&mut self, variable: &str, field: Option<&str>) {
        for (bit, (owner, name)) in MENTIONED.iter().enumerate() {
            if *owner == variable && (name.is_empty() || field.is_none_or(|field| field == *name)) {
                self.0 |= 1 << bit;
            }
        }
    }

    /// Whether it is mentioned; an empty field stands for a variable without fields.
    pub(super) fn has(self, variable: &str, field: &str) -> bool {
        let bit = MENTIONED.iter().position(|one| *one == (variable, field));
        bit.is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// Whether anything of that variable is mentioned.
    pub(super) fn any(self, variable: &str) -> bool {
        let mut owned = MENTIONED.iter().enumerate().filter(|(_, (owner, _))| *owner == variable);
        owned.any(|(bit, _)| self.0 & (1 << bit) != 0)
    }

    /// Both together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether it names a type of CEL, as `type(x) == string` does.
pub(super) fn is_type(name: &str) -> bool {
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"].contains(&name)
}

/// CEL's standard functions and operators.
pub(super) fn is_function(name: &str) -> bool {
    const STANDARD: &[&str] = &[
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "duration",
        "timestamp",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "bool",
        "type",
        "dyn",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
    ];
    // Operators are written `_&&_`, `!_`, `_[_]`, `@in`.
    STANDARD.contains(&name) || name.starts_with(['_', '!', '-', '@'])
}

/// "; did you mean `x`?" where one of the names is near.
pub(super) fn nearest(given: &str, names: &[&str]) -> String {
    let near = crate::near::nearest(given, names.iter().copied());
    near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
