//! What follows from the address that browsers know this gateway by: where the provider sends them back to, which
//! origin forms must come from, and what cookies are called.

use axum::http::{HeaderMap, HeaderValue, header};
use url::Url;

/// The address, and what is made of it.
#[derive(Debug, Clone)]
pub(super) struct Public {
    /// Where the provider sends browsers back to.
    pub(super) callback: Url,
    /// As browsers write it in `Origin`.
    origin: String,
    /// Whether cookies travel encrypted.
    pub(super) is_https: bool,
    /// The cookie of a session.
    pub(super) session: String,
    /// The cookie of a sign-in under way.
    pub(super) sign_in: String,
}

impl Public {
    /// `None` where the address can have no path; the configuration has been checked for that.
    pub(super) fn new(url: &Url) -> Option<Self> {
        let callback = url.join("/callback").ok()?;
        let is_https = url.scheme() == "https";
        // `__Host-`: no other host can set it. Plain http is for loopback, where all ports share their cookies.
        let name = |what: &str| match url.port_or_known_default() {
            _ if is_https => format!("__Host-sallyport-{what}"),
            port => format!("sallyport-{what}-{}", port.unwrap_or_default()),
        };
        let origin = url.origin().ascii_serialization();
        Some(Self { callback, origin, is_https, session: name("session"), sign_in: name("signin") })
    }

    /// A cookie that ends with the browser's session; `seconds` 0 takes it away.
    pub(super) fn cookie(&self, name: &str, value: &str, seconds: Option<u64>) -> Option<HeaderValue> {
        let secure = if self.is_https { "; Secure" } else { "" };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}")).ok()
    }

    /// Whether the browser says that one of our own pages sends this. Browsers always say where a form comes from; what
    /// says nothing is no form of ours.
    pub(super) fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        (site.is_some() || origin.is_some())
            && site.is_none_or(|site| site == b"same-origin")
            && origin.is_none_or(|origin| origin == self.origin.as_bytes())
    }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let mut pairs = all.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(url: &str) -> Public {
        Public::new(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn cookies_are_bound_to_the_host_where_there_is_tls() {
        let https = public("https://gw.example.com");
        let cookie = https.cookie(&https.session, "x", None).unwrap();
        assert_eq!(cookie, "__Host-sallyport-session=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        let plain = public("http://127.0.0.1:8022/");
        let cookie = plain.cookie(&plain.sign_in, "x", Some(0)).unwrap();
        assert_eq!(cookie, "sallyport-signin-8022=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
        assert_eq!(plain.callback.as_str(), "http://127.0.0.1:8022/callback");
    }

    #[test]
    fn a_form_from_elsewhere_or_from_nowhere_is_not_ours() {
        let public = public("https://gw.example.com");
        let ours = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            public.is_same_origin(&headers.collect())
        };
        assert!(ours(&[("origin", "https://gw.example.com")]));
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("sec-fetch-site", "same-origin"), ("origin", "https://gw.example.com")]));
        assert!(!ours(&[]));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!ours(&[("sec-fetch-site", site), ("origin", "https://gw.example.com")]), "{site}");
        }
        for origin in
            ["null", "http://gw.example.com", "https://gw.example.com.evil.test", "https://evil.test"]
        {
            assert!(!ours(&[("sec-fetch-site", "same-origin"), ("origin", origin)]), "{origin}");
        }
    }
}
