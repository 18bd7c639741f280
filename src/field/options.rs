//! What the configuration says about links and devices.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::field::profile::Profile;
use crate::safety::site::{ActionId, DeviceId, PointId};
use crate::units::Millis;

/// Requests that may be under way at once on one connection.
pub const PIPELINE_MAX: u8 = 16;

/// One Modbus connection or serial line, and the devices behind it.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Id in logs and metrics.
    pub name: String,
    /// Where it leads.
    pub endpoint: Endpoint,
    /// The ceiling of a transaction's deadline, from the first byte sent to the last byte received. What a
    /// unit is given in fact follows its measured latency.
    pub timeout: Millis,
    /// How long a connection attempt may take.
    pub connect_timeout: Millis,
    /// Requests under way at once, 1 to [`PIPELINE_MAX`]. More than one only on TCP and TLS, and only where all
    /// devices of the link are known to match transaction ids.
    pub pipeline: u8,
    /// Replies are believed whatever their transaction id: only for gateways that break them, and only where
    /// nothing is written. One request is then under way at a time, and a time-out ends the connection.
    pub ignore_transaction_ids: bool,
    /// The devices behind it.
    pub devices: Vec<DeviceOptions>,
}

/// Where a link leads, and how frames are laid out on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Modbus TCP.
    Tcp(Addresses),
    /// Modbus/TCP Security: the same frames in mutually authenticated TLS.
    Tls {
        /// Usually port 802.
        addresses: Addresses,
        /// Who is trusted, and who we are.
        tls: TlsOptions,
    },
    /// RTU frames in a TCP connection, as simple serial servers carry them.
    RtuOverTcp {
        /// The serial server.
        addresses: Addresses,
        /// The line behind it.
        line: SerialLine,
    },
    /// RTU on a serial port of this machine.
    Serial {
        /// Its device file: a stable name (`/dev/serial/by-id/…`) survives a replug.
        path: PathBuf,
        /// How it is set.
        line: SerialLine,
        /// The kernel switches the direction of the transceiver, where its driver can.
        rs485: bool,
    },
}

/// Where a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `host:port`, tried first.
    pub primary: String,
    /// `host:port` of the same devices, tried when the first does not answer.
    pub backup: Option<String>,
}

/// How a serial line is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialLine {
    /// Bits per second.
    pub baud: u32,
    /// Its parity.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// The parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

impl SerialLine {
    /// Bits that one byte takes on the line: start, eight data, parity, stop.
    #[must_use]
    pub const fn bits_per_byte(self) -> u32 {
        let parity = if matches!(self.parity, Parity::None) { 0 } else { 1 };
        9 + parity + self.stop_bits as u32
    }

    /// How long this many bytes take, in microseconds, rounded up.
    #[must_use]
    pub fn bytes_us(self, bytes: usize) -> u64 {
        (bytes as u64 * u64::from(self.bits_per_byte()) * 1_000_000).div_ceil(u64::from(self.baud))
    }

    /// The silence that ends a frame, in microseconds: 3.5 bytes, or 1.75 ms above 19200 baud (Modbus over
    /// serial line 1.02, 2.5.1.1).
    #[must_use]
    pub fn silence_us(self) -> u64 {
        if 19_200 < self.baud { 1750 } else { self.bytes_us(7).div_ceil(2) }
    }
}

/// Files of a mutually authenticated connection, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The site's own authority, which signed the server's certificate. No other is trusted.
    pub ca: PathBuf,
    /// Our certificate. It must carry a role (Modbus/TCP Security, OID 1.3.6.1.4.1.50316.802.1).
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The name in the server's certificate, where it is not the host of the address.
    pub server_name: Option<String>,
}

/// One unit on a link.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// In the site.
    pub device: DeviceId,
    /// `device` as in the configuration.
    pub name: String,
    /// Modbus unit identifier, 0 to 255.
    pub unit: u8,
    /// Its register map.
    pub profile: Arc<Profile>,
    /// The site's point for each point of the profile, by the profile's index.
    pub points: Vec<PointId>,
    /// The period of each scan class of the profile.
    pub periods: BTreeMap<String, Millis>,
    /// The actions of the profile that the site's sequences may give: the only writes to this device (S22).
    pub actions: Vec<(ActionId, String)>,
}

impl Endpoint {
    /// Where it leads, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Tcp(addresses) => addresses.primary.clone(),
            Self::Tls { addresses, .. } => format!("tls {}", addresses.primary),
            Self::RtuOverTcp { addresses, .. } => format!("rtu over tcp {}", addresses.primary),
            Self::Serial { path, line, .. } => format!("{} at {line}", path.display()),
        }
    }

    /// Modbus TCP at this address, without a backup.
    #[must_use]
    pub const fn tcp(address: String) -> Self {
        Self::Tcp(Addresses { primary: address, backup: None })
    }

    /// The serial line at its end, if there is one.
    #[must_use]
    pub const fn line(&self) -> Option<SerialLine> {
        match self {
            Self::Tcp(_) | Self::Tls { .. } => None,
            Self::RtuOverTcp { line, .. } | Self::Serial { line, .. } => Some(*line),
        }
    }
}

impl std::fmt::Display for SerialLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} 8{parity}{}", self.baud, self.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_takes_as_long_as_its_bits() {
        let line = SerialLine { baud: 9600, parity: Parity::None, stop_bits: 1 };
        assert_eq!((line.bits_per_byte(), line.bytes_us(1), line.silence_us()), (10, 1042, 3646));
        let line = SerialLine { baud: 19_200, parity: Parity::Even, stop_bits: 1 };
        assert_eq!((line.bits_per_byte(), line.bytes_us(100), line.silence_us()), (11, 57_292, 2006));
        let line = SerialLine { baud: 115_200, parity: Parity::None, stop_bits: 2 };
        assert_eq!((line.bits_per_byte(), line.silence_us()), (11, 1750));
        assert_eq!(line.to_string(), "115200 8N2");
    }
}
