"""The commands over plans: a new user's first minutes, mistakes in words, exit codes."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil

import nbformat
import pytest
from click.testing import CliRunner

from senderscore_nb import open_account
from senderscore_nb.cli import main
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.start import start_project
from tests.notebooks import write_notebook
from tests.projects import EACH, PLAN, WEEK, WEEKLY, make_project, pages_of


def call(*arguments: object):
    made = CliRunner().invoke(main, [str(a) for a in arguments])
    assert "Traceback" not in made.output
    assert made.exception is None or isinstance(made.exception, SystemExit), made.exception
    return made


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "scores"
    made = call("init", folder)
    assert made.exit_code == 0, made.output
    return folder


def test_a_new_project_works_as_it_is(started):
    dry = call("reports", "run", "--due", "--dry-run", "--plan", started)
    assert dry.exit_code == 0
    assert "senders/" in dry.output
    made = call("reports", "run", "--due", "--plan", started)
    assert made.exit_code == 0, made.output
    assert re.search(r"\[16/16\] .*: made", made.stderr)
    assert made.stdout == "16 made, 0 failed.\n"
    again = call("reports", "run", "--due", "--plan", started)
    assert again.stdout == "Nothing is due.\n"
    status = call("reports", "status", "--plan", started)
    assert (status.exit_code, "All is well." in status.output) == (0, True)
    listed = json.loads(call("reports", "list", "--plan", started, "--format", "json").stdout)
    assert [row["state"] for row in listed] == ["made", "made"]
    weekly = next((started / "reports" / "weekly").glob("*.html")).read_text(encoding="utf-8")
    assert "Bounce rate of Priya Raman" in weekly  # the alert of the plan, about what is planted
    assert 'class="alert"' in weekly


def test_its_sample_ends_with_the_last_week(tmp_path):
    start_project(tmp_path / "a", today=dt.date(2027, 3, 3))
    (export,) = (tmp_path / "a" / "data").glob("*.csv.gz")
    assert export.name.endswith("2027-03-01.csv.gz")
    account = open_account(tmp_path / "a" / "data", timezone="Europe/Stockholm")
    assert account.through == dt.date(2027, 2, 28)
    assert account.reading.rejected.height == 0


def test_nothing_is_replaced(started, tmp_path):
    again = call("init", started)
    assert again.exit_code == 2
    assert "is there already, and nothing is replaced" in again.output
    (tmp_path / "README.md").write_text("mine")
    assert call("init", tmp_path).exit_code == 2
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]


def test_a_project_of_own_data(tmp_path):
    project = make_project(tmp_path / "there", PLAN + WEEKLY)
    folder = tmp_path / 'a "quoted" né$w folder'
    made = call("init", folder, "--data", project.folder / "data", "--timezone", "Europe/Berlin")
    assert made.exit_code == 0, made.output
    opened = Project.open(folder)
    assert opened.plan.data.source == (str(project.folder / "data"),)
    assert not (folder / "data").exists()
    for path in ("notebooks/weekly.ipynb", "notebooks/sender.ipynb"):
        nbformat.read(folder / path, 4)
    one = call("reports", "run", "weekly", "--for", WEEK, "--plan", folder)
    assert one.exit_code == 0, one.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "Say either --due or the NAME"),
        (["run", "weekly", "--due"], "Say either --due or the NAME"),
        (["run", "--due", "--for", WEEK], "--for goes with the NAME"),
        (["run", "wekly", "--plan", "{here}"], "Did you mean 'weekly'?"),
        (["run", "weekly", "--for", "last", "--plan", "{here}"], "is not a period"),
        (["run", "--due", "--plan", "{here}/none"], "senderscore init"),
        (["retry", "nobody", "--plan", "{here}"], "The plan has no report 'nobody'"),
        (["adopt", "{here}/reports.toml", "--report", "weekly", "--for", WEEK, "--plan", "{here}"],
         "Not a notebook"),
        (["prune", "--keep", "0", "--plan", "{here}"], "0 is not in the range"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_and_exit_2(tmp_path, arguments, says):
    make_project(tmp_path)
    made = call("reports", *(a.replace("{here}", str(tmp_path)) for a in arguments))
    assert made.exit_code == 2
    assert says in made.output


def test_a_report_that_fails_is_exit_1(tmp_path):
    write_notebook(tmp_path / "bad.ipynb", "1 / 0")
    make_project(tmp_path, PLAN + '[[reports]]\nname = "bad"\nnotebook = "bad.ipynb"\n')
    made = call("reports", "run", "bad", "--for", WEEK, "--plan", tmp_path)
    assert made.exit_code == 1
    assert "ZeroDivisionError" in made.stderr
    assert made.stdout == "0 made, 1 failed.\n"
    assert call("reports", "status", "--plan", tmp_path).exit_code == 1
    found = json.loads(call("reports", "status", "--plan", tmp_path, "--format", "json").stdout)
    assert (found["well"], len(found["failed"])) == (False, 1)


def test_a_notebook_that_was_run_elsewhere_is_adopted(tmp_path):
    project = make_project(tmp_path, PLAN + EACH + WEEKLY)
    listed = call("reports", "list", "--due", "--plan", tmp_path, "--format", "json")
    assert listed.exit_code == 0
    executed = write_notebook(tmp_path / "done.ipynb", "# Mine", "1")
    notebook = nbformat.read(executed, 4)
    output = nbformat.v4.new_output("execute_result", data={"text/plain": "forty-two"})
    notebook.cells[-1].outputs = [output]
    nbformat.write(notebook, executed)
    base = ["reports", "adopt", executed, "--plan", tmp_path, "--for", WEEK]
    made = call(*base, "--report", "each", "--instance", "bob")
    assert made.exit_code == 0, made.output
    (page,) = pages_of(project)
    assert "Bob-Example" in page
    assert "forty-two" in (project.output / page).read_text(encoding="utf-8")
    wrong = call(*base, "--report", "each", "--instance", "nobody")
    assert wrong.exit_code == 2
    assert "is not made for 'nobody'" in wrong.output
    notebook.cells[-1].outputs = [
        nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    ]
    nbformat.write(notebook, executed)
    failed = call(*base, "--report", "each", "--instance", "ann")
    assert failed.exit_code == 1
    assert "It raised ValueError: no" in failed.stderr
    notebook.cells[-1].outputs = []
    notebook.metadata["papermill"] = {"parameters": {"period": "2020-W01", "users": ["bob"]}}
    nbformat.write(notebook, executed)
    other = call(*base, "--report", "each", "--instance", "ann")
    assert other.exit_code == 1
    assert "It was run with period = '2020-W01'" in other.stderr


def test_units_are_printed_and_written(tmp_path):
    make_project(tmp_path)
    for kind in ("cron", "systemd", "github-actions", "airflow"):
        made = call("schedule", kind, "--plan", tmp_path)
        assert made.exit_code == 0, made.output
        assert "reports" in made.stdout
        written = call("schedule", kind, "--plan", tmp_path, "--output", tmp_path / kind)
        assert written.exit_code == 0, written.output
        assert list((tmp_path / kind).iterdir())
    shutil.rmtree(tmp_path / "data")
    assert call("schedule", "cron", "--plan", tmp_path / "none").exit_code == 2
