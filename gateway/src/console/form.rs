//! Parameters of addresses and forms: each at most once.

use url::form_urlencoded;

/// What was sent.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// `None` where a name comes twice: whichever counts, somebody else may have meant the other.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text).take(32) {
            if all.iter().any(|(known, _)| *known == name) {
                return None;
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Some(Self(all))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What somebody wrote; nothing where it is blank.
    pub(super) fn words(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.trim().is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let form = Form::parse(b"code=a%20b&state=&x=%C3%A4").unwrap();
        assert_eq!((form.get("code"), form.get("state"), form.get("y")), (Some("a b"), Some(""), None));
        assert_eq!(form.words("state"), None);
        assert!(Form::parse(b"code=a&code=b").is_none());
    }
}
