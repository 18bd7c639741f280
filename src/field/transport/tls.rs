//! Modbus/TCP Security: mutual TLS with the site's own authority, and a certificate that carries our role
//! (MB-TCP-Security-v21, tables 5 and 6).
//!
//! Files are read at every connection, so that renewed certificates are taken without a restart.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::field::options::TlsOptions;

/// The object identifier 1.3.6.1.4.1.50316.802.1 of the role extension, as DER.
const ROLE_OID: [u8; 13] = [0x06, 0x0B, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x83, 0x89, 0x0C, 0x86, 0x22, 0x01];

/// Tags of DER: text, a string of octets, and a truth value (the extension may be marked critical).
const UTF8_STRING: u8 = 0x0C;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;

pub(super) async fn secured(
    stream: TcpStream,
    address: &str,
    options: &TlsOptions,
) -> io::Result<TlsStream<TcpStream>> {
    let name = match &options.server_name {
        Some(name) => name.clone(),
        None => host_of(address).to_owned(),
    };
    let name = ServerName::try_from(name).map_err(|error| invalid(format!("the server's name: {error}")))?;
    let files = options.clone();
    let config = tokio::task::spawn_blocking(move || config(&files)).await.map_err(io::Error::other)??;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn config(files: &TlsOptions) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| invalid(format!("{}: {error}", files.ca.display())))?;
    }
    let chain = certificates(&files.certificate)?;
    if chain.first().and_then(|certificate| role_in(certificate)).is_none() {
        return Err(invalid(format!(
            "{}: no role in the certificate (extension 1.3.6.1.4.1.50316.802.1): the device could not tell \
             what we may do",
            files.certificate.display()
        )));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| invalid(format!("{}: {error}", files.key.display())))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| invalid(format!("{}: {error}", files.certificate.display())))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| invalid(format!("{}: {error}", path.display())))?;
    if read.is_empty() {
        return Err(invalid(format!("{}: no certificate in it", path.display())));
    }
    Ok(read)
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The role that a certificate (DER) carries, if any.
#[must_use]
pub fn role_in(certificate: &[u8]) -> Option<String> {
    let at = certificate.windows(ROLE_OID.len()).position(|window| window == ROLE_OID)?;
    let mut rest = &certificate[at + ROLE_OID.len()..];
    if let [BOOLEAN, 1, _, after @ ..] = rest {
        rest = after;
    }
    let [OCTET_STRING, _, UTF8_STRING, length, text @ ..] = rest else { return None };
    let text = text.get(..usize::from(*length)).filter(|_| *length < 0x80)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_is_read_also_from_a_critical_extension() {
        let plain = [&[1, 2], ROLE_OID.as_slice(), &[4, 6, 12, 4], b"Reed"].concat();
        assert_eq!(role_in(&plain).as_deref(), Some("Reed"));
        let critical = [ROLE_OID.as_slice(), &[1, 1, 0xFF, 4, 6, 12, 4], b"Reed"].concat();
        assert_eq!(role_in(&critical).as_deref(), Some("Reed"));
        for cut in 0..plain.len() {
            assert_eq!(role_in(&plain[..cut]), None);
        }
    }

    #[test]
    fn the_host_is_the_address_without_its_port() {
        assert_eq!((host_of("panel.site:802"), host_of("[::1]:802")), ("panel.site", "::1"));
    }
}
