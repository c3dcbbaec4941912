"""Other senders: each preset is found from the headers, and says no more than its sender knows."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from senderscore_nb import load_policy, open_account, score, tally
from senderscore_nb.cli import main
from senderscore_nb.errors import MappingError
from senderscore_nb.reports import run_report
from senderscore_nb.reports.words import standing
from senderscore_nb.sources import Mapping, load_mapping, mapping_names
from senderscore_nb.sources.choosing import choose_mapping
from senderscore_nb.sources.mapping import TOLD, parse_mapping
from senderscore_nb.sources.settling import REASON
from senderscore_nb.sources.statuses import told_by_status
from tests.conftest import MONDAY, ROOT
from tests.test_sources_files import HEADER, put, read
from tests.test_sources_law import mutations, mutilated, read_or_refused

ZONE = "Europe/Stockholm"
SAMPLES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "sender_exports").glob("*.csv"))
}
"""Invented exports, hostile names among them, by preset."""
OUTREACH, SALESLOFT, SMARTLEAD = (SAMPLES[n] for n in ("outreach", "salesloft", "smartlead"))

T, F = True, False
ACCEPTED = {
    "outreach": [
        ("1", "7", "03-03", "03-10", T, F, "finished"),
        ("2", "7", "03-03", "03-17", F, F, "finished"),
        ("3", "<script>alert(1)</script>", "03-03", "03-03", F, T, "bounced"),
        ("4", "8", "03-04", "03-06", F, F, "unsubscribed"),
        ("5", "8", "03-04", None, F, F, None),
        ("6", "8", "03-04", None, T, F, None),
        ("7", "8", "03-04", None, F, F, None),
        ("8", "8", "03-04", None, F, F, None),
        ("9", "8", "03-04", None, F, F, None),  # calls alone
        ("10", "8", "03-04", "03-04", F, T, "bounced"),  # the state says so, the count is blank
        ("11", "8", "03-05", "03-20", None, F, "finished"),
    ],
    "salesloft": [
        ("1", "7", "03-03", "03-09", T, F, "finished"),
        ("2", "7", "03-03", "03-03", F, T, "unknown"),
        ("3", "../../etc/passwd", "03-03", None, F, F, None),
        ("4", "8", "03-03", None, F, F, None),
        ("5", "8", "03-03", "03-05", F, F, "sequence_deleted"),
        ("6", "8", "03-03", "03-06", F, F, "manual"),
        ("7", "8", "03-03", None, F, F, None),  # calls alone
    ],
    "apollo": [
        ("c1", "amina@acme.example", "03-03", "03-03", T, F, None),
        ("c2", "amina@acme.example", "03-03", "03-03", F, T, None),
        ("c3", "{{7*7}}", "03-04", "03-04", F, F, None),
        ("c4", "bo@acme.example", "03-04", None, F, F, None),  # contacted, but not by e-mail
        ("c7", "bo@acme.example", "03-05", "03-05", F, None, None),
    ],
    "instantly": [
        ("l1", "u7", "03-03", "03-06", T, F, "finished"),
        ("l2", "u7", "03-03", "03-04", F, T, "bounced"),
        ("l3", "u7", "03-03", "03-06", F, F, "unsubscribed"),
        ("l4", "u7", "03-03", None, F, F, None),
        ("l5", "u7", "03-03", None, F, F, None),
        ("l6", "u7", "03-03", None, F, F, None),
        ("l7", "u8", "03-03", "03-06", F, F, "finished"),
    ],
    "smartlead": [
        ("m1", "amina@acme.example", "03-03", "03-06", T, None, "finished"),
        ("m2", "amina@acme.example", "03-03", "03-03", F, None, "unknown"),
        ("m3", "amina@acme.example", "03-03", None, F, None, None),  # blocked before any e-mail
        ("m4", "amina@acme.example", "03-03", None, F, None, None),
        ("m5", "amina@acme.example", "03-03", None, F, None, None),
        ("m6", '"><script>alert(1)</script>', "03-03", "03-09", F, None, "finished"),
    ],
}
"""Of each sample: id, user, days in 2026 (Stockholm), replied, bounced, end reason."""

REJECTED = {
    "outreach": [
        (13, r"run_status \(state\): expected one of active, .*found 'exploded'"),
        (14, "run_status is finished but there is no end"),
        (15, r"user_id \(creatorId\): is blank"),
        (16, r"run_status \(state\): is blank"),
        (17, "exact duplicate of .*:3"),
    ],
    "salesloft": [
        (9, "ended_on: 2026-03-01 is before enrolled_on 2026-03-03"),
        (10, r"replied \(counts_replies\): expected true or false, or a count, found '-1'"),
    ],
    "apollo": [
        (6, r"ended_on \(Last Contacted\): is blank"),
        (7, r"user_id \(Contact Owner\): is blank"),
        (9, r"bounced \(Email Bounced\): .*found 'perhaps'"),
    ],
    "instantly": [
        (9, r"sequence_id \(campaign\): is blank"),
        (10, r"run_status \(status\): .*found '4'"),
        (11, "run_status is unsubscribed but there is no end"),
    ],
    "smartlead": [
        (8, "run_status is finished but there is no end"),
        (9, r"run_status \(status\): .*found 'MELTED'"),
    ],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_of_a_sample_is_what_it_is_or_says_why_not(name: str, tmp_path: Path) -> None:
    reading = read(tmp_path, SAMPLES[name], timezone=ZONE)
    (file,) = reading.files
    assert file.mapping == name
    assert reading.read == SAMPLES[name].count("\n") - 1
    rows = reading.accepted
    if "end_reason" not in rows.columns:
        rows = rows.with_columns(end_reason=pl.lit(None, pl.String))
    day = pl.col("enrolled_on", "ended_on").dt.strftime("%m-%d")
    got = rows.with_columns(day).select(
        *("enrollment_id", "user_id", "enrolled_on", "ended_on", "replied", "bounced"),
        pl.col("end_reason").cast(pl.String),
    )
    assert got.rows() == ACCEPTED[name]
    expected = REJECTED[name]
    assert reading.rejected["line"].to_list() == [line for line, _ in expected]
    for found, (_, reason) in zip(reading.rejected["reason"], expected, strict=True):
        assert re.search(reason, found), found
    assert not {"run_status", "emails_sent", "state"} & set(rows.columns)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_day_depends_on_the_zone_that_is_stated(name: str, tmp_path: Path) -> None:
    (first, *_) = read(tmp_path, SAMPLES[name], timezone="America/New_York").accepted["enrolled_on"]
    assert first.isoformat() == "2026-03-02"


def test_nested_values_are_found_however_a_copy_writes_them(tmp_path: Path) -> None:
    expected = read(tmp_path, SALESLOFT, timezone=ZONE).accepted
    nested = r"\b(counts|cadence|person|user)_(?=[a-z])"
    for mark in (".", "__"):
        header, _, body = SALESLOFT.partition("\n")
        header = re.sub(nested, rf"\1{mark}", header).replace(f"person{mark}deleted", "gone")
        got = read(tmp_path, f"{header}\n{body}", timezone=ZONE)
        assert got.files[0].mapping == "salesloft"
        assert got.accepted.equals(expected)


def test_a_warehouse_copy_writes_utc_without_an_offset(tmp_path: Path) -> None:
    header, _, body = OUTREACH.partition("\n")
    snake = (
        re.sub("([A-Z])", r"_\1", header).lower().replace("creator_id", "relationship_creator_id")
    )
    body = body.replace("T", " ").replace(".000Z", "")
    got = read(tmp_path, f"{snake}\n{body}", timezone=ZONE)
    assert got.accepted.equals(read(tmp_path, OUTREACH, timezone=ZONE).accepted)


def test_a_typed_file_keeps_the_sign_of_a_status(tmp_path: Path) -> None:
    text = pl.read_csv(io.StringIO(SAMPLES["instantly"]))
    expected = read(tmp_path, SAMPLES["instantly"], timezone=ZONE).accepted
    for dtype in (pl.Int64, pl.Float64):
        path = tmp_path / "leads.parquet"
        text.with_columns(pl.col("status").cast(dtype)).write_parquet(path)
        assert read(tmp_path, path.read_bytes(), path.name, timezone=ZONE).accepted.equals(expected)


def test_what_a_sender_does_not_tell_is_null_and_never_a_number(tmp_path: Path) -> None:
    for name, text in SAMPLES.items():
        mapping = load_mapping(name)
        told = {*mapping.columns, *mapping.by_status}
        counts = tally(read(tmp_path, text, timezone=ZONE).accepted)
        for measure in ("replied", "bounced", "unsubscribed", "opened", "clicked"):
            known = counts[measure].null_count() < counts.height
            assert known == (measure in told), (name, measure)
    assert load_mapping("smartlead").unknown == ("bounced",)


def many(text: str, times: int) -> str:
    """A sample over and over, with ids of their own."""
    header, *rows = list(csv.reader(io.StringIO(text)))
    at = header.index("campaign_lead_map_id")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for i in range(times):
        writer.writerows([*row[:at], f"{row[at]}-{i}", *row[at + 1 :]] for row in rows)
    return out.getvalue()


@pytest.mark.parametrize("times", [1, 60])
def test_without_bounces_there_is_no_score_however_many_there_are(
    times: int, tmp_path: Path
) -> None:
    account = open_account(put(tmp_path, many(SMARTLEAD, times)), timezone=ZONE)
    for by in ("user", "sequence", "user,week", "all"):
        got = score(account.tallies, by=by)
        assert set(got["status"]) == {"not_computable"}
        for column in (
            "score",
            "bounced",
            "bounce_rate",
            "band",
            "band_probability",
            "expected_on",
        ):
            assert got[column].null_count() == got.height, (by, column)
    rows = score(account.tallies, by="user").sort("ended")
    assert rows["ended"].to_list() == [times, 2 * times]
    assert standing(rows.row(1, named=True), "Amina") == (
        f"Amina: a score cannot be computed; bounces are not known ({2 * times} ended enrollments)."
    )


def test_one_unknown_count_makes_its_sender_unknown_and_no_other(tmp_path: Path) -> None:
    account = open_account(put(tmp_path, OUTREACH), timezone=ZONE)
    got = dict(score(account.tallies).select("user_id", "status").iter_rows())
    assert got["8"] == "not_computable"
    assert got["7"] == "collecting"


def test_the_command_says_not_computable(tmp_path: Path) -> None:
    path = put(tmp_path, many(SMARTLEAD, 60))
    made = CliRunner().invoke(main, ["score", str(path), "--timezone", ZONE, "--format", "json"])
    assert made.exit_code == 0, made.output
    assert made.stdout.count('"not_computable"') == 2
    assert '"scored"' not in made.stdout
    checked = CliRunner().invoke(main, ["check", str(path), "--timezone", ZONE])
    assert checked.exit_code == 1
    assert "mapping smartlead" in checked.output
    assert "'status' → run_status" in checked.output
    assert "bounced is not known for any row: no score can be computed." in checked.output
    other = CliRunner().invoke(main, ["check", str(put(tmp_path, OUTREACH)), "--timezone", ZONE])
    assert "not known for any row" not in other.output


@pytest.mark.xdist_group("report")
def test_the_weekly_report_says_what_is_not_known(tmp_path: Path) -> None:
    path = put(tmp_path, many(SMARTLEAD, 60))
    made = run_report(
        "weekly",
        {"data": [str(path)], "timezone": ZONE, "period": "2026-W10"},
        tmp_path / "out",
    )
    page = made.page.read_text(encoding="utf-8")
    assert "a score cannot be computed; bounces are not known" in page
    assert "Not computable" in page
    assert "<script>alert(1)</script>" not in page


def test_an_export_without_campaign_and_sender_is_read_with_values_given(tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(SMARTLEAD)))
    raw = "".join(",".join(row[:13]) + "," + row[15] + "\n" for row in rows)
    with pytest.raises(MappingError, match=r"No header .* user_id \(.* sequence_id \(") as said:
        read(tmp_path, raw, timezone=ZONE)
    assert "extends = 'smartlead', fixed = { user_id = 'a value' }" in str(said.value)
    manual = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    (own,) = re.findall(r"```ini\n(.*?)```", manual, flags=re.DOTALL)
    mapping = put(tmp_path, own.replace('spring" }', '<b>spring</b>" }'), "own.toml")
    got = read(tmp_path, raw, timezone=ZONE, mapping=str(mapping)).accepted
    assert got["user_id"].unique().to_list() == ["amina"]
    assert got["sequence_id"].unique().to_list() == ["<b>spring</b>"]
    assert got["enrollment_id"].to_list() == [row[0] for row in ACCEPTED["smartlead"]]


def test_the_day_of_the_end_says_nothing_of_the_hour_of_enrollment(tmp_path: Path) -> None:
    apollo = read(tmp_path, SAMPLES["apollo"], timezone=ZONE).accepted
    assert not {"enrolled_weekday", "enrolled_hour"} & set(apollo.columns)
    assert apollo["sequence_id"].unique().to_list() == ["(no sequence in the export)"]
    named = SAMPLES["apollo"].replace(",City,", ",Sequence,")
    assert "Lund" in read(tmp_path, named, timezone=ZONE).accepted["sequence_id"].to_list()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SAMPLES)), mutations)
def test_a_damaged_export_is_accounted_for_too(
    tmp_path: Path, name: str, changes: list[tuple[str, int, int]]
) -> None:
    path = put(tmp_path, mutilated(SAMPLES[name].encode(), changes))
    reading = read_or_refused(path)
    if not isinstance(reading, str) and name == "smartlead":
        assert reading.accepted["bounced"].null_count() == reading.accepted.height


def ended_plainly(status: str | None, sent: bool | None, answered: bool, dated: bool) -> str:
    """What a row is, said slowly: open, ended, or rejected."""
    if status in ("active", "never_began") or (sent is False and not answered):
        return "open"
    if status is None:
        return "ended" if dated else "open"
    return "ended" if dated else "rejected"


def test_status_and_sent_mean_what_they_mean_together() -> None:
    answers, stati = (None, True, False), (None, "active", "never_began", "finished", "bounced")
    for status, sent, replied, bounced, dated in itertools.product(
        stati, answers, answers, answers, (True, False)
    ):
        row = pl.DataFrame(
            {
                "run_status": [status],
                "emails_sent": [sent],
                "replied": [replied],
                "bounced": [bounced],
                "ended_on": [MONDAY if dated else None],
                REASON: [None],
            },
            schema_overrides={
                **dict.fromkeys(("run_status", REASON), pl.String),
                **dict.fromkeys(("emails_sent", "replied", "bounced"), pl.Boolean),
                "ended_on": pl.Date,
            },
        )
        got = told_by_status(row).row(0, named=True)
        bounced = True if status == "bounced" else bounced
        expected = ended_plainly(status, sent, bool(replied or bounced), dated)
        assert (got["replied"], got["bounced"]) == (replied, bounced)
        assert (got[REASON] is not None) == (expected == "rejected")
        assert (got["ended_on"] is not None) == (expected == "ended")
        if expected != "rejected":
            assert got["end_reason"] == (status if expected == "ended" else None)


@pytest.mark.parametrize("left", HEADER.split(",")[:-1])
def test_a_canonical_file_with_a_gap_is_not_taken_for_another_senders(left: str) -> None:
    headers = [*(h for h in HEADER.split(",") if h != left), "status", "id", "campaign", "state"]
    with pytest.raises(MappingError, match=rf"for {left} .*with the mapping 'canonical'"):
        choose_mapping(headers, None, where="f.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("by_status=['bounced']\n[columns]", "by_status: there is no run_status"),
        ("by_status=['opened']\n[columns]\nrun_status='s'", "by_status"),
        ("unknown=['ended_on']\n[columns]", "unknown"),
        (
            "unknown=['bounced']\nby_status=['bounced']\n[columns]\nrun_status='s'",
            "'bounced' is both under by_status and unknown",
        ),
        ("fixed={enrollment_id='1'}\n[columns]", "fixed: 'enrollment_id' is not one of user_id"),
        ("fixed={user_id=' '}\n[columns]", "fixed: user_id is blank"),
        ("fixed={user_id=7}\n[columns]", "fixed.user_id: "),
        ("[columns]\n[words.run_status]\n9='activ'", "'9' cannot mean 'activ'.*'active'"),
        ("know_by=['x']\n[columns]", "Did you mean 'known_by'"),
    ],
)
def test_an_invalid_key_is_named(text: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        parse_mapping(f"name='x'\n{text}", where="m.toml")


def test_the_manuals_table_of_senders_is_the_presets() -> None:
    manual = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## Other senders\n(.*?)\n## ", manual, flags=re.DOTALL)
    table = {
        cells[0].strip("`"): cells[1:]
        for line in section.splitlines()
        if line.startswith("| `")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }
    others = {n for n in mapping_names() if not n.startswith("hubspot")}
    assert set(table) == others == set(SAMPLES)
    measures = ("replied", "bounced", "unsubscribed", "opened", "clicked")
    for name, cells in table.items():
        mapping = load_mapping(name)
        assert cells[-5:] == [_told(mapping, measure) for measure in measures], name
        assert f"`{mapping.columns['ended_on'][0]}`" in cells[1], name
        assert mapping.source
        for label in re.findall(r"`([^`]+)`", cells[1]):
            assert label in mapping.columns["ended_on"], (name, label)


def _told(mapping: Mapping, measure: str) -> str:
    if measure in mapping.columns:
        return "yes"
    return "by the status" if measure in mapping.by_status else "unknown"


def test_what_a_status_tells_is_a_measure_of_the_contract() -> None:
    policy = load_policy()
    assert policy.minimum.user > max(len(rows) for rows in ACCEPTED.values())
    assert set(TOLD) == {"replied", "bounced", "unsubscribed"}
