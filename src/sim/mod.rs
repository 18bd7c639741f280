//! A battery room that behaves: heat, gas, smoke, battery management, a UPS, and breakers that may fail.
//!
//! `physics/` is the room itself; `room.rs` the devices in it and their faults, `registers.rs` what these answer.
//! The room is advanced in steps and owns no clock; a seed decides its noise. `Simulator` serves it over real
//! Modbus TCP, for the demonstration, for `simulate`, and for tests; `evaluate` plays its physics without a bus.

mod breaker;
mod noise;
pub mod physics;
mod registers;
mod room;
mod serial;
mod server;
mod story;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use breaker::{Switch, SwitchFault};
pub use noise::Noise;
pub use room::{Battery, Room};
pub use serial::Pty;
pub use story::{Event, Lie, Scenario, StoryStep};

use crate::clock;
use crate::units::{Millis, Uptime};

/// How often the room is advanced, in real time.
const TICK: Duration = Duration::from_millis(50);

/// The longest step of the model: longer ones are cut up, so that heat stays stable.
const STEP_MAX: Millis = Millis(100);

/// The most real time that is caught up with at once, s.
const CATCH_UP_MAX_S: f64 = 1.0;

/// The fastest a room may run: it must be advanced within its tick.
const SPEED_MAX: f64 = 1000.0;

/// Writes that are kept for whoever asks; the oldest are forgotten.
const WRITES_KEPT_MAX: usize = 1000;

/// How the room is to be simulated.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Seed of the noise: the same seed gives the same room.
    pub seed: u64,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// What happens in it.
    pub scenario: Scenario,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self { seed: 1, speed: 1.0, scenario: Scenario::calm() }
    }
}

/// One write that a client made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// When.
    pub at: Uptime,
    /// The unit addressed.
    pub unit: u8,
    /// The coil.
    pub coil: u16,
    /// What was written.
    pub on: bool,
}

/// The room and who wrote to it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) room: Mutex<Room>,
    pub(crate) writes: Mutex<Vec<Write>>,
}

impl Shared {
    /// The room. A panic while it was held left nothing half-done that matters: it is only a model.
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wrote(&self, write: Write) {
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        if writes.len() == WRITES_KEPT_MAX {
            writes.remove(0);
        }
        writes.push(write);
    }
}

/// A room that is being served.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Simulator {
    /// Starts the room's physics and its Modbus TCP server on `listener`.
    #[must_use]
    pub fn start(listener: TcpListener, options: SimOptions) -> Self {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
        let speed = options.speed.clamp(0.0, SPEED_MAX);
        let room = Room::new(options.seed, options.scenario);
        let shared = Arc::new(Shared { room: Mutex::new(room), writes: Mutex::new(Vec::new()) });
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(live(Arc::clone(&shared), speed, stop.clone()));
        tasks.spawn(server::serve(listener, Arc::clone(&shared), stop.clone()));
        Self { address, shared, stop, tasks }
    }

    /// Serves the same room at another address too: two links to it, as rooms have.
    pub fn also_on_tcp(&mut self, listener: TcpListener) {
        self.tasks.spawn(server::serve(listener, Arc::clone(&self.shared), self.stop.clone()));
    }

    /// Serves the same room as RTU on a pseudo terminal too, at this many bits per second.
    pub fn also_on_pty(&mut self, pty: Pty, baud: u32) {
        self.tasks.spawn(serial::serve_pty(pty, baud, Arc::clone(&self.shared), self.stop.clone()));
    }

    /// Serves the same room as RTU in TCP too.
    pub fn also_rtu_over_tcp(&mut self, listener: TcpListener) {
        self.tasks.spawn(serial::serve_tcp(listener, Arc::clone(&self.shared), self.stop.clone()));
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients wrote, oldest first; the last thousand.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.shared.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the room or changes something in it.
    pub fn with_room<T>(&self, look: impl FnOnce(&mut Room) -> T) -> T {
        look(&mut self.shared.room())
    }

    /// Ends physics and server.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Lets time pass in the room.
async fn live(shared: Arc<Shared>, speed: f64, stop: CancellationToken) {
    let mut last = clock::uptime();
    while !stop.is_cancelled() {
        tokio::time::sleep(TICK).await;
        let now = clock::uptime();
        // After a suspend the room goes on where it was.
        let seconds = now.since(last).as_secs_f64().min(CATCH_UP_MAX_S) * speed;
        last = now;
        shared.room().pass(seconds);
    }
}

impl Room {
    /// Advances by this many seconds, in steps short enough for the model.
    pub fn pass(&mut self, seconds: f64) {
        let step = STEP_MAX.as_secs_f64();
        let mut left = seconds;
        while 0.0 < left {
            self.step(left.min(step));
            left -= step;
        }
    }
}
