"""The explorer in one JupyterLab that all its tests share, and what they ask of it."""

from __future__ import annotations

import json

import pytest

from senderscore_nb.explorer import Data, Model, View
from tests.browser import browser
from tests.lab import Driver, lab, notebook

CELL = """
from pathlib import Path
from senderscore_nb import load_policy
from senderscore_nb.explorer import Explorer
own = load_policy().model_copy(update={"name": "own", "version": 2})
Path("own.toml").write_text(own.to_toml())
explorer = Explorer(policy="own.toml").update(policy="hubspot-article")
explorer.model.__init__(explorer.data, explorer.view)
explorer
"""

FIRST = """
async () => {
  const root = [...document.querySelectorAll('.senderscore-explorer')].at(-1);
  const undo = [...root.querySelectorAll('.tools button')].find((n) => n.textContent === 'Undo');
  while (!undo.disabled) {
    const painted = new Promise((done) => root.addEventListener('senderscore:painted', done, { once: true }));
    undo.click();
    await painted;
  }
}
"""  # noqa: E501


@pytest.fixture(scope="package")
def lab_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    (folder / "explore.ipynb").write_text(json.dumps(notebook(CELL)), encoding="utf-8")
    return folder


@pytest.fixture(scope="package")
def outside() -> list[str]:
    return []


@pytest.fixture(scope="package")
def problems() -> list[str]:
    return []


@pytest.fixture(scope="package")
def lab_opened(lab_folder, outside, problems):
    with lab(lab_folder) as server, browser() as chromium:
        context = chromium.new_context(viewport={"width": 1500, "height": 1400})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()

        def asked(request) -> None:
            if not request.url.startswith((server.url, "data:", "blob:")):
                outside.append(request.url)

        page.on("request", asked)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(server.address("explore.ipynb"))
        driver = Driver(page).run_all()
        page.keyboard.press("Control+b")
        yield driver


@pytest.fixture
def driver(lab_opened) -> Driver:
    """The explorer on its first view."""
    if lab_opened.page.locator("dialog[open]").count():
        lab_opened.press("Close")
    lab_opened.page.evaluate(FIRST)
    return lab_opened.settled()


@pytest.fixture(scope="package")
def sample() -> Data:
    return Data.of_paths([])


def state(driver: Driver) -> View:
    """The view as Python has it."""
    driver.press("Copy link")
    link = driver.page.locator("dialog textarea").input_value()
    driver.press("Close")
    return View.from_link(link if "=" in link else "")


def agrees(driver: Driver, data: Data, expected: View) -> None:
    """State in Python, and the number of enrollments on the page, are those of a view."""
    assert state(driver) == expected
    n = Model(data, expected).draw().values["enrollments"]
    assert driver.behind.startswith(f"{n} enrollment")


def pick(driver: Driver, title: str):
    node = driver.root.locator("details.pick", has=driver.page.get_by_text(title, exact=True))
    if node.get_attribute("open") is None:
        node.locator("summary").click()
    return node
