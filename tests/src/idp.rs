//! The certified OpenID provider of `tests/idp`, running under Node.js on loopback with a certificate of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{Running, run};
use crate::seconds;

/// A running provider; ends when dropped.
#[derive(Debug)]
pub struct Idp {
    process: std::sync::Mutex<Running>,
    issuer: String,
    certificate: PathBuf,
}

impl Idp {
    /// Installs it where it is not, and starts it.
    #[must_use]
    pub fn start(dir: &Path) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp");
        let installed = run(&mut Command::new(here.join("install")), b"", seconds(300)).exits(0);
        let program = installed.out.lines().last().expect("the path of the program").to_owned();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (certificate, key) = (dir.join("idp.crt"), dir.join("idp.key"));
        std::fs::write(&certificate, own.cert.pem()).expect("write a certificate");
        std::fs::write(&key, own.signing_key.serialize_pem()).expect("write a key");
        let mut node = Command::new("node");
        node.arg(program).arg("--cert").arg(&certificate).arg("--key").arg(&key);
        let process = Running::start(&mut node);
        process.expect("}\n", seconds(120));
        let line: Value =
            serde_json::from_str(process.out.text().lines().next().expect("a line")).expect("JSON");
        let issuer = line["issuer"].as_str().expect("the issuer").to_owned();
        Self { process: process.into(), issuer, certificate }
    }

    /// Its issuer URL.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its certificate, PEM, to be trusted.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Replaces its signing keys.
    pub fn rotate(&self) {
        self.tell("rotate", "rotated");
    }

    /// Tells it something and waits until it says that it is done.
    pub fn tell(&self, line: &str, answer: &str) {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = process.out.bytes().len();
        assert!(process.write(format!("{line}\n").as_bytes()), "the provider no longer listens");
        assert!(process.out.wait_for(answer, before, seconds(60)).is_some(), "`{line}` was not done");
    }
}
