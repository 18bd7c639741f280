//! Profiles: register maps of device models, as data.

/// The register map of one device model.
#[derive(Clone, Debug)]
pub struct Profile {}
