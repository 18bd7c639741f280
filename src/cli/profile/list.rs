//! `emberwatch profile list`: one row for each profile that comes with the program.

use super::rows::aligned;
use crate::cli::{Exit, print};
use crate::field::profile::builtin;
use crate::safety::site::DeviceKind;

pub(super) fn list() -> Exit {
    let head = ["id", "kind", "vendor", "models", "points", "actions"].map(str::to_owned);
    let row = |profile: &crate::field::profile::Profile| {
        [
            profile.id.clone(),
            kind(profile.kind).to_owned(),
            profile.vendor.clone(),
            profile.models.join(", "),
            profile.points.len().to_string(),
            profile.actions.len().to_string(),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(builtin().values().map(|it| row(&it.profile))).collect();
    for line in aligned(&rows) {
        print(&line);
    }
    Exit::Ok
}

/// The word of a kind in profiles.
pub(super) const fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Ups => "ups",
        DeviceKind::Battery => "battery",
        DeviceKind::Gas => "gas",
        DeviceKind::Smoke => "smoke",
        DeviceKind::Environment => "environment",
        DeviceKind::Contact => "contact",
    }
}
