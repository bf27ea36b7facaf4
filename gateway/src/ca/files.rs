//! Keys on disk: made once, whole or not at all, and for one pair of eyes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

use super::CaError;

/// Signs users' keys.
pub(super) const USER_CA: &str = "user_ca";
/// Signs the host key.
pub(super) const HOST_CA: &str = "host_ca";
/// The SSH server's own key.
pub(super) const HOST_KEY: &str = "host_key";

/// In the order in which they are made.
pub(super) const KEYS: [&str; 3] = [HOST_KEY, HOST_CA, USER_CA];

/// No key file is longer.
const MAX_KEY_BYTES: u64 = 16 * 1024;

/// What others must not have: reading, and writing by the group. A group that may read is what Kubernetes
/// makes of a mounted Secret (`fsGroup`).
const FORBIDDEN_MODE: u32 = 0o027;

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> CaError + 'a {
    move |source| CaError::File { doing, path: path.to_owned(), source }
}

pub(super) fn make_dir(dir: &Path) -> Result<(), CaError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("make the directory", dir))
}

/// Makes whichever keys are not there yet. Safe against a second process that does the same.
pub(super) fn fill(dir: &Path) -> Result<(), CaError> {
    for name in KEYS {
        let path = dir.join(name);
        if path.exists() {
            continue;
        }
        let mut key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(CaError::Sign)?;
        key.set_comment(format!("sallyport {name}"));
        let private = key.to_openssh(LineEnding::LF).map_err(CaError::Sign)?;
        create(dir, &path, private.as_bytes())?;
    }
    // The public halves are for people and are derived again whenever one is missing.
    for name in KEYS {
        let path = dir.join(format!("{name}.pub"));
        if !path.exists() {
            let public = read_key(&dir.join(name))?.public_key().to_openssh().map_err(CaError::Sign)?;
            create(dir, &path, format!("{public}\n").as_bytes())?;
        }
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

/// Writes a file that is either there in full or not at all, and leaves alone what was there before.
fn create(dir: &Path, path: &Path, content: &[u8]) -> Result<(), CaError> {
    // 0600 from the first moment.
    let mut file =
        tempfile::Builder::new().prefix(".new-").tempfile_in(dir).map_err(failed("write", path))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(failed("write", path))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Somebody else made it in the meantime; theirs is as good.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed("write", path)(error.error)),
    }
}

/// Reads a private key and refuses one that others could have read or replaced.
pub(super) fn read_key(path: &Path) -> Result<PrivateKey, CaError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CaError::Missing(path.to_owned()));
        }
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mode = file.metadata().map_err(failed("read", path))?.permissions().mode() & 0o7777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(CaError::Open { path: path.to_owned(), mode });
    }
    let mut text = secrecy::zeroize::Zeroizing::new(String::new());
    let not_a_key = || CaError::NotAKey(path.to_owned());
    file.take(MAX_KEY_BYTES + 1).read_to_string(&mut text).map_err(failed("read", path))?;
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| not_a_key())?;
    if key.is_encrypted() || key.algorithm() != Algorithm::Ed25519 {
        return Err(not_a_key());
    }
    Ok(key)
}

/// Reads a small text file.
pub(super) fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(max_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {max_bytes} bytes"),
        ));
    }
    Ok(text)
}
