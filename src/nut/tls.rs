//! STARTTLS: the server's side of TLS. Files are read at every handshake, so that renewed ones are taken without a
//! restart.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::nut::options::TlsOptions;

/// Goes on in TLS.
pub(super) async fn accept(stream: TcpStream, files: &TlsOptions) -> io::Result<TlsStream<TcpStream>> {
    let files = files.clone();
    let config = tokio::task::spawn_blocking(move || config(&files)).await.map_err(io::Error::other)?;
    let config =
        config.inspect_err(|fault| tracing::error!(%fault, "the NUT server cannot use its certificate"))?;
    TlsAcceptor::from(Arc::new(config)).accept(stream).await
}

fn config(files: &TlsOptions) -> io::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| invalid(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| invalid(&files.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| invalid(&files.certificate, &error))
}

fn invalid(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
}
