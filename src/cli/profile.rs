//! `emberwatch profile`: the library of device profiles, and the way to a new one.
//!
//! ```text
//! list ─► show ID ─► (probe a device)      new --from-csv ─► fill in an example ─► test FILE
//! ```
//!
//! Nothing here talks to a device: profiles are data, and are looked at as data.

mod import;
mod list;
mod new;
mod rows;
mod show;
mod snippet;
mod test;

use std::path::Path;
use std::sync::Arc;

use crate::cli::{Exit, say};
use crate::field::profile::{Profile, ProfileFault, builtin};

/// Arguments of `profile`.
#[derive(clap::Args)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(clap::Subcommand)]
enum ProfileCommand {
    /// The profiles that come with the program.
    List,
    /// All that one profile says: points, actions, limits, source.
    Show(show::ShowArgs),
    /// Run the worked examples of profiles: raw words in, values out; actions in, frames out.
    Test(test::TestArgs),
    /// Write a profile from a register list (CSV).
    New(new::NewArgs),
}

/// Carries out one of its commands.
pub(crate) fn profile(args: &ProfileArgs) -> Exit {
    match &args.command {
        ProfileCommand::List => list::list(),
        ProfileCommand::Show(args) => show::show(args),
        ProfileCommand::Test(args) => test::test(args),
        ProfileCommand::New(args) => new::new(args),
    }
}

/// A profile with its text, and the file it came from.
struct Known {
    file: String,
    text: String,
    profile: Result<Arc<Profile>, Vec<ProfileFault>>,
}

/// The profile of this id, or in this file. Says what is wrong and gives `None` where there is neither.
fn find(name: &str) -> Option<Known> {
    let shipped = builtin();
    if let Some(shipped) = shipped.get(name) {
        let profile = Ok(Arc::clone(&shipped.profile));
        return Some(Known { file: format!("{name}.toml"), text: shipped.text.to_owned(), profile });
    }
    let is_path = Path::new(name).extension().is_some() || name.contains('/');
    if !is_path {
        let names: Vec<&str> = shipped.keys().map(String::as_str).collect();
        say(&format!("emberwatch profile: no profile `{name}`; there are: {}", names.join(", ")));
        return None;
    }
    match std::fs::read_to_string(name) {
        Ok(text) => {
            let profile = Profile::parse(&text, name).map(Arc::new);
            Some(Known { file: name.to_owned(), text, profile })
        }
        Err(error) => {
            say(&format!("emberwatch profile: cannot read `{name}`: {error}"));
            None
        }
    }
}
