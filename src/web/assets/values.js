// Devices and their values. A value always comes with its unit, its age and, where it is not good, the reason;
// an unknown value is a dash, never a zero, and is never left out.

import { ageOf, el, keep, put, span } from "./view.js";

// Values of the same kind, told apart by a number only, become a grid from this many on.
const GRID_FROM = 4;
// Up to this many devices all are open at first.
const OPEN_MAX = 2;
const byId = (id) => document.getElementById(id);
const STATES = { "online": "online", "stale": "STALE", "offline": "OFFLINE", "never-seen": "NEVER SEEN" };
const QUALITIES = { "uncertain": "uncertain", "bad": "bad", "never-seen": "never seen" };

export function drawDevices(page) {
  const { devices, points, zones } = page.state;
  const ids = Object.keys(devices).sort();
  const pointsOf = sortedOnce(ids, points);
  keep(byId("devices"), ids, (id) => {
    const level = zones[devices[id].zone]?.level ?? "normal";
    return makeDevice(ids.length <= OPEN_MAX || level !== "normal");
  }, (node, id) => {
    const device = devices[id];
    const keys = pointsOf.get(id) ?? [];
    const parts = node.parts;
    const bad = keys.filter((key) => points[key].q !== "good");
    node.className = `device ${device.state}${bad.length ? " doubtful" : ""}`;
    put(parts.title, device.title || id);
    put(parts.state, STATES[device.state] ?? device.state);
    put(parts.zone, `${device.kind}, ${zones[device.zone]?.title ?? device.zone}`);
    put(parts.tally, bad.length ? `${bad.length} of ${keys.length} values not good` : keys.length === 1 ? "1 value, good" : `${keys.length} values, all good`);
    parts.heard.dataset.since = newest(keys, points) ?? device.last_ok ?? "";
    node.keys = keys;
    if (node.open) drawValues(node, page);
    node.ontoggle ??= () => node.open && drawValues(node, page);
  });
}

// Devices tell their last answer only when their state changes; their values tell it each time.
function newest(keys, points) {
  let ts = null;
  for (const key of keys) if (points[key].ts && (ts === null || ts < points[key].ts)) ts = points[key].ts;
  return ts;
}

// A site has the same points all day, and there may be many thousands: sorted anew only when their number changes.
let sorted = { count: -1, pointsOf: new Map() };
function sortedOnce(ids, points) {
  const keys = Object.keys(points);
  if (sorted.count !== keys.length + ids.length) {
    const pointsOf = new Map(ids.map((id) => [id, []]));
    for (const key of keys.sort(naturally)) pointsOf.get(key.slice(0, key.indexOf("/")))?.push(key);
    sorted = { count: keys.length + ids.length, pointsOf };
  }
  return sorted.pointsOf;
}

export function tickDevices(page) {
  for (const cell of document.querySelectorAll("details.device[open] [data-ts]")) {
    put(cell, span(ageOf(page, cell.dataset.ts)));
  }
}

function makeDevice(open) {
  const node = el("details", "device");
  node.open = open;
  const parts = { title: el("h3"), state: el("strong", "word"), zone: el("span", "where"), tally: el("span", "tally"), heard: el("span") };
  const age = el("span", "age");
  age.append("last answer ", parts.heard, " ago");
  const head = el("summary");
  head.append(parts.title, parts.state, parts.tally, parts.zone, age);
  parts.grids = el("div", "grids");
  parts.table = el("table");
  const heads = el("tr");
  for (const text of ["Point", "Value", "Age", "Quality"]) {
    const cell = el("th", "", text);
    cell.scope = "col";
    heads.append(cell);
  }
  const top = el("thead");
  top.append(heads);
  parts.rows = el("tbody");
  parts.table.append(top, parts.rows);
  node.append(head, parts.table, parts.grids);
  node.parts = parts;
  return node;
}

function drawValues(node, page) {
  const { points } = page.state;
  const families = new Map();
  for (const key of node.keys) {
    const family = familyOf(key);
    families.set(family, [...(families.get(family) ?? []), key]);
  }
  const grids = [...families.keys()].filter((family) => family.includes("#") && GRID_FROM <= families.get(family).length);
  const single = node.keys.filter((key) => !grids.includes(familyOf(key)));
  keep(node.parts.rows, single, makeRow, (row, key) => {
    const point = points[key];
    const [name, value, age, quality] = row.children;
    row.className = point.q;
    put(name, nameOf(key));
    put(value, textOf(point));
    put(quality, point.q === "good" ? "" : reasonOf(point));
    age.dataset.ts = point.ts ?? "";
  });
  node.parts.table.hidden = !single.length;
  keep(node.parts.grids, grids, () => {
    const box = el("figure");
    box.append(el("figcaption"), el("ol", "cells"));
    return box;
  }, (box, family) => drawGrid(box, families.get(family), points, family));
}

function drawGrid(box, keys, points, family) {
  const known = keys.map((key) => points[key]).filter((point) => point.q === "good").map((point) => point.v);
  const digits = Math.max(0, ...known.map((value) => (number(value).split(".")[1] ?? "").length));
  const middle = median(known);
  const away = known.map((value) => Math.abs(value - middle));
  // Only a cell that stands out is marked: five times the usual distance, and more than its last digit.
  const usual_max = 5 * Math.max(median(away), 10 ** -digits);
  const unit = points[keys[0]].u ?? "";
  const spread = known.length
    ? `median ${middle.toFixed(digits)} ${unit}, farthest ${Math.max(...away).toFixed(digits)} ${unit} from it`
    : "no good value";
  put(box.firstChild, `${nameOf(family).replace(/#/g, "…")}: ${keys.length} values, ${spread}`);
  keep(box.lastChild, keys, () => {
    const cell = el("li");
    const top = el("span", "nr");
    top.append(el("span"), el("span"));
    cell.append(top, el("b"), el("span", "off"), el("span", "why"));
    return cell;
  }, (cell, key) => {
    const point = points[key];
    const off = point.q === "good" ? point.v - middle : NaN;
    cell.className = `${point.q}${usual_max < Math.abs(off) ? " outlier" : ""}`;
    cell.title = `${nameOf(key)}: ${textOf(point)}`;
    put(cell.firstChild.firstChild, /(\d+)\D*$/.exec(key)?.[1]);
    const age = cell.firstChild.lastChild;
    if (point.ts) age.dataset.ts = point.ts;
    else put(age, "–");
    put(cell.children[1], has(point) ? point.v.toFixed(digits) : "–");
    put(cell.children[2], Number.isFinite(off) ? `${off < 0 ? "−" : "+"}${Math.abs(off).toFixed(digits)}` : "");
    put(cell.children[3], point.q === "good" ? "" : reasonOf(point));
  });
}

function median(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function makeRow() {
  const row = el("tr");
  const name = el("th");
  name.scope = "row";
  row.append(name, el("td", "value"), el("td", "age"), el("td", "quality"));
  return row;
}

const has = (point) => Number.isFinite(point.v) && point.q !== "never-seen";
const nameOf = (key) => key.slice(key.indexOf("/") + 1);
const familyOf = (key) => nameOf(key).replace(/\d+/g, "#");
const naturally = new Intl.Collator("en", { numeric: true }).compare;

export function textOf(point) {
  if (!has(point)) return "– unknown";
  const text = `${number(point.v)}${point.u ? ` ${point.u}` : ""}`;
  const labelled = point.label ? `${point.label} (${text})` : text;
  return point.q === "bad" ? `${labelled}, last known` : labelled;
}

export function reasonOf(point) {
  const word = QUALITIES[point.q] ?? "unknown quality";
  return point.why ? `${word}: ${point.why}` : word;
}

// As many digits as tell values apart, without pretending to more.
function number(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  if (1000 <= size) return value.toFixed(1);
  return String(Number(value.toPrecision(size < 0.1 ? 2 : size < 1 ? 3 : 4)));
}
