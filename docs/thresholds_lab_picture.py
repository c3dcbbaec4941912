"""Pictures of the threshold lab, taken of a real JupyterLab."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.browser import browser
from tests.lab import LabDriver, lab, notebook

CELL = """
from senderscore_nb import ThresholdLab
lab = ThresholdLab()
lab
"""


def pictures(folder: Path) -> None:
    """A draft that moves some senders in light, one that is not a policy yet in dark."""
    for theme in ("Light", "Dark"):
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch) / "notebooks"
            place.mkdir()
            (place / "lab.ipynb").write_text(json.dumps(notebook(CELL)), encoding="utf-8")
            with lab(place, theme=f"JupyterLab {theme}") as server, browser() as chromium:
                page = chromium.new_page(viewport={"width": 1420, "height": 2000})
                page.goto(server.address("lab.ipynb"))
                driver = LabDriver(page).run_all()
                page.keyboard.press("Control+b")
                driver.type("Reply points, knot 2, rate in percent", "5")
                driver.type("Reply points, knot 3, rate in percent", "11")
                driver.type("Lower edge of band 4, Excellent", "88")
                driver.root.get_by_role("button", name="Hana Kovář").click()
                driver.soon()
                if theme == "Dark":
                    driver.type("Bounce points, knot 3, points", "48")
                page.mouse.move(5, 5)
                page.wait_for_timeout(400)
                driver.root.screenshot(path=str(folder / f"thresholds-lab-{theme.lower()}.png"))
