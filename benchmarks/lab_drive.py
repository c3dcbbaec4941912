# ruff: noqa: E501
"""The threshold lab from a changed control to repainted pixels.

`python -m benchmarks.lab_drive [--quick]` prints one line of JSON, as `explorer_drive` does.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.explorer_drive import FULL, QUICK, TRIM, generate, heap_mb, resident_mb, told
from tests.browser import FLAGS, find_chromium
from tests.lab import LabDriver, lab, notebook

CELL = """
import polars as pl
from senderscore_nb import ThresholdLab
from senderscore_nb.explorer import Data
tallies = pl.read_parquet({path!r})
roster = pl.read_parquet({roster!r})
lab = ThresholdLab(Data.of_tallies(tallies, roster=roster), weeks=12)
lab
"""

# Changes controls one after the other and waits for the pixels of each.
INTERACT = """
async ({rounds}) => {
  const root = [...document.querySelectorAll('.senderscore-lab')].at(-1);
  const painted = () => new Promise((done) => {
    const hear = (e) => {
      if (e.detail.busy || e.detail.asked === null) return;
      root.removeEventListener('senderscore:painted', hear);
      done(e.detail);
    };
    root.addEventListener('senderscore:painted', hear);
  });
  const figures = [];
  const change = async (what, act) => {
    const wait = painted();
    const from = performance.now();
    act();
    const got = await wait;
    figures.push([what, got.at - from, 1000 * got.python, 1000 * got.processor, got.heard - from, got.drawn - got.heard]);
    await new Promise((done) => setTimeout(done, 30));
  };
  const labelled = (text) => root.querySelector(`[aria-label="${text}"]`);
  const field = (text) => [...root.querySelectorAll('label')].find((n) => n.textContent === text).control;
  const press = (node) => () => node.click();
  const named = (text) => [...root.querySelectorAll('button')].find((n) => n.textContent.trim() === text);
  const key = (node, name, shift = false) => () => node.dispatchEvent(new KeyboardEvent('keydown', { key: name, shiftKey: shift, bubbles: true, cancelable: true }));
  const type = (node, value) => () => {
    node.value = value;
    node.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const choose = (node, value) => () => {
    node.value = value;
    node.dispatchEvent(new Event('change', { bubbles: true }));
  };
  for (let round = 0; round < rounds; round += 1) {
    await change('reset', press(named('Reset'))).catch(() => {});
    for (const [knot, of, title] of [[2, 4, 'Reply points'], [3, 4, 'Reply points'], [2, 5, 'Bounce points'], [3, 5, 'Bounce points']]) {
      const node = labelled(`${title}, knot ${knot} of ${of}`);
      node.focus();
      for (const name of ['ArrowLeft', 'ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) await change('knot by key', key(node, name));
    }
    for (const band of ['Fair', 'Good', 'Excellent']) {
      const node = labelled(`Lower edge of ${band}`);
      node.focus();
      for (const name of ['ArrowRight', 'ArrowRight', 'ArrowLeft']) await change('edge by key', key(node, name));
    }
    for (let i = 0; i < 4; i += 1) await change('knot typed', type(labelled('Reply points, knot 2, rate in percent'), String(5 + i / 4)));
    for (let i = 0; i < 3; i += 1) await change('edge typed', type(labelled('Lower edge of band 3, Good'), String(66 + i)));
    await change('minimum', type(field('Minimum enrollments'), String(120 + round)));
    await change('step', press(labelled('Reply points: step between knots')));
    await change('linear', press(labelled('Reply points: linear between knots')));
    await change('knot added', press(labelled('Add a knot to bounce points')));
    await change('undo', press(named('Undo')));
    await change('band added', press(named('Add band')));
    await change('undo', press(named('Undo')));
    await change('redo', press(named('Redo')));
    await change('weeks', choose(field('Scores cover'), round % 2 ? '12' : '26'));
    await change('sender', press(root.querySelectorAll('.senders button.link')[round % 9]));
  }
  return figures;
}
"""

# Drags a knot with an event every 8 ms, faster than anything answers.
DRAG = """
async ({steps}) => {
  const root = [...document.querySelectorAll('.senderscore-lab')].at(-1);
  const knot = root.querySelector('[aria-label="Reply points, knot 2 of 4"]');
  const box = knot.querySelector('.dot').getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const tell = (name, dx) => knot.dispatchEvent(new PointerEvent(name, { clientX: x + dx, clientY: y, pointerId: 1, buttons: 1, bubbles: true, cancelable: true }));
  knot.setPointerCapture = () => {};
  let frames = 0;
  const hear = () => { frames += 1; };
  root.addEventListener('senderscore:painted', hear);
  tell('pointerdown', 0);
  for (let i = 0; i < steps; i += 1) {
    tell('pointermove', -20 * Math.sin(i / 12));
    await new Promise((done) => setTimeout(done, 8));
  }
  tell('pointermove', -15);
  tell('pointerup', -15);
  while (root.dataset.busy !== 'no') await new Promise((done) => setTimeout(done, 20));
  root.removeEventListener('senderscore:painted', hear);
  return { frames, typed: root.querySelector('[aria-label="Reply points, knot 2, rate in percent"]').value };
}
"""


def measured(page: Any, quick: bool) -> dict[str, Any]:
    LabDriver(page).run_all()
    page.evaluate(INTERACT, {"rounds": 1})  # what is loaded once is loaded
    figures = page.evaluate(INTERACT, {"rounds": 1 if quick else 4})
    before = resident_mb(page), heap_mb(page)
    more = page.evaluate(INTERACT, {"rounds": 1 if quick else 8})
    after = resident_mb(page), heap_mb(page)
    LabDriver(page).press("Reset")
    dragged = page.evaluate(DRAG, {"steps": 40 if quick else 250})
    LabDriver(page).press("Copy as code")
    code = page.locator("dialog textarea").input_value()
    if f"[{float(dragged['typed']) / 100:g}, 35" not in code:
        raise SystemExit("The last event of a drag was lost.")
    return told([*figures, *more], before, after, dragged["frames"])


def main() -> None:
    from playwright.sync_api import sync_playwright

    quick = "--quick" in sys.argv
    path, roster = generate(*(QUICK if quick else FULL))
    cell = CELL.format(path=str(path), roster=str(roster))
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "notebooks"
        folder.mkdir()
        (folder / "measured.ipynb").write_text(json.dumps(notebook(cell, TRIM)), encoding="utf-8")
        flags = [*FLAGS, "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        with lab(folder) as server:
            chromium = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
            page = chromium.new_page(viewport={"width": 1400, "height": 1100})
            page.goto(server.address("measured.ipynb"))
            said = measured(page, quick)
            chromium.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main()
