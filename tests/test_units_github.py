"""The workflow: GitHub's published schema, its values, and its steps run on a real repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.units import Target, unit
from tests.schedulers import HOSTILE, names

PROGRAM = Path("/opt/senderscore")


def workflow(target: Target) -> dict[Any, Any]:
    parsed = yaml.safe_load(unit("github-actions", target))
    assert isinstance(parsed, dict)
    return parsed


def evaluated(text: str, values: dict[str, str]) -> str:
    """A value as Actions fills it in: each expression once, and nothing that came out of one."""

    def value(match: re.Match[str]) -> str:
        inner = match[1].strip()
        return inner[1:-1] if inner.startswith("'") else values[inner]

    return re.sub(r"\$\{\{((?:[^'}]|'[^']*')*)\}\}", value, text)


def target_of(name: str = "reports.toml", **more: Any) -> Target:
    return Target(Path("/srv/project", name), PROGRAM, **more)


@given(name=names)
@example(name="${{ github.token }}")
@example(name="$${{{{ '}}' }}}}")
@example(name="null")
@example(name="1e3")
def test_plan_and_pages_are_the_same_texts_and_no_expressions(name):
    text = unit("github-actions", target_of(name, pages=f"x/{name}"))
    environment = yaml.safe_load(text)["jobs"]["reports"]["env"]
    assert evaluated(environment["REPORTS_PLAN"], {}) == name
    assert evaluated(environment["REPORTS_PAGES"], {}) == f"x/{name}"
    # A reader that knows the other version of YAML agrees.
    from ruamel.yaml import YAML

    assert YAML(typ="safe", pure=True).load(text)["jobs"]["reports"]["env"] == environment
    for step in yaml.safe_load(text)["jobs"]["reports"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_it_is_what_githubs_schema_allows(tmp_path):
    for i, name in enumerate(HOSTILE):
        minutes = (5, 6, 10, 12, 15, 20, 30, 60)[i % 8]
        target = target_of(name, minutes=minutes, secrets=("SMTP_PASSWORD", "CHAT_URL"))
        (tmp_path / f"{i}.yml").write_text(unit("github-actions", target))
    (tmp_path / "wrong.yml").write_text("on: [sometimes]\njobs: {}\n")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command.append("vendor.github-workflows")
    files = [str(path) for path in sorted(tmp_path.glob("[0-9]*.yml"))]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    done = subprocess.run([*command, str(tmp_path / "wrong.yml")], capture_output=True, text=True)
    assert done.returncode == 1


@pytest.mark.parametrize("minutes", [5, 15, 20, 60])
def test_it_is_started_so_often(minutes):
    (schedule,) = workflow(target_of(minutes=minutes))[True]["schedule"]
    minute, *rest = schedule["cron"].split()
    assert rest == ["*", "*", "*", "*"]
    first, _, step = minute.removesuffix(f"-59/{minutes}").partition("-")
    assert not step
    assert len(range(int(first), 60, minutes)) == 60 // minutes


def test_it_may_do_no_more_than_it_must():
    made = workflow(target_of(secrets=("SMTP_PASSWORD",)))
    assert made["permissions"] == {}
    assert made["jobs"]["reports"]["permissions"] == {"contents": "write"}
    assert made["concurrency"]["cancel-in-progress"] is False
    secret = [s for s in made["jobs"]["reports"]["steps"] if "secrets." in str(s)]
    assert [step["run"].split()[:3] for step in secret] == [["senderscore", "reports", "run"]]
    assert secret[0]["env"] == {"SMTP_PASSWORD": "${{ secrets.SMTP_PASSWORD }}"}
    for step in made["jobs"]["reports"]["steps"]:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_what_github_cannot_do_is_refused():
    with pytest.raises(PlanError, match="every 5 minutes at most"):
        unit("github-actions", target_of(minutes=4))
    with pytest.raises(PlanError, match="GITHUB_TOKEN"):
        unit("github-actions", target_of(secrets=("GITHUB_TOKEN",)))
    for pages in ("/srv/pages", "~/pages", "../pages", "a/../../b", ".", ".git/x"):
        with pytest.raises(PlanError, match=r"no folder of their own.*\[output\]"):
            unit("github-actions", target_of(pages=pages))


FAKE = """\
#!/bin/sh
test "$1 $2 $3 $4" = "reports run --due --plan" || exit 99
test -f "$5" || exit 98
mkdir -p "$PAGES_FOLDER/.senderscore" "$PAGES_FOLDER/weekly"
echo "$SAYS" >>"$PAGES_FOLDER/.senderscore/ledger.jsonl"
echo page >"$PAGES_FOLDER/weekly/$SAYS.html"
exit "$STATUS"
"""


class Actions:
    """Runs a workflow's steps as GitHub does, each time in a new clone of the repository."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self.target, self.runs = folder, target, 0
        self.origin = folder / "origin.git"
        (folder / "bin").mkdir()
        (folder / "bin" / "senderscore").write_text(FAKE)
        (folder / "bin" / "senderscore").chmod(0o755)
        (folder / "home").mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        first = folder / "first"
        self.git("clone", "--quiet", str(self.origin), str(first))
        (first / target.plan.name).touch()
        (first / ".gitignore").write_text("reports*/\n*.html\n")
        self.git("-C", str(first), "add", "--all")
        self.git("-C", str(first), "commit", "--quiet", "-m", "project")
        self.git("-C", str(first), "push", "--quiet", "origin", "HEAD:main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
        mails = {f"GIT_{role}_EMAIL": "x@localhost" for role in ("AUTHOR", "COMMITTER")}
        home = {"HOME": str(self.folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        return {"PATH": os.environ["PATH"], **who, **mails, **home}

    def run(self, says: str, *, status: int = 0, before_saving: Any = None) -> list[int]:
        """The steps' exit statuses, as far as they ran."""
        self.runs += 1
        clone, temp = self.folder / f"clone{self.runs}", self.folder / f"temp{self.runs}"
        self.git("clone", "--quiet", "--depth=1", f"file://{self.origin}", str(clone))
        temp.mkdir()
        job = workflow(self.target)["jobs"]["reports"]
        outputs: dict[str, str] = {}
        statuses: list[int] = []
        for step in job["steps"]:
            if "run" not in step or step["run"].startswith("python -m pip"):
                continue
            if any(statuses) and "always()" not in step.get("if", ""):
                continue
            if "steps.state.outcome" in step.get("if", "") and statuses[0]:
                continue
            if "before" in str(step.get("env")) and before_saving:
                before_saving()
            named = {**job["env"], **step.get("env", {})}
            environment = {
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.folder / "home"),
                "GITHUB_OUTPUT": str(temp / "output"),
                "RUNNER_TEMP": str(temp),
                "SAYS": says,
                "STATUS": str(status),
                "PAGES_FOLDER": str(Path(self.target.pages)),
                **{name: evaluated(value, outputs) for name, value in named.items()},
            }
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
            done = subprocess.run(command, cwd=clone, env=environment, capture_output=True)
            statuses.append(done.returncode)
            if "id" in step and (temp / "output").exists():
                for line in (temp / "output").read_text().splitlines():
                    name, _, value = line.partition("=")
                    outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return statuses

    def kept(self, file: str) -> str:
        return self.git("-C", str(self.origin), "show", f"reports-state:{file}")


@pytest.fixture(params=["reports", "deep/er", HOSTILE[3], HOSTILE[-1]])
def actions(request: pytest.FixtureRequest, tmp_path: Path) -> Actions:
    name = request.param
    return Actions(tmp_path, target_of(f"{name.replace('/', '')}.toml", pages=name))


def test_each_run_finds_the_ledger_of_the_last(actions):
    assert actions.run("one") == [0, 0, 0]
    assert actions.kept(".senderscore/ledger.jsonl") == "one"
    # A report that fails is kept in the ledger too, and fails the job.
    assert actions.run("two", status=1) == [0, 1, 0]
    assert actions.kept(".senderscore/ledger.jsonl") == "one\ntwo"
    pages = actions.folder / "temp2" / "pages" / "weekly"
    assert sorted(page.name for page in pages.iterdir()) == ["one.html", "two.html"]
    # The branch holds one commit, so it does not grow; the project's own branch is as it was.
    assert actions.git("-C", str(actions.origin), "rev-list", "--count", "reports-state") == "1"
    assert actions.git("-C", str(actions.origin), "rev-list", "--count", "main") == "1"


def test_without_an_answer_nothing_is_run(tmp_path):
    actions = Actions(tmp_path, target_of())
    assert actions.run("one") == [0, 0, 0]
    real = actions.git
    target_url = ["remote", "set-url", "origin", str(tmp_path / "gone.git")]

    def broken(*arguments: str) -> str:
        out = real(*arguments)
        if arguments[0] == "clone":
            real("-C", arguments[-1], *target_url)
        return out

    actions.git = broken
    (status,) = actions.run("two")
    assert status not in (0, 2)
    actions.git = real
    assert actions.kept(".senderscore/ledger.jsonl") == "one"


@pytest.mark.parametrize("runs_before", [0, 1])
def test_what_another_run_kept_meanwhile_is_not_overwritten(tmp_path, runs_before):
    actions = Actions(tmp_path, target_of())
    for _ in range(runs_before):
        assert actions.run("one") == [0, 0, 0]
    other = Actions.__new__(Actions)
    other.__dict__ = {**actions.__dict__, "runs": 50}
    statuses = actions.run("mine", before_saving=lambda: other.run("theirs"))
    assert statuses[:2] == [0, 0]
    assert statuses[2] != 0
    assert actions.kept(".senderscore/ledger.jsonl").splitlines()[-1] == "theirs"


def test_a_run_that_changes_nothing_pushes_nothing(tmp_path):
    actions = Actions(tmp_path, target_of())
    assert actions.run("one") == [0, 0, 0]
    before = actions.git("-C", str(actions.origin), "rev-parse", "reports-state")
    (tmp_path / "bin" / "senderscore").write_text("#!/bin/sh\n")
    assert actions.run("two") == [0, 0, 0]
    assert actions.git("-C", str(actions.origin), "rev-parse", "reports-state") == before
