//! A person at a browser, as far as signing in goes: pages with forms, links followed, cookies kept. It knows
//! neither provider: it fills in what it is asked for, so the development provider and the certified one are
//! walked by the same steps.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method};
use url::Url;

use crate::apiserver::RUNTIME;

/// A browser with its cookies.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    cookies: Vec<Cookie>,
}

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// A form of a page: where it goes and what it asks.
#[derive(Debug, Default)]
struct Form {
    action: String,
    get: bool,
    inputs: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    name: String,
    value: String,
    kind: String,
}

impl Browser {
    /// A browser that trusts this CA (PEM) and no other, or any where none is given.
    #[must_use]
    pub fn new(trust: Option<&[u8]>) -> Self {
        let mut builder =
            Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(20)).no_proxy();
        if let Some(pem) = trust {
            builder = builder.tls_certs_only([Certificate::from_pem(pem).expect("a CA in PEM")]);
        }
        Self { client: builder.build().expect("an HTTP client"), cookies: Vec::new() }
    }

    /// Opens `address` and goes on as `person` until no page asks anything any more. Returns the last page.
    #[track_caller]
    pub fn sign_in(&mut self, address: &str, user_code: &str, person: &str) -> String {
        let mut at = Url::parse(address).expect("an address");
        let mut page = self.fetch(&mut at, Method::GET, &[]);
        for _ in 0..8 {
            let Some(form) = first_form(&page) else { return page };
            let fields = form.filled(user_code, person);
            let mut to = at.join(&form.action).expect("a form's address");
            if form.get {
                to.query_pairs_mut().extend_pairs(&fields);
                page = self.fetch(&mut to, Method::GET, &[]);
            } else {
                page = self.fetch(&mut to, Method::POST, &fields);
            }
            at = to;
        }
        panic!("signing in does not come to an end; the last page is\n{page}");
    }

    /// One page, redirects followed; `at` is where they led.
    fn fetch(&mut self, at: &mut Url, method: Method, fields: &[(String, String)]) -> String {
        let (mut method, mut fields) = (method, fields.to_vec());
        for _ in 0..12 {
            let mut request = self.client.request(method.clone(), at.clone());
            let ours: Vec<_> = self.cookies.iter().filter(|c| at.path().starts_with(&c.path)).collect();
            if !ours.is_empty() {
                let all: Vec<_> = ours.iter().map(|c| format!("{}={}", c.name, c.value)).collect();
                request = request.header("cookie", all.join("; "));
            }
            if method == Method::POST {
                request = request.form(&fields);
            }
            let (status, headers, page) = RUNTIME.block_on(async {
                let response = request.send().await.unwrap_or_else(|e| panic!("{at}: {e:?}"));
                (response.status(), response.headers().clone(), response.text().await.unwrap_or_default())
            });
            for cookie in headers.get_all("set-cookie") {
                self.keep(cookie.to_str().expect("a cookie"));
            }
            if let (true, Some(to)) = (status.is_redirection(), headers.get("location")) {
                *at = at.join(to.to_str().expect("a location")).expect("a location");
                (method, fields) = (Method::GET, Vec::new());
                continue;
            }
            assert!(status.is_success(), "{at}: {status}\n{page}");
            return page;
        }
        panic!("{at}: redirected without end");
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) =
            parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie's name and value");
        let path =
            parts.find_map(|p| p.strip_prefix("path=").or_else(|| p.strip_prefix("Path="))).unwrap_or("/");
        self.cookies.retain(|c| !(c.name == name && c.path == path));
        if !value.is_empty() {
            self.cookies.push(Cookie { name: name.into(), value: value.into(), path: path.into() });
        }
    }
}

impl Form {
    /// What this person sends back. Of several buttons the first is pressed that does not call it off.
    fn filled(&self, user_code: &str, person: &str) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut pressed = false;
        for input in &self.inputs {
            let value = match (input.kind.as_str(), input.name.as_str()) {
                ("submit", name) => {
                    let no = |text: &str| {
                        ["abort", "deny", "cancel", "refuse"]
                            .iter()
                            .any(|no| text.to_lowercase().contains(no))
                    };
                    // Where each person has a button, theirs is pressed.
                    let theirs = input.value == person;
                    let others =
                        self.inputs.iter().any(|i| i.kind == "submit" && i.value == person) && !theirs;
                    if pressed || no(name) || no(&input.value) || others {
                        continue;
                    }
                    pressed = true;
                    input.value.clone()
                }
                ("radio", _) if input.value != person => continue,
                (_, "user_code") if input.value.is_empty() => user_code.to_owned(),
                ("text" | "email" | "", _) if input.value.is_empty() => person.to_owned(),
                ("password", _) => format!("{person}'s password"),
                _ => input.value.clone(),
            };
            if !input.name.is_empty() {
                fields.push((input.name.clone(), value));
            }
        }
        fields
    }
}

/// The first form of a page. Inputs that name it by `form="…"` from outside belong to it too.
fn first_form(page: &str) -> Option<Form> {
    let start = page.find("<form")?;
    let body = &page[start..];
    let tag = &body[..body.find('>')?];
    let end = body.find("</form").unwrap_or(body.len());
    let id = attribute(tag, "id");
    let mut form = Form {
        action: unescape(&attribute(tag, "action").unwrap_or_default()),
        get: attribute(tag, "method").is_none_or(|m| m.eq_ignore_ascii_case("get")),
        inputs: Vec::new(),
    };
    let mut rest = body;
    let mut offset = 0;
    while let Some(at) = rest.find(['<']) {
        let tag_text = &rest[at..rest[at..].find('>').map_or(rest.len(), |e| at + e)];
        let inside = offset + at < end;
        let named = id.is_some() && attribute(tag_text, "form") == id;
        if inside || named {
            for (element, default) in [("<input", "text"), ("<button", "submit")] {
                if tag_text.starts_with(element) {
                    form.inputs.push(Input {
                        name: attribute(tag_text, "name").unwrap_or_default(),
                        value: unescape(&attribute(tag_text, "value").unwrap_or_default()),
                        kind: attribute(tag_text, "type").unwrap_or_else(|| default.to_owned()),
                    });
                }
            }
        }
        offset += at + 1;
        rest = &rest[at + 1..];
    }
    // Providers that submit by script have a form without buttons and without questions; that one is just sent.
    Some(form)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut from = 0;
    while let Some(at) = tag[from..].find(name) {
        let at = from + at;
        let before = tag[..at].chars().last();
        let after = &tag[at + name.len()..];
        if before.is_some_and(char::is_whitespace) && after.starts_with('=') {
            let value = &after[1..];
            return Some(match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default().to_owned(),
                _ => value.split([' ', '>', '/']).next().unwrap_or_default().to_owned(),
            });
        }
        from = at + name.len();
    }
    None
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x2F;", "/")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in_and_not_called_off() {
        let page = r#"<form id="f" method="post" action="/go?a=1&amp;b=2"><input type="hidden" name="xsrf" value="x">
            <input name="login" placeholder="your name"></form>
            <button type="submit" form="f" value="yes" name="abort">no</button>
            <button type="submit" form="f" name="ok" value="1">go</button>"#;
        let form = first_form(page).unwrap();
        assert_eq!((form.action.as_str(), form.get), ("/go?a=1&b=2", false));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(form.filled("C-D", "alice"), [pair("xsrf", "x"), pair("login", "alice"), pair("ok", "1")]);
    }

    #[test]
    fn of_several_people_the_right_button_is_pressed() {
        let page = r#"<form method=post><button name=person value=bob>b</button><button name="person" value="alice">a</button></form>"#;
        let form = first_form(page).unwrap();
        assert_eq!(form.filled("", "alice"), [("person".to_owned(), "alice".to_owned())]);
    }
}
