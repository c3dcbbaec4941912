"""What goes wrong while reports are run: it is said, nothing is half, and the next run repairs."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from senderscore_nb.errors import PlanError, RunError
from senderscore_nb.schedule.history import Target
from senderscore_nb.schedule.keep import pages
from senderscore_nb.schedule.lock import BusyError, held
from senderscore_nb.schedule.watch import Watch
from tests.projects import (
    EACH,
    NOW,
    PLAN,
    WEEK,
    WEEKLY,
    Instant,
    history_of,
    make_project,
    pages_of,
    settle,
    write_data,
)
from tests.test_schedule_run import run


def test_a_defect_is_recorded_and_the_others_are_made(tmp_path):
    class Broken(Instant):
        def make(self, job, progress=None):
            if job.parameters["users"] == ["ann"]:
                raise ZeroDivisionError("by zero")
            return super().make(job)

    project = make_project(tmp_path, PLAN + EACH)
    outcome = run(project, Broken())
    assert len(outcome.made) == 2
    assert outcome.failed[0].ended["error"] == "A defect of the program: ZeroDivisionError: by zero"


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda f: (f / "export.csv").write_bytes(b"\xff\x00\n"), "export.csv"),
        (lambda f: (f / "export.csv").write_text("a,b\n1,2\n"), "enrollment_id"),
        (lambda f: (f / "roster.csv").write_text("name\nx\n"), "A roster needs a column user_id"),
    ],
)
def test_data_that_cannot_be_read_is_said_and_waited_for(tmp_path, break_it, says):
    project = make_project(tmp_path)
    break_it(tmp_path / "data")
    settle(*(tmp_path / "data").iterdir())
    outcome = run(project)
    assert not outcome.is_well
    assert says in outcome.unread
    assert says in history_of(project).waiting["weekly", WEEK]["reason"]
    write_data(tmp_path / "data")
    assert run(project).is_well


def test_no_data_at_all_is_named_before_anything_runs(tmp_path):
    project = make_project(tmp_path)
    for file in (tmp_path / "data").iterdir():
        file.unlink()
    (tmp_path / "data").rmdir()
    with pytest.raises(PlanError, match="there is nothing at 'data'"):
        run(project)


def test_a_file_that_grows_while_it_is_read_is_read_again(tmp_path):
    """Somebody appends to the export for as long as the run looks at it, and a little longer."""
    project = make_project(tmp_path, age=0)
    export = tmp_path / "data" / "export.csv"
    whole = export.read_text()
    lines = whole.splitlines(keepends=True)
    export.write_text("".join(lines[:10]))
    done = threading.Event()

    def write() -> None:
        for start in range(10, len(lines), 60):
            with export.open("a") as file:
                file.write("".join(lines[start : start + 60]))
            time.sleep(0.25)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    outcome = run(project)
    assert done.is_set()  # it was not read before the writer was done
    writer.join()
    assert export.read_text() == whole
    assert outcome.is_well
    history = history_of(project)
    (data,) = history.data.values()
    assert data["files"][0]["rows"] == len(lines) - 1


def test_two_runs_at_once_make_each_report_once(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    code = (
        "import sys, datetime as dt; from tests.projects import *;"
        "from tests.test_schedule_run import run;"
        "from senderscore_nb.schedule.lock import BusyError\n"
        "class Slow(Instant):\n"
        "    def make(self, job, progress=None):\n"
        "        import time; time.sleep(0.5); return super().make(job)\n"
        "try: print(len(run(Project.open(sys.argv[1]), Slow()).made))\n"
        "except BusyError: print('busy')"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = sorted(one.communicate(timeout=120)[0].strip() for one in runs)
    assert [r.status for runs in history_of(project).runs.values() for r in runs] == ["made"] * 3
    assert "3" in said
    assert set(said) <= {"3", "busy", "0"}


def test_while_a_run_is_at_work_another_leaves_it_alone(tmp_path):
    project = make_project(tmp_path)
    with held(project.output), pytest.raises(BusyError):
        run(project)
    assert pages_of(project) == []


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path):
    project = make_project(tmp_path, PLAN + '[output]\nfolder = "/proc/nowhere"\n' + WEEKLY)
    with pytest.raises(RunError, match="The output folder cannot be written"):
        run(project)


def test_a_full_disk_fails_the_page_and_the_next_run_repairs(tmp_path, monkeypatch):
    project = make_project(tmp_path, PLAN + EACH)
    sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if name.endswith(".tmp") and "each" in name:
            calls.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    outcome = run(project)
    assert calls
    assert len(outcome.failed) == 3
    assert "No space left" in outcome.failed[0].ended["error"]
    assert pages_of(project) == []
    assert list(project.output.rglob(".*.tmp")) == []
    monkeypatch.undo()
    assert len(run(project, now=NOW + dt.timedelta(days=1)).made) == 3


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root"
)
def test_a_really_full_disk(tmp_path):
    """A disk of 300 kB: what does not fit fails, no page is cut, and room repairs it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        project = make_project(tmp_path, PLAN + f'[output]\nfolder = "{disk}"\n' + EACH)
        with_filler = Instant(filler=120_000)
        outcome = None
        with contextlib.suppress(RunError):  # where not even the ledger has room
            outcome = run(project, with_filler)
        assert outcome is None or 0 < len(outcome.failed) <= 3
        for page in disk.rglob("*.html"):
            text = page.read_text()
            assert text.startswith("<!DOCTYPE html>")
            assert text.rstrip().endswith("</html>")
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        later = run(project, with_filler, now=NOW + dt.timedelta(days=1))
        assert later.failed == []
        assert all(history_of(project).made(Target("each", WEEK, u)) for u in ("ann", "bob", "cem"))
        assert all(kept.state == "there" for kept in pages(project.output, history_of(project)))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_ctrl_c_is_recorded_and_the_next_run_does_the_rest(tmp_path):
    project = make_project(tmp_path, PLAN + EACH + "[run]\nworkers = 1")

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(project, watch=Watch(done=stop))
    assert (project.output / "index.html").exists()
    outcome = run(project)
    made = {r.target.instance for r in outcome.made}
    assert made < {"ann", "bob", "cem"}  # at least one was made before
    assert all(history_of(project).made(Target("each", WEEK, u)) for u in ("ann", "bob", "cem"))


def test_the_index_is_made_good_after_a_kill(tmp_path):
    project = make_project(tmp_path)
    run(project)
    index = project.output / "index.html"
    good = index.read_text()
    index.write_text("old")
    os.utime(index, (1, 1))  # the run was killed after the ledger and before the index
    assert run(project).runs == []
    assert index.read_text() == good
