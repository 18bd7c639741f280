//! TOML configuration: loading, and all complaints at once.
