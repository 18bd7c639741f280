"use strict";
// Everything below draws from `data`; one shared span of time [from, to] in milliseconds rules all charts.
const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement, tip = document.getElementById("tip");
const LEFT = 78, LEVELS = ["normal", "watch", "warning", "danger"];
const LIGHT = ["#2563eb", "#0f9488", "#7c3aed", "#0891d1", "#be185d", "#4d7c0f", "#475569", "#8a4b1f", "#14532d", "#a21caf", "#1e3a8a", "#6b7280"];
const DARK = ["#6ea2ff", "#3ecfbf", "#b592ff", "#4cc3f5", "#f472b6", "#a3d150", "#a5b4c6", "#d9a066", "#7ddc9a", "#e27bf0", "#93a8ff", "#8b95a5"];
const whole = [Math.min(data.begin, data.end), Math.max(data.end, data.begin + 1)];
let [from, to] = whole, cursor = null, drag = null;
const charts = [];
const el = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};
const css = name => getComputedStyle(root).getPropertyValue(name).trim();
const isDark = () => root.dataset.theme === "dark";
const colour = index => (isDark() ? DARK : LIGHT)[index % LIGHT.length];
const seconds = ms => {
  const span = to - from, decimals = span < 20e3 ? 2 : 1;
  if (whole[1] < 7200e3) return (ms / 1000).toFixed(decimals) + " s";
  const s = ms / 1000, pad = n => String(Math.floor(n)).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${pad(s / 60 % 60)}:${(s % 60 < 10 ? "0" : "") + (s % 60).toFixed(decimals)}`;
};
const number = v => v === undefined ? "–" : String(+v.toFixed(Math.abs(v) < 10 ? 3 : Math.abs(v) < 100 ? 2 : 1));
// Limits are named in a margin of their own, where there is room for one.
const longest = Math.max(0, ...data.groups.flatMap(group => group.limits.map(l => `${l.value} ${l.level} · ${l.rule}`.length)));
const margin = width => width > 760 && longest ? Math.min(220, 34 + longest * 6.6) : 16;
const x = (ms, width) => LEFT + (ms - from) / (to - from) * (width - LEFT - margin(width));
const time = (px, width) => from + (px - LEFT) / (width - LEFT - margin(width)) * (to - from);
const clipped = (g, text, room) => {
  while (text.length > 3 && g.measureText(text).width > room) text = text.replace(/…$/, "").slice(0, -1) + "…";
  return text;
};

function steps(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(n => n * power).find(n => raw <= n) || raw;
  const all = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) all.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return all;
}
function timeSteps(count) {
  const raw = (to - from) / count;
  const step = [10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3,
    7200e3, 14400e3, 43200e3, 86400e3].find(n => raw <= n) || Math.ceil(raw / 86400e3) * 86400e3;
  const all = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) all.push(t);
  const text = t => whole[1] < 7200e3 ? `${+(t / 1000).toFixed(2)}` : `${Math.floor(t / 3600e3)}:${String(Math.floor(t / 60e3) % 60).padStart(2, "0")}` + (step < 60e3 ? `:${String(Math.floor(t / 1000) % 60).padStart(2, "0")}` : "");
  return all.map(t => [t, text(t)]);
}
// The last index at or before this time; -1 before the first.
function at(times, t) {
  let low = 0, high = times.length;
  while (low < high) { const middle = (low + high) >> 1; if (times[middle] <= t) low = middle + 1; else high = middle; }
  return low - 1;
}
function value(series, t) {
  const i = at(series.t, t), hole = series.holes[at(series.holes, t)];
  return i < 0 || (hole !== undefined && series.t[i] <= hole) ? undefined : series.v[i];
}
const levelAt = (zone, t) => { const i = at(zone.bands.map(b => b[0]), t); return i < 0 ? "normal" : zone.bands[i][1]; };

function surface(parent, height, label) {
  const canvas = el("canvas", { tabIndex: -1 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.style.height = height + "px";
  parent.append(canvas);
  return canvas;
}
function begin(canvas) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = "12px system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif";
  return [g, width, height];
}
function vertical(g, px, top, bottom, style, dash = []) {
  g.strokeStyle = style; g.setLineDash(dash); g.beginPath();
  g.moveTo(Math.round(px) + 0.5, top); g.lineTo(Math.round(px) + 0.5, bottom); g.stroke(); g.setLineDash([]);
}
function over(g, width, top, bottom) {
  if (drag && drag.moved) {
    g.fillStyle = isDark() ? "rgb(110 162 255 / 0.16)" : "rgb(37 99 235 / 0.10)";
    const a = x(drag.from, width), b = x(drag.to, width);
    g.fillRect(Math.min(a, b), top, Math.abs(b - a), bottom - top);
  }
  if (cursor !== null && from <= cursor && cursor <= to) vertical(g, x(cursor, width), top, bottom, css("--faint"));
}
function axis(g, width, y) {
  g.fillStyle = css("--soft"); g.textAlign = "center"; g.textBaseline = "top";
  for (const [t, text] of timeSteps(Math.max(3, width / 110))) g.fillText(text, x(t, width), y);
  g.textAlign = "right"; g.fillStyle = css("--faint"); g.fillText(whole[1] < 7200e3 ? "s" : "h:min", LEFT - 26, y);
}
const decisions = data.entries.filter(e => e.kind === "sequence" && e.event !== "mode");
const raised = data.entries.filter(e => e.kind === "alarm" && (e.event === "raised" || e.event === "escalated"));

function levelsChart() {
  const card = document.getElementById("levels"), row = 22, lanes = data.zones.length;
  const legend = el("div", { className: "legend" });
  for (const level of LEVELS) legend.append(el("span", {}, Object.assign(el("span", { className: "chip" }), { style: `background:var(--${level})` }), level));
  for (const [mark, text] of [["●", "vote"], ["▲", "alarm raised"], ["◆", "decision of a sequence"]]) legend.append(el("span", {}, `${mark} ${text}`));
  card.append(el("div", { className: "head" }, el("h2", { textContent: "Levels of the zones, alarms, decisions" }), legend));
  const height = 14 + lanes * row + 3 * 20 + 26, canvas = surface(card, height, "Levels of the zones over time");
  const draw = () => {
    const [g, width] = begin(canvas), right = width - margin(width);
    data.zones.forEach((zone, index) => {
      const y = 10 + index * row;
      g.fillStyle = css("--normal"); g.globalAlpha = 0.55; g.fillRect(LEFT, y, right - LEFT, row - 6); g.globalAlpha = 1;
      zone.bands.forEach((band, i) => {
        const a = Math.max(LEFT, x(band[0], width)), b = Math.min(right, x(i + 1 < zone.bands.length ? zone.bands[i + 1][0] : whole[1], width));
        if (band[1] !== "normal" && a < b) { g.fillStyle = css(`--${band[1]}`); g.fillRect(a, y, Math.max(1.5, b - a), row - 6); }
      });
      g.fillStyle = css("--soft"); g.textAlign = "right"; g.textBaseline = "middle";
      g.fillText(clipped(g, zone.name, LEFT - 12), LEFT - 8, y + (row - 6) / 2 + 0.5);
    });
    const lane = (index, mark, all, level, text) => {
      const y = 14 + lanes * row + index * 20 + 6;
      g.fillStyle = css("--faint"); g.textAlign = "right"; g.textBaseline = "middle"; g.fillText(text, LEFT - 8, y);
      g.strokeStyle = css("--grid"); g.beginPath(); g.moveTo(LEFT, y + 0.5); g.lineTo(right, y + 0.5); g.stroke();
      g.textAlign = "center"; g.font = "13px sans-serif";
      for (const e of all) if (from <= e.t && e.t <= to) { g.fillStyle = css(`--${level(e)}`); g.fillText(mark, x(e.t, width), y); }
      g.font = "12px system-ui, sans-serif";
    };
    lane(0, "●", data.votes, () => "danger", "votes");
    lane(1, "▲", raised, e => e.level === "normal" ? "faint" : e.level, "alarms");
    lane(2, "◆", decisions, () => "decision", "decisions");
    axis(g, width, height - 20);
    over(g, width, 4, height - 24);
  };
  charts.push({ canvas, draw, group: null });
}

function chart(group) {
  const card = el("section", { className: "card" }), legend = el("div", { className: "legend" }), hidden = new Set();
  const unit = group.unit || "state or count";
  card.append(el("div", { className: "head" }, el("h2", {}, group.zone + " ", el("span", { className: "unit", textContent: unit })), legend));
  document.getElementById("charts").append(card);
  const swatches = group.series.map((series, index) => {
    const swatch = el("span", { className: "swatch" }), button = el("button", { type: "button" }, swatch, series.name);
    button.onclick = () => { hidden.has(index) ? hidden.delete(index) : hidden.add(index); button.classList.toggle("off", hidden.has(index)); all(); };
    legend.append(button);
    return swatch;
  });
  const canvas = surface(card, group.unit ? 230 : 150, `${group.zone}, ${unit}, over time`);
  const draw = () => {
    const [g, width, height] = begin(canvas), top = 12, bottom = height - 28, right = width - margin(width);
    swatches.forEach((swatch, index) => { swatch.style.background = colour(index); });
    const shown = group.series.map((series, index) => ({ series, index })).filter(s => !hidden.has(s.index));
    let low = Infinity, high = -Infinity;
    for (const { series } of shown) {
      const first = Math.max(0, at(series.t, from)), last = at(series.t, to);
      for (let i = first; i <= last; i++) {
        low = Math.min(low, series.lo.length ? series.lo[i] : series.v[i]);
        high = Math.max(high, series.hi.length ? series.hi[i] : series.v[i]);
      }
    }
    if (low === Infinity) { low = 0; high = 1; }
    const reach = Math.max(high - low, Math.abs(high) * 0.04, 1e-6), idle = (reach - (high - low)) / 2;
    // Noise of the last digit is not blown up to fill the chart.
    low -= idle; high += idle;
    // A limit that is near belongs into the picture; a far one is named at its edge.
    const near = group.limits.filter(l => low - reach * 0.8 <= l.value && l.value <= high + reach * 0.8);
    for (const l of near) { low = Math.min(low, l.value); high = Math.max(high, l.value); }
    const pad = Math.max((high - low) * 0.08, reach * 0.04);
    low -= pad; high += pad;
    const y = v => bottom - (v - low) / (high - low) * (bottom - top);
    g.lineWidth = 1; g.textBaseline = "middle";
    for (const v of steps(low, high, Math.max(2, (bottom - top) / 42))) {
      g.strokeStyle = css("--grid"); g.beginPath(); g.moveTo(LEFT, Math.round(y(v)) + 0.5); g.lineTo(right, Math.round(y(v)) + 0.5); g.stroke();
      g.fillStyle = css("--soft"); g.textAlign = "right"; g.fillText(number(v), LEFT - 8, y(v));
    }
    g.save(); g.beginPath(); g.rect(LEFT, top - 8, right - LEFT, bottom - top + 8); g.clip();
    for (const e of decisions) if (from <= e.t && e.t <= to) vertical(g, x(e.t, width), top, bottom, css("--decision"), [1, 3]);
    for (const e of raised) if (from <= e.t && e.t <= to && e.level !== "normal") { g.globalAlpha = 0.35; vertical(g, x(e.t, width), top, bottom, css(`--${e.level}`)); g.globalAlpha = 1; }
    const limits = group.limits.slice().sort((a, b) => b.value - a.value);
    for (const l of limits) if (low <= l.value && l.value <= high) {
      g.strokeStyle = css(`--${l.level}`); g.setLineDash([6, 4]); g.beginPath();
      g.moveTo(LEFT, Math.round(y(l.value)) + 0.5); g.lineTo(right, Math.round(y(l.value)) + 0.5); g.stroke(); g.setLineDash([]);
    }
    shown.forEach(({ series, index }) => line(g, series, colour(index), width, y, !group.unit));
    g.restore();
    names(g, limits, { width, right, top, bottom, low, high, y });
    axis(g, width, height - 21);
    over(g, width, top, bottom);
    if (cursor !== null) for (const { series, index } of shown) {
      const v = value(series, cursor);
      if (v !== undefined && from <= cursor && cursor <= to) { g.fillStyle = colour(index); g.beginPath(); g.arc(x(cursor, width), y(v), 3, 0, 7); g.fill(); }
    }
  };
  charts.push({ canvas, draw, group, hidden });
}
// The names of limits in the margin: each at its height as far as there is room, with a line to where it is meant.
function names(g, limits, { width, right, top, bottom, low, high, y }) {
  if (width - right < 100) return;
  const wanted = limits.map(l => ({ l, far: l.value > high ? "↑ " : l.value < low ? "↓ " : "", y: Math.min(bottom - 2, Math.max(top, y(l.value))) }));
  const most = Math.max(1, Math.floor((bottom - top) / 14) + 1), rows = wanted.slice(0, most);
  rows.forEach((row, i) => { row.at = Math.max(row.y, i ? rows[i - 1].at + 14 : top); });
  for (let i = rows.length - 1, floor = bottom; 0 <= i; i--, floor -= 14) rows[i].at = Math.min(rows[i].at, floor);
  g.textAlign = "left"; g.textBaseline = "middle";
  for (const row of rows) {
    g.strokeStyle = css(`--${row.l.level}`); g.globalAlpha = 0.6; g.beginPath();
    g.moveTo(right + 1, row.y + 0.5); g.lineTo(right + 9, row.at + 0.5); g.stroke(); g.globalAlpha = 1;
    g.fillStyle = css(`--${row.l.level}-ink`);
    g.fillText(clipped(g, `${row.far}${number(row.l.value)} ${row.l.level} · ${row.l.rule}`, width - right - 18), right + 12, row.at);
  }
}
function line(g, series, style, width, y, stepwise) {
  const first = Math.max(0, at(series.t, from)), last = Math.min(series.t.length - 1, at(series.t, to) + 1);
  let hole = at(series.holes, series.t[first]) + 1;
  if (series.lo.length) {
    g.fillStyle = style; g.globalAlpha = 0.28; g.beginPath();
    for (let i = first; i <= last; i++) g.lineTo(x(series.t[i], width), y(series.hi[i]));
    for (let i = last; first <= i; i--) g.lineTo(x(series.t[i], width), y(series.lo[i]));
    g.fill(); g.globalAlpha = 1;
  }
  g.strokeStyle = style; g.lineWidth = 1.6; g.lineJoin = "round"; g.beginPath();
  for (let i = first; i <= last; i++) {
    let broken = i === first;
    while (hole < series.holes.length && series.holes[hole] < series.t[i]) { broken = true; hole++; }
    const px = x(series.t[i], width);
    if (broken) g.moveTo(px, y(series.v[i]));
    else { if (stepwise) g.lineTo(px, y(series.v[i - 1])); g.lineTo(px, y(series.v[i])); }
  }
  g.stroke(); g.lineWidth = 1;
}

let asked = false;
function all() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; for (const c of charts) c.draw(); });
}
function span(a, b) {
  const least = 200, size = Math.max(least, Math.min(b - a, whole[1] - whole[0]));
  from = Math.min(Math.max(a, whole[0]), whole[1] - size); to = from + size;
  document.getElementById("reset").disabled = from <= whole[0] && whole[1] <= to;
  all();
}
function show(event, c) {
  const rows = el("table"), near = (to - from) / c.canvas.clientWidth * 6;
  if (c.group) c.group.series.forEach((series, index) => {
    if (c.hidden.has(index)) return;
    const v = value(series, cursor);
    rows.append(el("tr", {}, el("td", {}, Object.assign(el("span", { className: "swatch" }), { style: `background:${colour(index)}` })),
      el("td", { textContent: series.name }), el("td", { className: "v", textContent: v === undefined ? "unknown" : `${number(v)} ${c.group.unit}` })));
  });
  else for (const zone of data.zones) {
    const level = levelAt(zone, cursor);
    rows.append(el("tr", {}, el("td", {}, Object.assign(el("span", { className: "chip" }), { style: `background:var(--${level})` })),
      el("td", { textContent: zone.title }), el("td", { className: "v", textContent: level })));
  }
  tip.replaceChildren(el("b", { textContent: seconds(cursor) }), rows);
  const here = data.entries.filter(e => Math.abs(e.t - cursor) <= near).slice(0, 6);
  if (here.length) tip.append(el("div", { className: "what" }, ...here.map(e => el("div", { textContent: `${seconds(e.t)}  ${e.text}` }))));
  tip.style.display = "block";
  const box = tip.getBoundingClientRect(), side = event.clientX + 18 + box.width > innerWidth ? event.clientX - box.width - 18 : event.clientX + 18;
  tip.style.left = Math.max(4, side) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 8)) + "px";
}
function listen(c) {
  const here = event => Math.min(to, Math.max(from, time(event.clientX - c.canvas.getBoundingClientRect().left, c.canvas.clientWidth)));
  c.canvas.addEventListener("pointermove", event => {
    cursor = here(event);
    if (drag) { drag.to = cursor; drag.moved ||= Math.abs(event.clientX - drag.px) > 4; }
    show(event, c); all();
  });
  c.canvas.addEventListener("pointerleave", () => { if (!drag) { cursor = null; tip.style.display = "none"; all(); } });
  c.canvas.addEventListener("pointerdown", event => {
    if (event.button) return;
    c.canvas.setPointerCapture(event.pointerId);
    drag = { from: here(event), to: here(event), px: event.clientX, moved: false };
  });
  const done = () => {
    if (drag && drag.moved) span(Math.min(drag.from, drag.to), Math.max(drag.from, drag.to));
    drag = null; all();
  };
  c.canvas.addEventListener("pointerup", done);
  c.canvas.addEventListener("pointercancel", () => { drag = null; all(); });
  c.canvas.addEventListener("dblclick", () => span(...whole));
  c.canvas.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const middle = here(event), factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200)));
    span(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }, { passive: false });
}
function list() {
  const card = document.getElementById("list"), body = el("tbody"), shown = new Set(data.entries.map(e => e.kind));
  const filters = el("div", { className: "filters" });
  const fill = () => body.replaceChildren(...data.entries.filter(e => shown.has(e.kind)).map(e => {
    const tag = el("span", { className: "tag", textContent: e.kind });
    tag.style.color = e.level === "normal" ? "var(--soft)" : `var(--${e.level}-ink)`;
    const row = el("tr", { tabIndex: 0 }, el("td", { textContent: seconds(e.t) }), el("td", {}, tag), el("td", { textContent: e.text }));
    const go = () => { const half = Math.max(5e3, Math.min((to - from) / 2, (whole[1] - whole[0]) / 20)); cursor = e.t; span(e.t - half, e.t + half); scrollTo({ top: 0, behavior: "smooth" }); };
    row.onclick = go;
    row.onkeydown = event => { if (event.key === "Enter") go(); };
    return row;
  }));
  for (const kind of shown) {
    const box = el("input", { type: "checkbox", checked: true });
    box.onchange = () => { box.checked ? shown.add(kind) : shown.delete(kind); fill(); };
    filters.append(el("label", {}, box, kind));
  }
  fill();
  card.append(el("div", { className: "head" }, el("h2", { textContent: data.entries.length ? "What happened" : "Nothing happened" }), filters),
    el("div", { className: "scroll" }, el("table", { className: "list" }, body)));
}
// Where levels rise and sequences decide, with a margin.
function events() {
  const all = data.entries.filter(e => e.level !== "normal" && ["level", "alarm", "sequence", "order"].includes(e.kind) && whole[0] + 2e3 < e.t);
  if (!all.length) return null;
  const rising = all.filter(e => e.kind !== "level" || e.level === "danger"), last = (rising.length ? rising : all).at(-1).t;
  const pad = Math.max(10e3, (last - all[0].t) * 0.25);
  return [all[0].t - pad, last + pad];
}
function theme(name) {
  root.dataset.theme = name;
  document.getElementById("theme").textContent = name === "dark" ? "Light" : "Dark";
  all();
}
document.getElementById("title").textContent = data.title;
document.getElementById("meta").textContent = `Site ${data.site}, replayed by emberwatch from ${seconds(whole[0])} to ${seconds(whole[1])}. Nothing was sent to any device.`;
document.getElementById("notes").append(el("ul", { className: "notes" }, ...data.notes.map(textContent => el("li", { textContent }))));
document.getElementById("reset").onclick = () => span(...whole);
const happening = events();
document.getElementById("events").disabled = !happening;
document.getElementById("events").onclick = () => span(...happening);
document.getElementById("theme").onclick = () => theme(isDark() ? "light" : "dark");
addEventListener("keydown", event => {
  const size = to - from, move = { ArrowLeft: -0.2, ArrowRight: 0.2 }[event.key];
  if (move && from !== whole[0] || move && to !== whole[1]) span(from + size * move, to + size * move);
  if (event.key === "Escape") span(...whole);
});
addEventListener("resize", all);
levelsChart();
data.groups.forEach(chart);
charts.forEach(listen);
list();
const given = /^#t=([\d.]+),([\d.]+)$/.exec(location.hash);
if (given) span(given[1] * 1000, given[2] * 1000);
theme(new URLSearchParams(location.search).get("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
