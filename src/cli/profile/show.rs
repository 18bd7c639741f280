//! `emberwatch profile show`: all that one profile says, as tables.

use super::rows::aligned;
use super::snippet::say_faults;
use super::{find, list};
use crate::cli::{Exit, print};
use crate::field::profile::{
    ActionSpec, Await, Forbidden, IdentityCheck, Limits, Order, PointSpec, Profile, Step, Write,
};
use crate::safety::site::{Labels, OutputKind};

/// Arguments of `profile show`.
#[derive(clap::Args)]
pub(crate) struct ShowArgs {
    /// A profile that comes with the program, by its id, or a file.
    profile: String,
    /// Print the file itself: a copy to start from.
    #[arg(long)]
    toml: bool,
}

pub(super) fn show(args: &ShowArgs) -> Exit {
    let Some(known) = find(&args.profile) else { return Exit::Usage };
    if args.toml {
        print(known.text.trim_end());
        return Exit::Ok;
    }
    match &known.profile {
        Ok(profile) => {
            for line in lines(profile) {
                print(&line);
            }
            Exit::Ok
        }
        Err(faults) => {
            say_faults(&known.file, &known.text, faults);
            Exit::No
        }
    }
}

fn lines(profile: &Profile) -> Vec<String> {
    let mut lines = vec![
        format!("{} · {} · {}", profile.id, list::kind(profile.kind), profile.vendor),
        format!("models     {}", profile.models.join(", ")),
        format!("source     {}", profile.source),
    ];
    lines.extend(profile.transport.as_ref().map(|transport| format!("transport  {transport}")));
    lines.push(format!("limits     {}", limits(&profile.limits)));
    if !profile.layout.sunspec_bases.is_empty() {
        let bases: Vec<String> = profile.layout.sunspec_bases.iter().map(u16::to_string).collect();
        lines.push(format!(
            "sunspec    looked for at {}; addresses below count from the model",
            bases.join(", ")
        ));
    }
    lines.extend(counted(profile));
    for check in &profile.identity {
        lines.push(format!("known by   {}", identity(profile, check)));
    }
    lines.push(String::new());
    let head = ["point", "table", "address", "type", "value", "range", "class", "meaning"].map(str::to_owned);
    let points = profile.points.iter().map(|spec| point(profile, spec));
    lines.extend(aligned(&std::iter::once(head).chain(points).collect::<Vec<_>>()));
    if !profile.texts.is_empty() {
        lines.push(String::new());
        let head = ["text", "table", "address", "words"].map(str::to_owned);
        let texts = profile.texts.iter().map(|text| {
            let address = format!("{}{}", text.address, in_model(text.model, text.model_index));
            [text.name.clone(), text.table.word().to_owned(), address, text.words.to_string()]
        });
        lines.extend(aligned(&std::iter::once(head).chain(texts).collect::<Vec<_>>()));
    }
    lines.push(String::new());
    if profile.actions.is_empty() {
        lines.push("no actions: nothing is ever written to this device".to_owned());
    } else {
        let head = ["action", "output", "does"].map(str::to_owned);
        let actions = profile.actions.iter().map(action);
        lines.extend(aligned(&std::iter::once(head).chain(actions).collect::<Vec<_>>()));
    }
    lines
}

/// Groups that the device counts; those of a model of which there are several, once.
fn counted(profile: &Profile) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for group in &profile.layout.groups {
        let model = in_model(group.model, 0);
        let most = group.members.len();
        lines.push(format!(
            "counted    {} {}{model}: up to {most} members",
            group.table.word(),
            group.address
        ));
    }
    lines.dedup();
    lines
}

fn limits(limits: &Limits) -> String {
    let mut words = vec![format!("{} registers or {} bits a read", limits.max_registers, limits.max_bits)];
    words.extend(limits.max_gap.map(|gap| format!("gaps up to {gap}")));
    if limits.single_reads {
        words.push("each point read alone".to_owned());
    }
    if limits.pause.0 != 0 {
        words.push(format!("{} between a reply and the next request", limits.pause));
    }
    if limits.reply_unit_offset != 0 {
        words.push(format!("replies carry the unit of the request {:+}", limits.reply_unit_offset));
    }
    let ranges = |what: &str, ranges: &[Forbidden]| {
        let range = |range: &Forbidden| format!("{} {} to {}", range.table.word(), range.first, range.last);
        let all: Vec<String> = ranges.iter().map(range).collect();
        (!all.is_empty()).then(|| format!("{what} {}", all.join(", ")))
    };
    words.extend(ranges("never read", &limits.forbidden));
    words.extend(ranges("changed by reading", &limits.read_clears));
    words.extend(ranges("never written", &limits.unwritable));
    words.join("; ")
}

fn in_model(model: Option<u16>, index: u16) -> String {
    match (model, index) {
        (None, _) => String::new(),
        (Some(model), 0) => format!(" in {model}"),
        (Some(model), index) => format!(" in {model}, no. {}", u32::from(index) + 1),
    }
}

fn identity(profile: &Profile, check: &IdentityCheck) -> String {
    match check {
        IdentityCheck::DeviceId { object, contains } => {
            format!("device identification, object {object}, contains \"{contains}\"")
        }
        IdentityCheck::ServerId { contains } => format!("server id contains \"{contains}\""),
        IdentityCheck::Text { text, contains } => {
            format!("text {} contains \"{contains}\"", profile.texts[*text].name)
        }
        IdentityCheck::Register { table, address, mask, one_of } => {
            format!("{} {address} & {mask:#06x} is one of {one_of:?}", table.word())
        }
        IdentityCheck::Model(model) => format!("SunSpec model {model}"),
    }
}

fn point(profile: &Profile, spec: &PointSpec) -> [String; 8] {
    let mut kind = spec.encoding.word().to_owned();
    if let Some(part) = spec.part {
        let last = u16::from(part.shift) + u16::from(part.width) - 1;
        let bits = if part.width == 1 { last.to_string() } else { format!("{} to {last}", part.shift) };
        kind = format!("{kind} bit {bits}");
    }
    if spec.word_order == Order::Little {
        kind += ", low word first";
    }
    if spec.byte_order == Order::Little {
        kind += ", low byte first";
    }
    [
        spec.name.clone(),
        spec.table.word().to_owned(),
        format!("{}{}", spec.address, in_model(spec.model, spec.model_index)),
        kind,
        value(profile, spec),
        spec.range.map_or_else(String::new, |(low, high)| format!("{low} to {high}")),
        spec.class.clone(),
        meaning(spec),
    ]
}

/// What the number is multiplied by, and its unit.
fn value(profile: &Profile, spec: &PointSpec) -> String {
    let mut words = Vec::new();
    if (spec.scaling.scale - 1.0).abs() > f64::EPSILON {
        words.push(format!("× {}", spec.scaling.scale));
    }
    words.extend(spec.factor.map(|factor| format!("× 10^{}", profile.points[factor].name)));
    if spec.scaling.offset.abs() > f64::EPSILON {
        words.push(format!("{:+}", spec.scaling.offset));
    }
    words.push(spec.unit.symbol().to_owned());
    words.join(" ").trim_end().to_owned()
}

fn meaning(spec: &PointSpec) -> String {
    let mut words: Vec<String> = match &spec.labels {
        Labels::None => Vec::new(),
        Labels::Enum(names) => names.iter().map(|(number, name)| format!("{number} {name}")).collect(),
        Labels::Bits(names) => names.iter().map(|(bit, name)| format!("b{bit} {name}")).collect(),
    };
    let sentinel = |pattern: &u64| format!("{pattern:#x} no value");
    words.extend(spec.sentinels.iter().map(sentinel));
    words.join(", ")
}

fn action(spec: &ActionSpec) -> [String; 3] {
    let output = match spec.output {
        OutputKind::Level => "level",
        OutputKind::Pulse => "pulse",
    };
    let step = |step: &Step| match step {
        Step::Write(write) => written(write),
        Step::Await(status) => awaited(status),
    };
    let steps: Vec<String> = spec.steps.iter().map(step).collect();
    let does = format!("{}{}", steps.join("; then "), in_model(spec.model, spec.model_index));
    [spec.name.clone(), output.to_owned(), does]
}

fn written(write: &Write) -> String {
    let function = write.function();
    match write {
        Write::Coil { address, on } => {
            format!("coil {address} {} (function {function})", if *on { "on" } else { "off" })
        }
        Write::CoilWord { address, word } => format!("coil {address} ← {word:#06x} (function {function})"),
        Write::Coils { address, bits } => {
            let bits: String = bits.iter().map(|bit| if *bit { '1' } else { '0' }).collect();
            format!("coils from {address} ← {bits} (function {function})")
        }
        Write::Register { address, word } => {
            format!("register {address} ← {word:#06x} (function {function})")
        }
        Write::Registers { address, words } => {
            let used = words.iter().rposition(|word| *word != 0).map_or(1, |last| last + 1);
            let mut shown: Vec<String> = words[..used].iter().map(|word| format!("{word:#06x}")).collect();
            if used < words.len() {
                shown.push(format!("{} × 0", words.len() - used));
            }
            format!("registers from {address} ← {} (function {function})", shown.join(" "))
        }
    }
}

fn awaited(status: &Await) -> String {
    let mask = if status.mask == u16::MAX { String::new() } else { format!(" & {:#06x}", status.mask) };
    let place = format!("{} {}{mask}", status.table.word(), status.address);
    format!("wait until {place} is one of {:?}, at most {}", status.done, status.within)
}
