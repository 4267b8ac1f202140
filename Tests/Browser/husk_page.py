# SPDX-License-Identifier: MIT
"""The page of `husk report` and `husk view` in a real browser: selectors, waits, what is asked."""

import base64
import json
import os
import re

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SIZES = {"desktop": (1440, 900), "phone": (390, 844), "wide": (2560, 1300), "narrow": (380, 800)}

# Told by the browser itself, of no concern: the page is a file, or the machine has no GPU.
HARMLESS = ("GPU", "WebGL", "favicon")

# Elements that a page of Husk never has, and what hostile text would leave behind.
INJECTED = """
const bad = [...document.querySelectorAll(
  'img, iframe, object, embed, video, audio, base, form[action], a[href^="javascript" i]')];
const handlers = [...document.querySelectorAll('*')].filter((e) =>
  [...e.attributes].some((a) => /^on/i.test(a.name) || a.name === 'style' && !e.style));
const scripts = [...document.scripts].filter((s) => s.src);
return bad.length + handlers.length + scripts.length + (window.__husk_pwned === undefined ? 0 : 1);
"""

# What text could have become an element of, and no page of Husk has.
NEVER = {"img", "iframe", "object", "embed", "video", "audio", "marquee", "math"}

# Text as a person sees it; bidi controls are spelled out by the page.
EXPECTED = """
const text = arguments[0];
const isSeen = document.body.innerText.includes(text)
  || document.body.textContent.includes(text) && [...document.querySelectorAll('main *, aside *')]
    .some((e) => !e.children.length && e.textContent.includes(text) && e.checkVisibility());
const inPage = arguments[1].some((name) => document.querySelector(name));
return isSeen && !inPage;
"""

# Of the thousand rows of a page the first ones are looked at: all have the same form, and axe takes
# half a minute for them. The others are taken away: this is the last that is done with a page.
AXE = """
const done = arguments[arguments.length - 1];
document.querySelectorAll('.hex-row:nth-child(n+25), .code .line:nth-child(n+40):not(.hot)')
  .forEach((e) => e.remove());
axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations.map((v) => ({
  id: v.id, impact: v.impact, nodes: v.nodes.slice(0, 8).map((n) => n.target.join(' ')
    + ': ' + (n.any[0] || n.all[0] || n.none[0] || {}).message)}))), (e) => done([{id: String(e), nodes: []}]));
"""

# From an action to the frame after what it changed was drawn.
TIMED = """
const done = arguments[arguments.length - 1];
const began = performance.now();
(new Function(arguments[0]))();
const ready = new Function('return ' + arguments[1]);
const look = () => (ready() || performance.now() - began > 20000
  ? requestAnimationFrame(() => { const c = new MessageChannel();
      c.port1.onmessage = () => done(performance.now() - began); c.port2.postMessage(0); })
  : requestAnimationFrame(look));
requestAnimationFrame(look);
"""


class HuskPage:
    def __init__(self, chromium="/usr/bin/chromium", chromedriver="/usr/bin/chromedriver",
                 size="desktop"):
        options = Options()
        options.binary_location = chromium
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars=false",
                     "--disable-dev-shm-usage", "--no-first-run"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(chromedriver), options=options)
        self.driver.set_script_timeout(120)
        self.driver.set_page_load_timeout(120)
        self.resize(size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    # What is set

    def resize(self, size):
        width, height = SIZES[size]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, name):
        """light or dark, as the system would say."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})
        self.settle()

    # What is waited for

    def wait(self, f, seconds=30):
        return WebDriverWait(self.driver, seconds, poll_frequency=0.02).until(lambda _: f())

    def data(self, name):
        return self.driver.execute_script(
            "return document.documentElement.dataset[arguments[0]] || null", name)

    def settle(self):
        """Two frames: what was changed is drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def open(self, url):
        self.driver.get(url)
        self.wait(lambda: self.data("ready") == "1", 60)
        self.settle()

    def panel_ready(self):
        self.wait(lambda: self.data("panel") in ("ready", "error"))

    # What is done

    def type_search(self, text):
        box = self.driver.find_element(By.ID, "search-box")
        box.clear()
        box.send_keys(text, Keys.ENTER)
        self.wait(lambda: self.data("search") in ("done", "stopped"), 120)
        hits = self.driver.find_elements(By.CSS_SELECTOR, "#results-list > li")
        return {"hits": len(hits), "first": hits[0].text if hits else None,
                "state": self.driver.find_element(By.ID, "results-state").text}

    def close_search(self):
        self.driver.execute_script("document.getElementById('results-close').click()")

    def open_hit(self, index=0):
        link = self.driver.find_elements(By.CSS_SELECTOR, "#results-list button")[index]
        link.click()
        self.panel_ready()

    def click_layer(self, index):
        if self.driver.find_element(By.ID, "results").is_displayed():
            self.close_search()
        self.driver.find_elements(By.CSS_SELECTOR, "button.layer-open")[index].click()
        self.panel_ready()
        return self.disassembly()

    def open_region(self, number):
        self.driver.execute_script("location.hash = arguments[0]", f"#r{number}")
        self.wait(lambda: self.driver.execute_script(
            "const t = document.getElementById('panel-title');"
            "return t && t.textContent.startsWith(arguments[0])", f"Region r{number}"))
        self.panel_ready()

    def press(self, *keys):
        """To what has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    # What is asked

    def title(self):
        return self.driver.title

    def layers(self):
        return len(self.driver.find_elements(By.CSS_SELECTOR, "#layers .layer"))

    def regions(self):
        """Rows of the table, those out of sight included."""
        return int(self.driver.find_element(By.ID, "grid").get_attribute("aria-rowcount")) - 1

    def disassembly(self, most=12):
        """The first lines in sight of the page's instructions."""
        return self.driver.execute_script("""
          const box = document.getElementById('disassembly');
          if (!box || !box.checkVisibility()) return [];
          const top = box.getBoundingClientRect().top;
          return [...box.querySelectorAll('.line')]
            .filter((l) => l.getBoundingClientRect().bottom > top)
            .slice(0, arguments[0]).map((l) => [...l.childNodes].map((n) => n.textContent)
              .join(' ').replace(/\\s+/g, ' ').trim());""", most)

    def expected(self, text):
        names = {name.lower() for name in re.findall(r"<\s*([a-zA-Z]+)", text)}
        return bool(self.driver.execute_script(EXPECTED, text, sorted(names & NEVER)))

    def injected(self):
        return int(self.driver.execute_script(INJECTED))

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")
                if (entry["level"] == "SEVERE" or "Content Security Policy" in entry["message"])
                and not any(word in entry["message"] for word in HARMLESS)]

    def axe(self, path):
        with open(path, encoding="utf-8") as file:
            # By the debugger: the page's policy lets no other script in.
            self.driver.execute_script(file.read() + "\nwindow.axe = axe;")
        return self.driver.execute_async_script(AXE)

    def timing(self):
        interactive = self.driver.execute_script(
            "return performance.getEntriesByName('husk-ready')[0].startTime")
        row = self.driver.execute_script(
            "const a = document.querySelector('#grid-body a'); return a ? a.hash : null")
        timed = {"interactiveMs": interactive}
        if row is None:
            return timed
        act = self.driver.execute_async_script
        drawn = "Number(document.documentElement.dataset.drawn) > window.__drawn"
        before = "window.__drawn = Number(document.documentElement.dataset.drawn);"
        box = "const box = document.getElementById('filter-text');"
        event = "box.dispatchEvent(new Event('input', {bubbles: true}));"
        timed["filterMs"] = act(TIMED, f"{before}{box} box.value = 'anonymous'; {event}", drawn)
        act(TIMED, f"{before}{box} box.value = ''; {event}", drawn)
        timed["selectMs"] = act(TIMED, f"location.hash = {json.dumps(row)};",
                                "['ready', 'error'].includes(document.documentElement.dataset.panel)")
        timed["zoomMs"] = act(
            TIMED, f"{before} document.getElementById('zoom-in').click();", drawn)
        act(TIMED, f"{before} document.getElementById('zoom-reset').click();", drawn)
        return {name: round(value, 1) for name, value in timed.items()}

    def screenshot(self, path, whole=False):
        self.settle()
        if not whole:
            self.driver.save_screenshot(path)
            return
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        width = self.driver.execute_script("return innerWidth")
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1}})
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def print_to(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.driver.print_page()))

    def screenshots(self, folder):
        os.makedirs(folder, exist_ok=True)
        at = lambda name: os.path.join(folder, name)
        for name in ("desktop", "phone"):
            self.resize(name)
            self.settle()
            self.screenshot(at(f"{name}.png"))
            self.screenshot(at(f"{name}-whole.png"), whole=True)
        self.resize("desktop")
        self.scheme("dark")
        self.screenshot(at("dark.png"))
        self.screenshot(at("dark-whole.png"), whole=True)
        self.scheme("light")
        self.print_to(at("print.pdf"))
