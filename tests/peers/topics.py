"""The AsyncAPI document against AsyncAPI's own schema, and what was heard against the document.

Arguments: the document, the official schema, and a file of messages: topic, QoS, retained, expiry, payload, with tabs.
Says what is wrong, a line each, and ends with 1; or what was seen, and ends with 0. Unknown keys are forbidden here.
"""
import json
import math
import re
import sys
from collections import Counter

from jsonschema import Draft7Validator

document, official = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
lines = open(sys.argv[3], encoding="utf-8").read().splitlines()
complaints = []


def resolve(node):
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def strict(schema):
    """The same schema, with no keys but those it names."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


Draft7Validator.check_schema(official)
for error in Draft7Validator(official).iter_errors(document):
    complaints.append(f"the document is no AsyncAPI 3: {list(error.absolute_path)}: {error.message[:300]}")

channels = []
for name, channel in document["channels"].items():
    pattern = re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(channel["address"]))
    operation = document["operations"][name]
    message = resolve(next(iter(channel["messages"].values())))
    schema = resolve(message["payload"])
    Draft7Validator.check_schema(schema)
    channels.append((name, re.compile(pattern + r"\Z"), operation, message, Draft7Validator(strict(schema))))

# What there is no way to say over this document's broker in a test: nothing.
EXCLUDED = {}
seen = Counter()
# The longest period of each device, from its meta.
periods = {}
for topic, *_, payload in (line.split("\t", 4) for line in lines):
    if topic.endswith("/meta"):
        periods[topic.removesuffix("/meta")] = max(it["period_ms"] for it in json.loads(payload)["points"].values())
for line in lines:
    topic, qos, retained, expiry, payload = line.split("\t", 4)
    if topic == "mark":
        continue
    fits = [entry for entry in channels if entry[1].match(topic)]
    if len(fits) != 1:
        complaints.append(f"{topic} is {len(fits)} channels of the document")
        continue
    name, _, operation, message, validator = fits[0]
    seen[name] += 1
    if message["contentType"] == "text/plain":
        value = payload
    elif payload == "":
        if not operation.get("x-removed-by-empty-message"):
            complaints.append(f"{name}: an empty message on {topic}")
        continue
    else:
        value = json.loads(payload)
    for error in validator.iter_errors(value):
        complaints.append(f"{topic}: {list(error.absolute_path)}: {error.message[:200]}")
    if operation["action"] == "receive":
        continue
    late = isinstance(value, dict) and value.get("historical", False)
    binding = operation["bindings"]["mqtt"]
    if int(qos) != binding["qos"]:
        complaints.append(f"{topic}: QoS {qos}, not {binding['qos']}")
    if (retained == "1") != (binding["retain"] and not late):
        complaints.append(f"{topic}: retained {retained}, documented {binding['retain']}")
    if "messageExpiryInterval" in binding:
        most = binding["messageExpiryInterval"]
    elif "x-message-expiry-periods" in operation:
        most = math.ceil(operation["x-message-expiry-periods"] * periods[topic.removesuffix("/data")] / 1000)
    else:
        most = None
    if (most is None) != (expiry == "") or (most is not None and not 0 < int(expiry) <= most):
        complaints.append(f"{topic}: expires after {expiry or 'never'}, documented {most}")

for name, *_ in channels:
    if (name in EXCLUDED) == (name in seen):
        complaints.append(f"{name} was never said, or was though it is excluded")

for complaint, count in Counter(complaints).most_common(40):
    print(f"{count} x {complaint}")
print(f"{sum(seen.values())} messages on {len(seen)} of {len(channels)} channels: {dict(seen)}")
sys.exit(1 if complaints else 0)
