"""A real JupyterLab, and a real Voilà, on this machine alone, for tests and measurements."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 40.0

_QUIET = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
}
_THEMES = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"


@dataclass(frozen=True)
class Lab:
    """A running server.

    Attributes:
        url: Its address, with a slash at the end.
        token: What lets a browser in.
        folder: What it serves.
    """

    url: str
    token: str
    folder: Path

    def address(self, notebook: str) -> str:
        """The address of a notebook, in a workspace of its own."""
        space = secrets.token_hex(4)
        return f"{self.url}lab/workspaces/{space}/tree/{notebook}?token={self.token}"


def notebook(*cells: str) -> dict[str, Any]:
    """A notebook of code cells."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for i, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@contextmanager
def lab(folder: Path, *, theme: str = "JupyterLab Light") -> Iterator[Lab]:
    """JupyterLab over a folder, with nothing of the user's own settings."""
    private = folder.parent / f"{folder.name}-private"
    settings = private / "settings"
    for name, values in {**_QUIET, _THEMES: {"theme": theme}}.items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    token = secrets.token_hex(16)
    runtime = private / "runtime"
    environment = dict(
        os.environ,
        JUPYTERLAB_SETTINGS_DIR=str(settings),
        JUPYTERLAB_WORKSPACES_DIR=str(private / "workspaces"),
        JUPYTER_CONFIG_DIR=str(private / "config"),
        JUPYTER_DATA_DIR=str(private / "data"),
        JUPYTER_RUNTIME_DIR=str(runtime),
        IPYTHONDIR=str(private / "ipython"),
        PYTHONPATH=str(ROOT),
    )
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser"),
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.allow_root=True",
    ]
    log = private / "log.txt"
    with log.open("w", encoding="utf-8") as out:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    try:
        yield Lab(_address(server, runtime, log), token, folder)
    finally:
        stop(server)


def stop(process: subprocess.Popen[Any]) -> None:
    """Ask a server to end, and make it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _address(server: subprocess.Popen[Any], runtime: Path, log: Path) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        for path in runtime.glob("jpserver-*.json"):
            text = path.read_text(encoding="utf-8")
            if text.endswith("}"):
                return str(json.loads(text)["url"])
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


class Driver:
    """A widget on a page, the explorer unless another is named: what a user does with it."""

    kind = "senderscore-explorer"

    def __init__(self, page: Any) -> None:
        self.page = page
        self.root = page.locator(f".{self.kind}").last

    def run_all(self) -> Driver:
        """Run the notebook and wait until the widget is drawn."""
        page = self.page
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=PATIENCE * 1000)
        page.wait_for_selector(".jp-mod-idle, :text('| Idle')", timeout=PATIENCE * 1000)
        self.choose("Run", "Run All Cells")
        return self.ready()

    def choose(self, menu: str, *items: str) -> Driver:
        """Choose from JupyterLab's menus."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        for place, item in enumerate(items):
            label = self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$"))
            if place < len(items) - 1:
                label.first.hover()
            else:
                label.first.click()
        return self

    def ready(self) -> Driver:
        """Wait until the widget is drawn."""
        self.page.wait_for_selector(f".{self.kind}[data-drawn]", timeout=PATIENCE * 1000)
        return self.settled()

    def settled(self) -> Driver:
        """Wait until nothing is under way."""
        self.page.wait_for_function(
            """(kind) => {
                const root = [...document.querySelectorAll(kind)].at(-1);
                return root && root.dataset.busy === 'no';
            }""",
            arg=f".{self.kind}",
            timeout=PATIENCE * 1000,
        )
        return self

    def press(self, name: str, *, exact: bool = True) -> Driver:
        """Press a button by its name."""
        self.root.get_by_role("button", name=name, exact=exact).first.click()
        return self.soon()

    def soon(self) -> Driver:
        """Wait for what was asked for just now."""
        self.page.wait_for_timeout(60)
        return self.settled()

    def tab(self, name: str) -> Driver:
        """Show a panel."""
        self.root.get_by_role("tab", name=name).click()
        return self.soon()

    @property
    def behind(self) -> str:
        """The enrollments behind the view, as they are told."""
        text = self.root.locator(".behind").inner_text()
        return str(text).replace("\u2009", "")

    @property
    def crumbs(self) -> list[str]:
        """The breadcrumbs."""
        return list(self.root.locator("nav li").all_inner_texts())


class LabDriver(Driver):
    """The threshold lab on a page."""

    kind = "senderscore-lab"

    def type(self, label: str, value: str) -> LabDriver:
        """Type into a field by its label, as a user does."""
        box = self.root.get_by_label(label, exact=True)
        box.fill(value)
        box.press("Tab")
        self.soon()
        return self

    def drag(self, label: str, right: float, down: float) -> LabDriver:
        """Drag a knot or an edge by pixels."""
        box = self.root.get_by_role("slider", name=label, exact=True).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right / 2, y + down / 2, steps=4)
        self.page.mouse.move(x + right, y + down, steps=6)
        self.page.mouse.up()
        self.soon()
        return self

    def tile(self, name: str) -> str:
        """What a tile says, in plain spaces."""
        text = self.root.locator(".together .part", has_text=name).inner_text()
        return str(text).replace("\u2009", "")


def use_theme(driver: Driver, name: str) -> None:
    page = driver.page
    driver.choose("Settings", "Theme", name)
    light = "false" if "Dark" in name else "true"
    page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
    page.wait_for_timeout(300)


SERIOUS = """
async () => {
  const root = document.querySelector('.senderscore-explorer');
  const found = await axe.run(root, {resultTypes: ['violations']});
  if (found.passes.length < 8) throw new Error('axe looked at nothing');
  return found.violations
    .filter((v) => ['serious', 'critical'].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`);
}
"""


def axe(driver: Driver) -> list[str]:
    import axe_playwright_python

    script = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    if not driver.page.evaluate("() => 'axe' in window"):
        driver.page.evaluate(script.read_text(encoding="utf-8"))
    return list(driver.page.evaluate(SERIOUS))
