//! What the field's measurements poll: servers in a process of their own, links to them, and what arrives.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use emberwatch::clock;
use emberwatch::field::options::{DeviceOptions, Endpoint, LinkOptions};
use emberwatch::field::profile::Profile;
use emberwatch::safety::site::{DeviceId, PointId};
use emberwatch::units::Millis;

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers at once.
    Prompt,
    /// Never answers.
    Silent,
    /// Answers after up to this many milliseconds, at random.
    Late(u64),
}

/// Servers in another process, so that what they use is not counted as ours.
pub(crate) struct Servers {
    child: Child,
    pub(crate) ports: Vec<u16>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Servers {
    /// This many servers that behave like this.
    pub(crate) fn start(count: usize, manner: Manner) -> Self {
        let late = match manner {
            Manner::Prompt => "0".to_owned(),
            Manner::Silent => "silent".to_owned(),
            Manner::Late(ms) => ms.to_string(),
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", &count.to_string(), &late])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports = lines.take(count).map(|line| line.unwrap().parse().unwrap()).collect();
        Self { child, ports }
    }
}

/// The servers' process: prints its ports, serves until its standard input ends.
pub(crate) fn serve(count: usize, manner: &str) {
    for _ in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        say(&listener.local_addr().unwrap().port().to_string());
        let manner = manner.to_owned();
        std::thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || {
                for stream in listener.incoming() {
                    answer(stream.unwrap(), &manner);
                }
            })
            .unwrap();
    }
    _ = std::io::stdin().read(&mut [0]);
}

#[expect(clippy::explicit_write, reason = "a pipe, and flushed at once")]
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap();
    std::io::stdout().flush().unwrap();
}

/// One connection at a time, as simple devices do.
fn answer(mut stream: TcpStream, manner: &str) {
    stream.set_nodelay(true).unwrap();
    let (mut request, mut chance) = ([0; 12], u64::from(stream.local_addr().unwrap().port()));
    while stream.read_exact(&mut request).is_ok() {
        if manner == "silent" {
            continue;
        }
        let reply = words(&request);
        let late: u64 = manner.parse().unwrap();
        if 0 < late {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Two of three answer at once, so that there is something to read.
            if (chance >> 33) % 3 == 0 {
                std::thread::sleep(std::time::Duration::from_millis((chance >> 40) % late));
            }
        }
        if stream.write_all(&reply).is_err() {
            return;
        }
    }
}

/// Registers in pairs: the low half of their address, and when they were asked for.
fn words(request: &[u8; 12]) -> Vec<u8> {
    let word = |at: usize| u16::from_be_bytes([request[at], request[at + 1]]);
    let (address, count) = (word(8), word(10));
    let bytes = usize::from(count) * 2;
    let mut reply = Vec::with_capacity(9 + bytes);
    reply.extend(&request[..4]);
    reply.extend(u16::try_from(3 + bytes).unwrap().to_be_bytes());
    reply.extend([request[6], request[7], u8::try_from(bytes).unwrap()]);
    reply.extend(registers(address, count).flat_map(u16::to_be_bytes));
    reply
}

/// Even addresses hold themselves, odd ones the milliseconds of uptime, so that a reply to another question or
/// at another time is seen.
pub(crate) fn registers(address: u16, count: u16) -> impl Iterator<Item = u16> {
    let [.., high, low] = clock::uptime().0.to_be_bytes();
    let now = u16::from_be_bytes([high, low]);
    (address..address + count).map(move |at| if at % 2 == 0 { at } else { now })
}

/// A profile of blocks that cannot be joined, each of this many registers.
pub(crate) fn profile(blocks: u16, registers: u16) -> Arc<Profile> {
    let mut text = String::from(
        "id = \"x\"\nvendor = \"v\"\nmodels = []\nkind = \"gas\"\nsource = \"a measurement\"\n[limits]\nmax_gap = 0\n",
    );
    for block in 0..blocks {
        let address = block * (registers + registers % 2 + 2);
        _ = write!(
            text,
            "[[point]]\nname = \"b{block}-{{n}}\"\ntable = \"holding\"\naddress = {address}\ntype = \"u16\"\n\
             class = \"fast\"\ncount = {registers}\n"
        );
    }
    Arc::new(Profile::parse(&text, "measured").unwrap())
}

/// A unit with this profile, polled with this period.
pub(crate) fn device(number: usize, unit: u8, profile: &Arc<Profile>, period: Millis) -> DeviceOptions {
    DeviceOptions {
        device: DeviceId::at(number),
        name: format!("device-{number}"),
        unit,
        points: (0..profile.points.len()).map(|at| PointId::at(number * 4096 + at)).collect(),
        periods: BTreeMap::from([("fast".to_owned(), period)]),
        actions: Vec::new(),
        profile: Arc::clone(profile),
    }
}

/// A link with these devices.
pub(crate) fn link(
    name: String,
    endpoint: Endpoint,
    timeout: Millis,
    devices: Vec<DeviceOptions>,
) -> LinkOptions {
    LinkOptions {
        name,
        endpoint,
        timeout,
        connect_timeout: Millis(1000),
        pipeline: 1,
        ignore_transaction_ids: false,
        devices,
    }
}
