//! A directory of links to this machine's programs without some of them: the `PATH` of containers whose image
//! lacks those. It keeps what is looked up by name from being found; a path written out still leads to it, since
//! containers see the machine's own files.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::image::{PATH, executable};

/// Makes `dir` anew, with a link to every program on [`PATH`] but those named. Returns the `PATH` to use instead.
pub(super) fn without(names: &[&str], dir: &Path) -> io::Result<String> {
    let path = dir.to_str().filter(|path| !path.contains(':'));
    let path = path.ok_or_else(|| io::Error::other("its name cannot be part of PATH"))?;
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::create_dir_all(dir)?,
    }
    let mut programs: HashMap<_, PathBuf> = HashMap::new();
    // A directory that is not there has no programs.
    for entry in PATH.split(':').flat_map(std::fs::read_dir).flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let left_out = names.iter().any(|left_out| name == *left_out);
        if !left_out && executable(&path) {
            programs.entry(name).or_insert(path);
        }
    }
    for (name, program) in programs {
        symlink(program, dir.join(name))?;
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_there_but_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("a/bin");
        // The second time over the first.
        for left_out in ["cat", "sh"] {
            assert_eq!(without(&[left_out], &bin).unwrap(), bin.to_str().unwrap());
            for program in ["cat", "sh", "ls"] {
                assert_eq!(executable(&bin.join(program)), program != left_out, "{program}");
            }
        }
        without(&[], &dir.path().join("a:b")).unwrap_err();
    }
}
