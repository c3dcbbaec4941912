"""Makes the pictures of README and docs from the sample: `make docs`."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl

from docs.explorer_picture import pictures as explorer_pictures
from docs.scale_picture import update as scale_growth
from docs.thresholds_lab_picture import pictures as thresholds_lab_pictures
from senderscore_nb import Selection, Window, charts, load_policy, open_account, score
from senderscore_nb.drivers import explain_change, factor_effects, steps, watch
from senderscore_nb.drivers.factors_words import NAMES
from senderscore_nb.experiment import Cohort, Threshold, calibrate, compare, moved, stability
from senderscore_nb.periods import Period
from senderscore_nb.reports import run_report
from senderscore_nb.reports.pictures import static_svg
from senderscore_nb.sample import LAST_DAY
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import run_due, run_report_for
from senderscore_nb.schedule.start import start_project
from tests.browser import Visit, browser
from tests.calibrations import drawn, simulated

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SAMPLE = ROOT / "data" / "sample"
ZONE = "Europe/Stockholm"
LAST_12_WEEKS = Selection.parse({"start": "2026-08-24", "end": "2026-11-15"})


def gauge_wall() -> None:
    """The wall of gauges of the README."""
    account = open_account(SAMPLE, timezone=ZONE)
    scores = score(account.select(LAST_12_WEEKS), account.policy, by="user", roster=account.roster)
    chart = charts.gauge_wall(account.labels.add(scores), account.policy)
    (PICTURES / "gauges.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")


def thresholds() -> None:
    """Two policies side by side, as the page on thresholds makes them."""
    account = open_account(SAMPLE, timezone=ZONE)
    named = [Threshold.parse(name, account.policy) for name in ("bands.Good", "reply.7%")]
    stricter = moved(account.policy, dict(zip(named, (72, 0.08), strict=True)))
    found = compare(account, [account.policy, stricter], selection=LAST_12_WEEKS)
    moves = charts.migration(found.migration(), before=found.names[0], after=found.names[1])
    scored = score(account.select(LAST_12_WEEKS), account.policy, by="user", roster=account.roster)
    senders = Cohort.of(scored)
    at_once, waiting = (
        stability(policies, senders, in_a_row=periods)
        for policies, periods in (([account.policy, stricter], 1), ([account.policy], 2))
    )
    rates = charts.stability(pl.concat([at_once, waiting]), asked=0.2)
    for name, chart in (("migration", moves), ("stability", rates)):
        (PICTURES / f"{name}.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")


def factors() -> None:
    """What goes with bounces, of the page about factors."""
    account = open_account(SAMPLE, timezone=ZONE)
    found = factor_effects(account.reading.accepted, account.policy)
    chart = charts.forest(found.effects, outcome="bounced", most=3, names=NAMES)
    (PICTURES / "factors.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")


def waterfall() -> None:
    """The steps of a change of mix, from the example of drivers-change.md."""
    account = open_account(SAMPLE, timezone=ZONE)
    why = explain_change(
        account.tallies,
        account.policy,
        before=Window(dt.date(2026, 3, 9), dt.date(2026, 6, 28)),
        after=Window(dt.date(2026, 8, 24), dt.date(2026, 11, 15)),
        within="user",
    )
    drawn = steps(why.of(user_id="1007"), labels=account.labels)
    chart = charts.waterfall(drawn, account.policy)
    (PICTURES / "waterfall.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")


def control_chart() -> None:
    """The control chart of the sender whose bounces climb, of drivers-outlook.md."""
    account = open_account(SAMPLE, timezone=ZONE)
    seen = account.labels.add(watch(account.tallies, account.policy, by="user"))
    chart = charts.control(seen.filter(user_id="1003", measure="bounce_rate"))
    (PICTURES / "control.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")


def report() -> None:
    """The weekly report as it opens, in light and dark."""
    with tempfile.TemporaryDirectory() as scratch, browser() as chromium:
        parameters = {"data": [str(SAMPLE)], "timezone": ZONE}
        page = run_report("weekly", parameters, scratch).page
        for scheme in ("light", "dark"):
            context = chromium.new_context(
                offline=True, color_scheme=scheme, viewport={"width": 1120, "height": 900}
            )
            visit = Visit(context.new_page()).open(page)
            visit.page.screenshot(path=str(PICTURES / f"weekly-{scheme}.png"))
            context.close()


def index() -> None:
    """The index page of a project as `senderscore init` writes it, after some weeks."""
    today = LAST_DAY + dt.timedelta(days=8)
    with tempfile.TemporaryDirectory() as scratch, browser() as chromium:
        start_project(Path(scratch, "scores"), today=today)
        project = Project.open(Path(scratch, "scores"))
        now = dt.datetime.combine(today, dt.time(12), tzinfo=dt.UTC)
        week = Period.of("week", LAST_DAY)
        for back in range(5, 0, -1):
            run_report_for(project, "weekly", week.later(-back).name, now=now)
        run_due(project, now=now)
        context = chromium.new_context(offline=True, viewport={"width": 1120, "height": 1250})
        visit = Visit(context.new_page()).open(project.output / "index.html")
        visit.page.screenshot(path=str(PICTURES / "index.png"))
        context.close()


def calibration() -> None:
    """A calibration to simulated readings: the map with one mistyped, curves with gauge values."""
    banded = simulated(load_policy(), drawn(60))
    bands = pl.when(pl.col("user") == "u5").then(pl.lit("Low")).otherwise("band")
    found = calibrate(banded.with_columns(band=bands), on=LAST_DAY)
    chart = charts.calibration_map(found)
    (PICTURES / "calibration-map.svg").write_text(static_svg(chart.to_dict()), encoding="utf-8")
    valued = calibrate(simulated(load_policy(), drawn(40, seed=2), value=True), on=LAST_DAY)
    curves = charts.calibration_curves(valued)
    (PICTURES / "calibration-curves.svg").write_text(static_svg(curves.to_dict()), encoding="utf-8")


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    gauge_wall()
    thresholds()
    factors()
    waterfall()
    control_chart()
    report()
    index()
    calibration()
    scale_growth(PICTURES)
    explorer_pictures(PICTURES)
    thresholds_lab_pictures(PICTURES)
    for picture in sorted(PICTURES.iterdir()):
        print(picture.relative_to(ROOT))
