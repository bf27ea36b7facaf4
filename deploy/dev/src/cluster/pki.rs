//! The cluster's own certificate authority and the server's certificate, kept in a directory.
//!
//! The CA is made once and stays; the server's certificate is made anew at every start, so a changed list of
//! names needs no cleaning up. The CA's key never leaves the directory and signs nothing but that certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::time;

/// What can go wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file of the directory cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// A key or certificate cannot be made or understood.
    #[error("cannot make the certificates of the embedded cluster; delete `{}` to have new ones made", dir.display())]
    Certificate { dir: PathBuf, source: rcgen::Error },
    /// The TLS library refuses what was made.
    #[error("the TLS library refuses the certificates of the embedded cluster")]
    Tls { source: rustls::Error },
}

/// The CA certificate and a TLS configuration that shows a certificate of it.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    ca_pem: String,
    tls: Arc<rustls::ServerConfig>,
}

impl Pki {
    /// Loads the CA from `dir`, or makes one there.
    pub(crate) fn open(dir: &Path) -> Result<Pki, PkiError> {
        fs::create_dir_all(dir).map_err(file("make", dir))?;
        let certificate = |source| PkiError::Certificate { dir: dir.to_owned(), source };
        let (cert_path, key_path) = (dir.join("ca.crt"), dir.join("ca.key"));
        if !(cert_path.exists() && key_path.exists()) {
            let key = KeyPair::generate().map_err(certificate)?;
            let cert = ca_params().self_signed(&key).map_err(certificate)?;
            write_private(&key_path, key.serialize_pem().as_bytes())?;
            fs::write(&cert_path, cert.pem()).map_err(file("write", &cert_path))?;
        }
        let ca_pem = fs::read_to_string(&cert_path).map_err(file("read", &cert_path))?;
        let key_pem = fs::read_to_string(&key_path).map_err(file("read", &key_path))?;
        let ca_key = KeyPair::from_pem(&key_pem).map_err(certificate)?;
        let issuer = Issuer::new(ca_params(), ca_key);
        let key = KeyPair::generate().map_err(certificate)?;
        let cert = server_params().and_then(|p| p.signed_by(&key, &issuer)).map_err(certificate)?;
        let tls = tls_config(cert.der().clone(), &key).map_err(|source| PkiError::Tls { source })?;
        Ok(Pki { ca_pem, tls: Arc::new(tls) })
    }

    /// The CA certificate, PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// For the listener: HTTP/1.1 only, since upgrades need it.
    pub(crate) fn tls(&self) -> Arc<rustls::ServerConfig> {
        self.tls.clone()
    }
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), PkiError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let next = path.with_extension("next");
    let _ = fs::remove_file(&next);
    let mut out = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&next)
        .map_err(file("create", &next))?;
    out.write_all(content).and_then(|()| out.sync_all()).map_err(file("write", &next))?;
    fs::rename(&next, path).map_err(file("replace", path))
}

fn tls_config(cert: CertificateDer<'static>, key: &KeyPair) -> Result<rustls::ServerConfig, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sallyport-dev-ca");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let names =
        ["127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(str::to_owned))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let year = rcgen::date_time_ymd(1975, 1, 1);
    params.not_before = year;
    params.not_after =
        rcgen::date_time_ymd(time::now().strftime("%Y").to_string().parse().unwrap_or(2030) + 2, 1, 1);
    Ok(params)
}

fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> PkiError + use<> {
    let path = path.to_owned();
    move |source| PkiError::File { doing, path, source }
}
