"""The app through a real Voilà, and the notebooks as they are run and read."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.explorer import Data, Explorer, Model, View
from senderscore_nb.explorer.app import app_notebook, free_port, served
from senderscore_nb.policy import load_policy
from tests.browser import browser
from tests.conftest import ROOT, SAMPLE
from tests.explorer_data import ROSTER, full
from tests.lab import Driver, stop
from tests.test_docs import blocks

browser_test = pytest.mark.browser


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """The folder that the app is started in, with files that its options name from there."""
    folder = tmp_path_factory.mktemp("app")
    write_policy(folder / "own.toml")
    (folder / "people.csv").write_bytes((SAMPLE / "roster.csv").read_bytes())
    (folder / "tmp").mkdir()
    return folder


@pytest.fixture(scope="module")
def address(started):
    command = [str(Path(sys.executable).with_name("senderscore")), "app", str(SAMPLE)]
    command += ["--timezone", "Europe/Stockholm", "--port", "0", "--no-browser", "--theme", "dark"]
    command += ["--policy", "own.toml", "--roster", "people.csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(started / "tmp")}
    with (started / "log.txt").open("w") as errors:
        server = subprocess.Popen(
            command,
            cwd=started,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", said)
        assert found, said + (started / "log.txt").read_text()
        port = int(found[0].split(":")[2].split("/")[0])
        wait_for(port)
        yield found[0]
    finally:
        stop(server)
    assert not list((started / "tmp").glob("senderscore-app-*"))


def write_policy(path: Path, name: str = "Ours") -> Path:
    own = load_policy().model_copy(update={"name": name, "version": 2})
    path.write_text(own.to_toml(), encoding="utf-8")
    return path


def wait_for(port: int) -> None:
    import time

    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the app does not listen")


@browser_test
@pytest.mark.xdist_group("explorer-app")
def test_the_app_shows_the_view_of_its_address_to_who_has_the_token(address, started):
    asked: list[str] = []
    with browser() as chromium:
        page = chromium.new_context(viewport={"width": 1200, "height": 1000}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}&panel=table&teams=Nordics")
        driver = Driver(page).ready()
        data = Data.of_paths([])
        view = View.create(panel="table", teams=["Nordics"])
        n = Model(data, view).draw().values["enrollments"]
        assert driver.behind.startswith(f"{n} enrollments")
        assert driver.root.get_attribute("data-mode") == "dark"
        driver.press("4 weeks")
        driver.press("Copy link")
        link = page.locator("dialog textarea").input_value()
        chosen = View.from_link(link)
        assert chosen.selection.teams == ("Nordics",)
        assert (chosen.selection.end - chosen.selection.start).days == 27
        assert "token" not in link
        assert chosen.policy == "Ours"
        assert "Ours v2" in driver.root.locator(".note").inner_text()
        driver.press("Close")
        driver.press("Save as report")
        assert not page.locator("dialog").get_by_label("Plan").is_visible()
        driver.press("Save")
        plan = started / "reports.toml"
        assert page.locator("dialog [role=status]").inner_text() == f"Added 'nordics' to {plan}."
        assert f'policy = "{started / "own.toml"}"' in plan.read_text("utf-8")
        page.goto(f"{address}&teams=Nobody")
        other = Driver(page).ready()
        assert "There is no team 'Nobody'" in other.root.get_by_role("alert").inner_text()
        stranger = chromium.new_context().new_page()
        stranger.goto(address.split("?")[0])
        assert stranger.locator(".senderscore-explorer").count() == 0
        assert "login" in stranger.url
    outside = [u for u in asked if not u.startswith((address.split("?")[0], "data:", "blob:"))]
    assert outside == []


def test_a_mistake_is_said_before_anything_is_served(tmp_path):
    got = CliRunner().invoke(main, ["app", str(tmp_path / "none.csv"), "--no-browser"])
    assert got.exit_code == 2
    assert "none.csv" in got.output
    got = CliRunner().invoke(main, ["app", str(SAMPLE), "--timezone", "Mars/Base", "--no-browser"])
    assert got.exit_code == 2
    got = CliRunner().invoke(
        main, ["app", str(SAMPLE), "--timezone", "Europe/Stockholm", "--policy", "hubspot"]
    )
    assert got.exit_code == 2
    assert "hubspot-article" in got.output


def test_without_voila_the_app_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    got = CliRunner().invoke(main, ["app", str(SAMPLE)])
    assert got.exit_code == 2
    assert "senderscore-nb[app]" in got.output


def test_the_next_free_port_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if port < 65_000:
            assert free_port(port) > port
    with pytest.raises(SenderScoreError, match="is free"):
        free_port(70_000)


def test_what_is_asked_of_the_app_stays_data(monkeypatch):
    evil = "'); import os #"
    source = app_notebook([evil], {"timezone": evil, "roster": ""})["cells"][0]["source"]
    import ast

    (call,) = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    given = ast.literal_eval(call.keywords[0].value)
    assert given == {"timezone": evil, "folder": str(Path.cwd())}
    monkeypatch.setenv("QUERY_STRING", "token=x&panel=trend&user=1003")
    explorer = served([str(SAMPLE)], timezone="Europe/Stockholm")
    assert (explorer.view.panel, explorer.view.user) == ("trend", "1003")
    monkeypatch.setenv("QUERY_STRING", "colour=red")
    explorer = served([str(SAMPLE)], timezone="Europe/Stockholm")
    assert explorer.view == View()
    assert "colour: this key is unknown" in explorer.model.answer({"do": "draw"}).values["error"]
    assert explorer.model.answer({"do": "draw"}).values["error"] == ""


@pytest.mark.parametrize("name", ["explore", "start"])
@browser_test
def test_a_notebook_runs_and_its_html_shows_static_charts(name, tmp_path):
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor

    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    runner = ExecutePreprocessor(timeout=180, kernel_name="python3")
    runner.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    assert notebook.metadata["widgets"]  # the state is in it, as nbconvert stores it
    for stored in (True, False):
        if not stored:
            del notebook.metadata["widgets"]
        html, _ = HTMLExporter().from_notebook_node(notebook)
        page = tmp_path / f"{name}-{stored}.html"
        page.write_text(html, encoding="utf-8")
        with browser() as chromium:
            reader = chromium.new_context(offline=True).new_page()
            reader.goto(page.as_uri())
            pictures = reader.locator("[class^=senderscore-static] img")
            assert pictures.count() == (1 if name == "explore" else 2)
            for i in range(pictures.count()):
                assert pictures.nth(i).is_visible()
                assert pictures.nth(i).evaluate("(img) => img.naturalWidth") > 400


def test_the_pages_code_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for block in blocks(ROOT / "docs" / "explorer.md", "python"):
        exec(compile(block, "explorer.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out
    assert 'teams = ["Nordics"]' in said
    assert "teams=Nordics&panel=trend&weeks=12" in said
    assert "charts.trend(scores, policy)" in said


def test_an_explorer_is_changed_in_code_as_by_its_controls(tmp_path):
    explorer = Explorer(panel="trend", keep_picture=False)
    frames: list[object] = []
    explorer.widget.send = lambda content, buffers=None: frames.append(content)
    explorer.update(teams=["Nordics"]).undo().redo()
    assert len(frames) == 3
    assert explorer.view == View.create(panel="trend", teams=["Nordics"])
    assert Explorer.from_link(explorer.view.to_link()).view == explorer.view
    explorer.reset()
    assert explorer.view == View.create(panel="trend")
    assert explorer.widget.about["teams"] == ["Central", "Nordics", "Overseas"]
    handler = explorer.widget._asked
    for request, kind in (
        ({"do": "code"}, "code"),
        ({"do": "link"}, "link"),
        ({"do": "saving"}, "saving"),
        ({"do": "export", "form": "csv"}, "file"),
        ({"do": "export", "form": "pdf"}, "frame"),
        ({"do": "save", "name": "!", "plan": str(tmp_path / "p.toml")}, "saved"),
        ({"do": "update", "changes": {"weeks": 12}}, "frame"),
        ({}, "frame"),
    ):
        handler(None, {**request, "number": 7, "from": "me"}, [])
        assert (frames[-1]["kind"], frames[-1]["number"], frames[-1]["to"]) == (kind, 7, "me")
    assert explorer.view.weeks == 12


def test_files_that_options_name_are_found_from_any_folder(tmp_path, monkeypatch):
    """The Python of a visitor works in another folder than the one the app was started in."""
    write_policy(tmp_path / "own.toml")
    (tmp_path / "people.csv").write_text((SAMPLE / "roster.csv").read_text("utf-8"), "utf-8")
    monkeypatch.chdir(tmp_path)
    options = {"policy": "own.toml", "roster": "people.csv", "mapping": "canonical"}
    (cell,) = app_notebook([str(SAMPLE)], {**options, "timezone": "Europe/Stockholm"})["cells"]
    assert f"'policy': '{tmp_path}/own.toml'" in cell["source"]
    assert f"'roster': '{tmp_path}/people.csv'" in cell["source"]
    assert "'mapping': 'canonical'" in cell["source"]
    assert f"'folder': '{tmp_path}'" in cell["source"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    explorer = served([str(SAMPLE)], policy=str(tmp_path / "own.toml"), folder=str(tmp_path),
                      roster=str(tmp_path / "people.csv"), timezone="Europe/Stockholm")  # fmt: skip
    assert explorer.view.policy == "Ours"
    assert explorer.model.about()["policies"][-1] == "Ours"
    assert f"load_policy('{tmp_path}/own.toml')" in explorer.code()
    said: list[dict] = []
    explorer.widget.send = lambda content, buffers=None: said.append(content)
    request = {"do": "save", "name": "ours", "plan": str(elsewhere / "x.toml"), "every": "week"}
    explorer.widget._asked(None, request, [])
    assert said[-1]["text"] == f"Added 'ours' to {tmp_path / 'reports.toml'}."
    assert not (elsewhere / "x.toml").exists()
    assert f'policy = "{tmp_path}/own.toml"' in (tmp_path / "reports.toml").read_text("utf-8")


def test_a_visitor_of_the_app_reads_no_file_that_they_name(tmp_path, monkeypatch):
    other = write_policy(tmp_path / "other.toml", "Other")
    monkeypatch.setenv("QUERY_STRING", f"token=x&policy={other}")
    explorer = served([str(SAMPLE)], timezone="Europe/Stockholm")
    assert explorer.view == View()
    answer = explorer.model.answer({"do": "update", "changes": {"policy": str(other)}})
    assert "There is no policy" in answer.values["error"]
    assert explorer.view == View()
    answer = explorer.model.answer({"do": "update", "changes": {"other": {"policy": str(other)}}})
    assert "There is no policy" in answer.values["error"]


def test_a_link_of_the_app_keeps_the_policy_that_is_shown(tmp_path, monkeypatch):
    own = str(write_policy(tmp_path / "own.toml"))
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    monkeypatch.setattr(Data, "of_paths", lambda *_: Data.of_tallies(full(), roster=ROSTER))
    for asked, policy in (
        ("", "Ours"),
        ("teams=North", "Ours"),
        ("policy=hubspot-article", "hubspot-article"),
    ):
        monkeypatch.setenv("QUERY_STRING", asked)
        explorer = served([], policy=own)
        assert explorer.view.policy == policy
        said: list[dict] = []
        explorer.widget.send = lambda content, buffers=None, said=said: said.append(content)
        explorer.widget._asked(None, {"do": "link"}, [])
        monkeypatch.setenv("QUERY_STRING", "token=x&" + said[-1]["text"])
        assert served([], policy=own).view == explorer.view


def test_what_is_wrong_with_the_data_is_said_to_a_visitor(tmp_path):
    said = served([str(tmp_path / "<b>none.csv")])._repr_html_()
    assert "&lt;b&gt;none.csv" in said
    assert "<b>none" not in said
    none = str(tmp_path / "none.toml")
    said = served([str(SAMPLE)], policy=none, timezone="Europe/Stockholm")
    assert "none.toml" in said._repr_html_()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_app_leaves_no_folder_behind_when_it_is_ended_at_any_time(name, tmp_path):
    """Also before it listens: the signal comes as soon as its folder is there."""
    script = (
        "import os, signal, tempfile\n"
        "from senderscore_nb.explorer.app import _ended_in_order\n"
        "with _ended_in_order(), tempfile.TemporaryDirectory(dir='.') as folder:\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    signal.pause()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    got = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    assert "KeyboardInterrupt" in got.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_a_notebook_is_one_message_without_a_traceback(tmp_path, capsys, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    shell = InteractiveShell()
    missing = str(tmp_path / "none.csv")
    shell.run_cell(f"from senderscore_nb import Explorer\nExplorer({missing!r})")
    said = capsys.readouterr()
    assert "none.csv" in said.out
    assert "Traceback" not in said.out + said.err
    assert len((said.out + said.err).strip().splitlines()) == 1
    shell.run_cell("1 / 0")
    assert "ZeroDivisionError" in capsys.readouterr().out
