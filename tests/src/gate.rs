//! An HTTP proxy before the API server that reads what passes: at one chosen call it kills the gateway, answers in the
//! server's stead or hangs up, before the call has reached the server or after. So every step of a grant's life can
//! be the last one that a gateway made, again and again the same, and nothing in the product knows about it.
//!
//! The gateway talks plain HTTP to it on loopback, with its own token, which is passed on over TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Certificate, Client, Method, StatusCode};

use crate::apiserver::{ApiServer, RUNTIME};

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The gateway is killed, and the call never arrives.
    KillBefore,
    /// The call arrives, and the gateway is killed before it hears the answer.
    KillAfter,
    /// The proxy answers this status itself; the call never arrives.
    Answer(u16),
    /// The connection ends; the call never arrives.
    HangUpBefore,
    /// The call arrives; the connection ends without an answer.
    HangUpAfter,
}

/// Which call: its method, a part of its path and a part of its body.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// What its path ends in.
    pub path: &'static str,
    /// What its body has somewhere; empty for anything.
    pub body: &'static str,
}

#[derive(Debug)]
struct Armed {
    call: Call,
    blow: Blow,
    /// How many such calls it strikes.
    times: u32,
    /// How many it has come upon.
    met: u32,
    /// How many blows are over: whoever was to be killed is dead.
    struck: u32,
}

/// A running proxy; its threads end with the process.
#[derive(Debug, Clone)]
pub struct Gate {
    address: SocketAddr,
    server: String,
    client: Client,
    /// For requests that become streams.
    streams: Client,
    armed: Arc<Mutex<Option<Armed>>>,
    victim: Arc<AtomicU32>,
}

/// A request as it was read.
struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Gate {
    /// Starts before the server that `api` talks to.
    #[must_use]
    pub fn start(api: &ApiServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let ca = Certificate::from_pem(api.certificate_authority()).expect("the cluster's CA is PEM");
        let gate = Self {
            address: listener.local_addr().expect("an address"),
            server: api.server().to_owned(),
            client: Client::builder()
                .no_proxy()
                .tls_certs_only([ca.clone()])
                .build()
                .expect("an HTTP client"),
            streams: Client::builder()
                .no_proxy()
                .tls_certs_only([ca])
                .http1_only()
                .build()
                .expect("an HTTP client"),
            armed: Arc::default(),
            victim: Arc::default(),
        };
        let ours = gate.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let ours = ours.clone();
                std::thread::spawn(move || while matches!(ours.serve(&client), Ok(true)) {});
            }
        });
        gate
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process that a blow kills.
    pub fn aims_at(&self, process: u32) {
        self.victim.store(process, Ordering::SeqCst);
    }

    /// Strikes the next `times` such calls.
    pub fn arm(&self, call: Call, blow: Blow, times: u32) {
        *self.lock() = Some(Armed { call, blow, times, met: 0, struck: 0 });
    }

    /// How many calls were struck since it was armed. A blow that has begun is waited for: it might hit the gateway that
    /// is started after it.
    #[must_use]
    pub fn struck(&self) -> u32 {
        let over = || self.lock().as_ref().map_or(Some(0), |it| (it.met == it.struck).then_some(it.struck));
        crate::until("the blow is over", crate::seconds(60), over)
    }

    /// Lets everything pass.
    pub fn disarm(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blow_for(&self, request: &Request) -> Option<Blow> {
        let mut armed = self.lock();
        let armed = armed.as_mut().filter(|armed| armed.times > armed.met)?;
        let path = request.path.split('?').next().unwrap_or_default();
        let body = String::from_utf8_lossy(&request.body);
        let fits = request.method == armed.call.method
            && (path.ends_with(armed.call.path) || path.contains(&format!("{}/", armed.call.path)))
            && body.contains(armed.call.body);
        fits.then(|| {
            armed.met += 1;
            armed.blow
        })
    }

    fn kill(&self) {
        let process = self.victim.swap(0, Ordering::SeqCst);
        if process != 0 {
            let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
        }
    }

    /// One request and its answer; whether the connection goes on.
    fn serve(&self, stream: &TcpStream) -> io::Result<bool> {
        let Some(request) = read(stream)? else { return Ok(false) };
        let blow = self.blow_for(&request);
        let goes_on = self.treat(stream, &request, blow);
        if blow.is_some()
            && let Some(armed) = self.lock().as_mut()
        {
            armed.struck = armed.met;
        }
        goes_on
    }

    fn treat(&self, stream: &TcpStream, request: &Request, blow: Option<Blow>) -> io::Result<bool> {
        match blow {
            None if request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade")) => {
                self.tunnel(stream, request)
            }
            None => self.pass(stream, request),
            Some(Blow::KillBefore) => {
                self.kill();
                Ok(false)
            }
            Some(Blow::HangUpBefore) => Ok(false),
            Some(Blow::Answer(code)) => answer(stream, code),
            Some(blow @ (Blow::KillAfter | Blow::HangUpAfter)) => {
                // All of the answer is waited for, so the call has certainly done what it does.
                let _ = self.pass(&io::sink(), request);
                if blow == Blow::KillAfter {
                    self.kill();
                }
                Ok(false)
            }
        }
    }

    /// A request for streams (`exec`): from the answer on, bytes pass both ways until one side is done.
    fn tunnel(&self, mut stream: &TcpStream, request: &Request) -> io::Result<bool> {
        let method = Method::from_bytes(request.method.as_bytes()).map_err(io::Error::other)?;
        let mut call = self.streams.request(method, format!("{}{}", self.server, request.path));
        for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            call = call.header(name, value);
        }
        let response = RUNTIME.block_on(call.send()).map_err(io::Error::other)?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return answer(stream, status.as_u16());
        }
        let mut head = b"HTTP/1.1 101 x\r\n".to_vec();
        for (name, value) in response.headers() {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        stream.write_all(&head)?;
        let near = stream.try_clone()?;
        near.set_nonblocking(true)?;
        RUNTIME.block_on(async {
            let mut near = tokio::net::TcpStream::from_std(near)?;
            let mut far = response.upgrade().await.map_err(io::Error::other)?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        })?;
        Ok(false)
    }

    fn pass<'s, S>(&self, to: &'s S, request: &Request) -> io::Result<bool>
    where
        &'s S: Write,
    {
        let method = Method::from_bytes(request.method.as_bytes()).map_err(io::Error::other)?;
        let mut call = self.client.request(method, format!("{}{}", self.server, request.path));
        for (name, value) in &request.headers {
            if !["host", "connection", "content-length", "transfer-encoding", "accept-encoding"]
                .contains(&name.to_ascii_lowercase().as_str())
            {
                call = call.header(name, value);
            }
        }
        let mut to = to;
        let mut response =
            RUNTIME.block_on(call.body(request.body.clone()).send()).map_err(io::Error::other)?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        write!(
            to,
            "HTTP/1.1 {} x\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n",
            response.status().as_u16(),
            kind.unwrap_or("application/json")
        )?;
        to.flush()?;
        while let Some(chunk) = RUNTIME.block_on(response.chunk()).map_err(io::Error::other)? {
            if !chunk.is_empty() {
                write!(to, "{:x}\r\n", chunk.len())?;
                to.write_all(&chunk)?;
                to.write_all(b"\r\n")?;
                to.flush()?;
            }
        }
        to.write_all(b"0\r\n\r\n")?;
        to.flush()?;
        Ok(true)
    }
}

/// A `Status`, as an API server says no.
fn answer(mut to: &TcpStream, code: u16) -> io::Result<bool> {
    let reason = match code {
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the proxy says no", "reason": reason, "code": code,
    })
    .to_string();
    write!(
        to,
        "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    to.flush()?;
    Ok(true)
}

/// Reads one request; `None` at the end of the connection.
fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    // Unbuffered beyond the request: nothing of the next one may get lost.
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request =
        Request { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            request.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let length = request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}
