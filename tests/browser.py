"""A real headless Chromium without a network, for the tests and the pictures of the docs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every host name but this machine's leads nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


def find_chromium() -> str | None:
    """The browser program, or None."""
    named = os.environ.get("SENDERSCORE_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


class Visit:
    """A page with what it asked for and complained about."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.problems: list[str] = []
        page.on("request", lambda r: self.requests.append(r.url))
        page.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        page.on("dialog", lambda d: (self.problems.append(f"dialog: {d.message}"), d.dismiss()))
        page.on(
            "console",
            lambda m: (
                self.problems.append(f"{m.type}: {m.text}")
                if m.type in ("error", "warning")
                else None
            ),
        )
        page.add_init_script(
            "window.violations = [];"
            "addEventListener('securitypolicyviolation',"
            " e => window.violations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sample}`));"
        )

    def open(self, path: Path) -> Visit:
        """Open a report file and wait until its charts are drawn."""
        self.page.goto(path.resolve().as_uri())
        if self.page.locator("#runtime").count():
            self.page.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
        return self

    @property
    def outside(self) -> list[str]:
        """Requests that are for neither the file itself nor data within it."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]

    @property
    def violations(self) -> list[str]:
        """What the page's security policy refused."""
        return list(self.page.evaluate("window.violations"))


@contextmanager
def browser() -> Iterator[Any]:
    """A running Chromium; `new_page` gives pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            yield running
        finally:
            running.close()
