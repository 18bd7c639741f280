//! One connection of the client library, both protocol versions behind one face.
//!
//! A client is used for one connection only: the library forgets or keeps messages of an old session in
//! ways of its own. `poll` is not cancel-safe, so it runs in a task of its own and is never dropped half
//! way; and it is bounded in time, because it waits for ever on a link that swallows everything.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport, v5};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::command::{KEY_PROPERTY, SIGNATURE_PROPERTY, Said};
use super::options::{MqttOptions, MqttVersion};
use super::outbox::Message;
use super::topics::Topic;
use crate::wire::payload::gateway;

/// Messages handed to the library that it has not written yet.
pub(super) const HANDED_MAX: usize = 128;

/// Messages that may wait for their acknowledgement.
const INFLIGHT_MAX: u16 = 64;

/// The largest packet sent or taken, in bytes.
const PACKET_MAX: u32 = 4 << 20;

/// Events of the library that may wait for us; we do nothing but take them.
const EVENTS_MAX: usize = 256;

/// How long making a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The library refuses less.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);

/// What the broker says for us when we are gone.
#[derive(Clone, Debug)]
pub(super) struct Will {
    topic: Topic,
    payload: Vec<u8>,
}

impl Will {
    pub(super) fn new(topic: &Topic, boot: &str) -> Self {
        Self { topic: Arc::clone(topic), payload: gateway::will(boot).to_string().into_bytes() }
    }
}

/// Topics that may be subscribed on a connection.
const FILTERS_MAX: usize = 16;

/// What is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) topic: String,
    /// Whether what the broker has kept is wanted too.
    pub(super) kept: bool,
}

/// What a connection tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The broker took the connection: how many messages may be unacknowledged, and how large one may be.
    Connected { window: usize, size_max: usize },
    /// The next message in order was written, under this number; zero if it will not be acknowledged.
    Written(u16),
    /// The broker answered the message with this number; the reason if it does not want it.
    Acknowledged { number: u16, refused: Option<String> },
    /// Somebody else spoke on a subscribed topic.
    Heard(Said),
    /// The broker does not let us hear what we subscribed.
    Deaf(String),
    /// The connection is over.
    Ended(String),
    /// The broker does not let us in.
    Denied(String),
}

enum Client {
    V3(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// One connection. Dropping it drops the socket.
pub(super) struct Connected {
    client: Client,
    pub(super) events: mpsc::Receiver<Event>,
    driver: JoinHandle<()>,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connected {
    /// Begins a connection; what becomes of it is told by `events`.
    pub(super) fn open(
        options: &MqttOptions,
        address: (&str, u16),
        tls: Option<Arc<ClientConfig>>,
        will: &Will,
    ) -> Self {
        let transport =
            tls.map_or_else(Transport::tcp, |tls| Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        let (tell, events) = mpsc::channel(EVENTS_MAX);
        let keep_alive = Duration::from_millis(options.keep_alive.0).max(KEEP_ALIVE_MIN);
        let (client, driver) = match options.version {
            MqttVersion::V3 => open_v3(options, address, transport, will, keep_alive, tell),
            MqttVersion::V5 => open_v5(options, address, transport, will, keep_alive, tell),
        };
        Self { client, events, driver }
    }

    /// Hands a message over. False if the library takes no more, which means that the connection is over.
    pub(super) fn hand_over(&self, message: Message) -> bool {
        let Message { topic, payload, acknowledged, retain, expiry_s, correlation, .. } = message;
        match &self.client {
            Client::V3(client) => {
                let qos = if acknowledged { rumqttc::QoS::AtLeastOnce } else { rumqttc::QoS::AtMostOnce };
                client.try_publish(&*topic, qos, retain, payload).is_ok()
            }
            Client::V5(client) => {
                use v5::mqttbytes::{QoS, v5::PublishProperties};
                let qos = if acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                let properties = PublishProperties {
                    message_expiry_interval: expiry_s,
                    correlation_data: correlation,
                    content_type: Some("application/json".to_owned()),
                    ..PublishProperties::default()
                };
                client.try_publish_with_properties(&*topic, qos, retain, payload, properties).is_ok()
            }
        }
    }

    /// Asks to hear these topics, at least once each. What was kept is told to be so; MQTT 5 sends it only where it is
    /// wanted. False as with `hand_over`. Only once a connection, before anything is handed over: there is room for
    /// `FILTERS_MAX`.
    pub(super) fn listen(&self, filters: &[Filter]) -> bool {
        let mut filters = filters.iter().take(FILTERS_MAX);
        match &self.client {
            Client::V3(client) => {
                let qos = rumqttc::QoS::AtLeastOnce;
                filters.all(|filter| client.try_subscribe(&filter.topic, qos).is_ok())
            }
            Client::V5(client) => {
                use v5::mqttbytes::QoS;
                use v5::mqttbytes::v5::{Filter, RetainForwardRule};
                filters.all(|filter| {
                    let mut asked = Filter::new(&filter.topic, QoS::AtLeastOnce);
                    asked.preserve_retain = true;
                    if !filter.kept {
                        asked.retain_forward_rule = RetainForwardRule::Never;
                    }
                    client.try_subscribe_many([asked]).is_ok()
                })
            }
        }
    }

    /// Says goodbye and waits until the broker has closed, at most `within`.
    pub(super) async fn close(mut self, within: Duration) {
        let asked = match &self.client {
            Client::V3(client) => client.try_disconnect().is_ok(),
            Client::V5(client) => client.try_disconnect().is_ok(),
        };
        if asked {
            let ended =
                async { while self.events.recv().await.is_some_and(|it| !matches!(it, Event::Ended(_))) {} };
            // Either way the socket is dropped next.
            let _ = timeout(within, ended).await;
        }
    }
}

fn network_options() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_WITHIN.as_secs());
    network
}

/// How long one `poll` may take: there is a ping in each keep-alive, so longer means a dead link.
fn patience(keep_alive: Duration) -> Duration {
    keep_alive * 2 + CONNECT_WITHIN
}

fn open_v3(
    options: &MqttOptions,
    (host, port): (&str, u16),
    transport: Transport,
    will: &Will,
    keep_alive: Duration,
    tell: mpsc::Sender<Event>,
) -> (Client, JoinHandle<()>) {
    let mut mqtt = rumqttc::MqttOptions::new(&options.client_id, host, port);
    mqtt.set_clean_session(true).set_transport(transport).set_keep_alive(keep_alive);
    mqtt.set_inflight(INFLIGHT_MAX).set_max_packet_size(PACKET_MAX as usize, PACKET_MAX as usize);
    let qos = rumqttc::QoS::AtLeastOnce;
    mqtt.set_last_will(rumqttc::LastWill::new(&*will.topic, will.payload.clone(), qos, true));
    if let Some((user, password)) = &options.login {
        mqtt.set_credentials(user, password.expose_secret());
    }
    let (client, mut poller) = rumqttc::AsyncClient::new(mqtt, HANDED_MAX + FILTERS_MAX);
    poller.network_options = network_options();
    let driver = tokio::spawn(async move {
        loop {
            let event = match timeout(patience(keep_alive), poller.poll()).await {
                Err(_) => Event::Ended("the link is dead".to_owned()),
                Ok(Err(why @ rumqttc::ConnectionError::ConnectionRefused(code))) if denies_v3(code) => {
                    Event::Denied(why.to_string())
                }
                Ok(Err(why)) => Event::Ended(why.to_string()),
                Ok(Ok(event)) => match from_v3(event) {
                    Some(event) => event,
                    None => continue,
                },
            };
            let ended = matches!(event, Event::Ended(_) | Event::Denied(_));
            if tell.send(event).await.is_err() || ended {
                return;
            }
        }
    });
    (Client::V3(client), driver)
}

fn from_v3(event: rumqttc::Event) -> Option<Event> {
    use rumqttc::Packet;
    match event {
        rumqttc::Event::Incoming(Packet::ConnAck(_)) => {
            Some(Event::Connected { window: window(INFLIGHT_MAX), size_max: PACKET_MAX as usize })
        }
        rumqttc::Event::Incoming(Packet::PubAck(ack)) => {
            Some(Event::Acknowledged { number: ack.pkid, refused: None })
        }
        rumqttc::Event::Outgoing(Outgoing::Publish(number)) => Some(Event::Written(number)),
        rumqttc::Event::Incoming(Packet::Publish(it)) => {
            let said = Said { topic: it.topic, payload: it.payload, retained: it.retain, ..Said::default() };
            Some(Event::Heard(said))
        }
        rumqttc::Event::Incoming(Packet::SubAck(ack)) => {
            let refused = ack.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure);
            refused.then(|| Event::Deaf("refused".to_owned()))
        }
        rumqttc::Event::Incoming(_) | rumqttc::Event::Outgoing(_) => None,
    }
}

fn open_v5(
    options: &MqttOptions,
    (host, port): (&str, u16),
    transport: Transport,
    will: &Will,
    keep_alive: Duration,
    tell: mpsc::Sender<Event>,
) -> (Client, JoinHandle<()>) {
    use v5::mqttbytes::{QoS, v5::LastWill};
    let mut mqtt = v5::MqttOptions::new(&options.client_id, host, port);
    mqtt.set_clean_start(true).set_session_expiry_interval(Some(0));
    mqtt.set_transport(transport).set_keep_alive(keep_alive);
    mqtt.set_network_options(network_options()).set_connection_timeout(CONNECT_WITHIN.as_secs());
    mqtt.set_outgoing_inflight_upper_limit(INFLIGHT_MAX).set_max_packet_size(Some(PACKET_MAX));
    let will = LastWill::new(&*will.topic, will.payload.clone(), QoS::AtLeastOnce, true, None);
    mqtt.set_last_will(will);
    if let Some((user, password)) = &options.login {
        mqtt.set_credentials(user, password.expose_secret());
    }
    let (client, mut poller) = v5::AsyncClient::new(mqtt, HANDED_MAX + FILTERS_MAX);
    let driver = tokio::spawn(async move {
        // A broker may ask for another keep-alive than ours.
        let mut patient = patience(keep_alive);
        loop {
            let event = match timeout(patient, poller.poll()).await {
                Err(_) => Event::Ended("the link is dead".to_owned()),
                Ok(Err(why @ v5::ConnectionError::ConnectionRefused(code))) if denies_v5(code) => {
                    Event::Denied(why.to_string())
                }
                Ok(Err(why)) => Event::Ended(why.to_string()),
                Ok(Ok(event)) => {
                    patient = patience(poller.options.keep_alive());
                    match from_v5(event) {
                        Some(event) => event,
                        None => continue,
                    }
                }
            };
            let ended = matches!(event, Event::Ended(_));
            if tell.send(event).await.is_err() || ended {
                return;
            }
        }
    });
    (Client::V5(client), driver)
}

fn from_v5(event: v5::Event) -> Option<Event> {
    use v5::mqttbytes::v5::{Packet, PubAckReason, SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(ack)) => {
            let said = ack.properties.as_ref();
            let inflight = said.and_then(|it| it.receive_max).unwrap_or(u16::MAX).min(INFLIGHT_MAX);
            let size_max = said.and_then(|it| it.max_packet_size).unwrap_or(PACKET_MAX).min(PACKET_MAX);
            Some(Event::Connected { window: window(inflight), size_max: size_max as usize })
        }
        v5::Event::Incoming(Packet::PubAck(ack)) => {
            let taken = matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
            let refused = (!taken).then(|| format!("{:?}", ack.reason));
            Some(Event::Acknowledged { number: ack.pkid, refused })
        }
        v5::Event::Outgoing(Outgoing::Publish(number)) => Some(Event::Written(number)),
        v5::Event::Incoming(Packet::Publish(it)) => {
            let topic = String::from_utf8(it.topic.to_vec()).ok()?;
            let mut said = Said { topic, payload: it.payload, retained: it.retain, ..Said::default() };
            if let Some(properties) = it.properties {
                said.response_topic = properties.response_topic;
                said.correlation = properties.correlation_data;
                for (name, value) in properties.user_properties {
                    match name.as_str() {
                        KEY_PROPERTY => said.key = Some(value),
                        SIGNATURE_PROPERTY => said.signature = Some(value),
                        _ => {}
                    }
                }
            }
            Some(Event::Heard(said))
        }
        v5::Event::Incoming(Packet::SubAck(ack)) => {
            let refused =
                ack.return_codes.iter().find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
            refused.map(|code| Event::Deaf(format!("{code:?}")))
        }
        v5::Event::Incoming(_) | v5::Event::Outgoing(_) => None,
    }
}

/// Whether a person has to act before this broker takes us: anything but being busy or away.
fn denies_v3(code: rumqttc::ConnectReturnCode) -> bool {
    use rumqttc::ConnectReturnCode::{ServiceUnavailable, Success};
    !matches!(code, Success | ServiceUnavailable)
}

fn denies_v5(code: v5::mqttbytes::v5::ConnectReturnCode) -> bool {
    use v5::mqttbytes::v5::ConnectReturnCode as Code;
    let passes = [Code::Success, Code::ServerUnavailable, Code::ServiceUnavailable, Code::ServerBusy];
    let passes =
        passes.contains(&code) || [Code::ConnectionRateExceeded, Code::QuotaExceeded].contains(&code);
    !passes
}

/// One fewer than the limit: at the limit the library would hold back readings too.
fn window(inflight: u16) -> usize {
    usize::from(inflight.saturating_sub(1).max(1))
}
