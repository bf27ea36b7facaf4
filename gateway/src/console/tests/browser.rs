//! As much of a browser as sign-in and forms need: cookies, redirects one at a time, and the headers of a form.

use reqwest::{Client, Method, redirect};

use super::*;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn shows(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The value of the first field of this name.
    pub(super) fn field(&self, name: &str) -> String {
        let after = self.body.split_once(&format!("name=\"{name}\" value=\"")).expect("such a field").1;
        after.split_once('"').unwrap().0.to_owned()
    }
}

#[derive(Clone)]
pub(super) struct Browser {
    client: Client,
    pub(super) origin: String,
    /// By `host:port` and name: here, unlike in a browser, ports are told apart.
    pub(super) cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub(super) fn new(origin: &str) -> Self {
        // The server of the tests closes what is idle soon, maybe just when it is used again.
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { client, origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// One exchange, with the cookies of that host.
    pub(super) async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let url = if url.starts_with('/') { format!("{}{url}", self.origin) } else { url.to_owned() };
        let host = Url::parse(&url).unwrap().authority().to_owned();
        let mut request = self.client.request(method, &url).body(body);
        let ours = self.cookies.iter().filter(|((of, _), _)| *of == host);
        let cookies: Vec<String> = ours.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            let key = (host.clone(), name.to_owned());
            if set.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap_or_default() }
    }

    pub(super) async fn get(&mut self, url: &str) -> Answer {
        self.send(Method::GET, url, &[], String::new()).await
    }

    /// A form as a browser sends it.
    pub(super) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.origin.clone();
        self.post_from(url, fields, &[("origin", &origin), ("sec-fetch-site", "same-origin")]).await
    }

    pub(super) async fn post_from(
        &mut self,
        url: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let headers: Vec<_> = form.iter().chain(headers).copied().collect();
        self.send(Method::POST, url, &headers, body).await
    }

    /// To the provider and through its page; gives the address with which the provider sends the browser back.
    pub(super) async fn through_provider(&mut self, who: &str, path: &str) -> String {
        let sent = self.get(path).await;
        assert_eq!(sent.status, 303, "{sent:?}");
        let choose = self.get(sent.header("location")).await;
        assert!(choose.shows("Sign in as"), "{choose:?}");
        let issuer = Url::parse(sent.header("location")).unwrap().origin().ascii_serialization();
        let (pending, csrf) = (choose.field("pending"), choose.field("csrf"));
        let fields = [("pending", &*pending), ("csrf", &*csrf), ("action", "allow"), ("account", who)];
        let back = self.post_from(&format!("{issuer}/authorize"), &fields, &[("origin", &issuer)]).await;
        assert_eq!(back.status, 303, "{back:?}");
        back.header("location").to_owned()
    }

    /// Signs in, and follows to the page that one gets to.
    pub(super) async fn sign_in(&mut self, who: &str, path: &str) -> Answer {
        let callback = self.through_provider(who, path).await;
        let done = self.get(&callback).await;
        assert_eq!(done.status, 303, "{done:?}");
        let to = done.header("location").to_owned();
        assert!(to.starts_with('/') && !to.starts_with("//"), "{to}");
        self.get(&to).await
    }

    /// The word that this session's forms repeat.
    pub(super) async fn csrf(&mut self) -> String {
        self.get("/").await.field("csrf")
    }

    pub(super) fn session(&self) -> Option<&String> {
        let mut ours = self.cookies.iter().filter(|((_, name), _)| name.contains("sallyport-session"));
        ours.next().map(|(_, value)| value)
    }
}
