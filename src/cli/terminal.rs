//! Single keys from a terminal, without Enter; the terminal is put back as it was on the way out.

use std::io::Read as _;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Keys that may wait.
const KEYS_QUEUED_MAX: usize = 16;

/// Reads keys for as long as it lives.
pub(crate) struct Keys {
    before: Option<Termios>,
    /// The keys pressed.
    pub(crate) pressed: mpsc::Receiver<u8>,
}

impl Keys {
    /// Starts to read keys from stdin. Where that is no terminal, bytes are taken as keys all the same.
    pub(crate) fn read() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &raw);
        }
        let (sender, pressed) = mpsc::channel(KEYS_QUEUED_MAX);
        // Blocked in a read until the process ends: stdin cannot be interrupted.
        std::thread::spawn(move || {
            for byte in std::io::stdin().lock().bytes() {
                let Ok(byte) = byte else { return };
                if sender.blocking_send(byte).is_err() {
                    return;
                }
            }
        });
        Self { before, pressed }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
