"""A view as a report of a team's plan (`reports.toml`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import preset_names
from senderscore_nb.safe import safe_filename, write_atomically
from senderscore_nb.sample import TIMEZONE, sample_folder

PLAN = "reports.toml"

EVERY = ("week", "month", "quarter")


def suggested_name(data: Data, view: View) -> str:
    """A name for the report of a view."""
    chosen = view.seen
    parts = [data.user_labels.get(view.user, "")] if view.user else list(chosen.teams)
    name = safe_filename("-".join([part for part in parts if part][:2]) or "all-senders")
    return name.casefold()[:60]


def report_of(data: Data, view: View, name: str, every: str = "week") -> dict[str, Any]:
    """The report of a view, as a table of the plan.

    A report's days follow from its period, so the view's range becomes the number of weeks that a
    score covers. A view of one sender becomes the sender's report.

    Raises:
        SelectionError: The policy has no name that a plan can give, the view is dated otherwise
            than its policy says, or the period is unknown.
    """
    if every not in EVERY:
        raise SelectionError(f"A report cannot be made every {every!r}.", hint=f"One of {EVERY}.")
    own = data.policy(view.policy).counting.date_basis
    if view.date_basis not in ("", own):
        raise SelectionError(
            f"A report is dated as its policy says ({own}), and this view by {view.date_basis}.",
            hint=f'Choose a policy with date_basis = "{view.date_basis}", or date the view by '
            "its policy.",
        )
    if view.policy in data.policies and view.policy not in data.policy_files:
        raise SelectionError(
            f"The policy {view.policy!r} is at hand only in this notebook.",
            hint="Write it to a TOML file (policy.to_toml()) and choose that file.",
        )
    seen = view.seen
    selection = {
        key: list(getattr(seen, key))
        for key in ("users", "teams", "sequences")
        if getattr(seen, key)
    }
    report: dict[str, Any] = {
        "name": name,
        "notebook": "sender" if len(seen.users) == 1 else "weekly",
        "every": every,
        "policy": _policy_of(data, view),
    }
    if seen.start or seen.end:
        low, high = Scene.seen(data, view).span
        report["window_weeks"] = min(max(1, round((high - low) / 7)), 520)
    if selection:
        report["selection"] = selection
    return report


def _policy_of(data: Data, view: View) -> str:
    """The policy as a plan names it: a preset, or the whole path of a file."""
    path = data.policy_files.get(view.policy, view.policy)
    return path if path in preset_names() else str(Path(path).expanduser().absolute())


def words_before_saving(data: Data, view: View) -> str:
    """What becomes of a view that is saved, and what of it a report does not keep.

    Raises:
        SelectionError: It cannot be saved.
    """
    window = report_of(data, view, "report").get("window_weeks")
    said = "Adds this view to a plan of reports. The report's days follow from its period."
    if window:
        weeks = "week" if window == 1 else f"{window} weeks"
        which = "the brushed weeks" if view.brush_start else "the days of this view"
        said += f" Of {which} it keeps how many they are and not which: a score covers {weeks}."
    if view.panel in ("compare", "why") and view.other is not None:
        said += " What it is compared with is left out."
    return said


def save_as_report(
    data: Data, view: View, *, name: str, plan: str | Path = PLAN, every: str = "week"
) -> Path:
    """Add a view to a plan as a report; a plan that is not there yet is begun.

    Returns:
        The plan's file.

    Raises:
        SenderScoreError: The plan is not valid, has that name already, or cannot be written.
    """
    from senderscore_nb.schedule.plan import ReportPlan
    from senderscore_nb.schedule.project import add_report

    path = Path(plan).expanduser()
    table = report_of(data, view, name.strip(), every)
    try:
        report = ReportPlan.model_validate(table)
    except ValueError as error:
        from pydantic import ValidationError

        from senderscore_nb.errors import first_problem

        said = first_problem(error) if isinstance(error, ValidationError) else None
        key, message = (said.key, said.message) if said else ("", str(error))
        raise SelectionError(f"{key}: {message}.", where="report") from None
    if not path.exists():
        begin_plan(data, path)
    add_report(path, report)
    return path


def begin_plan(data: Data, path: Path) -> None:
    """Write a plan that knows the data and has no report yet.

    Raises:
        SelectionError: It is not known where the data came from, or the file cannot be written.
    """
    if "data" not in data.opened:
        raise SelectionError(
            f"There is no plan {str(path)!r}, and where the data came from is not known here.",
            hint="Give the path of a plan, or open the explorer with the path of the data.",
        )
    options = dict(data.opened)
    paths = options.pop("data")
    if paths is None:
        paths, options = [str(sample_folder())], {"timezone": TIMEZONE}
    sources = [str(Path(item).expanduser().absolute()) for item in paths]
    lines = ["[data]", f"source = {_toml(sources)}"]
    lines += [f"{key} = {_toml(str(value))}" for key, value in options.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, "\n".join(lines) + "\n")
    except OSError as error:
        raise SelectionError(f"The plan cannot be written ({error}).", where=str(path)) from None


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
