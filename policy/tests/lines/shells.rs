//! A real shell, with programs that only write down how they were called.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What every line finds where it runs: files, and directories that end with `/`.
const FILES: [&str; 24] = [
    "a.txt",
    "b.txt",
    ".hidden",
    "sp ace.txt",
    "d/",
    "d/x.log",
    "d/y.log",
    "d/.z",
    "d/e/",
    "d/e/x.log",
    "e/",
    "[x]",
    "[",
    "-n",
    "star*",
    "*",
    "é.txt",
    "ü.md",
    "UP.TXT",
    "q?",
    "1.md",
    "a.txt.bak",
    "tail~",
    "d/*",
];

/// A directory that is removed when it is no longer needed.
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    programs: Vec<String>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("sallyport-lines-{}-{number}", std::process::id()));
        fs::create_dir_all(root.join("bin")).expect("a temporary directory");
        // One write, so that the programs of a pipeline do not mix.
        let script = "#!/bin/sh\nprintf '%s\\0' \"${0##*/}\" \"$@\" '\u{1}' >>\"$CALLED\"\n[ \"${0##*/}\" != fails ]\n";
        let path = root.join("bin/.any");
        fs::write(&path, script).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
        let place = Self { root, programs: Vec::new() };
        place.clean();
        place
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Puts the files back as they were.
    fn clean(&self) {
        let files = self.files();
        let _ = fs::remove_dir_all(&files);
        fs::create_dir_all(&files).expect("a directory");
        for name in FILES {
            let path = files.join(name);
            if name.ends_with('/') { fs::create_dir_all(path) } else { fs::write(path, "") }.expect(name);
        }
        symlink("d", files.join("link")).expect("a link");
    }

    fn link(&mut self, program: &str) {
        if program.is_empty() || program.contains('/') || self.programs.iter().any(|known| known == program) {
            return;
        }
        symlink(".any", self.root.join("bin").join(program)).expect("a link");
        self.programs.push(program.to_owned());
    }

    /// Where a shell is, if it is here.
    pub(crate) fn shell(name: &str) -> Option<PathBuf> {
        ["/usr/bin", "/bin"]
            .map(|directory| Path::new(directory).join(name))
            .into_iter()
            .find(|path| path.exists())
    }

    /// How programs were called, sorted, and the files that are there beside those that were, sorted too.
    pub(crate) fn run(
        &mut self,
        shell: &Path,
        line: &str,
        environment: &BTreeMap<String, String>,
        programs: &[&str],
    ) -> (Vec<Vec<String>>, Vec<String>) {
        programs.iter().for_each(|program| self.link(program));
        let called = self.root.join("called");
        fs::write(&called, "").expect("an empty file");
        let output = Command::new(shell)
            .args(["-c", line])
            .current_dir(self.files())
            .env_clear()
            .envs(environment)
            .env("PATH", self.root.join("bin"))
            .env("LC_ALL", "C.UTF-8")
            .env("CALLED", &called)
            .stdin(Stdio::null())
            .output()
            .expect("a shell that starts");
        let text = fs::read_to_string(&called).expect("what was called");
        // Every argument ends with NUL, also an empty last one.
        let mut calls: Vec<Vec<String>> = text
            .split_terminator("\u{1}\0")
            .map(|call| call.split_terminator('\0').map(str::to_owned).collect())
            .collect();
        calls.sort();
        let mut files = self.others();
        files.sort();
        if !files.is_empty() {
            self.clean();
        }
        if calls.is_empty() && files.is_empty() {
            calls.extend(complaint(&output.stderr));
        }
        (calls, files)
    }

    fn others(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (below, prefix) in [("", ""), ("d", "d/")] {
            for entry in fs::read_dir(self.files().join(below)).expect("the files").flatten() {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let own = FILES.iter().any(|file| file.trim_end_matches('/') == name) || name == "link";
                found.extend((!own).then_some(name));
            }
        }
        found
    }
}

/// What a shell said where nothing ran, to be seen in the test's report.
fn complaint(stderr: &[u8]) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(stderr);
    (!text.trim().is_empty()).then(|| vec![format!("(the shell said: {})", text.trim())])
}
