//! A profile for tests, with what the built-in ones need not have: a pulse, a command that only echoes.

use super::{ActionView, Arc, DeviceKind, Labels, Millis, OutputKind, PointView, Profile, ProfileView, Unit};

/// Points: `level` (degC, 0..100, fast), `position` (states, slow), `coil` (echo of `switch`).
pub(super) fn view(profile: Arc<Profile>) -> ProfileView {
    let point = |name: &str, class: &str, unit, range, labels| PointView {
        name: name.to_owned(),
        unit,
        range,
        fall_per_s_max: None,
        labels,
        class: class.to_owned(),
    };
    let states = Labels::Enum(vec![(0, "open".to_owned()), (1, "closed".to_owned())]);
    let action = |name: &str, output, echo: Option<&str>| ActionView {
        name: name.to_owned(),
        output,
        echoes: echo.map(str::to_owned).into_iter().collect(),
        travel: Millis::ZERO,
        irrevocable: name == "shut-down",
    };
    ProfileView {
        id: "double".to_owned(),
        kind: DeviceKind::Contact,
        points: vec![
            point("level", "fast", Unit::Celsius, Some((0.0, 100.0)), Labels::None),
            point("position", "slow", Unit::None, None, states.clone()),
            point("coil", "fast", Unit::None, None, states),
        ],
        actions: vec![
            action("switch", OutputKind::Level, Some("coil")),
            action("kick", OutputKind::Pulse, None),
            action("shut-down", OutputKind::Level, None),
        ],
        map: format!("{:?}", profile.points),
        profile,
    }
}

/// A device whose points belong together and cannot be read together.
pub(super) fn torn(profile: &Profile) -> ProfileView {
    let mut profile = profile.clone();
    (profile.limits.max_registers, profile.limits.max_bits) = (1, 1);
    profile.points.retain(|point| point.words() == 1);
    profile.points.truncate(2);
    profile.points.iter_mut().for_each(|point| point.atomic = Some(1));
    ProfileView { id: "torn".to_owned(), ..view(Arc::new(profile)) }
}
