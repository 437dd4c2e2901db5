"""
The console in a browser, for tests: a page is opened, and what it shows is printed.

Playwright has an event loop of its own, so it is a process of its own: run as
``python -m presproxy.testing.console URL ACTIONS``, the actions in JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

#: Names of the browser in distributions.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

#: Milliseconds for which something is waited.
_PATIENCE = 15_000


def browser() -> str | None:
    """Give the path of a browser, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def play(url: str, actions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """
    Do some actions in a page, in their order, and give what they gave by their names.

    ``errors`` are what the page complained of.
    """
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {"errors": []}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser(), args=["--no-sandbox"]
        )
        page = chromium.new_page()
        page.set_default_timeout(_PATIENCE)
        page.on("pageerror", lambda error: found["errors"].append(str(error)))
        page.on(
            "console",
            lambda line: (
                found["errors"].append(line.text) if line.type == "error" else None
            ),
        )
        for action in actions:
            _do(page, url, action, found)
        chromium.close()
    return found


def _do(page: Any, url: str, action: Mapping[str, Any], found: dict[str, Any]) -> None:
    match action["do"]:
        case "size":
            page.set_viewport_size({"width": action["width"], "height": 844})
        case "open":
            page.goto(url + action["path"], wait_until="load")
        case "wait":
            page.wait_for_selector(action["for"])
        case "click":
            page.click(action["on"])
        case "press":
            page.keyboard.press(action["key"])
        case "texts":
            found[action["as"]] = page.locator(action["of"]).all_inner_texts()
        case "value":
            found[action["as"]] = page.evaluate(action["of"])


if __name__ == "__main__":
    print(json.dumps(play(sys.argv[1], json.loads(sys.argv[2]))))
