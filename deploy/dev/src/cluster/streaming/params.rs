//! Query strings of the streaming endpoints.

/// Decoded `name=value` pairs, in order.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(query: &str) -> Params {
        Params(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The first value of that name.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of that name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A switch, as the API reads booleans: anything but `false`, `0` and nothing is yes.
    pub(super) fn is(&self, name: &str) -> bool {
        self.one(name).is_some_and(|value| !matches!(value, "" | "false" | "0"))
    }
}
