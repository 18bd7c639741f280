// The screen: rooms, cuts, zones and logs. Grey is calm; what is not calm has colour, shape and letter.
//
// All text from emberwatch goes in by textContent. Nodes are kept and changed in place, so that focus and
// open details stay where they are.

import { abort, arm, cutByHand, fadeSaid, operate } from "./act.js";
import { drawAlarms } from "./alarms.js";
import { drawDevices, reasonOf, textOf, tickDevices } from "./values.js";

const SVG = "http://www.w3.org/2000/svg";
const LEVELS = ["normal", "watch", "warning", "danger"];
const SHAPES = {
  danger: ["8,1 16,1 23,8 23,16 16,23 8,23 1,16 1,8", "3"],
  warning: ["12,1 23.5,22 0.5,22", "2"],
  watch: ["12,0.5 23.5,12 12,23.5 0.5,12", "1"],
  critical: ["1,1 23,1 23,23 1,23", "C"],
  high: ["12,1 23.5,22 0.5,22", "H"],
  medium: ["12,0.5 23.5,12 12,23.5 0.5,12", "M"],
  low: ["0.5,2 23.5,2 12,23", "L"],
};
const STEP_WORDS = { pending: "pending", waiting: "waiting", ordered: "sent", confirmed: "confirmed", verified: "verified", skipped: "not needed", failed: "FAILED" };
const STEP_MARKS = { pending: "·", waiting: "…", ordered: "→", confirmed: "✓", verified: "✓✓", skipped: "–", failed: "✗" };
const RUN_WORDS = {
  countdown: "Power will be cut", rereading: "Reading devices again after a restart", executing: "Cutting power",
  verifying: "Checking the effect", held: "STOPPED: a person must decide", done: "Done: isolated and verified",
  failed: "FAILED: the zone is NOT isolated", aborted: "Aborted",
};
// What follows a room's level, for people who were asleep a minute ago.
const ADVICE = {
  normal: "All quiet.", watch: "Something is unusual: look at the reasons.",
  warning: "Something is wrong: follow the alarms.", danger: "Do not enter the room.",
};
// Values shown with each zone; a zone may be judged by hundreds.
const JUDGED_MAX = 8;
// What is left to do after a run.
const AFTER = {
  done: "Treat the zone as live until someone has measured that it is not. Reset this run when all is over.",
  aborted: "No further step is taken; what was switched before stays as it is. Look at the alarms.",
  failed: "Cut by hand, upstream. Treat the zone as live.",
  held: "Cut by hand, upstream, or abort. Treat the zone as live.",
};
const ENDED = ["held", "done", "failed", "aborted"];
const byId = (id) => document.getElementById(id);

export function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function put(node, text) {
  const now = text ?? "";
  if (node.textContent !== now) node.textContent = now;
}

export function button(text, className, click) {
  const node = el("button", className, text);
  node.type = "button";
  node.addEventListener("click", click);
  return node;
}

// One child per key, in this order; kept ones are only touched by `change`.
export function keep(parent, keys, make, change) {
  parent.kept ??= new Map();
  const wanted = new Set(keys);
  for (const [key, node] of parent.kept) {
    if (wanted.has(key)) continue;
    node.remove();
    parent.kept.delete(key);
  }
  keys.forEach((key, place) => {
    let node = parent.kept.get(key);
    if (!node) {
      node = make(key);
      parent.kept.set(key, node);
    }
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
    change(node, key);
  });
}

export function span(ms) {
  if (!Number.isFinite(ms)) return "unknown";
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export const ageOf = (page, ts) => (ts ? page.now + page.ahead - Date.parse(ts) : NaN);

export function timeOf(ts) {
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? "unknown" : date.toLocaleTimeString([], { hour12: false });
}

function mark(kind) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `mark ${kind}`);
  svg.setAttribute("aria-hidden", "true");
  const [points, letter] = SHAPES[kind] ?? [null, ""];
  const shape = document.createElementNS(SVG, points ? "polygon" : "circle");
  if (points) shape.setAttribute("points", points);
  else for (const [name, value] of [["cx", 12], ["cy", 12], ["r", 8]]) shape.setAttribute(name, value);
  const text = document.createElementNS(SVG, "text");
  text.setAttribute("x", 12);
  // The letter sits where its shape is widest.
  text.setAttribute("y", { warning: 19.5, high: 19.5, low: 13 }[kind] ?? 17);
  text.textContent = letter;
  svg.append(shape, text);
  return svg;
}

export function setMark(node, kind) {
  if (node.kind === kind) return;
  node.kind = kind;
  node.replaceChildren(mark(kind));
}

export const worst = (levels) => LEVELS[Math.max(0, ...levels.map((level) => LEVELS.indexOf(level)))];

export function draw(page) {
  const { state } = page;
  put(byId("site"), `${state.site ?? "unknown"} / ${state.gateway ?? "unknown"}`);
  put(byId("banner"), state.banner);
  byId("banner").hidden = !state.banner;
  put(byId("missed"), `${state.missed} updates did not reach this page: what has not changed since may be out of date.`);
  byId("missed").hidden = !state.missed;
  drawRooms(state);
  drawSentence(state);
  drawModes(state);
  drawRunning(page);
  drawAlarms(state);
  drawZones(state);
  drawDevices(page);
  drawSequences(state);
  drawLog(byId("notices"), state.notices, (row) => `${state.zones[row.zone]?.title ?? row.zone ?? ""}: ${row.text}`);
  drawLog(byId("events"), state.events, (row) => row.text);
}

export function tick(page, quiet_ms) {
  const body = document.body;
  body.classList.toggle("waiting", !page.state);
  body.classList.toggle("lost", page.lost);
  const link = byId("link");
  link.hidden = !page.lost;
  if (page.lost) {
    const frozen = page.state ? `data frozen ${span(quiet_ms)}. Do not trust the values below.` : "no data yet.";
    // The age is not read out each second.
    put(link.firstChild ?? link.appendChild(el("strong")), "LINK LOST");
    const rest = link.children[1] ?? link.appendChild(el("span"));
    rest.setAttribute("aria-live", "off");
    put(rest, ` – ${frozen}`);
  }
  if (!page.state) return;
  put(byId("time"), new Date(page.now + page.ahead).toLocaleTimeString([], { hour12: false }));
  put(byId("age"), span(quiet_ms));
  fadeSaid(page.now);
  tickRunning(page);
  for (const node of document.querySelectorAll("[data-since]")) put(node, span(ageOf(page, node.dataset.since)));
  tickDevices(page);
}

function drawRooms(state) {
  const rooms = Object.keys(state.rooms).sort();
  keep(byId("rooms"), rooms, () => {
    const node = el("div", "room");
    node.append(el("span", "shape"), el("h1"), el("strong", "word"));
    return node;
  }, (node, id) => {
    const room = state.rooms[id];
    const [shape, title, word] = node.children;
    setMark(shape, room.level);
    put(title, room.title || id);
    put(word, room.level.toUpperCase());
    node.className = `room ${room.level}`;
  });
  const level = worst(rooms.map((id) => state.rooms[id].level));
  const open = Object.values(state.alarms).filter((alarm) => alarm.state.includes("unack")).length;
  const title = `${open ? `(${open}) ` : ""}${level === "normal" ? "" : `${level.toUpperCase()} – `}${state.site}`;
  if (document.title !== title) document.title = title;
}

function drawSentence(state) {
  const zones = Object.values(state.zones);
  const level = worst(zones.map((zone) => zone.level));
  const where = zones.filter((zone) => zone.level === level && level !== "normal").map((zone) => zone.title);
  const points = Object.values(state.points);
  const doubtful = points.filter((point) => point.q !== "good").length;
  const devices = Object.values(state.devices);
  const away = devices.filter((device) => device.state !== "online").map((device) => device.title);
  const parts = [where.length ? `${where.join(", ")}: ${level}. ${ADVICE[level]}` : doubtful ? "No zone is abnormal." : ADVICE.normal];
  for (const sequence of Object.values(state.sequences)) {
    if (sequence.state !== "idle") parts.push(`${sequence.title}: ${runWord(sequence)}.`);
  }
  if (away.length) parts.push(`No answer from ${away.join(", ")}.`);
  parts.push(doubtful ? `${doubtful} of ${points.length} values are not current or not sure.` : `All ${points.length} values are current.`);
  put(byId("sentence"), parts.join(" "));
}

function drawModes(state) {
  const not = Object.values(state.sequences).filter((sequence) => sequence.mode !== "armed");
  byId("modes").hidden = !not.length;
  put(byId("modes"), `NOT ARMED: ${not.map((sequence) => `${sequence.title} (${sequence.mode})`).join(", ")}`);
}

// Nobody may take what is rehearsed, or only recorded, for a cut.
function runWord(sequence) {
  const word = RUN_WORDS[sequence.state] ?? sequence.state;
  if (sequence.drill) return `DRILL · ${word}`;
  if (!sequence.shadow) return word;
  return sequence.state === "countdown" ? "Power would be cut" : `Only recorded · ${word}`;
}

function drawRunning(page) {
  const { sequences, zones } = page.state;
  const running = Object.keys(sequences).filter((id) => sequences[id].state !== "idle");
  const rank = (id) => (ENDED.includes(sequences[id].state) ? Infinity : page.ends.get(id) ?? 0);
  running.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  keep(byId("running"), running, makeRun, (node, id) => {
    const sequence = sequences[id];
    const parts = node.parts;
    node.className = `run ${sequence.state}${sequence.shadow ? " shadow" : ""}${sequence.drill ? " drill" : ""}`;
    put(parts.title, sequence.title);
    put(parts.shadow, sequence.drill ? "DRILL: rehearsed, nothing is switched" : sequence.shadow ? "SHADOW: recorded only, nothing is switched" : "");
    put(parts.state, runWord(sequence));
    put(parts.late, sequence.trigger?.kind === "manual" ? "Demanded by hand: it is not taken back here." : "Past its point of no return: it cannot be aborted here.");
    put(parts.trigger, `${zones[sequence.zone]?.title ?? sequence.zone}, ${sequence.trigger?.text ?? "cause unknown"}.`);
    put(parts.after, sequence.shadow ? "" : AFTER[sequence.state]);
    parts.count.hidden = sequence.state !== "countdown";
    parts.abort.hidden = !sequence.abort?.allowed;
    parts.reset.hidden = !ENDED.includes(sequence.state) && sequence.state !== "held";
    put(parts.reset, sequence.proposed?.verb === "reset" ? "Reset, as the second person" : "Reset this run");
    parts.go.hidden = sequence.state !== "held";
    put(parts.go, sequence.selected_by ? "Go on: second step" : "Go on …");
    put(parts.proposed, proposal(sequence));
    parts.late.hidden = Boolean(sequence.abort?.allowed) || ENDED.includes(sequence.state);
    keep(parts.steps, (sequence.steps ?? []).map((_, place) => place), makeStep, (row, place) => {
      const step = sequence.steps[place];
      const [mark, name, word, why] = row.children;
      row.className = step.state;
      put(mark, STEP_MARKS[step.state]);
      put(name, step.name);
      const never = step.state === "pending" && sequence.state !== "held" && ENDED.includes(sequence.state);
      put(word, never ? "not taken" : STEP_WORDS[step.state] ?? step.state);
      put(why, step.why ? `${step.action}: ${step.why}` : step.action);
    });
  });
}

// What waits for a second person.
function proposal(sequence) {
  const { proposed } = sequence;
  if (!proposed) return "";
  const left = Math.max(0, Math.round(proposed.remaining_ms / 1000));
  return `${proposed.by} proposes to ${proposed.verb} it: another person confirms by the same button within ${left} s`;
}

function makeRun(id) {
  const node = el("article", "run");
  const parts = {
    state: el("h2", "state"), shadow: el("p", "shadow-word"), title: el("p", "title"), trigger: el("p", "trigger"),
    count: el("div", "count"), number: el("strong", "number"), bar: el("span", "bar"), fill: el("span", "fill"),
    abort: button("ABORT", "abort", () => abort(id)),
    late: el("p", "late", "Past its point of no return: it cannot be aborted here."),
    steps: el("ol", "steps"), after: el("p", "after"),
    reset: button("Reset this run", "reset", () => operate(id, "reset", "Reset")),
    // One person takes both steps; where it takes two, one takes each.
    go: button("Go on …", "go", () => state.sequences[id]?.selected_by
      ? operate(id, "start", "It goes on")
      : operate(id, "select", "Selected: take the second step within 10 s")),
    proposed: el("p", "proposed"),
  };
  const hint = el("span", "key", "or press the A key");
  parts.abort.setAttribute("aria-keyshortcuts", "a");
  parts.abort.append(hint);
  parts.number.setAttribute("role", "timer");
  parts.bar.append(parts.fill);
  parts.count.append(parts.number, parts.bar);
  const ask = el("div", "ask");
  ask.append(parts.state, parts.shadow, parts.title, parts.count, parts.abort, parts.late, parts.after, parts.go, parts.proposed, parts.reset);
  const told = el("div", "told");
  told.append(parts.trigger, parts.steps);
  node.append(ask, told);
  node.parts = parts;
  return node;
}

function makeStep() {
  const row = el("li");
  row.append(el("span", "step-mark"), el("span", "step-name"), el("strong", "step-word"), el("span", "step-why"));
  row.firstChild.setAttribute("aria-hidden", "true");
  return row;
}

function tickRunning(page) {
  for (const [id, node] of byId("running").kept ?? []) {
    const sequence = page.state.sequences[id];
    if (!sequence || sequence.state !== "countdown") continue;
    const left = page.ends.has(id) ? Math.max(0, page.ends.get(id) - page.now) : NaN;
    const { number, fill } = node.parts;
    put(number, Number.isFinite(left) ? `${page.lost ? "≈ " : ""}${Math.ceil(left / 1000)} s` : "time unknown");
    fill.style.width = Number.isFinite(left) && 0 < sequence.countdown_ms ? `${Math.min(100, (100 * left) / sequence.countdown_ms)}%` : "0";
  }
}

function drawZones(state) {
  const { zones } = state;
  const ids = Object.keys(zones);
  ids.sort((a, b) => LEVELS.indexOf(zones[b].level) - LEVELS.indexOf(zones[a].level) || a.localeCompare(b));
  keep(byId("zones"), ids, () => {
    const node = el("li", "zone");
    const head = el("div", "head");
    const age = el("span", "age");
    age.append("for ", el("span"));
    head.append(el("span", "shape"), el("h3"), el("strong", "word"), age);
    node.append(head, el("ul", "because"), el("ul", "judged"));
    return node;
  }, (node, id) => {
    const zone = zones[id];
    const [shape, title, word, age] = node.firstChild.children;
    node.className = `zone ${zone.level}`;
    setMark(shape, zone.level);
    put(title, zone.title || id);
    put(word, zone.level);
    age.hidden = !zone.since;
    age.lastChild.dataset.since = zone.since ?? "";
    const [, because, judged] = node.children;
    const rows = (zone.because ?? []).filter((row) => row.level !== "normal");
    keep(because, rows.map((row) => row.rule), () => el("li"), (line, rule) => {
      const row = rows.find((row) => row.rule === rule);
      put(line, `${row.level}: ${row.text}${rule === zone.first_out ? " (first out)" : ""}`
        + (row.outlook ? `; ${row.outlook.text}` : ""));
    });
    drawJudged(judged, zone.judged ?? [], state.points);
  });
}

// What the zone's rules go by, as it is now.
function drawJudged(list, keys, points) {
  keep(list, keys.filter((key) => points[key]).slice(0, JUDGED_MAX), () => {
    const line = el("li");
    line.append(el("span", "name"), el("b"), el("span", "age"), el("span", "why"));
    return line;
  }, (line, key) => {
    const [name, value, age, why] = line.children;
    const point = points[key];
    line.className = point.q;
    put(name, key.replace("/", " "));
    put(value, point.q === "good" && point.label ? point.label : textOf(point));
    age.dataset.since = point.ts ?? "";
    put(why, point.q === "good" ? "" : reasonOf(point));
  });
}

function drawSequences(state) {
  const { sequences } = state;
  const ids = Object.keys(sequences).filter((id) => sequences[id].state === "idle").sort();
  byId("sequences-box").hidden = !ids.length;
  keep(byId("sequences"), ids, (id) => {
    const node = el("li", "sequence");
    const title = () => state.sequences[id]?.title ?? id;
    const operateBox = el("details", "operate");
    const buttons = el("div", "buttons");
    const [armIt, disarm, cut, drill] = [
      button("Arm …", "", () => arm(id, title())),
      button("Disarm", "", () => operate(id, "disarm", "Disarmed: it only records")),
      button("Cut by hand …", "", () => cutByHand(id, title())),
      button("Drill", "", () => operate(id, "drill", "The drill runs: nothing is switched")),
    ];
    buttons.append(armIt, disarm, cut, drill);
    operateBox.append(el("summary", "", "Operate"), buttons);
    const proposed = el("p", "proposed");
    node.append(el("span", "title"), el("strong", "mode"), operateBox, proposed);
    node.parts = { armIt, disarm, cut, drill, proposed };
    return node;
  }, (node, id) => {
    const sequence = sequences[id];
    put(node.children[0], sequence.title);
    put(node.children[1], sequence.mode === "armed" ? "armed" : sequence.mode === "shadow" ? "SHADOW: only records" : "DISABLED");
    node.className = `sequence ${sequence.mode}`;
    node.parts.armIt.hidden = sequence.mode === "armed";
    node.parts.disarm.hidden = sequence.mode !== "armed";
    put(node.parts.disarm, sequence.proposed?.verb === "disarm" ? "Disarm, as the second person" : "Disarm");
    put(node.parts.proposed, proposal(sequence));
    node.parts.cut.hidden = sequence.mode === "disabled";
    node.parts.drill.hidden = sequence.mode === "disabled";
  });
}

function drawLog(list, rows, textOf) {
  const newest = rows.slice().reverse();
  keep(list, newest.map((_, place) => place), () => {
    const line = el("li");
    line.append(el("time"), el("span"));
    return line;
  }, (line, place) => {
    put(line.firstChild, timeOf(newest[place].ts));
    put(line.lastChild, textOf(newest[place]));
  });
  list.classList.toggle("empty", !rows.length);
}
