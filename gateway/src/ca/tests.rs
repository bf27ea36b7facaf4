//! The authority against itself, against `ssh-keygen`, and against certificates that nobody should accept.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Algorithm, Certificate, EcdsaCurve, PrivateKey, PublicKey};

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::identity::Identity;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const HOUR: Duration = Duration::from_secs(3600);

/// One moment for all of a run, in whole seconds as certificates have them.
fn now() -> Timestamp {
    static NOW: LazyLock<Timestamp> =
        LazyLock::new(|| Timestamp::from_second(SystemClock.now().as_second()).unwrap());
    *NOW
}

fn key(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), algorithm).unwrap()
}

fn alice() -> Identity {
    Identity::for_tests("alice", &["oncall", "dev"])
}

struct Fixture {
    dir: tempfile::TempDir,
    authority: Authority,
    key: PrivateKey,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::init(&dir.path().join("ca")).unwrap();
        Self { dir, authority, key: key(Algorithm::Ed25519) }
    }

    fn ca(&self) -> std::path::PathBuf {
        self.dir.path().join("ca")
    }

    fn issue(&self) -> Issued {
        self.authority.issue(&alice(), self.key.public_key(), HOUR, now()).unwrap()
    }

    fn verify(&self, certificate: &Certificate) -> Result<VerifiedCertificate, CertificateRefusal> {
        self.authority.verify(certificate, PEER, now())
    }

    /// A certificate by our own user CA that the authority itself would never sign.
    fn forge(&self, change: impl FnOnce(&mut Builder)) -> Certificate {
        self.forge_for(&self.key, change)
    }

    fn forge_for(&self, key: &PrivateKey, change: impl FnOnce(&mut Builder)) -> Certificate {
        let at = u64::try_from(now().as_second()).unwrap();
        let mut builder =
            Builder::new_with_random_nonce(&mut rand::rng(), key.public_key(), at - 10, at + 600).unwrap();
        change(&mut builder);
        builder.sign(&self.authority.user_ca).unwrap()
    }

    /// A certificate by `ssh-keygen -s`, with our identity in it unless the arguments say otherwise.
    fn keygen(&self, ca: &Path, arguments: &[&str]) -> Certificate {
        let at = self.dir.path();
        let public = at.join("id.pub");
        fs::write(&public, self.key.public_key().to_openssh().unwrap()).unwrap();
        let identity = format!("extension:{IDENTITY_EXTENSION}={}", alice().to_certified().unwrap());
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-s"])
            .arg(ca)
            .args(["-I", "alice", "-O", &identity])
            .args(arguments)
            .arg(&public);
        let output = command.output().expect("ssh-keygen is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Certificate::read_file(&at.join("id-cert.pub")).unwrap()
    }
}

/// What every certificate of ours has.
fn ours(builder: &mut Builder) {
    builder.key_id("alice").unwrap().valid_principal("alice").unwrap();
    builder.extension(IDENTITY_EXTENSION, alice().to_certified().unwrap()).unwrap();
}

#[test]
fn what_is_issued_verifies_to_the_same_person() {
    let fixture = Fixture::new();
    let issued = fixture.issue();
    let verified = fixture.verify(&issued.certificate).unwrap();
    assert_eq!(verified.identity, alice());
    assert_eq!(verified.until, issued.until);
    assert_eq!(verified.since, now());
    assert_eq!(verified.until, now() + HOUR);
    assert_eq!(verified.serial, issued.serial);
    assert_eq!(verified.key.key_data(), fixture.key.public_key().key_data());
    assert_eq!(verified.fingerprint, fixture.key.public_key().fingerprint(HashAlg::Sha256).to_string());
    assert!(verified.permits_pty && verified.permits_port_forwarding);
}

#[test]
fn every_accepted_kind_of_key_is_signed_and_verified() {
    let fixture = Fixture::new();
    for curve in [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521] {
        let key = key(Algorithm::Ecdsa { curve });
        let issued = fixture.authority.issue(&alice(), key.public_key(), HOUR, now()).unwrap();
        fixture.verify(&issued.certificate).unwrap();
    }
}

#[test]
fn a_hardware_key_is_signed_and_verified() {
    let fixture = Fixture::new();
    // PROTOCOL.u2f: the name, an Ed25519 point, the application.
    let mut bytes = Vec::new();
    let point = fixture.key.public_key().key_data().ed25519().unwrap().0;
    for part in [&b"sk-ssh-ed25519@openssh.com"[..], &point, b"ssh:"] {
        bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        bytes.extend(part);
    }
    let key = PublicKey::from_bytes(&bytes).unwrap();
    let issued = fixture.authority.issue(&alice(), &key, HOUR, now()).unwrap();
    assert_eq!(fixture.verify(&issued.certificate).unwrap().key.key_data(), key.key_data());
}

#[test]
fn an_rsa_key_is_not_signed_and_says_what_to_do() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("rsa");
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&path);
    assert!(make.status().unwrap().success());
    let key = PublicKey::read_openssh_file(path.with_extension("pub")).unwrap();
    let error = fixture.authority.issue(&alice(), &key, HOUR, now()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`ssh-rsa` keys are not accepted here; make one with `ssh-keygen -t ed25519`"
    );
}

#[test]
fn ssh_keygen_reads_what_is_issued() {
    let fixture = Fixture::new();
    let issued = fixture.issue();
    let path = fixture.dir.path().join("id-cert.pub");
    fs::write(&path, issued.certificate.to_openssh().unwrap()).unwrap();
    let output = Command::new("ssh-keygen").args(["-L", "-f"]).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let ca = fixture.authority.user_ca_public().fingerprint(HashAlg::Sha256).to_string();
    for expected in [
        "Type: ssh-ed25519-cert-v01@openssh.com user certificate",
        "Key ID: \"alice\"",
        "Critical Options: (none)",
        "permit-pty",
        "permit-port-forwarding",
        IDENTITY_EXTENSION,
        &format!("Serial: {}", issued.serial),
        &ca,
    ] {
        assert!(text.contains(expected), "`{expected}` in\n{text}");
    }
}

#[test]
fn a_certificate_by_ssh_keygen_with_our_key_and_identity_is_good() {
    let fixture = Fixture::new();
    let ca = fixture.ca().join("user_ca");
    let certificate = fixture.keygen(&ca, &["-n", "alice", "-V", "-1m:+1h"]);
    assert_eq!(fixture.verify(&certificate).unwrap().identity, alice());
}

#[test]
fn hostile_certificates_by_ssh_keygen_are_refused() {
    let fixture = Fixture::new();
    let ca = fixture.ca().join("user_ca");
    let hour = ["-n", "alice", "-V", "-1m:+1h"];
    let refusal = |arguments: &[&str]| fixture.verify(&fixture.keygen(&ca, arguments)).unwrap_err();
    let with = |more: &[&'static str]| refusal(&[&hour, more].concat());

    assert!(matches!(refusal(&["-n", "alice", "-V", "-2h:-1h"]), CertificateRefusal::Expired(_)));
    assert!(matches!(refusal(&["-n", "alice", "-V", "+1h:+2h"]), CertificateRefusal::NotYet(_)));
    assert_eq!(refusal(&["-n", "alice", "-V", "-1m:+2d"]), CertificateRefusal::TooLongLived);
    assert_eq!(refusal(&["-n", "alice", "-V", "always:forever"]), CertificateRefusal::TooLongLived);
    assert_eq!(refusal(&["-V", "-1m:+1h"]), CertificateRefusal::NoPrincipal);
    assert_eq!(refusal(&["-n", "bob", "-V", "-1m:+1h"]), CertificateRefusal::Principals);
    assert_eq!(with(&["-h"]), CertificateRefusal::Host);
    assert_eq!(with(&["-O", "force-command=/bin/true"]), CertificateRefusal::ForceCommand);
    assert_eq!(
        with(&["-O", "critical:novel@test=1"]),
        CertificateRefusal::UnknownOption("novel@test".to_owned())
    );
    assert_eq!(
        with(&["-O", "verify-required"]),
        CertificateRefusal::UnknownOption("verify-required".to_owned())
    );
    assert_eq!(with(&["-O", "source-address=10.0.0.0/8"]), CertificateRefusal::SourceAddress(PEER));
    let near = fixture.keygen(&ca, &[&hour[..], &["-O", "source-address=10.0.0.0/8,192.0.2.0/24"]].concat());
    fixture.verify(&near).unwrap();

    let theirs = fixture.dir.path().join("theirs");
    fs::write(&theirs, key(Algorithm::Ed25519).to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
    for other in [theirs, fixture.ca().join("host_ca"), fixture.ca().join("host_key")] {
        let certificate = fixture.keygen(&other, &hour);
        assert!(matches!(fixture.verify(&certificate).unwrap_err(), CertificateRefusal::Authority(_)));
    }
}

#[test]
fn a_changed_certificate_is_refused() {
    let fixture = Fixture::new();
    let bytes = fixture.issue().certificate.to_bytes().unwrap();
    let at = bytes.windows(6).position(|w| w == b"oncall").unwrap();
    let mut changed = bytes;
    changed[at..at + 6].copy_from_slice(b"admins");
    let certificate = Certificate::from_bytes(&changed).unwrap();
    assert_eq!(fixture.verify(&certificate).unwrap_err(), CertificateRefusal::Signature);
}

#[test]
fn a_certificate_that_contradicts_itself_is_refused() {
    let fixture = Fixture::new();
    let refusal = |change: fn(&mut Builder)| fixture.verify(&fixture.forge(change)).unwrap_err();
    fixture.verify(&fixture.forge(ours)).unwrap();

    let json = |username: &str, group: &str| {
        format!(r#"{{"v":1,"iss":"https://i.test","sub":"s","username":"{username}","groups":["{group}"]}}"#)
    };
    let carrying = |json: &str| {
        let certificate = fixture.forge(|b| {
            b.key_id("alice").unwrap().valid_principal("alice").unwrap();
            b.extension(IDENTITY_EXTENSION, json).unwrap();
        });
        fixture.verify(&certificate).unwrap_err()
    };
    assert_eq!(
        refusal(|b| {
            b.key_id("alice").unwrap().valid_principal("alice").unwrap();
        }),
        CertificateRefusal::NoIdentity
    );
    assert_eq!(
        refusal(|b| {
            b.key_id("bob").unwrap().valid_principal("alice").unwrap();
            b.extension(IDENTITY_EXTENSION, alice().to_certified().unwrap()).unwrap();
        }),
        CertificateRefusal::KeyId
    );
    assert_eq!(carrying(&json("bob", "x")), CertificateRefusal::Principals);
    for bad in [
        "",
        "{}",
        "not json",
        &json("alice", "system:masters"),
        &json("alice", "sallyport:grant:x"),
        &json("system:admin", "x"),
        &json("alice", "x").replace("\"v\":1", "\"v\":2"),
        &json("alice", "x").replace("\"v\":1", "\"v\":1,\"admin\":true"),
        &json("alice", &"x".repeat(MAX_LONG)),
    ] {
        assert!(
            matches!(carrying(bad), CertificateRefusal::Identity(_) | CertificateRefusal::TooLong),
            "{bad}"
        );
    }
    assert_eq!(
        refusal(|b| {
            ours(b);
            (0..20).for_each(|n| drop(b.valid_principal(format!("p{n}"))));
        }),
        CertificateRefusal::Principals
    );
    assert_eq!(
        refusal(|b| {
            ours(b);
            b.cert_type(CertType::Host).unwrap();
        }),
        CertificateRefusal::Host
    );
}

/// Longer than a name may be.
const MAX_LONG: usize = 300;

#[test]
fn a_certificate_ends_to_the_second_on_the_injected_clock() {
    let fixture = Fixture::new();
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    let issued =
        fixture.authority.issue(&alice(), fixture.key.public_key(), Duration::from_secs(90), start).unwrap();
    let at = |seconds: i64| {
        let moment = start + jiff::SignedDuration::from_secs(seconds);
        fixture.authority.verify(&issued.certificate, PEER, moment)
    };
    at(0).unwrap();
    at(-60).unwrap();
    at(89).unwrap();
    assert_eq!(at(90).unwrap_err(), CertificateRefusal::Expired(issued.until));
    assert!(matches!(at(-61).unwrap_err(), CertificateRefusal::NotYet(_)));
}

#[test]
fn nothing_is_signed_for_no_time_or_for_days() {
    let fixture = Fixture::new();
    for asked in [Duration::ZERO, Duration::from_millis(999), MAX_USER_VALIDITY + Duration::from_secs(1)] {
        let error = fixture.authority.issue(&alice(), fixture.key.public_key(), asked, now()).unwrap_err();
        assert!(matches!(error, CaError::Validity { .. }));
    }
}

#[test]
fn a_revoked_serial_or_key_is_refused_as_soon_as_the_list_says_so() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.issue(), fixture.issue());
    let list = fixture.ca().join("revoked");
    fixture.verify(&first.certificate).unwrap();

    fs::write(&list, format!("# stolen\nserial:{}\n", first.serial)).unwrap();
    assert!(matches!(fixture.verify(&first.certificate).unwrap_err(), CertificateRefusal::Revoked(_)));
    fixture.verify(&second.certificate).unwrap();

    let fingerprint = fixture.key.public_key().fingerprint(HashAlg::Sha256).to_string();
    fs::write(&list, format!("{fingerprint} # laptop\n")).unwrap();
    assert_eq!(fixture.verify(&second.certificate).unwrap_err(), CertificateRefusal::Revoked(fingerprint));
    let error = fixture.authority.issue(&alice(), fixture.key.public_key(), HOUR, now()).unwrap_err();
    assert!(matches!(error, CaError::KeyRevoked(_)));

    fs::write(&list, "").unwrap();
    fixture.verify(&second.certificate).unwrap();
}

#[test]
fn a_broken_or_vanished_revocation_list_gives_nothing_back() {
    let fixture = Fixture::new();
    let issued = fixture.issue();
    let list = fixture.ca().join("revoked");
    let is_revoked = || matches!(fixture.verify(&issued.certificate), Err(CertificateRefusal::Revoked(_)));
    fs::write(&list, format!("serial:{}\n", issued.serial)).unwrap();
    assert!(is_revoked());
    fs::remove_file(&list).unwrap();
    assert!(is_revoked());
    fs::write(&list, "serial:none\n").unwrap();
    assert!(is_revoked());
    fs::write(&list, [0xff, 0xfe]).unwrap();
    assert!(is_revoked());
    fs::write(&list, "serial:1\nserial:nonsense\n").unwrap();
    assert!(is_revoked());
    // At start there is no last list to fall back on.
    assert!(matches!(Authority::load(&fixture.ca()), Err(CaError::RevocationLine { line: 2, .. })));
    fs::write(&list, "serial:1\n").unwrap();
    assert!(!is_revoked());
}

#[test]
fn keys_are_made_once_for_one_pair_of_eyes_and_found_again() {
    let fixture = Fixture::new();
    let ca = fixture.ca();
    assert_eq!(fs::metadata(&ca).unwrap().permissions().mode() & 0o777, 0o700);
    for name in files::KEYS {
        assert_eq!(fs::metadata(ca.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(ca.join(format!("{name}.pub")).exists());
    }
    assert_ne!(fixture.authority.user_ca_public(), fixture.authority.host_ca_public());
    let again = Authority::load_or_init(&ca).unwrap();
    assert_eq!(again.user_ca_public(), fixture.authority.user_ca_public());
    again.verify(&fixture.issue().certificate, PEER, now()).unwrap();
    assert!(matches!(Authority::init(&ca), Err(CaError::Exists(_))));
}

#[test]
fn an_interrupted_creation_is_completed_and_a_lost_key_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    let first = Authority::load_or_init(&ca).unwrap();
    fs::remove_file(ca.join("user_ca")).unwrap();
    fs::remove_file(ca.join("user_ca.pub")).unwrap();
    let second = Authority::load_or_init(&ca).unwrap();
    assert_eq!(first.host_ca_public(), second.host_ca_public());
    fs::remove_file(ca.join("host_ca")).unwrap();
    assert!(matches!(Authority::load_or_init(&ca), Err(CaError::Missing(_))));
    assert!(!ca.join("host_ca").exists());
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused() {
    let fixture = Fixture::new();
    let path = fixture.ca().join("user_ca");
    for mode in [0o644, 0o620, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(Authority::load(&fixture.ca()), Err(CaError::Open { .. })));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    Authority::load(&fixture.ca()).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(
        &path,
        key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }).to_openssh(LineEnding::LF).unwrap(),
    )
    .unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(Authority::load(&fixture.ca()), Err(CaError::NotAKey(_))));
}

#[test]
fn the_host_certificate_names_its_hosts_and_is_no_user_certificate() {
    let fixture = Fixture::new();
    let names = ["gw.test", "127.0.0.1", "::1", "localhost"].map(str::to_owned);
    let host = fixture.authority.host(&names, HOUR, now()).unwrap();
    assert_eq!(host.certificate.valid_principals(), names);
    assert_eq!(host.certificate.cert_type(), CertType::Host);
    assert_eq!(host.certificate.public_key(), host.key.public_key().key_data());
    let ca = fixture.authority.host_ca_public().fingerprint(HashAlg::Sha256);
    host.certificate.validate_at(u64::try_from(now().as_second()).unwrap(), [&ca]).unwrap();
    assert!(matches!(fixture.verify(&host.certificate), Err(CertificateRefusal::Authority(_))));

    for bad in ["", "*", "a b", "gw.test:22", "-gw", "gw..test", "gw\n"] {
        let error = fixture.authority.host(&[bad.to_owned()], HOUR, now()).unwrap_err();
        assert!(matches!(error, CaError::HostName(_)), "{bad:?}");
    }
    assert!(matches!(fixture.authority.host(&[], HOUR, now()), Err(CaError::HostName(_))));
}

#[test]
fn an_identity_too_long_for_a_certificate_is_not_signed() {
    let fixture = Fixture::new();
    let groups: Vec<String> = (0..200).map(|n| format!("{n:0>250}")).collect();
    let identity = Identity::for_tests("alice", &groups.iter().map(String::as_str).collect::<Vec<_>>());
    let error = fixture.authority.issue(&identity, fixture.key.public_key(), HOUR, now()).unwrap_err();
    assert!(matches!(error, CaError::Identity(IdentityProblem::TooLong)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn verify_undoes_issue(
        username in "[^\\p{Z}\\p{C}:]([^\\p{C}\\p{Zl}\\p{Zp}:]{0,40}[^\\p{Z}\\p{C}:])?",
        groups in proptest::collection::btree_set("[^\\p{Z}\\p{C}:]([^\\p{C}\\p{Zl}\\p{Zp}:]{0,30}[^\\p{Z}\\p{C}:])?", 0..20),
        seconds in 1_u64..86_400,
        at in 1_000_000_000_i64..4_000_000_000,
        fraction in 0_i32..1_000_000_000,
    ) {
        // One authority for all cases: making keys is slow.
        static FIXTURE: std::sync::LazyLock<Fixture> = std::sync::LazyLock::new(Fixture::new);
        let fixture = &*FIXTURE;
        let groups: BTreeSet<String> = groups;
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let identity = Identity::for_tests(&username, &names);
        let now = Timestamp::new(at, fraction).unwrap();
        let issued = fixture
            .authority
            .issue(&identity, fixture.key.public_key(), Duration::from_secs(seconds), now)
            .unwrap();
        // By way of the text that people keep in a file.
        let certificate = Certificate::from_openssh(&issued.certificate.to_openssh().unwrap()).unwrap();
        let verified = fixture.authority.verify(&certificate, PEER, now).unwrap();
        prop_assert_eq!(verified.identity, identity);
        prop_assert_eq!(verified.until, issued.until);
        prop_assert_eq!(verified.serial, issued.serial);
    }

    #[test]
    fn a_certificate_with_any_byte_changed_is_refused(at in 0_usize..100_000, to in any::<u8>()) {
        static GOOD: std::sync::LazyLock<(Fixture, Vec<u8>)> = std::sync::LazyLock::new(|| {
            let fixture = Fixture::new();
            let bytes = fixture.issue().certificate.to_bytes().unwrap();
            (fixture, bytes)
        });
        let (fixture, good) = &*GOOD;
        let mut changed = good.clone();
        let at = at % changed.len();
        changed[at] = to;
        if let Ok(certificate) = Certificate::from_bytes(&changed) {
            prop_assert!(changed == *good || fixture.verify(&certificate).is_err(), "byte {}", at);
        }
    }
}
