//! What the configuration needs to know of profiles: names, units, ranges, labels, classes, actions.
//!
//! The register map itself is none of its business; it is handed on whole to the field.

#[cfg(test)]
mod double;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::complaint::{Desk, Place, Source};
use crate::config::explain::Code;
use crate::config::files;
use crate::config::node::At;
use crate::field::profile::Profile;
use crate::safety::site::{DeviceKind, Labels, OutputKind};
use crate::units::{Millis, Unit};

/// One profile, as far as the configuration looks at it.
#[derive(Debug)]
pub(super) struct ProfileView {
    pub(super) id: String,
    pub(super) kind: DeviceKind,
    pub(super) points: Vec<PointView>,
    pub(super) actions: Vec<ActionView>,
    pub(super) profile: Arc<Profile>,
    /// Its points, actions and limits as written, without comments: what a proof test of a sequence covers.
    pub(super) map: String,
}

/// One point of a profile.
#[derive(Debug)]
pub(super) struct PointView {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) range: Option<(f64, f64)>,
    pub(super) fall_per_s_max: Option<f64>,
    pub(super) labels: Labels,
    pub(super) class: String,
}

/// One action of a profile.
#[derive(Debug)]
pub(super) struct ActionView {
    pub(super) name: String,
    pub(super) output: OutputKind,
    /// Points that read the very coils or registers that are commanded: no proof of an effect.
    pub(super) echoes: Vec<String>,
    /// How long its switch takes to move, as the maker says.
    pub(super) travel: Millis,
    /// The device goes on by itself once it was told.
    pub(super) irrevocable: bool,
}

/// A fault of a profile file: where in its text, what, and what to do.
pub(super) struct Fault {
    pub(super) span: std::ops::Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// All profiles that devices may name.
pub(super) struct Library {
    views: BTreeMap<String, Arc<ProfileView>>,
}

impl Library {
    /// The built-in profiles and those of the directories.
    pub(super) fn load(desk: &mut Desk, dirs: &[At<String>]) -> Self {
        let views = source::builtin().into_iter().map(|view| (view.id.clone(), Arc::new(view))).collect();
        let mut library = Self { views };
        #[cfg(test)]
        library.add_doubles();
        for dir in dirs {
            match files::toml_files_in(Path::new(&dir.value)) {
                Ok(paths) => paths.iter().for_each(|path| library.read(desk, path, dir.at)),
                Err(error) => {
                    desk.say(Code::Unreadable, dir.at, format!("cannot read `{}`: {error}", dir.value));
                }
            }
        }
        library
    }

    #[cfg(test)]
    fn add_doubles(&mut self) {
        let any = self.views.values().next().expect("there are built-in profiles");
        let views = [double::view(Arc::clone(&any.profile)), double::torn(&any.profile)];
        self.views.extend(views.map(|view| (view.id.clone(), Arc::new(view))));
    }

    fn read(&mut self, desk: &mut Desk, path: &Path, named_at: Place) {
        let Some(text) = files::read_text(desk, path, Some(named_at)) else { return };
        let file = desk.complaints.sources.len();
        desk.complaints.sources.push(Source { path: path.to_owned(), text: text.clone() });
        match source::parse(&text, &path.display().to_string()) {
            Ok(view) if self.views.contains_key(&view.id) => {
                let sentence = format!("there is already a profile `{}`", view.id);
                desk.say(Code::BadProfile, Place::new(file, 0..0), sentence)
                    .help("give it another id: built-in profiles are not replaced");
            }
            Ok(view) => {
                self.views.insert(view.id.clone(), Arc::new(view));
            }
            Err(faults) => {
                for fault in faults {
                    desk.say(Code::BadProfile, Place::new(file, fault.span), fault.message).help(fault.help);
                }
            }
        }
    }

    /// The profile of this name; a complaint if there is none.
    pub(super) fn find(&self, desk: &mut Desk, name: &At<String>) -> Option<Arc<ProfileView>> {
        let found = self.views.get(&name.value).cloned();
        if found.is_none() {
            super::names::unknown(desk, "profile", name, self.views.keys().map(String::as_str));
        }
        found
    }
}
