"""What leaves the explorer is what it shows: code, files, the picture in a saved notebook."""

from __future__ import annotations

import ast
import io
import re
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest

from senderscore_nb.errors import SelectionError, SenderScoreError
from senderscore_nb.explorer import Data, Explorer, View
from senderscore_nb.explorer.code import code_of
from senderscore_nb.explorer.figures import pictures
from senderscore_nb.explorer.leaving import FORMS, export, picture_html
from senderscore_nb.explorer.saving import begin_plan, report_of, suggested_name
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.policy import load_policy
from tests.conftest import SAMPLE
from tests.explorer_data import ROSTER, data_of, full
from tests.hostile import write_hostile

AUTUMN = {"start": "2026-08-24", "end": "2026-11-15"}
BRUSH = {"brush_start": "2026-09-07", "brush_end": "2026-10-04"}
VIEWS = {
    "gauges": {},
    "filtered": {**AUTUMN, "teams": ["Nordics"], "panel": "table"},
    "enrolled": {"date_basis": "enrolled_on", "panel": "table", "users": ["1003"]},
    "trend": {"panel": "trend", "start": "2026-06-03"},
    "every week": {"panel": "trend", "weeks": 1, **AUTUMN},
    "sequences": {"user": "1003"},
    "one sequence": {"user": "1003", "sequence": ""},
    "heatmaps": {"panel": "heatmaps", **AUTUMN, **BRUSH},
    "heatmap of one": {"panel": "heatmaps", "user": "1003"},
    "compared": {"panel": "compare", **AUTUMN},
    "compared policies": {"panel": "compare", "other": {"policy": "mine"}},
    "why": {"panel": "why", **AUTUMN},
    "why of one": {"panel": "why", "user": "1007"},
    "why by sender": {"panel": "why", "split": "user", "other": {"start": "2026-06-01"}},
    "own policy": {"policy": "mine", "panel": "table"},
}


@pytest.fixture(scope="module")
def data() -> Data:
    data = Data.of_paths([])
    own = load_policy().model_copy(update={"name": "mine", "version": 7})
    data.policies["mine"] = own
    return data


def view_of(name: str, data: Data) -> View:
    values = dict(VIEWS[name])
    if values.get("sequence") == "":
        scene = Scene.seen(data, View.create(user=values["user"]))
        values["sequence"] = scene.sequences_of(values["user"]).ids[0]
    return View.create(**values)


def run(code: str, **names: object) -> object:
    """The value of a cell's last line."""
    *body, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307


def plain(chart: alt.TopLevelMixin) -> str:
    """A chart as text, without the names that Altair counts up."""
    return re.sub(r"'(?:view|param|layer|concat)_\d+'", "''", str(chart.to_dict()))


@pytest.mark.parametrize("name", VIEWS)
def test_the_code_makes_the_chart_that_is_exported(name, data):
    view = view_of(name, data)
    made = [picture.chart for picture in pictures(data, view)]
    got = run(code_of(data, view))
    if len(made) == 1:
        assert plain(got) == plain(made[0])
    else:
        both = made[0] & made[1] if view.panel == "heatmaps" else made[0] | made[1]
        assert plain(got) == plain(both)


def test_the_code_of_tallies_takes_them_by_name(monkeypatch):
    frame, data = full(), data_of(full())
    wide = View.create(panel="table", users=["7", "8"])
    got = run(code_of(data, wide), tallies=frame, roster=ROSTER)
    (made,) = pictures(data, wide)
    assert plain(got).count("Ann") == plain(made.chart).count("Ann") > 0


def test_code_is_data_and_not_more(data):
    """Names from outside stand in the code as texts."""
    evil = "x'); __import__('os').abort() #"
    view = View.create(users=[evil], panel="trend")
    code = code_of(data, view)
    calls = [n.func for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call)]
    assert "__import__" not in {f.id for f in calls if isinstance(f, ast.Name)}


@pytest.mark.parametrize("name", ["gauges", "filtered", "trend", "heatmaps", "compared", "why"])
def test_what_is_seen_is_exported_in_every_form(name, data):
    view = view_of(name, data)
    made = pictures(data, view)
    for form in FORMS:
        file, content = export(data, view, form)
        assert re.fullmatch(rf"senderscore-[A-Za-z0-9_-]+\.{form}", file)
        if form == "csv":
            rows = pl.read_csv(io.BytesIO(content))
            assert rows.height == sum(p.rows.height for p in made)
            assert rows["ended"].sum() == sum(p.rows["ended"].sum() for p in made)
        elif form == "svg":
            root = ElementTree.fromstring(content)  # noqa: S314
            assert root.tag.endswith("svg")
            assert "Amina Yusuf" in "".join(root.itertext()) or name in ("trend", "compared", "why")
        elif form == "png":
            assert content.startswith(b"\x89PNG")
        else:
            page = content.decode()
            assert "default-src &#39;none&#39;" in page
            assert not re.search(r"(?:src|href)=\"https?:", page)
            assert page.count("<figure") == len(made)


def test_an_export_that_cannot_be_says_why(data, tmp_path):
    with pytest.raises(SelectionError, match="no export as 'pdf'"):
        export(data, View(), "pdf")
    with pytest.raises(SelectionError, match="nothing to export"):
        export(data, View.create(start="2020-01-01", end="2020-01-02"), "csv")
    with pytest.raises(SenderScoreError, match="Cannot be written"):
        Explorer(data).export(tmp_path / "missing" / "view.csv")
    assert Explorer(data).export(tmp_path / "view.svg").stat().st_size > 5_000


def test_hostile_names_stay_text_wherever_they_go(tmp_path):
    data = Data.of_paths(write_hostile(tmp_path / "account"))
    user = data.labels.users["user_id"][0]
    for values in ({}, {"panel": "heatmaps"}, {"panel": "table", "user": user}):
        view = View.create(**values)
        for form in FORMS:
            name, content = export(data, view, form)
            assert "/" not in name
            if form == "csv":
                assert b"\n=HYPERLINK" not in content
                assert b',"=HYPERLINK' not in content
                assert b",=HYPERLINK" not in content
            if form == "html":
                assert b"<script>window.pwned" not in content
                assert b"<img src=x" not in content
        html = picture_html(data, view, "m")
        assert "<script" not in html
        assert "<img src=x" not in html
        compile(code_of(data, view), "cell", "exec")


def test_the_picture_of_a_view_is_whole(data):
    html = picture_html(data, view_of("heatmaps", data), "abc")
    assert html.startswith('<div class="senderscore-static-abc">')
    assert html.count('src="data:image/svg+xml,') == 2
    assert "http" not in re.sub(r"http://www\.w3\.org/[a-z0-9/]+", "", html)
    empty = picture_html(data, View.create(start="2020-01-01", end="2020-01-02"), "abc")
    assert "Nothing is left" in empty


def test_a_view_becomes_a_report_of_the_plan(data):
    view = View.create(**AUTUMN, teams=["Nordics"], sequences=["2001"], panel="trend")
    report = report_of(data, view, "nordics", "month")
    assert report == {
        "name": "nordics",
        "notebook": "weekly",
        "every": "month",
        "policy": "hubspot-article",
        "window_weeks": 12,
        "selection": {"teams": ["Nordics"], "sequences": ["2001"]},
    }
    one = report_of(data, View.create(user="1003", teams=["Nordics"]), "amina")
    assert (one["notebook"], one["selection"]) == ("sender", {"users": ["1003"]})
    assert "window_weeks" not in one
    assert suggested_name(data, View.create(teams=["Nordics"])) == "nordics"
    assert suggested_name(data, View()) == "all-senders"
    with pytest.raises(SelectionError, match="only in this notebook"):
        report_of(data, View(policy="mine"), "x")
    with pytest.raises(SelectionError, match="every 'day'"):
        report_of(data, View(), "x", "day")


def test_what_a_report_cannot_keep_is_said_or_refused(data, tmp_path):
    dated = View(date_basis="enrolled_on")
    with pytest.raises(SelectionError, match=r"dated as its policy says \(ended_on\)"):
        report_of(data, dated, "x")
    assert report_of(data, View(date_basis="ended_on"), "x")["name"] == "x"
    said: list[dict] = []
    explorer = Explorer(data, panel="heatmaps", **BRUSH, keep_picture=False)
    explorer.widget.send = lambda content, buffers=None: said.append(content)
    explorer.widget._asked(None, {"do": "saving"}, [])
    assert "Of the brushed weeks it keeps how many they are and not which" in said[-1]["words"]
    assert "a score covers 4 weeks" in said[-1]["words"]
    assert said[-1]["asked"] is True
    explorer.update(date_basis="enrolled_on")
    explorer.widget._asked(None, {"do": "saving"}, [])
    assert "this view by enrolled_on" in said[-1]["error"]
    fixed = Explorer(data, plan=tmp_path / "only.toml", keep_picture=False)
    fixed.widget.send = lambda content, buffers=None: said.append(content)
    fixed.widget._asked(None, {"do": "saving"}, [])
    assert said[-1]["asked"] is False
    asked = {"do": "save", "name": "x", "plan": str(tmp_path / "other.toml"), "every": "week"}
    fixed.widget._asked(None, asked, [])
    assert said[-1]["text"] == f"Added 'x' to {tmp_path / 'only.toml'}."
    assert not (tmp_path / "other.toml").exists()


def test_every_row_leaves_and_a_chart_says_how_many_it_shows():
    wide = pl.concat(
        full().filter(pl.col("user_id") == "7").with_columns(user_id=pl.lit(f"u{i:03}"))
        for i in range(60)
    )
    data = Data.of_tallies(wide)
    (picture,) = pictures(data, View(panel="table", page=2))
    assert picture.title.endswith(", 49–60 of 60 senders")
    assert picture.frame.height == 12
    rows = pl.read_csv(io.BytesIO(export(data, View(panel="table", page=2), "csv")[1]))
    assert rows["user_id"].n_unique() == rows.height == 60
    weeks, pairs = pictures(data, View(panel="heatmaps"))
    for one, by in ((weeks, "week"), (pairs, "sequence")):
        assert one.title.endswith(f"by {by}, the 40 of 60 senders with the most enrollments")
    rows = pl.read_csv(io.BytesIO(export(data, View(panel="heatmaps"), "csv")[1]))
    assert rows.filter(pl.col("by") == "sequence").height == 60 * 3
    assert rows.filter(pl.col("by") == "week")["user_id"].n_unique() == 60
    page = export(data, View(panel="heatmaps"), "html")[1].decode()
    assert "the 40 of 60 senders" in page


def test_a_plan_is_begun_only_where_the_data_is_known(tmp_path, data):
    begin_plan(Data.of_paths([SAMPLE], timezone="Europe/Stockholm"), tmp_path / "p" / "plan.toml")
    import tomllib

    plan = tomllib.loads((tmp_path / "p" / "plan.toml").read_text())
    assert plan == {"data": {"source": [str(SAMPLE)], "timezone": "Europe/Stockholm"}}
    with pytest.raises(SelectionError, match="where the data came from"):
        begin_plan(data_of(full()), tmp_path / "other.toml")
    begin_plan(data, tmp_path / "sample.toml")
    assert tomllib.loads((tmp_path / "sample.toml").read_text())["data"]["timezone"]


def test_a_view_is_saved_as_a_report_that_the_plan_can_run(tmp_path, data):
    from senderscore_nb.errors import PlanError
    from senderscore_nb.schedule.project import Project

    path = tmp_path / "reports.toml"
    explorer = Explorer(data, **AUTUMN, teams=["Nordics"])
    assert explorer.save_as_report("nordics", plan=path) == path
    explorer.update(user="1003").save_as_report("amina", plan=path, every="month")
    project = Project.open(path)
    project.check()
    nordics, amina = project.plan.reports
    assert nordics.selection.teams == ("Nordics",)
    assert nordics.window_weeks == 12
    assert (amina.notebook, amina.every, amina.selection.users) == ("sender", "month", ("1003",))
    with pytest.raises(PlanError, match="already has a report 'amina'"):
        explorer.save_as_report("amina", plan=path)
    with pytest.raises(SelectionError, match="report: name"):
        explorer.save_as_report("../x y", plan=path)
    assert [report.name for report in Project.open(path).plan.reports] == ["nordics", "amina"]
