//! What the configuration says about the local page and API.

use std::net::SocketAddr;

use secrecy::SecretString;

/// The local page and API.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Loopback unless configured otherwise.
    pub listen: SocketAddr,
    /// Whether each cell of a battery has metrics of its own: thousands of series.
    pub metrics_cells: bool,
    /// People who may do more than look; each with a token of their own.
    pub operators: Vec<OperatorOptions>,
}

/// One person.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// As it appears in records.
    pub name: String,
    /// Their token: at least 16 characters.
    pub token: SecretString,
}
