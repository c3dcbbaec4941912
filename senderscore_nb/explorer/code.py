"""A view as the cell of a notebook that makes the same chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer.comparing import sides_of
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.figures import first_monday, keys_of, page_ids, rows_by
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View
from senderscore_nb.explorer.why import MOST_STEPS, OTHER_POLICY, split_of
from senderscore_nb.policy import preset_names
from senderscore_nb.selection import Selection


def code_of(data: Data, view: View) -> str:
    """Python that opens the account and makes the charts of the view's panel.

    Where the explorer was made from an account or from tallies that were at hand already, the code
    takes them by the names `account`, or `tallies` and `roster`.
    """
    scene = Scene.seen(data, view)
    if view.panel == "heatmaps":
        body = _heatmaps(scene, view)
    elif view.panel == "compare":
        body = _compared(scene, view)
    elif view.panel == "why":
        body = _explained(scene, view)
    elif view.panel == "trend" or view.sequence:
        body = [*_over_weeks(scene, view, keys_of(view)), "charts.trend(scores, policy)"]
    else:
        body = [*_selected(scene.selection, data), *_scored(scene, rows_by(view))]
        ids = page_ids(scene, view)
        if ids is not None:
            key = "sequence_id" if view.user else "user_id"
            body.append(f"scores = scores.filter(pl.col({key!r}).is_in({_listed(ids)}))")
        chart = "ranking" if view.panel == "table" else "gauge_wall"
        body.append(f"charts.{chart}(scores, policy)")
    lines = [*_policy(data, view.policy, view.date_basis), *_opened(data), "charts.enable()", *body]
    return "\n".join([*_imports(lines), "", *lines]) + "\n"


def _imports(lines: Sequence[str]) -> list[str]:
    text = "\n".join(lines)
    names = [
        name
        for name, mark in (
            ("Selection", "Selection("),
            ("charts", "charts."),
            ("load_policy", "load_policy("),
            ("open_account", "open_account("),
            ("score", "score("),
            ("trailing", "trailing("),
        )
        if mark in text
    ]
    found = ["import datetime as dt"] if "dt.date(" in text else []
    if "pl." in text:
        found += ["", "import polars as pl"] if found else ["import polars as pl"]
    found += [f"from senderscore_nb import {', '.join(names)}"]
    if "explain_difference(" in text:
        found.append("from senderscore_nb.drivers import explain_difference, steps, story")
    if "labels_of(" in text:
        found.append("from senderscore_nb.labels import labels_of")
    if "parse_policy(" in text:
        found.append("from senderscore_nb.policy import parse_policy")
    if "sample_folder(" in text:
        found.append("from senderscore_nb.sample import TIMEZONE, sample_folder")
    return found


def _policy(data: Data, name: str, date_basis: str, *, to: str = "policy") -> list[str]:
    if name in data.policies and name not in (*preset_names(), *data.policy_files):
        text = data.policies[name].to_toml()
        whole = [f"    {line!r}" for line in text.splitlines(keepends=True)]
        lines = [f"{to} = parse_policy(", *whole, ")"]
    else:
        lines = [f"{to} = load_policy({data.policy_files.get(name, name)!r})"]
    if date_basis and data.policy(name).counting.date_basis != date_basis:
        lines += [
            f'counting = {to}.counting.model_copy(update={{"date_basis": {date_basis!r}}})',
            f'{to} = {to}.model_copy(update={{"counting": counting}})',
        ]
    return lines


def _opened(data: Data) -> list[str]:
    if "data" in data.opened:
        options = {**data.opened}
        paths = options.pop("data")
        if paths is None:
            return ["account = open_account(sample_folder(), timezone=TIMEZONE, policy=policy)"]
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        return [f"account = open_account({list(paths)!r}{given}, policy=policy)"]
    if data.recount is not None:
        return [
            "# account: the one that the explorer was opened with, read under this policy",
            "tallies, roster, labels = account.tallies, account.roster, account.labels",
        ]
    return [
        "# tallies and roster: those that the explorer was opened with",
        'labels = labels_of(tallies.select("user_id", "sequence_id"), roster)',
    ]


def _from(data: Data) -> dict[str, str]:
    """What the tallies, the roster and the labels are called."""
    if "data" in data.opened:
        names = {"tallies": "account.tallies", "roster": "account.roster"}
        return {**names, "labels": "account.labels"}
    return {"tallies": "tallies", "roster": "roster", "labels": "labels"}


def _selected(selection: Selection, data: Data, *, tallies: str = "") -> list[str]:
    names = _from(data)
    return [
        f"selection = {_selection(selection)}",
        f"chosen = selection.apply({tallies or names['tallies']}, {names['roster']})",
    ]


def _selection(selection: Selection) -> str:
    told = {k: v for k, v in selection.to_parameters().items() if v}
    given = ", ".join(f"{key}={_listed(value)}" for key, value in told.items())
    return f"Selection({given})"


def _scored(scene: Scene, by: str, *, policy: str = "policy", to: str = "scores") -> list[str]:
    import datetime as dt

    names = _from(scene.data)
    low, high = scene.span
    as_of = scene.index.first + dt.timedelta(days=max(high - 1, low))
    told = f"dt.date({as_of.year}, {as_of.month}, {as_of.day})"
    return [
        f"{to} = score(chosen, {policy}, by={by!r}, roster={names['roster']}, as_of={told})",
        f"{to} = {names['labels']}.add({to})",
    ]


def _over_weeks(scene: Scene, view: View, keys: str) -> list[str]:
    names, chosen = _from(scene.data), scene.selection
    by = f"{keys},week" if keys else "week"
    if view.weeks > 1:
        known = f"{_selection(Selection(end=chosen.end))}.apply({names['tallies']})"
        if chosen.end is None:
            known = names["tallies"]
        chosen = chosen.model_copy(update={"start": first_monday(chosen), "end": None})
        lines = [f"weekly = trailing({known}, {view.weeks})"]
        lines += _selected(chosen, scene.data, tallies="weekly")
    else:
        lines = _selected(chosen, scene.data)
    return [
        *lines,
        f"scores = score(chosen, policy, by={by!r}, roster={names['roster']})",
        f"scores = {names['labels']}.add(scores)",
    ]


def _heatmaps(scene: Scene, view: View) -> list[str]:
    unbrushed = Scene.seen(scene.data, view.updated(brush_start=None, brush_end=None))
    lines = _over_weeks(unbrushed, view, rows_by(view))
    if view.user:
        return [*lines, "charts.heatmap_weeks(scores, policy)"]
    lines += ["weeks = charts.heatmap_weeks(scores, policy)"]
    lines += [*_selected(scene.selection, scene.data), *_scored(scene, "user,sequence")]
    return [*lines, "weeks & charts.heatmap_sequences(scores, policy)"]


def _compared(scene: Scene, view: View) -> list[str]:
    sides = sides_of(scene, view)
    lines: list[str] = []
    for to, side in (("here", sides.here), ("there", sides.there)):
        policy = "policy"
        if side.policy != scene.policy and view.other is not None:
            policy = "other_policy"
            lines += _policy(scene.data, view.other.policy, view.date_basis, to=policy)
        lines += _selected(side.selection, scene.data)
        lines += _scored(side, keys_of(view), policy=policy, to=to)
        lines += [f"{to} = charts.gauge({to}, {policy})"]
    return [*lines, "here | there"]


def _explained(scene: Scene, view: View) -> list[str]:
    sides, names = sides_of(scene, view), _from(scene.data)
    if sides.here.policy != sides.there.policy:
        raise SelectionError(OTHER_POLICY)
    apply = f"apply({names['tallies']}, {names['roster']})"
    return [
        f"here = {_selection(sides.here.selection)}",
        f"there = {_selection(sides.there.selection)}",
        f"after, before = here.{apply}, there.{apply}",
        f"shared = there.apply(after, {names['roster']})",
        f"why = explain_difference(before, after, policy, by={split_of(view)!r}, shared=shared)",
        f'print("\\n".join(story(why, labels={names["labels"]})))',
        f"charts.waterfall(steps(why, labels={names['labels']}, most={MOST_STEPS}), policy)",
    ]


def _listed(value: Any) -> str:
    return repr(list(value)) if isinstance(value, list | tuple) else repr(value)
