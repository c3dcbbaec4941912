"""Makes the pictures of README and docs from the sample: `make docs`."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from docs.explorer_picture import pictures as explorer_pictures
from senderscore_nb import Selection, charts, open_account, score
from senderscore_nb.drivers import watch
from senderscore_nb.periods import Period
from senderscore_nb.reports import run_report
from senderscore_nb.reports.pictures import static_svg
from senderscore_nb.sample import LAST_DAY
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import run_due, run_report_for
from senderscore_nb.schedule.start import start_project
from tests.browser import Visit, browser

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


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    gauge_wall()
    control_chart()
    report()
    index()
    explorer_pictures(PICTURES)
    for picture in sorted(PICTURES.iterdir()):
        print(picture.relative_to(ROOT))
