// What people may ask, and what came of it.
//
// Acknowledge, reset and abort work with one tap; only arming and a cut by hand are asked twice.

const STORE = "emberwatch-token";
const ANSWER_MS = 6000;
const SAID_MS = 15000;
const byId = (id) => document.getElementById(id);

let page = null;
let fragment = null;
let answer = null;
let said = 0;

export function setUp(of) {
  page = of;
  // Out of the address bar at once; used only if the page says that this is a demonstration.
  const given = /^#token=(.+)$/.exec(location.hash);
  if (given) {
    try { fragment = decodeURIComponent(given[1]); } catch { fragment = null; }
    history.replaceState(null, "", location.pathname);
  }
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    close(true);
  });
  byId("no").addEventListener("click", () => close(false));
  byId("dialog").addEventListener("cancel", () => close(false));
  byId("sign").addEventListener("click", () => (token() ? signOut() : signIn("Sign in")));
  showSign();
}

export function allowFragmentToken() {
  if (fragment && !token()) keep(fragment);
  fragment = null;
}

export const acknowledge = (id, occurrence) => ask(`alarms/${encodeURIComponent(id)}/ack`, { occurrence }, "Acknowledged");
export const resetAlarm = (id) => ask(`alarms/${encodeURIComponent(id)}/reset`, {}, "Reset");

export function abort(id) {
  const sequence = page.state?.sequences[id];
  const about = Number.isInteger(sequence?.run) ? { run: sequence.run } : {};
  return ask(`sequences/${encodeURIComponent(id)}/abort`, about, "ABORT accepted: this run is stopped");
}

export async function arm(id, title) {
  const sure = await confirm(`Arm: ${title}?`, "Once armed, it cuts power by itself when its vote is complete.", "Arm");
  if (sure) await operate(id, "arm", "Armed");
}

// The second step of a cut by hand is asked only after the core took the first.
export async function cutByHand(id, title) {
  if (!(await operate(id, "select", "Selected: start within 10 s"))) return;
  const text = "This starts the countdown of a real cut, if the sequence is armed. Start within 10 seconds.";
  if (await confirm(`Cut by hand: ${title}?`, text, "Start the cut")) await operate(id, "start", "Started");
}

export const operate = (id, verb, done) => ask(`sequences/${encodeURIComponent(id)}/${verb}`, {}, done);

export function abortByKey(event) {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key !== "a" || event.repeat || event.ctrlKey || event.metaKey || event.altKey || typing) return;
  document.querySelector("#running .abort:not([hidden])")?.click();
}

export function fadeSaid(now) {
  if (said && SAID_MS < now - said) say("", "");
}

async function ask(path, about, done) {
  const key = token() ?? (await signIn("Sign in to act"));
  if (!key) return false;
  say("Sent, waiting for the answer …", "");
  let reply;
  try {
    reply = await fetch(`/api/v1/${path}`, {
      method: "POST",
      headers: { "Authorization": `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify(about),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    say("", "NO ANSWER from emberwatch. It is not known whether it was done. Try again, or act at the device.");
    return false;
  }
  if (reply.ok) {
    const told = await reply.json().catch(() => ({}));
    if (told.result === "proposed") {
      const left = Math.round((told.remaining_ms ?? 0) / 1000);
      say(`Proposed. It takes two persons: another operator asks the same within ${left} s.`, "");
      return false;
    }
    say(`${done}.`, "");
    return true;
  }
  const problem = await reply.json().catch(() => ({}));
  if (reply.status === 401 || reply.status === 403) keep(null);
  say("", `NOT DONE. ${problem.detail ?? `The answer was ${reply.status}.`}`);
  return false;
}

function say(good, bad) {
  byId("said").textContent = good;
  byId("refused").textContent = bad;
  said = good || bad ? performance.now() : 0;
}

const token = () => sessionStorage.getItem(STORE);

function keep(key) {
  if (key) sessionStorage.setItem(STORE, key);
  else sessionStorage.removeItem(STORE);
  showSign();
}

function showSign() {
  byId("sign").textContent = token() ? "Sign out" : "Sign in to act";
}

function signOut() {
  keep(null);
  say("Signed out.", "");
}

async function signIn(title) {
  const text = "Your own token, from the configuration. This tab keeps it until it is closed.";
  if (!(await open(title, text, "Sign in", true))) return null;
  // A header takes visible ASCII only; anything else cannot be a token.
  const key = byId("token").value.trim();
  byId("token").value = "";
  if (!/^[\x21-\x7e]+$/.test(key)) return null;
  keep(key);
  return key;
}

const confirm = (title, text, yes) => open(title, text, yes, false);

function open(title, text, yes, withToken) {
  close(false);
  byId("dialog-title").textContent = title;
  byId("dialog-text").textContent = text;
  byId("yes").textContent = yes;
  byId("token-label").hidden = !withToken;
  byId("dialog").showModal();
  (withToken ? byId("token") : byId("no")).focus();
  return new Promise((resolve) => { answer = resolve; });
}

function close(yes) {
  if (byId("dialog").open) byId("dialog").close();
  answer?.(yes);
  answer = null;
}
