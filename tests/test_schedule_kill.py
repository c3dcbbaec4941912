"""Killed at any moment: the ledger tells the truth, no half page is seen, the next run repairs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes

import pytest

from senderscore_nb.schedule.history import Target
from senderscore_nb.schedule.run import run_due
from tests.conftest import ROOT
from tests.mail_server import Inbox, serving
from tests.projects import EACH, NOW, PLAN, WEEK, history_of, make_project, pages_of

TRIALS = int(os.environ.get("SENDERSCORE_KILLS", "200"))


@pytest.fixture
def inbox():
    kept = Inbox()
    with serving(kept) as port:
        kept.port = port
        yield kept


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the trials are forks")
@pytest.mark.xdist_group("kill")
def test_hundreds_of_kills_at_random_moments(tmp_path, inbox):
    plan = (
        PLAN.replace("[data]", "[run]\ncatch_up = 99\n[data]")
        + EACH
        + 'tell = { senders = true, to = ["boss@example.com"] }\n'
        + f'[mail]\nhost = "127.0.0.1"\nport = {inbox.port}\nsecurity = "none"\n'
        + 'sender = "reports@example.com"\n'
    )
    make_project(tmp_path, plan)
    command = [sys.executable, "-m", "tests.kill_trials", str(tmp_path), str(TRIALS), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["broken"] == []
    assert seen["left"] == []
    assert seen["killed"] > TRIALS / 4
    assert seen["interrupted"] > 0  # some were killed while a page was being made
    assert seen["batches"][0] == "2026-W38"
    assert seen["batches"][-1] == "2026-W47"
    assert len(seen["batches"]) == 10
    arrived = Counter((to, message_from_bytes(mail)["Message-ID"]) for to, mail in inbox.mails)
    assert max(arrived.values()) == 1  # nobody ever got a mail twice
    told = seen["told"]
    assert set(told) <= {"sent", "uncertain"}
    assert sum(told.values()) == 10 * 3 * 2
    # A mail that the ledger calls sent has arrived; only of the uncertain ones some have not.
    assert told["sent"] <= len(arrived) <= told["sent"] + told.get("uncertain", 0)


def test_a_killed_run_with_real_workers_is_finished_by_the_next(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    code = (
        "import sys; from tests.projects import *; from senderscore_nb.schedule.run import run_due;"
        "run_due(Project.open(sys.argv[1]), now=NOW)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    until = time.monotonic() + 120
    while not pages_of(project) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    before = len(pages_of(project))
    assert before >= 1
    outcome = run_due(project, now=NOW)
    assert outcome.is_well
    assert len(pages_of(project)) == 3
    history = history_of(project)
    assert all(history.made(Target("each", WEEK, user)) for user in ("ann", "bob", "cem"))


def test_sigterm_ends_a_run_in_good_order(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    program = [sys.executable, "-c", "from senderscore_nb.cli import main; main()"]
    run = subprocess.Popen(
        [*program, "reports", "run", "each", "--for", WEEK, "--plan", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not history_of(project).runs and time.monotonic() < until:
        time.sleep(0.02)
    run.terminate()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "Broken off. The next run does the rest." in said
    assert "Traceback" not in said
    history = history_of(project)
    statuses = {run.status for runs in history.runs.values() for run in runs}
    assert "cancelled" in statuses
    assert statuses <= {"cancelled", "made"}
