//! A real browser: a headless Chromium, driven over the DevTools protocol as a person drives it: pages are opened, fields
//! are typed into, buttons are pressed where they are on the screen. Every wait has an end.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::apiserver::RUNTIME;
use crate::{seconds, until};

/// One browser with one page, without history or cookies from before.
#[derive(Debug)]
pub struct Chromium {
    browser: Child,
    socket: WebSocketStream<TcpStream>,
    /// The page's session in the protocol.
    session: String,
    next: u64,
    _profile: tempfile::TempDir,
}

impl Chromium {
    /// Starts one that believes any certificate: the providers of the tests have their own authority.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("sallyport-browser-").tempdir().expect("a directory");
        let browser = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--ignore-certificate-errors", "--window-size=1000,900", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium");
        let file = profile.path().join("DevToolsActivePort");
        let (port, path) = until("the browser listens", seconds(120), || {
            let text = std::fs::read_to_string(&file).ok()?;
            let (port, path) = text.trim().split_once('\n')?;
            Some((port.parse::<u16>().ok()?, path.to_owned()))
        });
        let socket = RUNTIME.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the browser's port");
            let (socket, _) = tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}{path}"), stream)
                .await
                .expect("the browser's protocol");
            socket
        });
        let mut one = Self { browser, socket, session: String::new(), next: 0, _profile: profile };
        let target = one.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached =
            one.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        attached["sessionId"].as_str().expect("a session").clone_into(&mut one.session);
        one.call("Page.enable", json!({}));
        one
    }

    /// Opens an address.
    #[track_caller]
    pub fn open(&mut self, address: &str) {
        // The page before is still there for a moment; it may have what somebody looks for on the next one.
        self.script("window.before = 1");
        let answer = self.call("Page.navigate", json!({"url": address}));
        assert!(answer.get("errorText").is_none(), "{address}: {answer}");
        self.arrives(address);
    }

    /// Waits until the page that was marked as the one before is gone, and the next one is there as a whole.
    #[track_caller]
    fn arrives(&mut self, by: &str) {
        let arrived = "window.before === undefined && document.readyState === 'complete'";
        for _ in 0..1200 {
            if self.attempt(arrived) == Some(json!(true)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("`{by}` leads nowhere; still at {}:\n{}", self.address(), self.text());
    }

    /// Waits until the page has such an element and is there as a whole; its text.
    #[track_caller]
    pub fn shows(&mut self, css: &str) -> String {
        let question = format!(
            "(() => {{ const e = document.querySelector({}); \
             return document.readyState === 'complete' && e ? e.innerText : null; }})()",
            json!(css)
        );
        for _ in 0..1200 {
            if let Some(text) = self.attempt(&question).and_then(|text| text.as_str().map(str::to_owned)) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the page at {} never shows `{css}`:\n{}", self.address(), self.text());
    }

    /// Whether the page, as it is, has such an element.
    pub fn has(&mut self, css: &str) -> bool {
        self.attempt(&format!("document.querySelector({}) !== null", json!(css))) == Some(json!(true))
    }

    /// All that the page says.
    pub fn text(&mut self) -> String {
        let text = self.attempt("document.body ? document.body.innerText : ''").unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Where it is.
    pub fn address(&mut self) -> String {
        self.attempt("location.href").unwrap_or_default().as_str().unwrap_or_default().to_owned()
    }

    /// What a script finds out, run in the page.
    #[track_caller]
    pub fn script(&mut self, script: &str) -> Value {
        self.attempt(script).unwrap_or_else(|| panic!("`{script}` failed"))
    }

    /// Presses what is in the middle of the element, once it is there.
    #[track_caller]
    pub fn press(&mut self, css: &str) {
        self.shows(css);
        let place = self.script(&format!(
            "(() => {{ const e = document.querySelector({}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()",
            json!(css)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let at = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", at);
        }
    }

    /// Presses what leads to another page, and waits until that one is there.
    #[track_caller]
    pub fn leaves(&mut self, css: &str) {
        self.shows(css);
        self.script("window.before = 1");
        self.press(css);
        self.arrives(css);
    }

    /// Types into a field.
    #[track_caller]
    pub fn types(&mut self, css: &str, text: &str) {
        self.press(css);
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Chooses from a list.
    #[track_caller]
    pub fn chooses(&mut self, css: &str, value: &str) {
        self.shows(css);
        self.script(&format!(
            "(() => {{ const e = document.querySelector({}); e.value = {}; \
             e.dispatchEvent(new Event('change', {{bubbles: true}})); return e.value; }})()",
            json!(css),
            json!(value)
        ));
    }

    /// A picture of the page, where somebody wants one.
    pub fn picture(&mut self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let png = base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap_or_default())
            .expect("a picture in base64");
        std::fs::write(file, png).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    /// Evaluates; nothing while one page goes and another comes.
    fn attempt(&mut self, script: &str) -> Option<Value> {
        let answer =
            self.ask("Runtime.evaluate", json!({"expression": script, "returnByValue": true})).ok()?;
        answer["result"].get("value").cloned()
    }

    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.ask(method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// A call of the protocol and its answer; what else the browser tells meanwhile is not looked at.
    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        self.next += 1;
        let id = self.next;
        let mut call = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        let socket = &mut self.socket;
        let answer = async {
            socket.send(Message::text(call.to_string())).await.map_err(|e| e.to_string())?;
            loop {
                let message = socket.next().await.ok_or("the browser is gone")?.map_err(|e| e.to_string())?;
                let Ok(text) = message.to_text() else { continue };
                let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
                if value["id"] == id {
                    return match value.get("error") {
                        Some(error) => Err(error.to_string()),
                        None => Ok(value["result"].clone()),
                    };
                }
            }
        };
        let limited = async { tokio::time::timeout(seconds(60), answer).await };
        RUNTIME.block_on(limited).map_err(|_| "no answer within 60 s".to_owned())?
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.session.clear();
        let _ = self.ask("Browser.close", json!({}));
        for _ in 0..100 {
            if matches!(self.browser.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
