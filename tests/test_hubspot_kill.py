"""Pulls that are killed, and pulled mail from the server to the enrollments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import SimulatedMail, simulate_mails
from senderscore_nb.sources.emails import read_emails
from tests.conftest import ROOT
from tests.hubspot_portal import DAY, START, TOKEN, Account, Portal, serving, some_mails
from tests.test_hubspot_laws import same_files


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving(Portal()) as server:
        yield server


def command(account: Account, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from senderscore_nb.cli import main; main()", "pull",
         str(account.folder), "--base-url", account.url, "--searches-per-second", "1000"],
        env={**os.environ, "HUBSPOT_TOKEN": TOKEN}, cwd=ROOT, text=True, **options,
    )  # fmt: skip


def real_time(account: Account) -> None:
    account.portal.now = time.time


def test_pulls_killed_at_random_moments_come_to_the_same_files(server: Any, tmp_path: Path) -> None:
    account = Account(server, tmp_path / "crm", Portal(most=60))
    real_time(account)
    some_mails(account.portal, 1500, step=DAY // 12)
    for i in range(1, 1500, 4):
        account.portal.put(str(i), START + 120 * DAY + i % 7)
    got = subprocess.run(
        [sys.executable, "-m", "tests.hubspot_kills", account.url, str(account.folder), "9", "1"],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert got.returncode == 0, got.stderr
    said = json.loads(got.stdout)
    assert said["broken"] == []
    assert set(said["ends"]) <= {0, -9}, said
    assert said["killed"] >= 2
    account.pull(page=60, window=60)
    assert account.pulled() == account.theirs()
    other = Account(server, tmp_path / "other", account.portal)
    real_time(other)
    other.pull(page=60, window=60)
    assert same_files(account.folder, other.folder)
    assert account.portal.broken == []


def test_the_command_goes_on_where_it_was_killed(server: Any, tmp_path: Path) -> None:
    account = Account(server, tmp_path / "crm", Portal(most=10_000))
    real_time(account)
    some_mails(account.portal, 900, step=DAY // 8)
    processes: list[subprocess.Popen[str]] = []
    for number in (0, 5):
        kill = len(account.portal.asked) + number
        account.portal.changes[kill] = [lambda: os.kill(processes[-1].pid, signal.SIGKILL)]
        processes.append(command(account, stdout=subprocess.DEVNULL))
        assert processes[-1].wait() == -signal.SIGKILL
    last = command(account, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, progress = last.communicate()
    assert last.returncode == 0, said
    assert "900 in " in said
    assert "An earlier pull was broken off" in progress
    assert TOKEN not in said + progress
    assert account.pulled() == account.theirs()


def portal_of(simulated: SimulatedMail, portal: Portal) -> None:
    """The mails of a simulation as an account has them: of several copies the newest."""
    modified = pl.col("hs_lastmodifieddate").cast(pl.Int64)
    for row in simulated.mails.sort(modified).to_dicts():
        mail, at = row.pop("hs_object_id"), int(row.pop("hs_lastmodifieddate"))
        portal.put(mail, at, **row)
    for owner in simulated.owners.to_dicts():
        portal.owner(owner["id"], int(owner["userId"]), owner["email"])


def test_pulled_mail_gives_the_enrollments_of_the_file_it_was_simulated_in(
    server: Any, tmp_path: Path
) -> None:
    simulated = simulate_mails(simulate_rows(5, weeks=8, volume=0.08), last_day=LAST_DAY, seed=3)
    account = Account(server, tmp_path / "crm", Portal(most=2_000))
    portal_of(simulated, account.portal)
    account.clock.time = simulated.now / 1e6 + 3600
    account.pull(window=2_000)
    simulated.mails.write_parquet(tmp_path / "mails.parquet")
    simulated.aliases.write_csv(tmp_path / "aliases.csv")
    out, aliases = tmp_path / "enrollments.parquet", str(tmp_path / "aliases.csv")
    got = CliRunner().invoke(main, [
        "reconstruct", str(account.folder / "emails"), "--timezone", TIMEZONE, "-o", str(out),
        "--owners", str(account.folder / "owners.parquet"), "--aliases", aliases,
    ])  # fmt: skip
    assert got.exit_code == 0, got.output
    expected = read_emails(
        tmp_path / "mails.parquet", timezone=TIMEZONE, owners=simulated.owners,
        aliases=aliases,
    ).accepted.drop("user_name")  # fmt: skip
    made = pl.read_parquet(out)
    assert made["user_name"].drop_nulls().str.starts_with("Jo 9").all()
    made = made.drop("user_name").sort("enrollment_id")
    assert made.height > 300
    assert made["bounced"].sum() > 5
    assert made.equals(expected.sort("enrollment_id"))
    asked = {target.split("?")[0] for _, target, _ in account.portal.asked}
    assert "/crm/v3/objects/emails/batch/read" in asked
    assert account.portal.broken == []
