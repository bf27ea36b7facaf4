//! Which key to certify: the one named, else one that the person's ssh would use, else a new one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Login, LoginError, say};

/// The key's private half; it may be in an agent only, then there is a `.pub` file of that name.
pub(super) fn find(login: &Login) -> Result<PathBuf, LoginError> {
    if let Some(key) = &login.key {
        let key = if key.extension().is_some_and(|end| end == "pub") {
            key.with_extension("")
        } else {
            key.clone()
        };
        return if is_there(&key) { Ok(key) } else { generate(&key).map(|()| key) };
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or(LoginError::NoHome)?;
    let mut ssh = login.ssh();
    ssh.args(&login.options)
        .args(["-G", "--"])
        .arg(&login.host)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = ssh.output().map_err(|error| LoginError::Run("ssh", error))?;
    let candidates = candidates(&String::from_utf8_lossy(&output.stdout), &home);
    if let Some(key) = choose(&candidates, is_there) {
        return Ok(key);
    }
    let named = candidates.first().filter(|key| !is_default(key, &home)).cloned();
    if candidates.is_empty() || !output.status.success() {
        return Err(LoginError::Keys(login.host.clone()));
    }
    let key = named.unwrap_or_else(|| home.join(".ssh/id_ed25519"));
    generate(&key)?;
    Ok(key)
}

/// The files that `ssh -G` names, in its order.
pub(super) fn candidates(text: &str, home: &Path) -> Vec<PathBuf> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("identityfile "));
    lines
        .filter(|path| *path != "none" && !path.is_empty())
        .map(|path| match path.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => PathBuf::from(path),
        })
        .collect()
}

/// The first of them that is there and of a kind that the gateway certifies; of several, an ed25519 key.
pub(super) fn choose(candidates: &[PathBuf], is_there: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let name =
        |key: &Path| key.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let old =
        |key: &Path| ["rsa", "dsa", "xmss"].iter().any(|kind| name(key).ends_with(&format!("id_{kind}")));
    let mut there = candidates.iter().filter(|key| is_there(key) && !old(key)).collect::<Vec<_>>();
    there.sort_by_key(|key| !name(key).contains("ed25519"));
    there.first().map(|key| (*key).clone())
}

/// The public half, as text.
pub(super) fn public(key: &Path) -> Result<String, LoginError> {
    let path = with_end(key, ".pub");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(text);
    }
    // Without a `.pub` file, the private one knows (and asks for its passphrase if it has to).
    let output = Command::new("ssh-keygen").arg("-y").arg("-f").arg(key).stderr(Stdio::inherit()).output();
    match output.map_err(|error| LoginError::Run("ssh-keygen", error))? {
        output if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(LoginError::NotAKey(key.to_owned())),
    }
}

/// `KEY` and an ending, which may follow a dot in the name.
pub(super) fn with_end(key: &Path, end: &str) -> PathBuf {
    let mut path = key.as_os_str().to_owned();
    path.push(end);
    PathBuf::from(path)
}

fn is_there(key: &Path) -> bool {
    key.is_file() || with_end(key, ".pub").is_file()
}

fn is_default(key: &Path, home: &Path) -> bool {
    key.parent() == Some(&home.join(".ssh"))
        && key.file_name().is_some_and(|name| name.to_string_lossy().starts_with("id_"))
}

fn generate(key: &Path) -> Result<(), LoginError> {
    if let Some(directory) = key.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        let mut make = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(make.recursive(true), 0o700);
        make.create(directory).map_err(|error| LoginError::Write(directory.to_owned(), error))?;
    }
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key).stdin(Stdio::null());
    let status = keygen.status().map_err(|error| LoginError::Run("ssh-keygen", error))?;
    if !status.success() {
        return Err(LoginError::Generate(key.to_owned()));
    }
    say(&format!("made the key {} (without a passphrase; `ssh-keygen -p -f` gives it one)", key.display()));
    Ok(())
}
