"""Notebooks run from top to bottom, and show what they say."""

from __future__ import annotations

import ast
import json

import altair as alt
import polars as pl
import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(("name", "charts"), [("thresholds", 5), ("drivers", 4)])
def test_it_runs_on_the_sample_without_a_word_from_anybody(name, charts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theme, renderer = alt.theme.active, alt.renderers.active
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), names)  # noqa: S102
        if last is not None:
            value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)  # noqa: S307
            shown.append(value)
            if isinstance(value, pl.DataFrame):
                assert value.height, cell["id"]
    drawn = [value for value in shown if isinstance(value, alt.TopLevelMixin)]
    assert len(drawn) == charts
    assert all("nothing to show" not in chart.to_dict()["description"] for chart in drawn)
    alt.theme.enable(theme)
    alt.renderers.enable(renderer)
    assert list(tmp_path.iterdir()) == []
