//! Where profiles come from. The one file that knows how `field::profile` spells things.

use std::sync::Arc;

use super::{ActionView, Fault, PointView, ProfileView};
use crate::field::profile::{self, ActionSpec, PointSpec, Profile, Write};

/// The profiles that are part of the program.
pub(super) fn builtin() -> Vec<ProfileView> {
    profile::builtin().into_values().map(|shipped| view(shipped.profile, shipped.text)).collect()
}

/// One profile file.
pub(super) fn parse(text: &str, file_name: &str) -> Result<ProfileView, Vec<Fault>> {
    match Profile::parse(text, file_name) {
        Ok(profile) => Ok(view(Arc::new(profile), text)),
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

/// What a profile says of the device and not to people, in one order.
fn map(text: &str) -> String {
    const FOR_PEOPLE: [&str; 6] = ["vendor", "models", "source", "transport", "identity", "example"];
    let Ok(mut table) = text.parse::<toml::Table>() else { return String::new() };
    table.retain(|key, _| !FOR_PEOPLE.contains(&key));
    toml::Value::Table(table).to_string()
}

fn view(profile: Arc<Profile>, text: &str) -> ProfileView {
    let points = profile.points.iter().map(point).collect();
    let actions = profile.actions.iter().map(|action| self::action(&profile.points, action)).collect();
    ProfileView { id: profile.id.clone(), kind: profile.kind, points, actions, map: map(text), profile }
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
    let echoes = points.iter().filter(|point| action.writes().any(|write| reads_back(point, action, write)));
    ActionView {
        name: action.name.clone(),
        output: action.output,
        echoes: echoes.map(|point| point.name.clone()).collect(),
        travel: action.travel,
        irrevocable: action.irrevocable,
    }
}

/// Whether a point reads the very coil or registers that are written.
fn reads_back(point: &PointSpec, action: &ActionSpec, write: &Write) -> bool {
    let (table, first, count) = write.place();
    let (first, count) = (u32::from(first), u32::from(count));
    let (start, end) = (u32::from(point.address), u32::from(point.address) + u32::from(point.words()));
    let one_model = (point.model, point.model_index) == (action.model, action.model_index);
    one_model && point.table == table && start < first + count && first < end
}
