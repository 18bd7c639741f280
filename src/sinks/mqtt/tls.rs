//! How the broker is verified, and how it verifies us.
//!
//! Files are read for every connection, so that a renewed certificate counts from the next one on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::options::TlsOptions;

/// Why no TLS connection can be tried.
#[derive(Debug, Error)]
pub(super) enum TlsFault {
    #[error("cannot read {file}: {source}")]
    Unreadable { file: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("no usable certificate authority in {0}")]
    NoAuthority(String),
    #[error("TLS cannot be set up: {0}")]
    Refused(#[from] rustls::Error),
}

/// The client side of TLS as configured.
pub(super) fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(options.ca_file.as_deref())?);
    let config = match &options.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|source| TlsFault::Unreadable { file: key.clone(), source })?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let unreadable = |source| TlsFault::Unreadable { file: file.to_owned(), source };
    let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    found.collect::<Result<_, _>>().map_err(unreadable)
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, TlsFault> {
    let (found, place) = match file {
        Some(file) => (certificates(file)?, file.display().to_string()),
        None => (rustls_native_certs::load_native_certs().certs, "the system's store".to_owned()),
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 { Err(TlsFault::NoAuthority(place)) } else { Ok(roots) }
}
