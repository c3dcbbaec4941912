"""An account opened from tallies is the account of its exports, but for the enrollments."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from senderscore_nb import Explorer, Selection, ThresholdLab, open_account
from senderscore_nb.cli import main
from senderscore_nb.errors import EnrollmentsNeededError, ReadError, SelectionError
from senderscore_nb.experiment import compare
from senderscore_nb.policy import CountingRules, load_policy
from senderscore_nb.snapshot import VARIABLE, Asked, Snapshot, rules_name, save_snapshot
from senderscore_nb.sources import describe, read_enrollments
from senderscore_nb.store import TallyStore, update, write_tallies
from tests.conftest import ROOT, SAMPLE, tally_rows
from tests.stores import ZONE

FROM = ("store", "file")


@pytest.fixture(scope="module")
def exports():
    return open_account(SAMPLE, timezone=ZONE)


@pytest.fixture(scope="module")
def places(exports, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tallied")
    update(TallyStore(folder / "store"), exports.tallied)
    write_tallies(folder / "t.parquet", exports.tallied)
    roster = (SAMPLE / "roster.csv").read_bytes()
    (folder / "store" / "roster.csv").write_bytes(roster)
    (folder / "roster.csv").write_bytes(roster)
    return {"store": str(folder / "store"), "file": str(folder / "t.parquet"),
            "roster": str(folder / "roster.csv"), "folder": str(folder)}  # fmt: skip


@pytest.fixture
def shared(exports, tmp_path, monkeypatch) -> None:
    """The exports are read once for all."""
    (folder := tmp_path / "snapshot").mkdir()
    kept = Snapshot(exports.reading, exports.roster, exports.labels, {})
    save_snapshot(folder, kept, Asked.of(str(SAMPLE), timezone=ZONE))
    monkeypatch.setenv(VARIABLE, str(folder))


def opened(places, kind: str, **options):
    return open_account(places[kind], roster=places["roster"], **options)


def policy_with(**rules: object):
    counting = CountingRules(**rules)
    return load_policy().model_copy(update={"counting": counting})


@pytest.mark.parametrize("kind", FROM)
def test_it_is_the_account_of_the_exports(places, exports, kind):
    account = opened(places, kind)
    for mine, theirs in (
        (account.tallies, exports.tallies),
        (account.roster, exports.roster),
        (account.labels.users, exports.labels.users),
        (account.labels.sequences, exports.labels.sequences),
        (account.reading.names.users, exports.reading.names.users),
    ):
        assert_frame_equal(mine, theirs)
    assert (account.through, account.timezone) == (exports.through, ZONE)
    assert account.through is not None
    assert account.tallied.rules == exports.policy.counting
    chosen = Selection(teams=["Nordics"], start="2026-05-01")
    assert_frame_equal(account.select(chosen), exports.select(chosen))
    assert "only their counts were read" in describe(account.reading)
    assert "TallyReading" in repr(account)
    assert account.enrollments is None


def test_a_store_finds_the_roster_in_its_folder_and_a_folder_its_tally_file(places, exports):
    assert_frame_equal(open_account(places["store"]).roster, exports.roster)
    beside = places["folder"]
    account = open_account(f"{beside}/*.parquet")
    assert_frame_equal(account.tallies, exports.tallies)
    assert_frame_equal(open_account(beside).roster, exports.roster)


COMMANDS = [
    "score --by user",
    "score --by team",
    "score --by week --start 2026-09-01 --user 1003",
    "score --by sequence --format json",
    "drivers change --by sequence",
    "drivers change --within user --format csv",
    "drivers watch",
    "drivers shrinkage --start 2026-11-02",
    "drivers ahead --start 2026-08-24",
    "policy compare --policy hubspot-article --policy @ --start 2026-08-24",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("shared")
def test_commands_over_a_store_say_what_they_say_over_the_exports(places, tmp_path, command):
    other = tmp_path / "other.toml"
    changed = policy_with(reply_denominator="ended").to_toml()
    other.write_text(changed.replace("hubspot-article", "other"))
    got = []
    for data in ([places["store"]], [str(SAMPLE), "--timezone", ZONE]):
        first, second, *rest = command.split()
        name = [first] if first == "score" else [first, second]
        rest = [second, *rest] if first == "score" else rest
        arguments = [*name, *data, *(a.replace("@", str(other)) for a in rest)]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        got.append(result.output)
    assert got[0] == got[1]


NEEDING = [
    "drivers factors",
    "drivers levers",
    "contacts --lever hard-bounced",
    "score --factor segment=smb",
]


@pytest.mark.parametrize("command", NEEDING)
@pytest.mark.parametrize("kind", FROM)
def test_what_needs_enrollments_says_so(places, command, kind):
    name, *rest = command.split(" --")
    arguments = [*name.split(), places[kind], *(f"--{r}".split(maxsplit=1) for r in rest)]
    flat = [a for part in arguments for a in (part if isinstance(part, list) else [part])]
    got = CliRunner().invoke(main, flat)
    assert got.exit_code == 2
    assert "Only tallies were read, and this needs the enrollments" in got.output
    assert places[kind] in got.output
    assert "Traceback" not in got.output


@pytest.mark.parametrize("kind", FROM)
def test_a_policy_that_counts_otherwise_is_refused(places, tmp_path, kind):
    other = policy_with(date_basis="enrolled_on")
    said = r"date_basis = ended_on, and the policy counts with enrolled_on"
    with pytest.raises(EnrollmentsNeededError, match=said):
        opened(places, kind, policy=other)
    account = opened(places, kind)
    with pytest.raises(EnrollmentsNeededError, match=said):
        account.under(other)
    with pytest.raises(EnrollmentsNeededError, match=said):
        compare(account, [account.policy, other])
    explorer = Explorer(account)
    with pytest.raises(SelectionError, match="counted under other rules"):
        explorer.update(date_basis="enrolled_on")
    (tmp_path / "p.toml").write_text(other.to_toml())
    got = CliRunner().invoke(main, ["score", places[kind], "--policy", str(tmp_path / "p.toml")])
    assert got.exit_code == 2
    assert "date_basis = ended_on" in got.output


def test_another_denominator_is_fine(places, exports):
    other = policy_with(reply_denominator="ended")
    assert_frame_equal(opened(places, "store", policy=other).tallies, exports.tallies)


def test_tallies_by_enrollment_are_explored_under_their_own_rules(tmp_path):
    account = open_account(SAMPLE, timezone=ZONE, policy=policy_with(date_basis="enrolled_on"))
    write_tallies(tmp_path / "t.parquet", account.tallied)
    kept = open_account(tmp_path / "t.parquet", as_counted=True)
    assert kept.policy.counting.date_basis == "enrolled_on"
    assert_frame_equal(kept.tallies, account.tallies)
    explorer = Explorer(tmp_path / "t.parquet", date_basis="enrolled_on")
    assert explorer.data.bases == ["enrolled_on"]


def test_the_explorer_and_the_lab_show_what_they_show_of_the_exports(places, exports, tmp_path):
    of = {"exports": exports, "store": opened(places, "store")}
    for name, account in of.items():
        Explorer(account, start="2026-08-24").export(tmp_path / f"{name}.csv")
        Explorer(account, start="2026-08-24", panel="trend").export(tmp_path / f"{name}.svg")
    for ending in ("csv", "svg"):
        shown = [(tmp_path / f"{name}.{ending}").read_text() for name in of]
        assert shown[0] == shown[1]
        assert len(shown[0]) > 500
    codes = [Explorer(places["store"], start="2026-08-24").code()]
    names: dict[str, object] = {}
    exec(compile(codes[0], "code", "exec"), names)  # noqa: S102
    assert names["account"].tallies.height == exports.tallies.height
    labs = [ThresholdLab(a, weeks=26) for a in (exports, opened(places, "store"))]
    frames = [lab.model.scored for lab in labs]
    assert repr(frames[0]) == repr(frames[1])


def test_another_tools_tallies_say_that_their_rules_are_not_known(tmp_path):
    path = tmp_path / "theirs.parquet"
    tally_rows(("7", "1", dt.date(2026, 3, 2), 200, 20, 2)).write_parquet(path)
    account = open_account(path, timezone=ZONE, policy=policy_with(date_basis="enrolled_on"))
    assert account.tallied.rules is None
    assert account.timezone == ZONE
    got = CliRunner().invoke(main, ["score", str(path)])
    assert got.exit_code == 0
    assert "do not say under which counting rules" in got.output
    got = CliRunner().invoke(main, ["check", str(path)])
    assert got.exit_code == 0
    assert "do not say under which counting rules" in got.output


def test_options_that_do_not_fit_tallies_are_refused(places):
    with pytest.raises(ReadError, match="time zone Europe/Stockholm, not of Asia/Tokyo"):
        opened(places, "store", timezone="Asia/Tokyo")
    with pytest.raises(ReadError, match="no time zone 'Stockholm'"):
        opened(places, "file", timezone="Stockholm")
    with pytest.raises(ReadError, match="mapping is for exports"):
        opened(places, "store", mapping="canonical")
    with pytest.raises(ReadError, match=r"read alone, and beside them is .*t.parquet"):
        open_account([places["store"], places["file"]])
    with pytest.raises(ReadError, match=r"read alone.*hubspot"):
        open_account([SAMPLE, places["file"]])
    with pytest.raises(ReadError, match="Nothing to read"):
        open_account(places["store"] + "/months/none")


@pytest.mark.parametrize("name", ["\0", "x" * 5000, "~nobody-here/x", "["])
def test_a_path_that_cannot_be_is_said_as_of_exports(name):
    with pytest.raises((ReadError, ValueError, RuntimeError)) as of_tallies:
        open_account(name)
    with pytest.raises(type(of_tallies.value)):
        read_enrollments(name)


def test_the_sections_of_the_notebook_that_need_enrollments_say_so(places):
    notebook = json.loads((ROOT / "notebooks" / "drivers.ipynb").read_text(encoding="utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    names: dict[str, object] = {}
    said = 0
    for cell in code:
        text = "".join(cell["source"]).replace(
            "open_account(sample_folder(), timezone=TIMEZONE)",
            f"open_account({places['store']!r})",
        )
        if "raises-exception" in cell["metadata"].get("tags", []):
            with pytest.raises(EnrollmentsNeededError) as caught:
                exec(text, names)  # noqa: S102
            assert caught.value._render_traceback_()[0].startswith("senderscore: ")
            said += 1
        elif "watch(" not in text:  # it takes long
            exec(text, names)  # noqa: S102
    assert said == 2


def test_names_that_are_hidden_are_not_read(places, monkeypatch):
    monkeypatch.setenv("SENDERSCORE_NAMES_ARE_HIDDEN", "1")
    for kind in FROM:
        with pytest.raises(ReadError, match="Names are hidden"):
            opened(places, kind)


@pytest.mark.parametrize("kind", FROM)
def test_a_snapshot_gives_what_reading_gives(places, kind, tmp_path, monkeypatch):
    account = opened(places, kind)
    kept = Snapshot(
        account.reading,
        account.roster,
        account.labels,
        {rules_name(account.policy.counting): account.tallies},
        timezone=account.timezone,
    )
    save_snapshot(tmp_path, kept, Asked.of(places[kind], roster=places["roster"]))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv("SENDERSCORE_NAMES_ARE_HIDDEN", "1")
    again = opened(places, kind)
    assert again.snapshot
    assert_frame_equal(again.tallies, account.tallies)
    assert_frame_equal(again.labels.users, account.labels.users)
    assert_frame_equal(again.tallied.users, account.tallied.users)
    assert (again.through, again.timezone) == (account.through, account.timezone)
    assert again.reading.files == account.reading.files
    with pytest.raises(EnrollmentsNeededError):
        _ = again.reading.accepted
    other = opened(places, kind, policy=policy_with(reply_denominator="ended"))
    assert_frame_equal(other.tallies, account.tallies)
    with pytest.raises(EnrollmentsNeededError):
        opened(places, kind, policy=policy_with(date_basis="enrolled_on"))


def test_people_are_redacted_in_tallies_too(places, exports):
    from senderscore_nb.schedule.redact import Redactor

    account = opened(places, "store")
    redactor = Redactor.of("people", b"k" * 32, account)
    hidden = redactor.account(account)
    whole = " ".join(
        frame.write_csv()
        for frame in (hidden.tallies, hidden.tallied.users, hidden.tallied.sequences,
                      hidden.labels.users, hidden.labels.sequences)
    )  # fmt: skip
    for user, name in exports.reading.names.users.iter_rows():
        assert name not in whole
        assert f"\n{user}," not in whole
    theirs = Redactor.of("people", b"k" * 32, exports).account(exports)
    assert_frame_equal(hidden.tallies, theirs.tallies)
    assert_frame_equal(hidden.labels.users, theirs.labels.users)


def test_reports_are_those_of_the_exports_but_for_what_needs_rows(places, exports, monkeypatch):
    from senderscore_nb.reports.blocks import plain
    from senderscore_nb.reports.sender import SenderReport
    from senderscore_nb.reports.weekly import WeeklyReport

    for kind in ("weekly", "sender"):  # they take long, and the store has none
        monkeypatch.setattr(
            f"senderscore_nb.reports.{kind}.levers_of",
            lambda account, *_, **__: account.reading.accepted.head(1),
        )
    row_based = {"levers", "rows_read", "rows_accepted", "rows_rejected", "duplicates",
                 "inputs", "made_at", "cells_read"}  # fmt: skip
    for kind, selection in ((WeeklyReport, None), (SenderReport, Selection(users=["1003"]))):
        of_rows = kind.open(str(SAMPLE), timezone=ZONE, selection=selection)
        of_tallies = kind.open(places["store"], selection=selection)
        now = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
        reports = [replace(r, made_at=now) for r in (of_rows, of_tallies)]
        twins = [plain(r.summary().data) for r in reports]
        kept = [{k: v for k, v in twin.items() if k not in row_based} for twin in twins]
        assert kept[0] == kept[1]
        assert twins[0]["levers"]
        assert twins[1]["levers"] is None
        assert twins[1]["cells_read"] == exports.tallies.height
        assert of_tallies.lever_table() is None
