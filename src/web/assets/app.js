// The link to emberwatch, what is known, and the clock of this page.
//
// The page never trusts silence: without a beat or a patch for LOST_AFTER_MS everything is shown as frozen, by
// the page's own timer, whatever the connection claims.

import { abortByKey, allowFragmentToken, setUp } from "./act.js";
import { draw, tick } from "./view.js";

const LOST_AFTER_MS = 3000;
const TICK_MS = 200;
const DRAW_EVERY_MS = 250;
const RETRY_MS = 3000;
const LOG_MAX = 30;
const KEYED = ["rooms", "zones", "devices", "points", "alarms", "sequences"];
const LOGS = ["notices", "events"];

// What the page goes by. `heard` and `ends` are on performance.now(), which does not step.
const page = { state: null, heard: null, ahead: 0, ends: new Map(), lost: true, now: 0 };
let changed = false;
let drawn = 0;

function take(message) {
  if (message.ts) setClock(Date.parse(message.ts));
  for (const [id, sequence] of Object.entries(message.sequences ?? {})) {
    const left = sequence?.remaining_ms;
    if (Number.isFinite(left)) page.ends.set(id, performance.now() + left);
    else if (left === null || sequence?.state !== "countdown") page.ends.delete(id);
  }
  changed = true;
  hear();
}

function setClock(gateway_ms) {
  if (Number.isFinite(gateway_ms)) page.ahead = gateway_ms - performance.now();
}

function hear() {
  page.heard = performance.now();
  if (page.lost) update();
}

function replace(message) {
  page.ends.clear();
  page.state = message;
  for (const key of KEYED) page.state[key] ??= {};
  for (const key of LOGS) page.state[key] = (page.state[key] ?? []).slice(-LOG_MAX);
  if (message.banner) allowFragmentToken();
  take(message);
}

function merge(patch) {
  const state = page.state;
  if (!state) return;
  for (const [key, value] of Object.entries(patch)) {
    if (LOGS.includes(key)) state[key] = state[key].concat(value).slice(-LOG_MAX);
    else if (KEYED.includes(key)) mergeKeyed(state[key], value, key === "alarms");
    else state[key] = value;
  }
  take(patch);
}

function mergeKeyed(known, patch, alarms) {
  for (const [id, value] of Object.entries(patch)) {
    if (value === null || (alarms && value.state === "normal")) delete known[id];
    else known[id] = { ...known[id], ...value };
  }
}

function update() {
  page.now = performance.now();
  const quiet_ms = page.heard === null ? Infinity : page.now - page.heard;
  page.lost = LOST_AFTER_MS <= quiet_ms;
  if (page.state && changed && (DRAW_EVERY_MS <= page.now - drawn || drawn === 0)) {
    changed = false;
    drawn = page.now;
    draw(page);
  }
  tick(page, quiet_ms);
}

function follow() {
  const source = new EventSource("/api/v1/events");
  source.addEventListener("state", (event) => replace(JSON.parse(event.data)));
  source.addEventListener("patch", (event) => merge(JSON.parse(event.data)));
  source.addEventListener("beat", (event) => {
    setClock(JSON.parse(event.data).now_ms);
    hear();
  });
  source.addEventListener("error", () => {
    // A refused stream is not retried by the browser.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RETRY_MS);
  });
}

setUp(page);
document.addEventListener("keydown", (event) => abortByKey(event));
// A tab in the background is slowed down by the browser: look at the clock at once when it comes back.
document.addEventListener("visibilitychange", update);
setInterval(update, TICK_MS);
follow();
