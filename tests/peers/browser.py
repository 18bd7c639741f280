"""Drives the page in a real browser: what an operator sees and does.

Usage: browser.py abort|done SCREENS_DIR

Talks with the test that started it, a line at a time: prints `ready` once the browser runs, reads the page's
address (with its token) and when the daemon was started (seconds since 1970), prints `stop` when the daemon
is to be stopped. All other lines are for people. Ends with 0 if everything was as it should be.
"""

import json
import sys
import time
import urllib.request

from playwright.sync_api import Error, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--disable-gpu", "--no-sandbox", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
# A machine that does nothing else takes 0.8 s; the browser alone can take more than that on a busy one.
FIRST_VALUE_WITHIN_S = 8.0
LOST_WITHIN_S = 4.0
TOUCH_MIN_PX = 44
SEQUENCE = "cut-rack-1"

# The first value on the screen that is a number with a unit.
FIRST_VALUE = """() => [...document.querySelectorAll('.judged b, td.value')]
    .map((node) => node.textContent).find((text) => /^-?[0-9.]+ \\S/.test(text)) ?? ''"""

# Everything visible that is coloured: the distance between the channels of a grey is small.
COLOURED = """() => {
  const coloured = [];
  const shown = [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility());
  for (const node of shown) {
    const style = getComputedStyle(node);
    const kinds = node.closest('svg') ? ['fill', 'stroke'] : ['color', 'backgroundColor', 'borderLeftColor'];
    for (const kind of kinds) {
      const [r, g, b, a] = (style[kind].match(/[0-9.]+/g) ?? []).map(Number);
      if (a === 0 || r === undefined) continue;
      if (24 < Math.max(r, g, b) - Math.min(r, g, b)) coloured.push(`${node.tagName}.${node.className} ${kind} ${style[kind]}`);
    }
  }
  return coloured;
}"""

TOO_SMALL = f"""() => [...document.querySelectorAll('button')].filter((node) => node.checkVisibility())
    .filter((node) => node.getBoundingClientRect().height < {TOUCH_MIN_PX}).map((node) => node.textContent)"""

WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def until(what, met, within_s):
    """Waits for a condition with a deadline; returns what it saw."""
    end = time.monotonic() + within_s
    while True:
        seen = met()
        if seen:
            return seen
        assert time.monotonic() < end, f"{what} did not come within {within_s} s"
        time.sleep(0.02)


class Desk:
    """One page on a wide screen and one on a telephone, and what went wrong in either."""

    def __init__(self, browser, shots):
        self.shots = shots
        self.wide = browser.new_page(viewport={"width": 1280, "height": 900})
        self.narrow = browser.new_page(viewport={"width": 360, "height": 740})
        self.requests, self.errors, self.listening = [], [], True
        for page in (self.wide, self.narrow):
            page.on("request", lambda request: self.requests.append(request.url))
            page.on("pageerror", lambda error: self.complain(str(error)))
            page.on("console", lambda line: line.type == "error" and self.complain(line.text))

    def complain(self, text):
        if self.listening:
            self.errors.append(text)

    def take(self, name):
        self.wide.screenshot(path=f"{self.shots}{name}-1280.png")
        self.check_narrow(name)
        self.narrow.screenshot(path=f"{self.shots}{name}-360.png")

    def check_narrow(self, name):
        wider = self.narrow.evaluate(WIDER)
        assert wider <= 0, f"{name}: 360 px scroll sideways by {wider} px"
        for page in (self.narrow, self.wide):
            small = page.evaluate(TOO_SMALL)
            assert not small, f"{name}: buttons under {TOUCH_MIN_PX} px: {small}"

    def shows(self, selector, within_s):
        try:
            self.wide.locator(selector).first.wait_for(state="visible", timeout=within_s * 1000)
        except Error:
            print(f"instead of {selector}: {self.wide.locator('#alarms').inner_text()!r}", flush=True)
            raise


def sequence_state(origin):
    with urllib.request.urlopen(f"{origin}/api/v1/state", timeout=2) as reply:
        return json.load(reply)["sequences"][SEQUENCE]["state"]


def calm(desk, url, started):
    origin = url.split("/#")[0]
    reply = desk.wide.goto(url, wait_until="commit")
    csp = reply.headers.get("content-security-policy", "")
    assert "default-src 'self'" in csp and "unsafe" not in csp, f"policy of the page: {csp!r}"
    value = until("a live value", lambda: desk.wide.evaluate(FIRST_VALUE), 10)
    took = time.time() - started
    print(f"first live value ({value}) {took:.2f} s after the process was started", flush=True)
    assert took <= FIRST_VALUE_WITHIN_S, f"the first value took {took:.2f} s"
    desk.narrow.goto(url)
    desk.narrow.locator(".zone").first.wait_for(timeout=3000)
    desk.shows("#no-alarms", 2)
    coloured = desk.wide.evaluate(COLOURED)
    assert not coloured, f"calm is not grey: {coloured}"
    desk.take("calm")
    return origin


def to_countdown(desk):
    for level in ("watch", "warning", "danger"):
        desk.shows(f".room.{level}", 20)
        print(f"{level} reached", flush=True)
        if level == "warning":
            desk.take("warning")
    desk.shows(".run.countdown .number", 5)
    number = lambda: int(desk.wide.locator(".run .number").text_content().split()[0])
    first = number()
    until("a count below the first", lambda: number() < first, 2)
    trigger = desk.wide.locator(".run .trigger").text_content()
    assert "started by rack-1-fire" in trigger and "[object" not in trigger, trigger


def abort(desk, origin):
    to_countdown(desk)
    desk.wide.locator(".run .abort").click()
    desk.shows(".run.aborted", 3)
    assert sequence_state(origin) == "aborted", sequence_state(origin)
    desk.take("aborted")
    ack = desk.wide.locator(".alarm .ack:visible")
    before = ack.count()
    ack.first.click()
    desk.shows(".alarm.ack-active", 3)
    until("one alarm fewer to acknowledge", lambda: ack.count() < before, 3)
    assert "by you" in desk.wide.locator(".alarm.ack-active .status").first.text_content()
    desk.wide.locator("#ack-all").click()
    until("all alarms acknowledged", lambda: ack.count() == 0, 5)


def done(desk, origin):
    to_countdown(desk)
    desk.take("countdown")
    desk.shows(".run.done", 20)
    assert sequence_state(origin) == "done", sequence_state(origin)
    verified = desk.wide.locator(".run .steps .verified").count()
    assert 2 <= verified, f"{verified} stages are verified"
    assert desk.wide.locator(".run .steps .failed").count() == 0
    desk.take("done")


def lost(desk):
    desk.listening = False
    print("stop", flush=True)
    sys.stdin.readline()
    stopped = time.time()
    desk.wide.get_by_text("LINK LOST").wait_for(state="visible", timeout=LOST_WITHIN_S * 1000)
    print(f"LINK LOST shown {time.time() - stopped:.2f} s after the daemon was told to stop", flush=True)
    for part in (".zone", ".device", "#rooms"):
        look = desk.wide.locator(part).first.evaluate("(node) => getComputedStyle(node).filter")
        assert "grayscale" in look, f"{part} looks alive: {look}"
    desk.narrow.get_by_text("LINK LOST").wait_for(state="visible", timeout=2000)
    desk.take("lost")


def main(story, screens):
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        desk = Desk(browser, f"{screens}/" if story == "done" else f"{screens}/{story}-")
        print("ready", flush=True)
        url, started = sys.stdin.readline().split()
        origin = calm(desk, url, float(started))
        {"abort": abort, "done": done}[story](desk, origin)
        if story == "done":
            lost(desk)
        foreign = [it for it in desk.requests if not it.startswith(f"{origin}/")]
        assert not foreign, f"requests that left the page's origin: {foreign}"
        assert not desk.errors, f"errors on the console: {desk.errors}"
        print(f"{len(desk.requests)} requests, all to {origin}", flush=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
