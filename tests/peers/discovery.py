"""What Home Assistant itself says to messages of discovery, and what it would show.

Argument: a file of messages: topic, QoS, retained, expiry, payload, with tabs. Every message of discovery goes through
the schemas of the package `homeassistant`, whose warnings count as errors; every other through the templates of the
entities, rendered by Home Assistant's own engine. The last line of output is JSON: at each mark, the state of every
entity by unique id. Newer releases know device discovery as a whole; with one that does not (before 2024.11, the last
for Python 3.11), each component goes through the schema of its platform just the same.
"""
import asyncio
import importlib
import json
import logging
import re
import sys
import tempfile

from homeassistant.components.mqtt import abbreviations, discovery
from homeassistant.components.sensor import const as sensor
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.helpers import template as templates

PLATFORMS = {
    name: importlib.import_module(f"homeassistant.components.mqtt.{name}") for name in ("sensor", "binary_sensor")
}
try:
    WHOLE = importlib.import_module("homeassistant.components.mqtt.schemas").DEVICE_DISCOVERY_SCHEMA
except (ImportError, AttributeError):
    WHOLE = None
# What a whole message and its components have in common.
SHARED = ("availability", "availability_mode", "state_topic", "qos")
complaints = []


class Warnings(logging.Handler):
    def emit(self, record):
        complaints.append(f"it warns: {record.getMessage()[:300]}")


def spell_out(payload):
    """What Home Assistant does first: short names become long ones."""
    if hasattr(discovery, "_replace_all_abbreviations"):
        payload = discovery.MQTTDiscoveryPayload(payload)
        discovery._replace_all_abbreviations(payload)
        return dict(payload)
    short = {"dev": "device", "o": "origin", "cmps": "components"} | abbreviations.ABBREVIATIONS
    payload = {short.get(key, key): value for key, value in payload.items()}
    payload["device"] = {
        abbreviations.DEVICE_ABBREVIATIONS.get(key, key): value for key, value in payload["device"].items()
    }
    origin = getattr(abbreviations, "ORIGIN_ABBREVIATIONS", {"sw": "sw_version", "url": "support_url"})
    payload["origin"] = {origin.get(key, key): value for key, value in payload["origin"].items()}
    payload["components"] = {
        name: {abbreviations.ABBREVIATIONS.get(key, key): value for key, value in component.items()}
        for name, component in payload["components"].items()
    }
    return payload


class Entity:
    def __init__(self, hass, config, availability, platform):
        self.hass, self.config, self.platform = hass, config, platform
        self.value, self.known = None, False
        self.available = {entry["topic"]: False for entry in availability}
        self.availability = availability

    def render(self, text, payload):
        template = templates.Template(text, self.hass)
        state = {"state": self.shown()}
        # Undefined names are errors here, where Home Assistant only complains in its log.
        return template.async_render_with_possible_json_value(
            payload, error_value="TEMPLATE ERROR", variables={"this": state}
        )

    def hear(self, topic, payload):
        for entry in self.availability:
            if entry["topic"] == topic:
                said = self.render(entry["value_template"], payload)
                if said not in ("online", "offline"):
                    complaints.append(f"{self.config['unique_id']}: availability is `{said}`")
                self.available[topic] = said == "online"
        if topic == self.config.get("json_attributes_topic"):
            said = self.render(self.config["json_attributes_template"], payload)
            try:
                assert isinstance(json.loads(said), dict)
            except (ValueError, AssertionError):
                complaints.append(f"{self.config['unique_id']}: attributes are `{said}`")
        if topic == self.config["state_topic"]:
            self.take(self.render(self.config["value_template"], payload), payload)

    def take(self, said, payload):
        if "TEMPLATE ERROR" in str(said):
            complaints.append(f"{self.config['unique_id']}: {self.config['value_template']} fails on {payload[:200]}")
            return
        options = self.config.get("options")
        if said == "None":
            self.value, self.known = None, True
        elif said == "" and options is None:
            return
        elif options is not None and said not in options:
            complaints.append(f"{self.config['unique_id']}: `{said}` is none of {options}")
        elif self.platform == "binary_sensor" and said not in ("ON", "OFF"):
            complaints.append(f"{self.config['unique_id']}: `{said}` is neither ON nor OFF")
        else:
            self.value, self.known = said, True
            if self.config.get("state_class") or self.config.get("unit_of_measurement"):
                float(said)

    def shown(self):
        if not all(self.available.values()):
            return "unavailable"
        # Nothing heard within its time is unavailable, too.
        if self.config.get("expire_after") and not self.known:
            return "unavailable"
        return "unknown" if self.value is None else self.value


def tables(config):
    """Units and state classes as the table of device classes allows them."""
    device_class = config.get("device_class")
    unit, kind = config.get("unit_of_measurement"), config.get("state_class")
    allowed = sensor.DEVICE_CLASS_UNITS.get(device_class)
    if device_class and allowed is not None and unit not in allowed:
        complaints.append(f"{config['unique_id']}: {device_class} does not allow the unit {unit}")
    kinds = sensor.DEVICE_CLASS_STATE_CLASSES.get(device_class)
    if device_class and kind and kinds is not None and kind not in kinds:
        complaints.append(f"{config['unique_id']}: {device_class} does not allow the state class {kind}")


def introduce(hass, topic, payload, entities, kept):
    matched = discovery.TOPIC_MATCHER.match(topic.removeprefix("homeassistant/"))
    if matched is None or matched["component"] != "device":
        complaints.append(f"{topic} is no topic of device discovery")
    whole = spell_out(payload)
    if WHOLE is not None:
        # It fills in objects of its own: on a copy.
        WHOLE(json.loads(json.dumps(whole)))
    for key, component in whole["components"].items():
        config = dict(component)
        platform = config.pop("platform", None) or config.pop("p")
        for name in SHARED:
            if name in whole:
                config.setdefault(name, whole[name])
        config["device"] = whole["device"]
        taken = PLATFORMS[platform].DISCOVERY_SCHEMA(json.loads(json.dumps(config)))
        # Releases before device discovery do not know every option of today.
        lost = set(config) - set(taken) if WHOLE is not None else set()
        if lost:
            complaints.append(f"{topic} {key}: it ignores {lost}")
        if platform == "sensor":
            tables(config)
        known = entities.get(config["unique_id"])
        if known is None:
            entity = Entity(hass, config, config["availability"], platform)
            entities[config["unique_id"]] = entity
            for known_topic, known_payload in kept.items():
                entity.hear(known_topic, known_payload)
        elif known.config != config:
            complaints.append(f"{config['unique_id']} is two entities, or changed")


async def main():
    logging.getLogger().addHandler(Warnings(level=logging.WARNING))
    shown, entities, devices = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        hass = HomeAssistant(folder)
        lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
        heard = [line.split("\t", 4) for line in lines]
        # What the broker has kept is heard by a new entity at once.
        kept = {}
        for topic, _, retained, _, payload in heard:
            if topic == "mark":
                shown[payload] = {name: entity.shown() for name, entity in entities.items()}
            elif re.fullmatch(r"homeassistant/device/.*/config", topic):
                message = json.loads(payload)
                devices.setdefault(topic, dict(message["dev"]))
                introduce(hass, topic, message, entities, kept)
            for entity in list(entities.values()):
                entity.hear(topic, payload)
            if retained == "1" and payload:
                kept[topic] = payload
            elif retained == "1":
                kept.pop(topic, None)
        await hass.async_stop(force=True)
    ids = {name for device in devices.values() for name in device["ids"]}
    for topic, device in devices.items():
        if device.get("via_device", next(iter(ids))) not in ids:
            complaints.append(f"{topic}: via a device that nobody has introduced")
    for complaint in dict.fromkeys(complaints):
        print(complaint)
    print(f"Home Assistant {__version__}: {len(devices)} devices, {len(entities)} entities")
    print(json.dumps(shown))
    return 1 if complaints or not devices else 0


sys.exit(asyncio.run(main()))
