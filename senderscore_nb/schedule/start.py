"""A project of scheduled reports of a user's own: plan, policy, notebooks, data, README."""

from __future__ import annotations

import datetime as dt
import glob
import gzip
import json
import shutil
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import polars as pl

from senderscore_nb.errors import PlanError
from senderscore_nb.policy import load_policy
from senderscore_nb.reports.notebooks import find_notebook, notebook_names
from senderscore_nb.safe import write_atomically
from senderscore_nb.sample import EXPORT, LAST_DAY, ROSTER, TIMEZONE, write_sample
from senderscore_nb.schedule.plan import PLAN_NAME, parse_plan
from senderscore_nb.schedule.project import Project

_IGNORED = (
    "# What the runs make, and secrets.\n"
    "reports/\n.executed/\n*.log\n*.key\nsmtp-password\nwebhook-url\n"
)
_DATES = ("Enrolled at", "Ended at")


def start_project(
    folder: Path,
    *,
    sources: Sequence[str] = (),
    timezone: str = "",
    today: dt.date | None = None,
) -> list[str]:
    """Write a project that works as it is; nothing that is there is replaced.

    Args:
        folder: Where to; made if missing.
        sources: The user's exports; the sample account, moved to end with the last week, if none.
        timezone: The account's time zone; the sample's for the sample.
        today: The day that the last week is before; today unless given.

    Returns:
        What was written, and what to do next, as lines.

    Raises:
        PlanError: A file is there already, or cannot be written.
    """
    folder = folder.expanduser().absolute()
    notebooks = {f"notebooks/{name}.ipynb": name for name in notebook_names()}
    names = [PLAN_NAME, "policy.toml", "README.md", ".gitignore", *notebooks]
    names += [] if sources else ["data"]
    if there := [name for name in names if (folder / name).exists()]:
        raise PlanError(
            f"{there[0]} is there already, and nothing is replaced.",
            where=str(folder),
            hint="Name a new folder.",
        )
    zone = timezone or ("" if sources else TIMEZONE)
    for source in sources:
        if not glob.glob(str(Path(source).expanduser())):  # noqa: PTH207
            raise PlanError("There is nothing to read here.", where=source)
    own = [str(Path(source).expanduser().absolute()) for source in sources]
    texts = {
        PLAN_NAME: _plan(own or ["data"], zone, roster="" if sources else f"data/{ROSTER}"),
        "policy.toml": load_policy().model_copy(update={"name": "mine"}).to_toml(),
        "README.md": _readme(own),
        ".gitignore": _IGNORED,
        **{path: find_notebook(name).read_text("utf-8") for path, name in notebooks.items()},
    }
    parse_plan(texts[PLAN_NAME], where="--timezone")
    try:
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / name, text)
        if not sources:
            _write_sample(folder / "data", today or dt.date.today())
    except OSError as error:
        raise PlanError(f"The project cannot be written ({error}).", where=str(folder)) from None
    Project.open(folder).check()
    return [
        *(str(folder / name) for name in names),
        *([] if zone else ["No --timezone was given: reports are due by the clock of UTC."]),
        f"Next: cd {folder} && senderscore reports run --due",
    ]


def _plan(source: Sequence[str], timezone: str, *, roster: str) -> str:
    quoted = {
        "{timezone}": json.dumps(timezone, ensure_ascii=False),
        "{source}": json.dumps(list(source), ensure_ascii=False),
        "{roster}": f"roster = {json.dumps(roster)}\n" if roster else "",
    }
    text = _template(PLAN_NAME)
    for place, value in quoted.items():
        text = text.replace(place, value)
    return text


def _readme(sources: Sequence[str]) -> str:
    text = _template("README.md")
    if not sources:
        return text
    rows = "\n".join(f"| `{source}` | the exports that are read |" for source in sources)
    text = text.replace("| `data/` | the exports that are read |", rows)
    return text.replace("Put new exports into `data/` beside", "Put new exports there, beside")


def _template(name: str) -> str:
    folder = resources.files("senderscore_nb").joinpath("schedule", "templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _write_sample(folder: Path, today: dt.date) -> None:
    """The sample account, moved by whole weeks so that it ends with the last complete week."""
    sunday = today - dt.timedelta(days=today.weekday() + 1)
    weeks = (sunday - LAST_DAY).days // 7
    with tempfile.TemporaryDirectory() as scratch:
        write_sample(scratch)
        rows = pl.read_csv(gzip.decompress(Path(scratch, EXPORT).read_bytes()), infer_schema=False)
        moved = [
            pl.col(name)
            .str.to_datetime("%Y-%m-%d %H:%M")
            .dt.offset_by(f"{weeks}w")
            .dt.strftime("%Y-%m-%d %H:%M")
            for name in _DATES
        ]
        folder.mkdir(parents=True, exist_ok=True)
        first = (LAST_DAY + dt.timedelta(days=1)).isoformat()
        name = EXPORT.replace(first, (sunday + dt.timedelta(days=1)).isoformat())
        text = rows.with_columns(moved).write_csv()
        write_atomically(folder / name, gzip.compress(text.encode(), mtime=0))
        shutil.copyfile(Path(scratch, ROSTER), folder / ROSTER)
