"""A snapshot gives what reading gives, to whoever asks for just that, and to nobody else."""

from __future__ import annotations

import pytest
from polars.testing import assert_frame_equal

from senderscore_nb import open_account
from senderscore_nb.policy import CountingRules, load_policy
from senderscore_nb.snapshot import VARIABLE, Asked, Snapshot, rules_name, save_snapshot
from tests.conftest import SAMPLE
from tests.projects import write_data

ZONE = "Europe/Stockholm"


def keep(account, folder, asked, *policies):
    tallies = {rules_name(account.policy.counting): account.tallies}
    tallies |= {rules_name(p.counting): account.tallies.head(3) for p in policies}
    parts = Snapshot(account.reading, account.roster, account.labels, tallies)
    folder.mkdir()
    save_snapshot(folder, parts, asked)


def same(a, b) -> None:
    assert_frame_equal(a.reading.accepted, b.reading.accepted)
    assert_frame_equal(a.reading.rejected, b.reading.rejected)
    assert (a.reading.files, a.reading.duplicates) == (b.reading.files, b.reading.duplicates)
    assert_frame_equal(a.tallies, b.tallies)
    assert_frame_equal(a.labels.users, b.labels.users)
    assert_frame_equal(a.labels.sequences, b.labels.sequences)
    assert (a.roster is None) == (b.roster is None)
    if a.roster is not None:
        assert_frame_equal(a.roster, b.roster)
    assert a.through == b.through


def test_it_gives_what_reading_gives(tmp_path, monkeypatch):
    read = open_account([SAMPLE], timezone=ZONE)
    keep(read, tmp_path / "kept", Asked.of([SAMPLE], None, ZONE, None))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    recalled = open_account(str(SAMPLE), timezone=ZONE)
    same(read, recalled)
    other = CountingRules(date_basis="enrolled_on")
    policy = load_policy().model_copy(update={"counting": other})
    counted = open_account([SAMPLE], timezone=ZONE, policy=policy)
    monkeypatch.delenv(VARIABLE)
    same(open_account([SAMPLE], timezone=ZONE, policy=policy), counted)


@pytest.mark.parametrize("how", [{"timezone": "UTC"}, {"mapping": "canonical"}, {"roster": "r"}])
def test_whoever_asks_for_something_else_reads_the_files(tmp_path, monkeypatch, how):
    data = write_data(tmp_path / "data")
    read = open_account(data)
    keep(read, tmp_path / "kept", Asked.of(data))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    (data / "export.csv").unlink()
    assert open_account(data).reading.read == read.reading.read
    if "roster" in how:
        how = {"roster": data / "roster.csv"}
    with pytest.raises(Exception, match="Nothing to read"):
        open_account(data, **how)


def test_what_one_changes_in_place_another_does_not_see(tmp_path, monkeypatch):
    data = write_data(tmp_path / "data")
    keep(open_account(data), tmp_path / "kept", Asked.of(data))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    first = open_account(data)
    first.tallies.insert_column(0, first.tallies["ended"].alias("mine"))
    first.reading.accepted[0, "replied"] = None
    again = open_account(data)
    assert "mine" not in again.tallies.columns
    assert again.reading.accepted["replied"].null_count() == 0


def test_a_folder_without_one_is_no_snapshot(tmp_path, monkeypatch):
    data = write_data(tmp_path / "data")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert open_account(data).reading.read > 0
