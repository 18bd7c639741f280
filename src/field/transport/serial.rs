//! A serial port of this machine.

use std::io;
use std::path::Path;

use serial2_tokio::rs4xx::{Rs485Config, TransceiverMode};
use serial2_tokio::{CharSize, FlowControl, SerialPort, Settings, StopBits};

use crate::field::options::{Parity, SerialLine};

/// Bytes taken at once: two frames of the longest kind.
const READ_BYTES: usize = 512;

/// Pseudo terminals take bytes as they are: they have neither parity nor stop bits to be set.
const PSEUDO_TERMINALS: &str = "/dev/pts";

/// An open port.
pub struct Port {
    port: SerialPort,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}

impl Port {
    /// Opens and sets a port, and empties it.
    pub(super) fn open(path: &Path, line: SerialLine, rs485: bool) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        let is_pseudo = path.starts_with(PSEUDO_TERMINALS);
        let port = SerialPort::open(&path, |settings| set(settings, line, is_pseudo))?;
        if rs485 {
            port.set_rs4xx_mode(TransceiverMode::Rs485(Rs485Config::new())).map_err(|error| {
                io::Error::other(format!(
                    "the driver of {} cannot switch RS-485 direction ({error}): use an adapter that does it \
                     itself, and rs485 = false",
                    path.display()
                ))
            })?;
        }
        port.discard_buffers()?;
        Ok(Self { port })
    }

    pub(super) async fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let mut chunk = [0; READ_BYTES];
        let count = self.port.read(&mut chunk).await?;
        bytes.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.port.write(bytes).await
    }
}

fn set(mut settings: Settings, line: SerialLine, is_pseudo: bool) -> io::Result<Settings> {
    settings.set_raw();
    settings.set_flow_control(FlowControl::None);
    settings.set_char_size(CharSize::Bits8);
    if is_pseudo {
        return Ok(settings);
    }
    settings.set_baud_rate(line.baud)?;
    settings.set_parity(match line.parity {
        Parity::None => serial2_tokio::Parity::None,
        Parity::Even => serial2_tokio::Parity::Even,
        Parity::Odd => serial2_tokio::Parity::Odd,
    });
    settings.set_stop_bits(if line.stop_bits == 2 { StopBits::Two } else { StopBits::One });
    Ok(settings)
}
