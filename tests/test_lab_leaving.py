"""What leaves the lab: a policy's file, a plan that uses it, code, the picture in a notebook."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import HealthCheck, given, settings

from senderscore_nb.errors import PlanError, PolicyError, SenderScoreError
from senderscore_nb.explorer import Data
from senderscore_nb.lab import Draft, ThresholdLab
from senderscore_nb.lab.answers import Drawn, handlers
from senderscore_nb.lab.saving import file_of, named, save_policy
from senderscore_nb.policy import load_policy, preset_names
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.using import use_policy
from tests.browser import browser
from tests.conftest import ROOT
from tests.explorer_data import data_of, full
from tests.hostile import NAMES, write_hostile
from tests.lab_drafts import drafts
from tests.test_docs import blocks
from tests.test_explorer_leaving import run

CURVE = {"knots": [[0, 0], [0.05, 35], [0.13, 45], [0.2, 50]]}

PLAN = """# Our reports; edited by hand.
timezone = "Europe/Stockholm"

[data]
source = ["exports"]  # dropped there every Monday

[[reports]]
name = "weekly" # for everyone
policy = "hubspot-article"  # until we agree on our own

[[reports]]
name = "north"

[reports.selection]
teams = ["North"]
"""


@pytest.fixture(scope="module")
def sample() -> Data:
    return Data.of_paths([])


@pytest.fixture
def lab(sample, tmp_path, monkeypatch) -> ThresholdLab:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports.toml").write_text(PLAN, encoding="utf-8")
    return ThresholdLab(sample).update(reply_points=CURVE)


@given(drafts(valid=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_a_saved_policy_reads_back_equal(tmp_path, draft):
    policy = draft.policy()
    file = save_policy(policy, tmp_path / "p.toml", overwrite=True)
    assert load_policy(file) == policy
    assert Draft.from_toml(file.read_text(encoding="utf-8")) == draft


def test_the_draft_goes_on_under_the_name_it_was_saved_by(lab, tmp_path):
    assert not lab.is_saved
    file = lab.save_policy("Our thresholds", source="We agreed.", version=2)
    assert file.name == "Our-thresholds.toml"
    saved = load_policy(tmp_path / file)
    assert saved == lab.policy
    assert (saved.name, saved.version, saved.source) == ("Our thresholds", 2, "We agreed.")
    assert lab.is_saved
    assert not lab.model.bench.changed(lab.trial)
    assert lab.update(weeks=4).is_saved
    assert not lab.update(bounce_points={"knots": [[0, 50]]}).is_saved
    lab.undo().undo().undo()
    assert lab.policy.name == "hubspot-article"


@pytest.mark.parametrize("name", [*NAMES, "..", "a/b", "con", "ä" * 80, "x.toml"])
def test_a_hostile_name_becomes_a_plain_file_name(name, lab, tmp_path):
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.toml", file_of(name))
    if len(name.strip()) > 80:
        with pytest.raises(PolicyError, match="name"):
            lab.save_policy(name)
        return
    file = lab.save_policy(name)
    assert (tmp_path / file).resolve().parent == tmp_path.resolve()
    assert load_policy(file).name == name.strip()


def test_nothing_is_overwritten_without_consent(lab, tmp_path):
    lab.save_policy("ours", "ours.toml")
    before = (tmp_path / "ours.toml").read_bytes()
    lab.update(reply_points={"knots": [[0, 0], [0.1, 50]]})
    with pytest.raises(PolicyError, match="there already"):
        lab.save_policy("ours", "ours.toml")
    assert (tmp_path / "ours.toml").read_bytes() == before
    lab.save_policy("ours", "ours.toml", version=2, overwrite=True)
    assert load_policy("ours.toml") == lab.policy
    with pytest.raises(PolicyError, match="not a policy, so it is not overwritten"):
        lab.save_policy("ours", "reports.toml", overwrite=True)
    assert (tmp_path / "reports.toml").read_text(encoding="utf-8") == PLAN


def test_what_cannot_be_saved_says_why(lab, tmp_path):
    policy = lab.policy
    for name in preset_names():
        with pytest.raises(PolicyError, match="name of a preset"):
            lab.save_policy(f" {name} ")
    with pytest.raises(PolicyError, match="name: must not be empty"):
        named(policy, " ", "", 1)
    with pytest.raises(PolicyError, match="version"):
        named(policy, "x", "", 0)
    with pytest.raises(PolicyError, match=r"named \.toml"):
        save_policy(policy, tmp_path / "policy.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(PolicyError, match="cannot be written"):
        save_policy(policy, tmp_path / "file" / "p.toml")
    assert save_policy(policy, tmp_path / "new" / "folder" / "p.toml").is_file()
    lab.update(bands=[])
    with pytest.raises(PolicyError, match="needs a band"):
        lab.save_policy("x")
    assert not (tmp_path / "x.toml").exists()


def test_a_plan_uses_the_policy_and_keeps_its_comments(lab, tmp_path):
    with pytest.raises(SenderScoreError, match="not saved as it is now"):
        lab.use_in_reports()
    lab.save_policy("ours", "policies/ours.toml")
    assert lab.use_in_reports(reports=["north"]) == tmp_path / "reports.toml"
    weekly, north = Project.open().plan.reports
    assert (weekly.policy, north.policy) == ("hubspot-article", "policies/ours.toml")
    assert north.selection.teams == ("North",)
    assert load_policy(Project.open().policy(north.policy)) == lab.policy
    lab.use_in_reports(tmp_path)
    project = Project.open(tmp_path)
    assert {report.policy for report in project.plan.reports} == {"policies/ours.toml"}
    text = (tmp_path / "reports.toml").read_text(encoding="utf-8")
    for comment in re.findall(r"#.*", PLAN):
        assert comment in text
    use_policy(tmp_path, "hubspot-article")
    assert {r.policy for r in Project.open(tmp_path).plan.reports} == {"hubspot-article"}


def test_a_policy_outside_the_plan_s_folder_is_named_in_full(lab, tmp_path):
    elsewhere = tmp_path / "plans"
    elsewhere.mkdir()
    (elsewhere / "reports.toml").write_text(PLAN, encoding="utf-8")
    file = lab.save_policy("ours", "ours.toml")
    project = use_policy(elsewhere, file, ["weekly"])
    assert project.plan.reports[0].policy == str(tmp_path / "ours.toml")
    # A file that is called like a preset is not taken for it.
    save_policy(lab.policy, elsewhere / "p.toml")
    (elsewhere / "p.toml").rename(elsewhere / "hubspot-article")
    project = use_policy(elsewhere, elsewhere / "hubspot-article", ["weekly"])
    assert load_policy(project.policy(project.plan.reports[0].policy)) == lab.policy


def test_a_plan_that_cannot_use_it_stays_as_it_is(lab, tmp_path):
    file = lab.save_policy("ours", "ours.toml")
    with pytest.raises(PlanError, match="no report 'nrth'"):
        use_policy("reports.toml", file, ["nrth"])
    with pytest.raises(PolicyError):
        use_policy("reports.toml", "missing.toml")
    assert (tmp_path / "reports.toml").read_text(encoding="utf-8") == PLAN
    (tmp_path / "empty.toml").write_text('[data]\nsource = "x"\n', encoding="utf-8")
    with pytest.raises(PlanError, match="no reports that could use it"):
        use_policy("empty.toml", file)
    with pytest.raises(PlanError, match="no plan of reports"):
        use_policy("none.toml", file)
    (tmp_path / "inline.toml").write_text(
        'reports = [{ name = "a" }]\n[data]\nsource = "x"\n', encoding="utf-8"
    )
    assert use_policy("inline.toml", file).plan.reports[0].policy == "ours.toml"


def test_the_dialogs_are_answered(lab, tmp_path):
    asked = handlers(lab)
    offered, _ = asked["saving"]({})
    assert (offered["name"], offered["version"], offered["then"]) == ("our-thresholds", 1, "")
    assert "hubspot-article v1" in offered["source"]
    assert asked["filename"]({"changes": {"name": "../x y"}})[0]["path"] == file_of("../x y")
    assert asked["filename"]({})[0]["path"].endswith(".toml")
    assert asked["using"]({})[0]["then"] == "use"
    save = {key: offered[key] for key in ("name", "source", "version", "path")}
    assert "Saved our-thresholds v1" in asked["save"](save)[0]["text"]
    again = asked["save"](save)[0]
    assert again["exists"]
    assert "there already" in again["error"]
    assert "text" in asked["save"]({**save, "overwrite": True})[0]
    assert asked["save"]({"name": "x", "path": "x.toml"})[0]["error"].startswith("policy: version")
    offered, _ = asked["saving"]({})
    assert (offered["name"], offered["version"]) == ("our-thresholds", 1)
    lab.update(weeks=3, bands=[{"name": "All", "lower": 0}])
    assert asked["saving"]({})[0]["version"] == 2
    lab.undo()
    reports = asked["using"]({})[0]["reports"]
    assert [one["name"] for one in reports] == ["weekly", "north"]
    assert "no plan" in asked["plan"]({"path": "none.toml"})[0]["error"]
    assert "No report is chosen" in asked["use"]({"reports": []})[0]["error"]
    told = asked["use"]({"plan": "reports.toml", "reports": ["weekly", "north"]})[0]["text"]
    assert told == f"weekly, north in reports.toml will be scored with {lab.policy.label}."
    assert asked["code"]({})[0]["text"] == lab.code()
    lab.update(bands=[])
    for name in ("code", "saving", "using"):
        with pytest.raises(PolicyError):
            asked[name]({})
    assert len(Drawn(lab.model).about()["palettes"]) == 12


def test_the_code_makes_the_draft_and_scores_with_it(lab, sample):
    code = lab.code()
    made: dict[str, object] = {}
    *body, _ = ast.parse(code).body
    exec(compile(ast.Module(body, []), "cell", "exec"), made)  # noqa: S102
    policy = made["policy"]
    assert policy.name == "hubspot-article (draft)"
    same = {"name", "source"}
    assert policy.model_dump(exclude=same) == lab.policy.model_dump(exclude=same)
    frame = lab.model.draw().values
    fill = [made["scores"]["band"].to_list().count(b["name"]) for b in frame["after"]["bands"]]
    assert fill == frame["after"]["fill"]
    assert "Amina Yusuf" in str(run(code).to_dict())
    assert 'name = "hubspot-article"' in ThresholdLab(sample).code() or "load_policy" in code


@pytest.mark.parametrize("name", ["x'); __import__('os').abort() #", '"""', "\\", "</script>"])
def test_code_is_data_and_not_more(lab, name):
    code = lab.update(name=name).code()
    calls = [n.func for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Call)]
    assert "__import__" not in {f.id for f in calls if isinstance(f, ast.Name)}


def test_the_picture_is_whole_and_says_what_is_shown(lab):
    html = lab.picture()
    frame = lab.model.draw().values
    assert html.startswith('<div class="senderscore-static-')
    assert html.count('src="data:image/svg+xml,') == 1
    assert "Draft: hubspot-article (draft) v1" in html
    assert f"{frame['moved']} of {frame['after']['scored']} scored senders change band" in html
    assert "5 % → 35" in html
    assert "http" not in re.sub(r"http://www\.w3\.org/[a-z0-9/]+", "", html)
    lab.update(reply_points={"knots": [[0, 9], [0.1, 3]]})
    broken = lab.picture()
    assert "was not a policy" in broken
    assert "Points must not fall" in broken
    assert "5 % → 35" in broken


def test_hostile_names_stay_text(tmp_path):
    data = Data.of_paths(write_hostile(tmp_path / "account"))
    lab = ThresholdLab(data, name='"><img src=x onerror="window.pwned=3">', weeks=0)
    lab.update(bands=[{"name": n, "lower": i} for i, n in enumerate(("<script>a", "</b>"))])
    html = lab.picture()
    assert "<script" not in html
    assert "<img src=x" not in html
    compile(lab.code(), "cell", "exec")


def test_tallies_alone_are_enough():
    lab = ThresholdLab(data_of(full()), weeks=0).update(minimum={"user": 10, "sequence": 10})
    assert lab.model.draw().values["after"]["scored"] == 3
    assert "tallies and roster: those that" in lab.code()
    assert "Ann" in lab.picture()


def test_the_pages_code_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for block in blocks(ROOT / "docs" / "thresholds-lab.md", "python"):
        exec(compile(block, "thresholds-lab.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "(0.05, 35.0)"
    assert said[1] == "['The edge is above the highest score, 100.']"
    assert said[2] == "('Low', 'Fair', 'Good', 'Excellent')"


def test_a_lab_is_changed_in_code_as_by_its_controls(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab = ThresholdLab(sample, keep_picture=False)
    frames: list[dict] = []
    lab.widget.send = lambda content, buffers=None: frames.append(content)
    lab.update(reply_points=CURVE).undo().redo()
    assert len(frames) == 3
    assert frames[-1]["values"]["trial"]["draft"]["reply_points"]["knots"][1] == [0.05, 35]
    lab.reset()
    for request, kind in (
        ({"do": "code"}, "code"),
        ({"do": "saving"}, "saving"),
        ({"do": "save", "name": "ours", "version": 1, "path": "ours.toml"}, "saved"),
        ({"do": "using"}, "plan"),
        ({"do": "update", "changes": {"weeks": 4}}, "frame"),
        ({"do": "update", "changes": {"bands": []}}, "frame"),
        ({"do": "code"}, "error"),
        ({}, "frame"),
    ):
        lab.widget._asked(None, {**request, "number": 7, "from": "me"}, [])
        assert (frames[-1]["kind"], frames[-1]["number"], frames[-1]["to"]) == (kind, 7, "me")
    assert lab.trial.weeks == 4
    assert load_policy("ours.toml").name == "ours"


@pytest.mark.browser
def test_the_notebook_runs_and_its_html_shows_a_static_view(tmp_path):
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor

    notebook = nbformat.read(ROOT / "notebooks" / "thresholds.ipynb", as_version=4)
    runner = ExecutePreprocessor(timeout=180, kernel_name="python3")
    runner.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    page = tmp_path / "thresholds.html"
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    with browser() as chromium:
        reader = chromium.new_context(offline=True).new_page()
        reader.goto(page.as_uri())
        kept = reader.locator("[class^=senderscore-static]")
        assert kept.locator("img").is_visible()
        assert kept.locator("img").evaluate("(img) => img.naturalWidth") > 300
        assert kept.locator("table").count() == 3
        assert "lower = 72.0" in reader.locator("body").inner_text()
