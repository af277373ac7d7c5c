//! TLS by rustls.

use std::{fs, path::Path};

use bb8_redis::redis::{Client, ConnectionInfo, TlsCertificates};
use cache_core::{Error, ErrorKind, Result};
use rustls::crypto::{CryptoProvider, ring};

use crate::error::classify;

/// A client that trusts the certificates in `ca_file`, or else the roots of the web.
pub(crate) fn client(target: ConnectionInfo, ca_file: Option<&Path>) -> Result<Client> {
    install_crypto_provider();
    let root_cert = ca_file.map(certificates).transpose()?;
    let certificates = TlsCertificates { client_tls: None, root_cert };
    Client::build_with_tls(target, certificates).map_err(|error| classify("connect", error))
}

/// The client takes the process's provider and panics if there is none.
fn install_crypto_provider() {
    if CryptoProvider::get_default().is_none() {
        // Another thread may have been faster: then there is one too.
        let _ = ring::default_provider().install_default();
    }
}

fn certificates(file: &Path) -> Result<Vec<u8>> {
    let wrong =
        |what: &str| Error::new(ErrorKind::Config, "connect").context(format!("ca_file {} {what}", file.display()));
    let pem = fs::read(file).map_err(|error| wrong("can't be read").caused_by(error))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    match pem.windows(begin.len()).any(|text| text == begin) {
        true => Ok(pem),
        false => Err(wrong("holds no PEM certificate")),
    }
}
