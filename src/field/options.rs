//! What the configuration says about links and devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::field::profile::Profile;
use crate::safety::site::{ActionId, DeviceId, PointId};
use crate::units::Millis;

/// One Modbus connection and the devices behind it.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Id in logs and metrics.
    pub name: String,
    /// `host:port` of the Modbus TCP server.
    pub address: String,
    /// The deadline of a whole transaction, from the first byte sent to the last byte received.
    pub timeout: Millis,
    /// How long a connection attempt may take.
    pub connect_timeout: Millis,
    /// The devices behind it.
    pub devices: Vec<DeviceOptions>,
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
