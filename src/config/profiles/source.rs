//! Where profiles come from. The one file that knows how `field::profile` spells things.

use std::sync::Arc;

use super::{ActionView, Fault, PointView, ProfileView};
use crate::field::profile::{self, ActionSpec, PointSpec, Profile, Table, Write};

/// The profiles that are part of the program.
pub(super) fn builtin() -> Vec<ProfileView> {
    profile::builtin().into_values().map(|shipped| view(shipped.profile)).collect()
}

/// One profile file.
pub(super) fn parse(text: &str, file_name: &str) -> Result<ProfileView, Vec<Fault>> {
    match Profile::parse(text, file_name) {
        Ok(profile) => Ok(view(Arc::new(profile))),
        Err(faults) => Err(faults
            .into_iter()
            .map(|fault| Fault {
                span: fault.span,
                message: fault.sentence,
                help: fault.help.unwrap_or_else(|| "see config/profiles for profiles that work".to_owned()),
            })
            .collect()),
    }
}

fn view(profile: Arc<Profile>) -> ProfileView {
    let points = profile.points.iter().map(point).collect();
    let actions = profile.actions.iter().map(|action| self::action(&profile.points, action)).collect();
    ProfileView { id: profile.id.clone(), kind: profile.kind, points, actions, profile }
}

fn point(spec: &PointSpec) -> PointView {
    PointView {
        name: spec.name.clone(),
        unit: spec.unit,
        range: spec.range,
        fall_per_s_max: spec.fall_per_s_max,
        labels: spec.labels.clone(),
        class: spec.class.clone(),
    }
}

fn action(points: &[PointSpec], action: &ActionSpec) -> ActionView {
    let echoes = points.iter().filter(|point| action.writes().any(|write| reads_back(point, write)));
    ActionView {
        name: action.name.clone(),
        output: action.output,
        echoes: echoes.map(|point| point.name.clone()).collect(),
    }
}

/// Whether a point reads the very coil or registers that are written.
fn reads_back(point: &PointSpec, write: &Write) -> bool {
    let (table, first, count) = match write {
        Write::Coil { address, .. } | Write::CoilWord { address, .. } => (Table::Coil, *address, 1),
        Write::Coils { address, bits } => (Table::Coil, *address, bits.len()),
        Write::Register { address, .. } => (Table::Holding, *address, 1),
        Write::Registers { address, words } => (Table::Holding, *address, words.len()),
    };
    let first = usize::from(first);
    let (start, end) = (usize::from(point.address), usize::from(point.address) + usize::from(point.words()));
    point.table == table && start < first + count && first < end
}
