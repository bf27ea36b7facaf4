//! Where a browser goes after sign-in: one of our own pages, by name. What is not one becomes the first page, so that no
//! address that somebody made can send people elsewhere.

use sallyport_policy::RequestName;

/// A page of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The first.
    #[default]
    Home,
    /// That of a request.
    Request(RequestName),
}

impl Place {
    pub(super) fn parse(path: &str) -> Self {
        let name = path.strip_prefix("/requests/").and_then(|name| RequestName::parse(name).ok());
        name.map_or(Self::Home, Self::Request)
    }

    /// The path, made anew from what was understood.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Home => "/".to_owned(),
            Self::Request(name) => format!("/requests/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_are_gone_back_to() {
        assert_eq!(Place::parse("/requests/debug-x1").path(), "/requests/debug-x1");
        for hostile in [
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "https://evil.test/",
            "javascript:alert(1)",
            "/requests//evil.test",
            "/requests/../logout",
            "/requests/a/../../x",
            "/requests/x?y=//evil.test",
            "/requests/x\r\nlocation: https://evil.test",
            "/requests/",
            "/login",
            "",
        ] {
            assert_eq!(Place::parse(hostile), Place::Home, "{hostile:?}");
        }
    }
}
