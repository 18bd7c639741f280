//! What programs see: facts as JSON, one shape for MQTT, webhook, journal and page.
