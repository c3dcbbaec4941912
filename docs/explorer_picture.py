"""Pictures of the explorer, taken of a real JupyterLab."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.browser import browser
from tests.lab import Driver, lab, notebook

CELL = """
from senderscore_nb import Explorer
explorer = Explorer(start="2026-08-24", end="2026-11-15")
explorer
"""


def pictures(folder: Path) -> None:
    """The wall of gauges in light, the heatmaps in dark."""
    for theme, panel in (("Light", "Gauges"), ("Dark", "Heatmaps")):
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch) / "notebooks"
            place.mkdir()
            (place / "explore.ipynb").write_text(json.dumps(notebook(CELL)), encoding="utf-8")
            with lab(place, theme=f"JupyterLab {theme}") as server, browser() as chromium:
                page = chromium.new_page(viewport={"width": 1420, "height": 1560})
                page.goto(server.address("explore.ipynb"))
                driver = Driver(page).run_all()
                page.keyboard.press("Control+b")
                driver.tab(panel)
                page.mouse.move(5, 5)
                page.wait_for_timeout(400)
                driver.root.screenshot(path=str(folder / f"explorer-{theme.lower()}.png"))
