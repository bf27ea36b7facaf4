//! Links that notifications carry: the way to a request's page, signed, with an end. A link is no credential: whoever
//! opens one has to sign in, and then may what they may. The signature is there so that nobody can make pages that look
//! like ours lead to addresses of their choice, or try names through them.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sallyport_policy::RequestName;
use url::Url;

/// How long a link works: people look at their messages after a weekend.
const GOOD_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest uid and signature that are looked at.
const MAX_PARAMETER: usize = 128;

/// Makes and checks links.
#[derive(Clone)]
pub struct Links {
    key: hmac::Key,
    base: Option<Url>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("base", &self.base.as_ref().map(Url::as_str)).finish_non_exhaustive()
    }
}

/// Why a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoLink {
    /// We did not make it.
    Forged,
    /// Its time is over.
    Over,
}

impl Links {
    /// Links below `base`, the address that browsers know this gateway by; none can be made without.
    #[must_use]
    pub fn new(secret: &[u8; 32], base: Option<Url>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), base }
    }

    /// A link to this request, of this uid.
    #[must_use]
    pub fn to(&self, request: &str, uid: &str, now: Timestamp) -> Option<Url> {
        let name = RequestName::parse(request).ok()?;
        let mut url = self.base.as_ref()?.join(&format!("/a/{name}")).ok()?;
        let end = now.checked_add(GOOD_FOR).ok()?.as_second().to_string();
        let tag = hmac::sign(&self.key, &said(&name, uid, &end));
        url.query_pairs_mut()
            .append_pair("uid", uid)
            .append_pair("until", &end)
            .append_pair("sig", &URL_SAFE_NO_PAD.encode(tag));
        Some(url)
    }

    /// Whether it is one of ours and its time is not over.
    pub(super) fn check(
        &self,
        name: &RequestName,
        uid: &str,
        until: &str,
        signature: &str,
        now: Timestamp,
    ) -> Result<(), NoLink> {
        if uid.len() > MAX_PARAMETER || until.len() > 20 || signature.len() > MAX_PARAMETER {
            return Err(NoLink::Forged);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NoLink::Forged)?;
        hmac::verify(&self.key, &said(name, uid, until), &signature).map_err(|_| NoLink::Forged)?;
        let end = until.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        if end.is_some_and(|end| now < end) { Ok(()) } else { Err(NoLink::Over) }
    }
}

/// What is signed. Names and ends hold no line feed, so that no two links say the same.
fn said(name: &RequestName, uid: &str, until: &str) -> Vec<u8> {
    format!("approval link 1\n{name}\n{until}\n{uid}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &Url) -> (RequestName, Vec<String>) {
        let name = RequestName::parse(url.path().strip_prefix("/a/").unwrap()).unwrap();
        (name, url.query_pairs().map(|(_, value)| value.into_owned()).collect())
    }

    #[test]
    fn a_link_works_as_it_was_made_until_its_end() {
        let links = Links::new(&[7; 32], Url::parse("https://gw.example.com").ok());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (name, made) = parts(&links.to("debug-x1", "uid-1", now).unwrap());
        let check = |name: &str, uid: &str, until: &str, sig: &str, now| {
            links.check(&RequestName::parse(name).unwrap(), uid, until, sig, now)
        };
        let [uid, until, sig] = [&*made[0], &*made[1], &*made[2]];
        assert_eq!(check(name.as_str(), uid, until, sig, now), Ok(()));
        assert_eq!(check(name.as_str(), uid, until, sig, now + GOOD_FOR), Err(NoLink::Over));
        let later = (now + GOOD_FOR + GOOD_FOR).as_second().to_string();
        for (name, uid, until, sig) in [
            ("debug-x2", uid, until, sig),
            ("debug-x1", "uid-2", until, sig),
            ("debug-x1", uid, &*later, sig),
            ("debug-x1", uid, until, ""),
            ("debug-x1", uid, until, &sig.replacen(char::is_alphanumeric, "", 1)),
            ("debug-x1", uid, until, "????"),
        ] {
            assert_eq!(check(name, uid, until, sig, now), Err(NoLink::Forged), "{name} {uid} {until} {sig}");
        }
        let others = Links::new(&[8; 32], Url::parse("https://gw.example.com").ok());
        assert_eq!(others.check(&name, uid, until, sig, now), Err(NoLink::Forged));
    }

    #[test]
    fn without_an_address_there_are_no_links() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(Links::new(&[7; 32], None).to("debug-x1", "uid", now), None);
    }
}
