# ruff: noqa: E501
"""The explorer in a real JupyterLab and Chromium, from a changed control to repainted pixels.

`python -m benchmarks.explorer_drive ours|usual [--quick]` prints one line of JSON: the 95th
percentile of the seconds, and of the part of them that Python took.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from tests.browser import FLAGS, find_chromium
from tests.lab import Driver, lab, notebook

DATA = Path(__file__).parent / ".data"

FULL = (1_000_000, 400, 1200, 1096)
QUICK = (5_000, 20, 30, 200)

OURS = """
import polars as pl
from senderscore_nb.explorer import Data, Explorer
tallies = pl.read_parquet({path!r})
roster = pl.read_parquet({roster!r})
explorer = Explorer(Data.of_tallies(tallies, roster=roster))
explorer
"""

# Memory that malloc keeps for later is not in use: it is given back before either reading.
TRIM = """
import ctypes, gc
gc.collect()
getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)
"""

USUAL = """
import altair as alt
import pandas as pd
from ipywidgets import IntRangeSlider, interact
from senderscore_nb import charts
charts.enable()
alt.data_transformers.disable_max_rows()
tallies = pd.read_parquet({path!r})
day = pd.to_datetime(tallies["day"])
place = (day - day.min()).dt.days

@interact(days=IntRangeSlider(value=(0, {days}), min=0, max={days}))
def show(days):
    chosen = tallies[(place >= days[0]) & (place <= days[1])]
    sums = chosen.groupby("user_id")[["ended", "replied", "bounced"]].sum().reset_index()
    sums["reply_rate"] = sums["replied"] / (sums["ended"] - sums["bounced"])
    sums["bounce_rate"] = sums["bounced"] / sums["ended"]
    best = sums.sort_values("reply_rate", ascending=False).head(24)
    return alt.Chart(best).mark_bar().encode(x="reply_rate:Q", y=alt.Y("user_id:N", sort="-x"))
"""

# Changes controls one after the other and waits for the pixels of each.
INTERACT = """
async ({rounds}) => {
  const root = [...document.querySelectorAll('.senderscore-explorer')].at(-1);
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
  const slide = (node, value) => () => {
    node.value = value;
    node.dispatchEvent(new Event('input', { bubbles: true }));
  };
  const press = (node) => () => node.click();
  const named = (role, text) => [...root.querySelectorAll(role)].find((n) => n.textContent.trim() === text);
  const choose = (node, value) => () => {
    node.value = value;
    node.dispatchEvent(new Event('change', { bubbles: true }));
  };
  const [first, last] = root.querySelectorAll('input[type=range]');
  const most = Number(last.max);
  for (const pick of root.querySelectorAll('.pick')) pick.open = true;
  await new Promise((done) => setTimeout(done, 300));
  const boxes = (i) => [...root.querySelectorAll('.pick')[i].querySelectorAll('input[type=checkbox]')];
  for (let round = 0; round < rounds; round += 1) {
    for (const panel of ['Gauges', 'Heatmaps', 'Trend', 'Table', 'Compare']) {
      await change('panel ' + panel, press(named('[role=tab]', panel)));
      for (let i = 1; i <= 6; i += 1) await change('slider ' + panel, slide(first, Math.round(most * (0.05 * i + 0.01 * round))));
      for (let i = 1; i <= 4; i += 1) await change('slider ' + panel, slide(last, Math.round(most * (1 - 0.04 * i))));
      await change('preset ' + panel, press(named('.presets button', 'Quarter')));
      await change('all days ' + panel, press(named('.presets button', 'All')));
      await change('user ' + panel, press(boxes(0)[round + 3]));
      await change('user ' + panel, press(boxes(0)[round + 7]));
      await change('user off ' + panel, press(boxes(0)[round + 3]));
      await change('user off ' + panel, press(boxes(0)[round + 7]));
      await change('team ' + panel, press(boxes(1)[round % 2]));
      await change('team off ' + panel, press(boxes(1)[round % 2]));
      await change('sequence ' + panel, press(boxes(2)[round + 2]));
      await change('sequence off ' + panel, press(boxes(2)[round + 2]));
    }
    await change('panel Table', press(named('[role=tab]', 'Table')));
    await change('sort', press(named('.sort', 'Enrollments')));
    await change('sort', press(named('.sort', 'Score')));
    await change('panel Gauges', press(named('[role=tab]', 'Gauges')));
    await change('open', press(root.querySelectorAll('button.card')[round % 5]));
    await change('open', press(root.querySelectorAll('button.card')[0]));
    await change('back', press(root.querySelector('nav button.link')));
    await change('undo', press(named('.tools button', 'Undo')));
    await change('redo', press(named('.tools button', 'Redo')));
  }
  return figures;
}
"""

# Drags a thumb with an event every 8 ms, faster than anything answers.
DRAG = """
async ({steps}) => {
  const root = [...document.querySelectorAll('.senderscore-explorer')].at(-1);
  const thumb = root.querySelectorAll('input[type=range]')[0];
  const seen = [];
  const hear = () => seen.push(root.querySelector('.dates input').value);
  root.addEventListener('senderscore:painted', hear);
  for (let i = 0; i < steps; i += 1) {
    thumb.value = i;
    thumb.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise((done) => setTimeout(done, 8));
  }
  thumb.dispatchEvent(new Event('change', { bubbles: true }));
  while (root.dataset.busy !== 'no') await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => setTimeout(done, 200));
  root.removeEventListener('senderscore:painted', hear);
  return seen;
}
"""

WATCH = """
() => {
  window.figures = [];
  const output = document.querySelector('.widget-interact .jupyter-widgets-output-area, .widget-interact .widget-output');
  let from = null;
  document.addEventListener('keydown', () => { from = performance.now(); }, true);
  new MutationObserver((changes) => {
    const drawn = changes.some((c) => [...c.addedNodes].some((n) => n.querySelector && (n.matches('canvas, svg') || n.querySelector('canvas, svg'))));
    if (!drawn || from === null) return;
    const began = from;
    from = null;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.figures.push(performance.now() - began);
      channel.port2.postMessage(0);
    });
  }).observe(output, { childList: true, subtree: true });
}
"""


def generate(rows: int, users: int, sequences: int, days: int) -> tuple[Path, Path]:
    """Tallies in which every user works in some thirty sequences, and a roster of ten teams."""
    DATA.mkdir(exist_ok=True)
    path = DATA / f"tallies-{rows}-{users}-{sequences}-{days}.parquet"
    roster = path.with_name(path.stem + "-roster.parquet")
    if not (path.exists() and roster.exists()):
        rng = np.random.default_rng([rows, users, sequences, days])
        each = min(30, sequences)
        own = np.array([rng.choice(sequences, each, replace=False) for _ in range(users)])
        space = users * each * days
        keys = rng.choice(space, size=min(rows, space // 2), replace=False)
        user, slot, day = keys // (each * days), keys // days % each, keys % days
        ended = rng.integers(1, 6, len(keys))
        bounced = rng.binomial(ended, rng.uniform(0.005, 0.06, users)[user])
        replied = rng.binomial(ended - bounced, rng.uniform(0.02, 0.16, users)[user])
        first = dt.date(2023, 11, 16)
        names = pl.Series([f"u{i:04}" for i in range(users)])
        frame = pl.DataFrame(
            {
                "user_id": names.gather(user),
                "sequence_id": pl.Series([f"s{i:04}" for i in range(sequences)]).gather(
                    own[user, slot]
                ),
                "day": pl.Series(day).cast(pl.Int32),
                "ended": ended,
                "replied": replied,
                "bounced": bounced,
            }
        ).with_columns(day=pl.lit(first) + pl.duration(days="day"))
        frame.write_parquet(path)
        pl.DataFrame(
            {
                "user_id": names,
                "user_name": [f"Sender {i:04}" for i in range(users)],
                "team": [f"Team {i % 10}" for i in range(users)],
                "paid_seat": [True] * users,
            }
        ).write_parquet(roster)
    return path, roster


def resident_mb(page: Any) -> float:
    """Memory of the kernels that this process's servers run, after they gave back what is free."""
    before = page.locator(".jp-Notebook .jp-CodeCell").nth(1).inner_text()
    page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-InputArea-prompt").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "(before) => { const text = document.querySelectorAll('.jp-Notebook .jp-CodeCell')[1]"
        ".innerText; return text !== before && !text.includes('[*]'); }",
        arg=before,
        timeout=60_000,
    )
    found = [
        child.memory_info().rss
        for child in psutil.Process().children(recursive=True)
        if "ipykernel_launcher" in " ".join(child.cmdline())
    ]
    return sum(found) / 1e6


def heap_mb(page: Any) -> float:
    """Memory of the page's scripts, after a collection."""
    return (
        float(page.evaluate("() => { gc(); gc(); return performance.memory.usedJSHeapSize; }"))
        / 1e6
    )


def ours(page: Any, quick: bool) -> dict[str, Any]:
    Driver(page).run_all()
    page.evaluate(INTERACT, {"rounds": 1})  # what is loaded once is loaded
    figures = page.evaluate(INTERACT, {"rounds": 1 if quick else 3})
    before = resident_mb(page), heap_mb(page)
    more = page.evaluate(INTERACT, {"rounds": 1 if quick else 9})
    after = resident_mb(page), heap_mb(page)
    dragged = page.evaluate(DRAG, {"steps": 40 if quick else 250})
    if dragged != sorted(dragged):
        raise SystemExit("The frames of a drag came in another order than its events.")
    last = page.locator(".senderscore-explorer .dates input").first.input_value()
    thumb = page.locator(".senderscore-explorer input[type=range]").first.input_value()
    first = page.locator(".senderscore-explorer .dates input").first.get_attribute("min")
    if (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days != int(thumb):
        raise SystemExit("The last event of a drag was lost.")
    return told([*figures, *more], before, after, len(dragged))


def told(
    every: list[list[Any]], before: tuple[float, float], after: tuple[float, float], frames: int
) -> dict[str, Any]:
    """What a drive has measured.

    Args:
        every: For each change: what, and the milliseconds of all of it, of Python, of its
            processor, until it was heard of, and of the drawing.
        before: Megabytes of the kernel and of the page's scripts.
        after: The same at the end.
        frames: That a drag was drawn in.
    """
    total = np.array([one[1] for one in every]) / 1000
    python = np.array([one[2] for one in every]) / 1000
    by_kind: dict[str, list[list[float]]] = {}
    for what, *parts in every:
        by_kind.setdefault(what, []).append(parts)
    print("median ms: whole, Python, its processor, until heard, drawing", file=sys.stderr)
    for what, parts in by_kind.items():
        print(f"{what:24}", np.median(parts, axis=0).round(1), file=sys.stderr)
    return {
        "seconds": float(np.percentile(total, 95)),
        "cpu_seconds": float(np.percentile(python, 95)),
        "facts": {
            "python_seconds": float(np.percentile(python, 95)),
            "processor_seconds": float(np.percentile([one[3] for one in every], 95)) / 1000,
            "median_seconds": float(np.median(total)),
            "worst_seconds": float(total.max()),
            "interactions": len(every),
            "kernel_growth_mb": max(after[0] - before[0], 0.0),
            "page_growth_mb": max(after[1] - before[1], 0.0),
            "drag_frames": frames,
        },
    }


def usual(page: Any, quick: bool) -> dict[str, Any]:
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector(".jp-mod-idle, :text('| Idle')", timeout=60_000)
    Driver(page).choose("Run", "Run All Cells")
    page.wait_for_selector(".widget-interact canvas, .widget-interact svg", timeout=60_000)
    page.evaluate(WATCH)
    page.locator(".noUi-handle").first.focus()
    for i in range(8 if quick else 60):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"() => window.figures.length > {i}", timeout=60_000)
        page.wait_for_timeout(30)
    seconds = np.array(page.evaluate("() => window.figures")) / 1000
    return {
        "seconds": float(np.percentile(seconds, 95)),
        "facts": {"median_seconds": float(np.median(seconds))},
    }


def main() -> None:
    from playwright.sync_api import sync_playwright

    which, quick = sys.argv[1], "--quick" in sys.argv
    sizes = QUICK if quick else FULL
    path, roster = generate(*sizes)
    source = {"ours": OURS, "usual": USUAL}[which]
    cell = source.format(path=str(path), roster=str(roster), days=sizes[3] - 1)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "notebooks"
        folder.mkdir()
        (folder / "measured.ipynb").write_text(json.dumps(notebook(cell, TRIM)), encoding="utf-8")
        flags = [*FLAGS, "--js-flags=--expose-gc", "--enable-precise-memory-info"]
        with lab(folder) as server:
            chromium = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
            page = chromium.new_page(viewport={"width": 1400, "height": 1100})
            page.goto(server.address("measured.ipynb"))
            said = {"ours": ours, "usual": usual}[which](page, quick)
            chromium.close()
    print(json.dumps(said))


if __name__ == "__main__":
    main()
