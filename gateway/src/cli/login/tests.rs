use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory with a key, and a stand-in for ssh that does what the gateway would.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn keygen(&self, args: &[&str]) {
        let status =
            Command::new("ssh-keygen").current_dir(self.dir.path()).arg("-q").args(args).status().unwrap();
        assert!(status.success());
    }

    fn key(&self, name: &str) -> PathBuf {
        self.keygen(&["-t", "ed25519", "-N", "", "-f", name]);
        self.path(name)
    }

    /// A certificate for `key` at `name`, by a throw-away authority.
    fn certificate(&self, key: &str, name: &str) -> PathBuf {
        if !self.path("ca").exists() {
            self.key("ca");
        }
        self.keygen(&["-s", "ca", "-I", "alice", "-n", "alice", "-V", "+1h", &format!("{key}.pub")]);
        fs::rename(self.path(&format!("{key}-cert.pub")), self.path(name)).unwrap();
        self.path(name)
    }

    fn ssh(&self, script: &str) -> PathBuf {
        let path = self.path("fake-ssh");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn login(&self, key: &Path, script: &str) -> Login {
        Login {
            host: "prod-gw".to_owned(),
            device: true,
            key: Some(key.to_owned()),
            print: false,
            config: Some("my config".into()),
            options: vec!["-p".into(), "2222".into()],
            program: self.ssh(script),
        }
    }
}

#[test]
fn the_certificate_lands_beside_the_key_and_ssh_was_asked_for_nothing_else() {
    let home = Home::new();
    let key = home.key("id");
    let certificate = home.certificate("id", "served");
    let script = format!("echo \"$@\" > {}; cat {}", home.path("args").display(), certificate.display());
    home.login(&key, &script).sign_in().unwrap();
    let saved = home.path("id-cert.pub");
    assert_eq!(fs::read_to_string(&saved).unwrap().trim(), fs::read_to_string(&certificate).unwrap().trim());
    assert_eq!(fs::metadata(&saved).unwrap().permissions().mode() & 0o777, 0o644);
    let args = fs::read_to_string(home.path("args")).unwrap();
    assert!(args.starts_with("-F my config -T -i "), "{args}");
    assert!(args.trim_end().ends_with("-p 2222 -- prod-gw login"), "{args}");
}

#[test]
fn a_certificate_for_another_key_is_not_filed() {
    let home = Home::new();
    let (key, _other) = (home.key("id"), home.key("other"));
    let certificate = home.certificate("other", "served");
    let error = home.login(&key, &format!("cat {}", certificate.display())).sign_in().unwrap_err();
    assert!(matches!(error, LoginError::OtherKey(_)), "{error}");
    assert!(!home.path("id-cert.pub").exists());
}

#[test]
fn what_is_no_certificate_leaves_the_old_one_alone() {
    let home = Home::new();
    let key = home.key("id");
    fs::write(home.path("id-cert.pub"), "the old one").unwrap();
    for output in ["echo hello", "true", "cat /dev/zero | head -c 300000"] {
        let error = home.login(&key, output).sign_in().unwrap_err();
        assert!(matches!(error, LoginError::NoCertificate(_) | LoginError::Ssh(_)), "{error}");
    }
    assert_eq!(fs::read_to_string(home.path("id-cert.pub")).unwrap(), "the old one");
}

#[test]
fn the_status_of_ssh_is_kept() {
    let home = Home::new();
    let key = home.key("id");
    let error = home.login(&key, "exit 77").sign_in().unwrap_err();
    assert!(matches!(error, LoginError::Ssh(77)), "{error}");
}

#[test]
fn a_key_is_made_where_there_is_none() {
    let home = Home::new();
    let key = home.path("new/.ssh/id_ed25519");
    // The gateway cannot certify a key that it has not seen, so this one only looks whether it was there.
    let script = format!("test -f {} && exit 5", key.display());
    assert!(matches!(home.login(&key, &script).sign_in().unwrap_err(), LoginError::Ssh(5)));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.path("new/.ssh")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn of_the_keys_that_ssh_names_the_first_usable_one_is_taken_and_ed25519_preferred() {
    let text = "host prod-gw\nidentityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\nidentityfile /keys/work.v2\n\
                identityfile ~/.ssh/id_ed25519\nidentityfile none\n";
    let found = key::candidates(text, Path::new("/home/al"));
    let shown: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(
        shown,
        ["/home/al/.ssh/id_rsa", "/home/al/.ssh/id_ecdsa", "/keys/work.v2", "/home/al/.ssh/id_ed25519"]
    );
    let among = |there: &'static [&str]| {
        key::choose(&found, move |path| there.iter().any(|end| path.ends_with(end)))
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
    };
    assert_eq!(among(&["id_rsa", "id_ecdsa", "id_ed25519"]).as_deref(), Some("id_ed25519"));
    assert_eq!(among(&["id_rsa", "work.v2"]).as_deref(), Some("work.v2"));
    assert_eq!(among(&["id_rsa"]), None);
    assert_eq!(key::with_end(Path::new("/keys/work.v2"), "-cert.pub"), Path::new("/keys/work.v2-cert.pub"));
}

#[test]
fn only_addresses_are_opened() {
    assert!(browser::is_address("https://idp.example.com/device?user_code=ABCD-EFGH"));
    for other in [
        "",
        "--help",
        "file:///etc/passwd",
        "https://",
        "https://x y",
        "javascript:alert(1)",
        "see https://x",
    ] {
        assert!(!browser::is_address(other), "{other}");
    }
}
