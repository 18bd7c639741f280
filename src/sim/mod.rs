//! A battery room that behaves.
