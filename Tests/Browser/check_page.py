#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Opens a page of `husk report` or `husk view`, does what is asked, prints one JSON object."""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from husk_page import HuskPage  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="file:// or http://")
    parser.add_argument("--axe", metavar="FILE", help="axe.min.js: check accessibility")
    parser.add_argument("--screenshots", metavar="DIR")
    parser.add_argument("--search", metavar="TEXT", help="look for it, contents included")
    parser.add_argument("--open-hit", action="store_true", help="open the first hit of the search")
    parser.add_argument("--click-layer", metavar="N", type=int, help="open layer N, from 0")
    parser.add_argument("--open-region", metavar="ID", type=int)
    parser.add_argument("--expect-text", metavar="TEXT", action="append", default=[])
    parser.add_argument("--live", action="store_true", help="wait until the page tells of more")
    parser.add_argument("--time", action="store_true", help="measure")
    parser.add_argument("--size", choices=["desktop", "phone", "wide", "narrow"], default="desktop")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--chromedriver", default="/usr/bin/chromedriver")
    return parser.parse_args()


def live(page):
    """What a page of a running trace tells, and that it grows by itself."""
    before = {"badge": badge(page), "regions": page.regions()}
    page.wait(lambda: badge(page) not in (None, "", "live", before["badge"]), 30)
    grown = {"badge": badge(page), "regions": page.regions(), "state": page.data("live")}
    return {"before": before, "after": grown}


def badge(page):
    return page.driver.execute_script(
        "const b = document.getElementById('live-badge'); return b && !b.hidden ? b.textContent : null")


def check(page, asked):
    page.open(asked.url)
    told = {"title": page.title(), "layersShown": page.layers(), "regionsShown": page.regions()}
    if asked.time:
        told["timing"] = page.timing()
    if asked.live:
        told["live"] = live(page)
    if asked.search is not None:
        told["search"] = page.type_search(asked.search)
        if asked.open_hit:
            page.open_hit()
            told["search"]["disassembly"] = page.disassembly()
    if asked.click_layer is not None:
        told["layerDisassembly"] = page.click_layer(asked.click_layer)
    if asked.open_region is not None:
        page.open_region(asked.open_region)
    told["expected"] = {text: page.expected(text) for text in asked.expect_text}
    told["injected"] = page.injected()
    if asked.screenshots:
        page.screenshots(asked.screenshots)
    if asked.axe:
        told["axe"] = {}
        for scheme in ("light", "dark"):
            page.scheme(scheme)
            told["axe"][scheme] = page.axe(asked.axe)
        page.scheme("light")
    told["console"] = page.console()
    return told


def main():
    asked = arguments()
    with HuskPage(asked.chromium, asked.chromedriver, asked.size) as page:
        print(json.dumps(check(page, asked), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
