//! The demonstration's MQTT broker: on loopback, in memory, for as long as the demonstration lasts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use mqtt5::broker::config::{BrokerConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerShutdownHandle, MqttBroker};

/// A broker that runs.
pub(super) struct Broker {
    /// Where it listens.
    pub(super) address: SocketAddr,
    shutdown: BrokerShutdownHandle,
    task: tokio::task::JoinHandle<()>,
}

impl Broker {
    /// Starts a broker on a free port of loopback. `dir` is only named to it: nothing is stored.
    pub(super) async fn start(dir: &Path) -> Result<Self, String> {
        let storage = StorageConfig::new().with_backend(StorageBackend::Memory).with_base_dir(dir.to_owned());
        let config = BrokerConfig::new()
            .with_bind_address((Ipv4Addr::LOCALHOST, 0))
            .with_storage(storage)
            .with_sys_topics_enabled(false);
        let mut broker = MqttBroker::with_config(config).await.map_err(|error| error.to_string())?;
        let address = broker.local_addr().ok_or("it has no address")?;
        let shutdown = broker.shutdown_handle();
        let task = tokio::spawn(async move {
            if let Err(error) = broker.run().await {
                tracing::error!(%error, "the demonstration's broker ended");
            }
        });
        Ok(Self { address, shutdown, task })
    }

    pub(super) fn stop(self) {
        self.shutdown.shutdown();
        self.task.abort();
    }
}
