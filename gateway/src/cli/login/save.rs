//! Where the certificate goes.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::key::with_end;
use super::shown::Shown;

/// `KEY-cert.pub`, where ssh looks for it by itself.
pub(super) fn beside(key: &Path) -> PathBuf {
    with_end(key, "-cert.pub")
}

/// Puts it there in one step: no ssh that starts meanwhile reads half a certificate.
pub(super) fn replace(path: &Path, certificate: &Shown) -> io::Result<()> {
    let directory =
        path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(certificate.line.as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

pub(super) fn to_stdout(certificate: &Shown) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", certificate.line)
}
