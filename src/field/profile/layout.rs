//! Where the values of one device are: known only once it has said which models it lists and how many members
//! its groups have.
//!
//! ```text
//! Profile (offsets) ─ walk ─► Layout (what the device said) ─ placed ─► Profile (addresses, what is absent)
//! ```
//!
//! An offset is never sent as if it were an address: until a profile is placed, its points and texts of models
//! are not to be asked for, and its actions in models are not allowed. What would lie beyond the end of its
//! model is absent: the register there belongs to another model.

use super::{ActionSpec, Profile, Step, Table, Write};

/// What has to be asked of the device before its points have addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayoutSpec {
    /// The addresses where a SunSpec map may begin; empty for devices without one.
    pub sunspec_bases: Vec<u16>,
    /// Groups that the device counts.
    pub groups: Vec<GroupSpec>,
}

/// A repeated group of points of which a device has as many as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// In which table the number is kept.
    pub table: Table,
    /// At which address.
    pub address: u16,
    /// The model (SunSpec) that the address counts from; `None` for an address as on the wire.
    pub model: Option<u16>,
    /// Which of the models of this number, from 0.
    pub model_index: u16,
    /// The positions of the points of each member, in order. Those of members beyond the number are absent.
    pub members: Vec<Vec<usize>>,
    /// The positions of the actions of each member, likewise.
    pub actions: Vec<Vec<usize>>,
}

/// What a device said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Its SunSpec models, in the order of its chain.
    pub models: Vec<ModelAt>,
    /// How many members each counted group has, in the order of the profile's groups. `None` where the device
    /// does not say: then none of them is taken for absent.
    pub counts: Vec<Option<u16>>,
}

/// One model of a SunSpec chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelAt {
    /// Its number.
    pub id: u16,
    /// The address of its first register, which holds the number.
    pub address: u16,
    /// How many registers follow the two of its header.
    pub length: u16,
}

impl ModelAt {
    /// The address of `words` registers at this offset, if they are part of the model.
    #[must_use]
    pub fn address_of(&self, offset: u16, words: u16) -> Option<u16> {
        let inside = u32::from(offset) + u32::from(words) <= 2 + u32::from(self.length);
        inside.then(|| self.address.checked_add(offset)).flatten()
    }
}

impl Layout {
    /// The model of this number, `index` counting from 0 those that have it.
    #[must_use]
    pub fn model(&self, id: u16, index: u16) -> Option<&ModelAt> {
        self.models.iter().filter(|model| model.id == id).nth(usize::from(index))
    }

    /// Where something of a model is. An address that counts from no model stays as it is.
    pub(super) fn address(&self, model: Option<u16>, index: u16, offset: u16, words: u16) -> Option<u16> {
        match model {
            None => Some(offset),
            Some(id) => self.model(id, index)?.address_of(offset, words),
        }
    }
}

impl Profile {
    /// This profile for the device that said this: addresses as on the wire everywhere, and what it does not
    /// have in `absent` and `absent_actions`. What keeps a `model` is not on the device.
    #[must_use]
    pub fn placed(&self, layout: &Layout) -> Self {
        let mut placed = self.clone();
        for (at, point) in placed.points.iter_mut().enumerate() {
            match layout.address(point.model, point.model_index, point.address, point.words()) {
                Some(address) => (point.address, point.model) = (address, None),
                None => _ = placed.absent.insert(at),
            }
        }
        for text in &mut placed.texts {
            if let Some(address) = layout.address(text.model, text.model_index, text.address, text.words) {
                (text.address, text.model) = (address, None);
            }
        }
        for (at, action) in placed.actions.iter_mut().enumerate() {
            if !place_action(action, layout) {
                placed.absent_actions.insert(at);
            }
        }
        for (group, count) in placed.layout.groups.iter_mut().zip(&layout.counts) {
            let count = count.map_or(usize::MAX, usize::from);
            placed.absent.extend(group.members.iter().skip(count).flatten());
            placed.absent_actions.extend(group.actions.iter().skip(count).flatten());
            if let Some(address) = layout.address(group.model, group.model_index, group.address, 1) {
                (group.address, group.model) = (address, None);
            }
        }
        placed
    }
}

/// Gives an action its addresses; false, and nothing changed, if the device does not have all of them.
fn place_action(action: &mut ActionSpec, layout: &Layout) -> bool {
    let place = |offset, words| layout.address(action.model, action.model_index, offset, words);
    let mut steps = action.steps.clone();
    for step in &mut steps {
        let (address, words) = match step {
            Step::Await(status) => (&mut status.address, 1),
            Step::Write(write) => {
                let words = write.place().2;
                (write_address(write), words)
            }
        };
        let Some(placed) = place(*address, words) else { return false };
        *address = placed;
    }
    let mut state = action.state;
    if let Some(state) = &mut state {
        let Some(placed) = place(state.address, state.count) else { return false };
        state.address = placed;
    }
    (action.steps, action.state, action.model) = (steps, state, None);
    true
}

const fn write_address(write: &mut Write) -> &mut u16 {
    match write {
        Write::Coil { address, .. }
        | Write::CoilWord { address, .. }
        | Write::Coils { address, .. }
        | Write::Register { address, .. }
        | Write::Registers { address, .. } => address,
    }
}
