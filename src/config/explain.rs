//! Every code a complaint can carry, with a paragraph that explains it.
//!
//! Codes are stable: a number is never given a new meaning. By hundreds: 0 files, 1 shapes, 2 names,
//! 3 links and devices, 4 rules, 5 sequences, 6 edges and secrets, 7 warnings.

use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal, $text:literal;)+) => {
        /// What a complaint is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// One line: what it is about.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// A paragraph: why it matters and what to do.
            #[must_use]
            pub const fn paragraph(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

codes! {
    Unreadable = 1, "A file or directory cannot be read",
        "The path does not exist, may not be read by this user, or is not UTF-8 text. Check the path given with --config and the rights of the service's user.";
    Syntax = 2, "The text is not TOML",
        "The file breaks the rules of TOML at the marked place, for instance a missing quote or bracket, or a key written twice. The rest of the file is read as well as it can be, so later complaints may follow from this one: repair it first.";
    NoFiles = 3, "There is nothing to read",
        "No configuration was given, or a directory holds no file ending in .toml. Directories are read in the order of the names of their files; other files in them are ignored.";
    WritableByAll = 4, "A configuration file may be written by everybody",
        "Whoever can write the configuration decides when power is cut. Take the right to write away from others: chmod o-w FILE.";
    SecretReadable = 5, "A secret may be read by others",
        "A secret file must belong to the service's user and be readable by nobody else: chmod 600 FILE. Credentials that systemd passes are protected by systemd and not checked.";
    UnknownKey = 101, "A key is not known",
        "The key does nothing in this table. It is refused rather than ignored, because a limit with a slip in its name would silently not protect.";
    MissingKey = 102, "A key is missing",
        "The table needs this key. Nothing about safety has a default: limits, delays, votes, and what happens when sensors fail are decisions of the site, to be written down by it.";
    WrongType = 103, "A value has the wrong type",
        "Text stands in double quotes, numbers without; durations and quantities with a unit are text, for instance \"5s\" or \"45 degC\".";
    BadId = 104, "An id has characters that are not allowed",
        "Ids become parts of topics, tags and file names: up to 48 of a-z, 0-9 and the hyphen, beginning with a letter or digit. For anything else there is the title.";
    BadWord = 105, "A word is not one of those allowed",
        "This key takes one of a few fixed words; the complaint lists them.";
    BadDuration = 106, "A duration cannot be read",
        "Durations are text: a number followed by ms, s, min or h, for instance \"500ms\", \"1.5s\", \"5min\".";
    BadQuantity = 107, "A quantity cannot be read",
        "Quantities are text: a number, a space, and the unit of the point, for instance \"45 degC\" or \"3 degC/min\". Points without unit take a bare number.";
    WrongUnit = 108, "A quantity is not in the unit of its point",
        "The unit must be the one the profile gives the point. Nothing is converted, so that a limit reads in the configuration as it reads on the screen.";
    OutOfRange = 109, "A number, duration or text is outside of what makes sense",
        "The complaint names the range. Zero periods, attempts without number and delays of days are slips, not decisions.";
    NotFinite = 110, "A number is not finite",
        "NaN and infinities compare with nothing as one expects: such a limit would never be reached, or always.";
    KindCount = 111, "Not exactly one kind is given",
        "A rule, a link, a case, an expectation or a secret is of exactly one kind, given by one of the keys that the complaint lists.";
    NothingToWatch = 112, "There is nothing to watch",
        "A site needs at least one room, zone, link and device. An empty configuration is refused, because a daemon that watches nothing looks as healthy as one that watches everything.";
    EmptyList = 113, "A list is empty",
        "Something is to be judged, verified or counted, but nothing is named.";
    DuplicateId = 201, "Two things of one kind have the same id",
        "Ids are unique per kind over all files. Both places are shown.";
    UnknownName = 202, "A name refers to nothing",
        "No file defines what is referred to. Points are written `device/point`, actions `device/action`; the names after the stroke are those of the device's profile.";
    ReservedId = 203, "An id is reserved",
        "`gateway` names the machine itself in topics and cannot be the id of a room.";
    AlarmNameTaken = 204, "An id is needed for an alarm of another thing",
        "Each rule gives its name to an alarm, and devices, sequences and emberwatch itself have alarms such as `bms-1-silent`, `cut-a-not-armed` and `mqtt-down`. Rename the rule.";
    SaidTwice = 205, "A table or key that may stand once is in two files",
        "Tables such as [site] and [mqtt], and keys outside of tables, may be written once over all files: which of two should count cannot be guessed.";
    BadAddress = 301, "An address is not host:port",
        "Write the host name or address and the port, for instance 192.0.2.10:502; IPv6 addresses in brackets.";
    UnitTaken = 302, "Two devices are the same unit of the same link",
        "One of them would show the values of the other. Check the unit identifiers.";
    BadProfile = 303, "A profile is not valid",
        "A file in profile_dirs describes a register map that cannot be used, or has the id of another profile.";
    ScanClass = 304, "The scan periods do not fit the profile",
        "Each scan class of the profile needs a period, and no other class exists.";
    FrozenSibling = 305, "A frozen rule does not fit",
        "A value is doubted when it stays identical while siblings move. A point cannot be its own sibling, siblings have one unit, and the point needs at least 30 polls before identical values mean anything.";
    SameBackup = 306, "A backup address is the primary address",
        "The backup is a second way to the same devices, tried when the first does not answer. The same address twice only makes a failure last longer.";
    PortTaken = 307, "Two links have the same serial port",
        "A line has one owner: two of them would tear each other's frames. All units of a line belong to one link.";
    SerialPipeline = 308, "Several requests at once on a serial line",
        "Replies on a serial line carry no transaction id: the next request may only leave when the one before is answered or given up. `pipeline` is for tcp and tls.";
    SerialUnit = 309, "A unit cannot be on a serial line",
        "On a serial line unit 0 is a broadcast that no device answers, and 248 to 255 are reserved. Devices have addresses from 1 to 247.";
    TornGroup = 310, "Points that belong together cannot be read together",
        "The profile marks points as one snapshot (`atomic`), but the device cannot deliver them in one request: they span more than it reads at once, lie in two tables or scan classes, or hold an address between them that must not be read.";
    IdsIgnored = 311, "An order would go through a gateway that breaks transaction ids",
        "With `ignore_transaction_ids` a reply cannot be told from another one, so no answer to an order could be believed. Such a link is for reading only: command the device over a link of its own.";
    PresetPart = 313, "A point does not fit the part of a preset",
        "A preset judges parts, each in one unit and played by the points that the site names; some parts are played by one point only. A preset without any point judges nothing.";
    Doubt = 312, "What makes a point doubtful does not fit it",
        "A heartbeat is a counter of its device, and needs three polls at least to be seen counting. Points that measure the same thing have one unit, are doubted once, and not beside themselves.";
    LimitOrder = 401, "Limits are in the wrong order",
        "watch, warning and danger must lie further and further out on the dangerous side: rising where `above` is dangerous, falling where `below` is.";
    NoLimit = 402, "A rule has no limit",
        "A rule without any of watch, warning and danger can never find anything.";
    Deadband = 403, "A deadband does not fit its limits",
        "The deadband says how far a value must come back before a level is left. It cannot be negative. One that is wider than the distance to the next calmer limit would hold a level over values that are calmer than that limit; one that leaves the physical range would hold it forever.";
    Unreachable = 404, "A limit lies outside of the physical range",
        "Outside of the range of the profile no number is believed, so this limit can never be reached by a good reading. Rates are written without a sign, rising or falling.";
    Extreme = 405, "An extreme value does not lie beyond its limit",
        "The extreme value skips the delay of its level: it must lie at the limit or further out on the dangerous side.";
    KindMismatch = 406, "The kind of rule does not fit the point",
        "Limits and rates judge quantities; states judge points whose numbers have names, or whole numbers without unit.";
    Window = 407, "A window is too short for its samples",
        "The slope needs `samples_min` good samples within the window; at this point's period fewer fit in, so the rule could never judge.";
    ChannelTwice = 408, "A channel votes twice",
        "A rule or point that is named twice would count twice: a single sensor would make a vote of two.";
    VoteOfVotes = 409, "A channel is itself a vote",
        "Channels of a vote are rules over points. A vote over votes hides how many sensors agree.";
    TooFewChannels = 410, "More votes are needed than there are channels",
        "The vote could never be complete: write a number up to the number of channels, or add channels.";
    SilentChannel = 411, "A channel can never vote",
        "The channel cannot reach the level named by votes_at with a reading, so it never counts. Give it that level, or take it out.";
    SilenceTooShort = 412, "Silence is called before three polls are missed",
        "A point is stale after three missed polls and at least 3 s. A silence rule that acts earlier would act on ordinary delays.";
    LevelOrder = 413, "Silence in an abnormal zone counts less than in a calm one",
        "Telemetry lost during a warning is the strongest electrical sign there is: level_if_abnormal may only be worse than level.";
    Members = 415, "The points of a deviation do not fit each other",
        "What is compared must be in one unit. A median or a spread needs two known members at least, a reference one; a point cannot be its own reference, and no more members can be needed than there are.";
    GraceTooShort = 414, "The grace for lost channels is shorter than their staleness",
        "Channels are lost only after three missed polls; a grace below that decides on a hiccup.";
    NoStages = 501, "A sequence has no stages",
        "It could be armed and would cut nothing: add stages, the smallest part first.";
    NoSuchAction = 502, "A device has no such action",
        "Only actions that the device's profile lists can be commanded.";
    NoFeedback = 503, "A stage verifies nothing",
        "A command is not an effect. Each stage reads back what it has done: the position of the breaker, and current or voltage where there is one.";
    NotIndependent = 504, "A stage verifies only its own command",
        "Reading back the coil that was written says that the relay card remembers, not that the breaker is open. Add its auxiliary contact, or the current.";
    PulseTwice = 505, "A pulse may be given twice",
        "Outputs that act each time they are told are never told twice by themselves. Write attempts = 1.";
    PermissiveAge = 506, "The age of permissives does not fit",
        "Readings that permit a command are at most 5 s old (1 s is the aim), but a limit below the period of the point could never be met.";
    VerifyTooShort = 507, "The time to verify is shorter than two polls of the feedback",
        "Only reads begun after the command count. With less than the travel of the switch and two periods a healthy breaker would be reported as failed.";
    TriggerNotAVote = 508, "A sequence is not triggered by a vote",
        "A cut starts by a `together` rule whose votes mean danger: M of N channels, never one rule alone.";
    TriggerZone = 509, "A sequence is triggered by a vote of another zone",
        "A cut isolates the zone that is in danger, so the vote must be about the zone of the sequence.";
    NoReturn = 510, "The point of no return lies beyond the last stage",
        "no_return counts stages from zero. The number of stages means: can be aborted to the end.";
    Expectation = 511, "An expectation does not fit its point",
        "`is` and the bit keys need names or whole numbers, `at_least`, `at_most` and `within` need a quantity within the range of the point.";
    LimitMissed = 512, "On paper, a limit that the site states can be missed",
        "From the speed of the link, the plan of its requests, the periods, the delays of the rules and the countdown follows how long a change in the room can take to become an alert, and a frame to a breaker, while one unit of the link fails. That is longer than [site.limits] promises. Poll faster what is judged or poll less beside it, put devices on a link of their own, shorten delays, or promise less. `emberwatch check --plan` shows where the time goes.";
    LoadGroup = 513, "A load group or a feed does not fit",
        "A load group is servers that live on any one of their feeds, and each feed is known to carry power by what is read of it. Stages name what they cut as `group/feed`.";
    CutBudget = 514, "The budget of cuts is missing",
        "Where a sequence cuts something, [cut_budget] says how many stages may do so without a person, for one zone and for the site in a time. It bounds what a fault of judgement can do.";
    BothFeeds = 515, "A cut takes every feed of a load group",
        "Never are all feeds of a load group cut without two persons (interlock I1), so a stage that needs them all could never be carried out by itself. Cut one feed, or take them in sequences of their own, one for each UPS.";
    Requires = 516, "A required stage does not fit",
        "`requires` names earlier stages of the same sequence that must have been verified, a transfer of the load for instance, before this one is commanded (interlock I2); life_safety says whether this one goes on if they failed.";
    CannotAbort = 517, "A command that cannot be taken back comes before the point of no return",
        "The device goes on by itself once it was told, whatever is aborted later. Set no_return to that stage or an earlier one, so that nobody believes in an abort that is none.";
    OnFail = 518, "What follows a failed stage is not written as it must be",
        "on_fail is \"next\", \"hold\", or { hold_for = \"5min\" }: held, and the next stage if nobody has decided by then.";
    HarmlessTrigger = 519, "A vote that does not mean danger would cut",
        "Only a vote that means danger may cut. A sequence none of whose stages cuts anything (a siren, ventilation, stop charging, transfer) may also be triggered by a vote that means warning.";
    PlainSecret = 601, "A secret is written in the configuration",
        "Secrets are referred to, never written: { credential = \"name\" } for systemd credentials, { file = \"/path\" } or { env = \"NAME\" }.";
    SecretMissing = 602, "A secret cannot be found",
        "The credential, file or variable does not exist or is empty. Secrets are read when the configuration is loaded.";
    SecretForm = 603, "A secret has the wrong form",
        "Webhook secrets are `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of an Ed25519 key: its seed of 32 bytes, or seed and public key. Tokens of operators have at least 16 characters and are all different.";
    OpenWithoutOperators = 604, "The page is open to the network without operators",
        "Off loopback, everybody who can reach the port would be anonymous. Name operators with tokens, or listen on 127.0.0.1.";
    PlainText = 605, "MQTT would go over the network in plain text",
        "Readings could be read and forged on the way. Use [mqtt.tls], or write allow_plaintext = true where the network is trusted.";
    BadUrl = 606, "A URL cannot be used",
        "It must be http:// or https://, a host, and optionally a port and a path, without user name or blanks.";
    TlsFile = 607, "A TLS file cannot be read",
        "The PEM file does not exist or may not be read by this user. A client certificate needs its key as well.";
    NotAbsolute = 608, "A path is not absolute",
        "The service runs in a directory of its own; relative paths would mean something else there.";
    PrivateTarget = 609, "A webhook target is on this machine or in a private network",
        "Such targets are refused when messages are sent, unless allow_private = true is written.";
    BadTopic = 610, "A topic or client id cannot be used",
        "The first level of topics is a single level: not empty, without `/`, `+`, `#` and blanks, and not beginning with `$`. Client ids have up to 128 characters. What Home Assistant is set to may have several levels, none of them empty.";
    PresetSecret = 611, "The secret of a target does not fit its preset",
        "`standard` and `cloudevents` sign with `secret`, or with each of `secrets` while keys are being rotated. `pagerduty` needs the routing key of the integration, `ntfy` takes an access token. `slack` and `teams` have no secret besides their address, which is therefore given by reference: url = { credential = \"name\" }. `alertmanager` has none.";
    TargetHears = 612, "What a target hears does not fit it",
        "An Alertmanager takes alarms only, and `escalate_after` waits for the acknowledgement of alarms: sequences and notices need a target of their own.";
    Mail = 613, "A mail target cannot be used",
        "It needs a server and its port, `tls` (\"implicit\" for port 465, \"starttls\" for port 587, \"none\" only where the network is trusted, with allow_plaintext = true), valid addresses, and either both of `user` and `password` or neither.";
    NutVariable = 651, "A NUT variable does not fit its point",
        "Variables have the names of NUT (battery.charge, input.voltage), and the unit that the name implies. ups.status, ups.alarm and the device's and driver's own names are made by emberwatch.";
    CommandKey = 630, "A public key of a command cannot be used",
        "Commands over MQTT are signed with Ed25519; the public key is its 32 bytes in base64.";
    CommandsUnsigned = 631, "Commands could be asked by anybody",
        "MQTT does not tell who speaks. Allowed commands need keys that sign them, and MQTT 5; only ack and refresh may come unsigned, where require_signature = false is written.";
    NutUps = 652, "A UPS for NUT does not fit",
        "There is at least one [[nut.ups]], each is a device or stands for a zone, something that is read shows that it is there, and OB LB comes no later than FSD.";
    NutPlainText = 653, "NUT would go over the network in plain text",
        "Passwords could be read, and a forged FSD would shut machines down. Use [nut.tls], or write allow_plaintext = true where the network is trusted.";
    OneVoteCuts = 701, "One channel alone can cut",
        "The sequence is armed and its trigger needs one vote of several channels: a single sensor that fails high cuts power.";
    OneLinkVotes = 708, "All votes come over one link",
        "When that link fails, or something on it lies, nothing else can see the fire: a single point of failure of the vote. Read one channel over another link, or write one_vote_per = [\"link\"].";
    OneDeviceVotes = 702, "One device has enough votes for a cut",
        "As many channels as the trigger needs are on one device, which could start a cut when it fails. Let the votes come from different devices.";
    SlowPoll = 703, "A judged point is polled less often than every 10 s",
        "Lead time is minutes at best and seconds at worst; after the fire of Pangyo, 10 s became the legal ceiling in Korea.";
    ClearToken = 704, "A token would go over the network in plain text",
        "The URL is http:// and not on this machine. Use https:// where the network is not trusted.";
    UnstablePort = 705, "A serial port is named by the order of plugging in",
        "After a restart or a replug /dev/ttyUSB0 may be another adapter: the devices of one line would be taken for those of another. The names in /dev/serial/by-id and /dev/serial/by-path stay.";
    AddressTaken = 707, "Two links have the same address",
        "Many panels serve one client only, and a gateway puts both links on one line all the same. Units behind one address usually share one link; two are right where the server is known to serve several clients and one of them must not wait for the other.";
    ShortNotice = 751, "A sequence leaves machines less time than they should have",
        "From its start to the stage that cuts the feed a sequence takes less than fsd_before, even if every stage succeeds at once. Machines are told at its start; whether that is enough for a clean shutdown is the site's to judge.";
    NobodyHears = 709, "No target hears what is about no zone",
        "Alarms of emberwatch itself, such as a full disk or a broker that is down, are about no zone. Every target names `zones`, waits with `escalate_after` or leaves alarms out, so nobody would be told of them.";
    LinkOverload = 706, "A link is asked for more than it can carry",
        "The polls of the link's devices take more line time than there is, or some cannot be done before they fall due again. Readings will be late, and values may be called stale. Poll more slowly, spread the devices over more links, or raise the baud rate. Before devices are measured, usual answering times are assumed: `emberwatch check --plan` shows them.";
}

/// The first number of warnings.
const WARNINGS: u16 = 700;

impl Code {
    /// Whether it only warns.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        WARNINGS <= self as u16
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EW{:04}", *self as u16)
    }
}

/// The text behind a code such as `EW0101` (upper or lower case), with its title on the first line.
#[must_use]
pub fn explain(code: &str) -> Option<String> {
    let code = Code::ALL.iter().find(|known| known.to_string().eq_ignore_ascii_case(code))?;
    Some(format!("{code}: {}\n\n{}\n", code.title(), code.paragraph()))
}
