//! What machines are told, and what clients are answered.
