// Alarms: one line and what to do for each, the rest on opening it. The worst come first, and among those the
// one that came first of all.

import { acknowledge, resetAlarm } from "./act.js";
import { button, el, keep, put, setMark } from "./view.js";

const PRIORITIES = ["critical", "high", "medium", "low"];
const WORDS = {
  "unack-active": "standing, not acknowledged", "ack-active": "standing, acknowledged",
  "shelved": "shelved", "suppressed": "one of a flood, suppressed", "out-of-service": "out of service",
  "unack-rtn": "gone, not acknowledged", "latched-unack": "gone, latched, not acknowledged", "latched": "gone, latched",
};
const byId = (id) => document.getElementById(id);
const announced = new Set();
const isNew = (alarm) => alarm.state.includes("unack");

export function drawAlarms(state) {
  const { alarms } = state;
  // What is put away is listed for as long as it is, below all that stands.
  const rank = (id) => {
    if (alarms[id].away) return 2 * PRIORITIES.length + 2;
    const at = PRIORITIES.indexOf(alarms[id].priority);
    return (at < 0 ? PRIORITIES.length : at) * 2 + (alarms[id].first_out ? 0 : 1);
  };
  const ids = Object.keys(alarms).filter((id) => alarms[id].state !== "normal");
  ids.sort((a, b) => rank(a) - rank(b) || Date.parse(alarms[a].since) - Date.parse(alarms[b].since) || a.localeCompare(b));
  byId("no-alarms").hidden = 0 < ids.length;
  put(byId("no-alarms"), "No alarms.");
  keep(byId("alarms"), ids, makeAlarm, (node, id) => drawAlarm(node.parts, node, id, alarms[id]));
  const away = ids.filter((id) => alarms[id].away).length;
  offerAll(ids.filter((id) => isNew(alarms[id])), ids.length - away, away);
}

function drawAlarm(parts, node, id, alarm) {
  node.className = `alarm ${alarm.priority} ${alarm.state}`;
  setMark(parts.shape, alarm.priority);
  put(parts.word, alarm.priority ?? "unknown");
  parts.first.hidden = !alarm.first_out;
  put(parts.message, alarm.message);
  put(parts.action, alarm.action ? `Do: ${alarm.action}` : "");
  put(parts.state, stateOf(alarm));
  parts.since.dataset.since = alarm.since ?? "";
  for (const key of ["because", "consequence"]) {
    put(parts[key].lastChild, alarm[key]);
    parts[key].hidden = !alarm[key];
  }
  parts.ack.hidden = !isNew(alarm);
  parts.reset.hidden = !alarm.state.startsWith("latched");
  parts.occurrence = alarm.occurrence;
  announce(id, alarm);
}

function stateOf(alarm) {
  const word = WORDS[alarm.state] ?? alarm.state;
  const by = alarm.ack ?? alarm.away?.by;
  const until = alarm.shelved_until ? ` until ${new Date(alarm.shelved_until).toLocaleString()}` : "";
  const why = alarm.away?.reason ? `: ${alarm.away.reason}` : "";
  const cause = alarm.away ? (alarm.active ? "; its cause stands" : "; calm") : "";
  return `${word}${by ? ` by ${by}` : ""}${until}${why}${cause}${alarm.chattering ? "; chattering" : ""}`;
}

function makeAlarm(id) {
  const node = el("li", "alarm");
  const row = (label) => {
    const line = el("p", "fact");
    line.append(el("b", "", `${label} `), el("span"));
    return line;
  };
  const parts = {
    shape: el("span", "shape"), word: el("strong", "word"), first: el("strong", "first", "first out"), message: el("h3"),
    state: el("span"), since: el("span"), action: el("p", "action"), because: row("Seen:"), consequence: row("If nobody acts:"),
    // The occurrence on the screen, so that a new one is not acknowledged unseen.
    ack: button("Acknowledge", "ack", () => acknowledge(id, parts.occurrence)),
    reset: button("Reset", "reset", () => resetAlarm(id)),
  };
  const age = el("span", "age");
  age.append(parts.since, " ago");
  const head = el("div", "head");
  head.append(parts.message, parts.word, parts.first, age);
  const status = el("p", "status");
  status.append(parts.state);
  const summary = el("summary");
  summary.append(head, parts.action);
  const text = el("details", "text");
  text.append(summary, parts.because, parts.consequence, status);
  // The one on top says all it knows without being asked.
  text.open = !byId("alarms").childElementCount;
  const buttons = el("div", "buttons");
  buttons.append(parts.ack, parts.reset);
  node.append(parts.shape, text, buttons);
  node.parts = parts;
  return node;
}

// All that are on the screen now, each by its occurrence: what comes a moment later stays unacknowledged.
function offerAll(ids, count, away) {
  const all = byId("ack-all");
  all.hidden = ids.length < 2;
  put(all, `Acknowledge all ${ids.length}`);
  const stand = count ? `Alarms: ${count}, ${ids.length} not acknowledged` : "Alarms";
  put(byId("alarms-title"), away ? `${stand}, ${away} put away` : stand);
  const { kept } = byId("alarms");
  all.onclick = async () => {
    for (const [id, occurrence] of ids.map((id) => [id, kept.get(id).parts.occurrence])) {
      if (!(await acknowledge(id, occurrence))) return;
    }
  };
}

function announce(id, alarm) {
  const key = `${id} ${alarm.occurrence}`;
  if (alarm.priority !== "critical" || alarm.state !== "unack-active" || announced.has(key)) return;
  announced.add(key);
  byId("news").textContent = `Critical alarm: ${alarm.message}`;
}
