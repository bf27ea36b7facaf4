//! `sallyport login HOST`: a convenience around `ssh HOST login`. It runs the person's own `ssh`, so `~/.ssh/config`,
//! jump hosts and known hosts work as always; puts the certificate beside the key; and tells the agent.
//!
//! No shell is involved anywhere, and nothing is decided here: a certificate is worth what the gateway makes of it.

mod agent;
mod browser;
mod key;
mod save;
mod shown;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use shown::Shown;

/// No certificate is longer.
const MAX_CERTIFICATE: u64 = 128 * 1024;

/// What can be told to `sallyport login`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Login {
    /// The gateway, as you type it after `ssh`
    host: String,
    /// Show the address and the code, and open no browser
    #[arg(long)]
    device: bool,
    /// The key to certify [default: the first that ssh would use, ed25519 preferred; made if there is none]
    #[arg(short = 'i', long = "identity", value_name = "KEY")]
    key: Option<PathBuf>,
    /// Print the certificate instead of putting it beside the key
    #[arg(long)]
    print: bool,
    /// The configuration file for ssh, as in `ssh -F`
    #[arg(short = 'F', value_name = "FILE")]
    config: Option<PathBuf>,
    /// More options for ssh, after `--`
    #[arg(last = true, value_name = "SSH OPTIONS")]
    options: Vec<OsString>,
    /// Something else than `ssh` in tests.
    #[arg(skip = PathBuf::from("ssh"))]
    program: PathBuf,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
enum LoginError {
    #[error("cannot run `{0}`; is OpenSSH installed")]
    Run(&'static str, #[source] io::Error),
    #[error("`ssh -G {0}` does not say which keys it would use; name one with `-i KEY`")]
    Keys(String),
    #[error("`ssh-keygen` could not make the key `{}`", .0.display())]
    Generate(PathBuf),
    #[error("`{}` is no public key; its `.pub` file must lie beside the key", .0.display())]
    NotAKey(PathBuf),
    #[error("ssh ended with status {0} and no certificate")]
    Ssh(i32),
    #[error("what `ssh {0} login` printed is no certificate; is it a Sallyport gateway")]
    NoCertificate(String),
    #[error("the certificate is for another key than `{}`; name the key you want with `-i KEY`", .0.display())]
    OtherKey(PathBuf),
    #[error("cannot write `{}`", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("your home directory is not known; name a key with `-i KEY`")]
    NoHome,
}

impl Login {
    /// Signs in; the exit status is ssh's where ssh failed.
    pub(crate) fn run(&self) -> ExitCode {
        match self.sign_in() {
            Ok(()) => ExitCode::SUCCESS,
            // ssh and the gateway have said why.
            Err(LoginError::Ssh(status)) => ExitCode::from(u8::try_from(status).unwrap_or(255)),
            Err(error) => super::fail(&error),
        }
    }

    fn sign_in(&self) -> Result<(), LoginError> {
        let key = key::find(self)?;
        let public = key::public(&key)?;
        let certificate = self.ask(&key)?;
        let shown = Shown::read(&certificate).ok_or_else(|| LoginError::NoCertificate(self.host.clone()))?;
        if !shown.is_for(&public) {
            return Err(LoginError::OtherKey(key));
        }
        if self.print {
            return save::to_stdout(&shown)
                .map_err(|error| LoginError::Write("standard output".into(), error));
        }
        let path = save::beside(&key);
        let agent = agent::Agent::find();
        if let Some(agent) = &agent {
            agent.forget(&path);
        }
        save::replace(&path, &shown).map_err(|error| LoginError::Write(path.clone(), error))?;
        say(&format!("the certificate is in {}, good until {}", path.display(), shown.until));
        if let Some(agent) = agent
            && key.exists()
        {
            agent.add(&key);
        }
        Ok(())
    }

    /// Runs `ssh HOST login` and returns what it printed.
    fn ask(&self, key: &Path) -> Result<String, LoginError> {
        let run = |error| LoginError::Run("ssh", error);
        let mut child = self.command(key).spawn().map_err(run)?;
        let errors = child.stderr.take();
        let browse = !self.device && browser::there_is_one();
        let echo = std::thread::spawn(move || echo(errors, browse));
        let text = read(&mut child).map_err(run)?;
        let status = child.wait().map_err(run)?;
        let _ = echo.join();
        if status.success() { Ok(text) } else { Err(LoginError::Ssh(status.code().unwrap_or(255))) }
    }

    fn command(&self, key: &Path) -> Command {
        let mut ssh = self.ssh();
        ssh.arg("-T").arg("-i").arg(key);
        // Only this key, on a connection of its own, and nothing but `login` on it.
        for option in [
            "IdentitiesOnly=yes",
            "ControlPath=none",
            "ClearAllForwardings=yes",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "PreferredAuthentications=publickey,keyboard-interactive",
            "KbdInteractiveAuthentication=yes",
            "BatchMode=no",
        ] {
            ssh.args(["-o", option]);
        }
        ssh.args(&self.options).arg("--").arg(&self.host).arg("login");
        ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ssh
    }

    /// The person's ssh with the person's configuration.
    fn ssh(&self) -> Command {
        let mut ssh = Command::new(&self.program);
        if let Some(config) = &self.config {
            ssh.arg("-F").arg(config);
        }
        ssh
    }
}

fn read(child: &mut Child) -> io::Result<String> {
    let mut text = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_CERTIFICATE).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Passes on what ssh and the gateway say, and opens the first address in it.
fn echo(errors: Option<impl Read>, mut browse: bool) {
    let Some(errors) = errors else { return };
    let mut stderr = io::stderr();
    for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
        let _ = stderr.write_all(&line).and_then(|()| stderr.write_all(b"\n"));
        if browse
            && let Ok(text) = std::str::from_utf8(&line)
            && browser::open(text.trim())
        {
            browse = false;
        }
    }
}

fn say(text: &str) {
    let (bold, plain) = if io::stderr().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(io::stderr(), "{bold}sallyport:{plain} {text}");
}
