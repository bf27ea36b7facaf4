//! What stands in for container images. Nothing is pulled or unpacked: a container's command is a program of
//! this machine, found on an ordinary `PATH`. A few image names mean something, so that what depends on the
//! image can be tried:
//!
//! | image (last part of the name, without tag) | programs | without a command |
//! |---|---|---|
//! | `hold`, `scratch`, `distroless…`; any image for a container named `noshell` | only `/hold` | waits for SIGTERM |
//! | `alpine`, `busybox` | all but `bash` | `sh`, which ends at once |
//! | `echo` | all | TCP echo on port 7777 |
//! | `http`, `nginx` | all | HTTP on port 8080 |
//! | `postgres` | all | a TCP server on port 5432, no database |
//! | anything else | all | the container is not started, and says why |
//!
//! A program that an image lacks is not found by its name, neither by the cluster nor by a shell in the container
//! ([`super::programs`]).
//!
//! `/hold`, in every image, is this project's own: `/hold` waits, `/hold say WORDS…` prints its arguments.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The `PATH` of every container, as most images set it.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// By which names `bash` is found.
pub(super) const BASH: [&str; 2] = ["bash", "rbash"];

/// Which programs a container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Programs {
    /// Those of this machine.
    All,
    /// Those of this machine without `bash`.
    NoBash,
    /// `/hold` alone.
    Hold,
}

/// What an image name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) programs: Programs,
    default: &'static [&'static str],
}

/// Why a program cannot be started; Display is what the container runtime of a real node says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartError {
    #[error("exec: {0:?}: executable file not found in $PATH: unknown")]
    NotFound(String),
    #[error("exec: {0:?}: stat {0}: no such file or directory: unknown")]
    NoFile(String),
    #[error("exec: {0:?}: permission denied: unknown")]
    NotExecutable(String),
    #[error("no command specified")]
    NoCommand,
    #[error("exec: {0:?}: {1}")]
    Spawn(String, String),
}

impl Image {
    /// Looks an image up by the name in the pod's manifest.
    pub(crate) fn named(image: &str, container: &str) -> Image {
        let last = image.rsplit('/').next().unwrap_or_default();
        let base = last.split([':', '@']).next().unwrap_or_default();
        let image = |programs, default| Image { programs, default };
        match base {
            _ if container == "noshell" => image(Programs::Hold, &["/hold"]),
            "hold" | "scratch" => image(Programs::Hold, &["/hold"]),
            _ if base.starts_with("distroless") => image(Programs::Hold, &["/hold"]),
            "alpine" | "busybox" => image(Programs::NoBash, &["sh"]),
            "echo" => image(Programs::All, &["/hold", "echo", "7777"]),
            "http" | "nginx" => image(Programs::All, &["/hold", "http", "8080"]),
            "postgres" => image(Programs::All, &["/hold", "postgres", "5432"]),
            _ => image(Programs::All, &[]),
        }
    }

    /// The command line of a container: `command` and `args` of the manifest over the image's own, by the
    /// rules of the `Container` type.
    pub(crate) fn command(&self, command: &[String], args: &[String]) -> Vec<String> {
        match (command, args) {
            ([], []) => self.default.iter().map(|word| (*word).to_owned()).collect(),
            ([], args) => {
                self.default.iter().take(1).map(|word| (*word).to_owned()).chain(args.to_vec()).collect()
            }
            (command, args) => command.iter().chain(args).cloned().collect(),
        }
    }

    /// Finds the program of a command line. `hold` is how this program is started again as `/hold`.
    pub(crate) fn resolve(&self, argv: &[String], hold: &[OsString]) -> Result<Vec<OsString>, StartError> {
        let [program, rest @ ..] = argv else { return Err(StartError::NoCommand) };
        let with = |head: Vec<OsString>| head.into_iter().chain(rest.iter().map(OsString::from)).collect();
        if program == "/hold" && !hold.is_empty() {
            return Ok(with(hold.to_vec()));
        }
        let absent = match self.programs {
            Programs::All => false,
            Programs::NoBash => {
                Path::new(program).file_name().is_some_and(|name| BASH.iter().any(|bash| name == *bash))
            }
            Programs::Hold => true,
        };
        let found = if absent { None } else { find(program) };
        match found {
            Some(path) if executable(&path) => Ok(with(vec![path.into_os_string()])),
            Some(_) => Err(StartError::NotExecutable(program.clone())),
            None if program.contains('/') => Err(StartError::NoFile(program.clone())),
            None => Err(StartError::NotFound(program.clone())),
        }
    }
}

fn find(program: &str) -> Option<PathBuf> {
    if program.is_empty() {
        None
    } else if program.contains('/') {
        Some(PathBuf::from(program)).filter(|path| path.exists())
    } else {
        PATH.split(':').map(|dir| Path::new(dir).join(program)).find(|path| executable(path))
    }
}

pub(super) fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn an_image_without_a_shell_has_none_by_any_name() {
        let image = Image::named("localhost/sallyport/hold:1", "app");
        assert_eq!(image.resolve(&argv(&["sh"]), &[]), Err(StartError::NotFound("sh".into())));
        assert_eq!(image.resolve(&argv(&["/bin/sh"]), &[]), Err(StartError::NoFile("/bin/sh".into())));
        let hold = [OsString::from("/bin/true")];
        assert!(image.resolve(&argv(&["/hold", "say", "x"]), &hold).is_ok());
        assert_eq!(Image::named("busybox", "noshell").programs, Programs::Hold);
    }

    #[test]
    fn a_missing_program_is_reported_in_the_words_of_a_container_runtime() {
        let image = Image::named("debian@sha256:00", "app");
        assert_eq!(
            image.resolve(&argv(&["no-such-program"]), &[]).unwrap_err().to_string(),
            "exec: \"no-such-program\": executable file not found in $PATH: unknown"
        );
        assert_eq!(image.resolve(&[], &[]), Err(StartError::NoCommand));
        assert_eq!(
            image.resolve(&argv(&["/etc/passwd"]), &[]),
            Err(StartError::NotExecutable("/etc/passwd".into()))
        );
        assert_eq!(
            Image::named("alpine:3", "app").resolve(&argv(&["bash"]), &[]),
            Err(StartError::NotFound("bash".into()))
        );
    }

    #[test]
    fn arguments_alone_keep_the_program_of_the_image() {
        let image = Image::named("hold", "app");
        assert_eq!(image.command(&[], &argv(&["say", "hi"])), argv(&["/hold", "say", "hi"]));
        assert_eq!(image.command(&argv(&["sh"]), &argv(&["-c", "x"])), argv(&["sh", "-c", "x"]));
    }
}
