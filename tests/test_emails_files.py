"""Files of e-mail objects: headers, forms, rejects, people, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from senderscore_nb import open_account
from senderscore_nb.cli import main
from senderscore_nb.errors import MappingError, ReadError, SenderScoreError
from senderscore_nb.snapshot import Asked, Snapshot, save_snapshot
from senderscore_nb.sources import EmailReading, read_emails
from senderscore_nb.sources.emails import describe_emails, files, reconstruct
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.emails.people import read_people
from senderscore_nb.sources.raw import HIDING
from tests.hostile import NAMES
from tests.mail_frames import BO, JO, ZONE, back, frame, out

NAMED = {column: headers[0] for column, headers in MAIL.items()}
ROWS = (out("1", 0), out("2", 3), back("3", 4), out("4", 0, at="soon", recipients="cy@x.example"))


def objects(*rows: dict[str, Any], prefix: str = "") -> pl.DataFrame:
    mails = frame(*(rows or ROWS))
    return mails.rename({c: prefix + NAMED[c] for c in mails.columns})


def read(path: Path | list[Path], **more: Any) -> EmailReading:
    return read_emails(path, timezone=ZONE, **more)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "mails.csv"
    objects().write_csv(path)
    return path


def test_files_and_frames_give_the_same(csv: Path, tmp_path: Path) -> None:
    expected = reconstruct(frame(*ROWS), timezone=ZONE).enrollments
    objects().write_parquet(tmp_path / "mails.parquet")
    for path in (csv, tmp_path / "mails.parquet"):
        assert read(path).accepted.equals(expected)


@pytest.mark.parametrize("prefix", ["property_", "properties_", "properties.", "PROPERTY_"])
def test_headers_of_warehouse_copies(tmp_path: Path, prefix: str) -> None:
    mails = objects(prefix=prefix).rename({f"{prefix}hs_object_id": "id"})
    mails.with_columns(_fivetran_synced=pl.lit("x")).write_parquet(tmp_path / "m.parquet")
    assert read(tmp_path / "m.parquet").accepted.height == 1


def test_the_objects_own_id_is_taken_where_there_are_two(tmp_path: Path) -> None:
    objects().with_columns(id=pl.lit("same"), engagement_id=pl.lit("same")).write_csv(
        tmp_path / "m.csv"
    )
    assert read(tmp_path / "m.csv").fates.filter(what="sent")["mails"].to_list() == [2]


def test_typed_columns_are_read_as_their_texts(tmp_path: Path) -> None:
    texts = objects(ROWS[0], ROWS[2])
    typed = texts.with_columns(
        pl.col("hs_timestamp").str.to_datetime(time_zone="UTC"),
        pl.col("hs_object_id", "hs_sequence_id").cast(pl.Int64),
        hs_incoming_email_is_out_of_office=pl.Series([None, False]),
        hs_email_open_count=pl.Series([3.0, None]),
    )
    typed.write_parquet(tmp_path / "typed.parquet")
    texts.write_parquet(tmp_path / "texts.parquet")
    one, other = read(tmp_path / "typed.parquet"), read(tmp_path / "texts.parquet")
    assert one.accepted.drop("opened").equals(other.accepted.drop("opened"))
    assert one.accepted["opened"].to_list() == [True]
    # Files whose types differ are read together as texts; each mail is there twice then.
    both = read([tmp_path / "typed.parquet", tmp_path / "texts.parquet"])
    assert both.accepted.height == 1
    assert both.fates.filter(what="an older copy of a mail")["mails"].to_list() == [2]


def test_large_text_files_are_scanned_and_give_the_same(
    csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(csv)
    monkeypatch.setattr(files, "WHOLE", 0)
    scanned = read(csv)
    assert scanned.accepted.equals(whole.accepted)
    assert scanned.rejected.equals(whole.rejected)
    assert scanned.files == whole.files


def test_a_large_text_file_that_is_broken_is_refused_with_a_reason(
    csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv.write_text(csv.read_text() + "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22\n")
    assert read(csv).fates.filter(what="not a row of the file")["mails"].to_list() == [1]
    monkeypatch.setattr(files, "WHOLE", 0)
    with pytest.raises(ReadError, match="Parquet is the safest"):
        read(csv)


def test_rejected_mails_are_listed_as_they_were(csv: Path) -> None:
    reading = read(csv)
    (row,) = reading.rejected.to_dicts()
    assert (row["file"], row["line"]) == (str(csv), 5)
    assert row["reason"] == (
        "at: expected an instant such as 2026-03-02T09:15:00Z, or milliseconds, found 'soon'"
    )
    assert json.loads(row["row"])["hs_timestamp"] == "soon"
    assert reading.fates["mails"].sum() == reading.read == 4


def test_a_missing_header_is_named_with_the_nearest(tmp_path: Path) -> None:
    objects().rename({"hs_email_direction": "email_directions"}).write_csv(tmp_path / "m.csv")
    with pytest.raises(MappingError, match=r"hs_email_direction; .*mean 'email_directions'"):
        read(tmp_path / "m.csv")
    (tmp_path / "two.csv").write_text("hs_timestamp,property_hs_timestamp\n1,2\n")
    with pytest.raises(MappingError, match="both mean 'at'"):
        read(tmp_path / "two.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.parquet", b"PAR1 no"), ("m.csv", b""), ("m.xlsx", b"PK\x03\x04"), ("m.doc", b"x")],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SenderScoreError, match=name):
        read(tmp_path / name)


def test_where_names_are_hidden_no_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects().write_parquet(tmp_path / "m.parquet")
    monkeypatch.setenv(HIDING, "1")
    with pytest.raises(ReadError, match="Names are hidden"):
        read(tmp_path / "m.parquet")


def test_no_address_is_kept(csv: Path) -> None:
    written = read(csv).accepted.drop("user_id").write_csv()
    assert BO not in written
    assert JO not in written


def test_a_reading_of_mail_is_a_reading(csv: Path, tmp_path: Path) -> None:
    reading = read(csv)
    reading.accepted.write_parquet(tmp_path / "e.parquet")
    account = open_account(tmp_path / "e.parquet")
    assert account.tallies["ended"].sum() == 1
    asked = Asked.of(str(csv), None, None, None)
    snapshot = Snapshot(reading, None, account.labels, {})
    (tmp_path / "kept").mkdir()
    save_snapshot(tmp_path / "kept", snapshot, asked)


def put(folder: Path, text: str) -> Path:
    path = folder / "people.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("owners", "id,email\n1,a@b.c\n1,d@e.f\n", "'1' is there twice"),
        ("owners", "id\n1\n", "column email"),
        ("owners", "id,ownerid,owner id,email\n1,2,3,a@b.c\n", "both mean"),
        ("owners", "id,email\n1,2,3\n", "people.csv:2"),
        ("aliases", "alias\na@b.c\n", "column address"),
        ("aliases", "alias,address\na@b.c,\n", "blank"),
        ("aliases", "alias,address\na@b.c,d@e.f\na@b.c,g@h.i\n", "two addresses"),
        ("aliases", "alias,address\na@b.c,d@e.f\nd@e.f,a@b.c\n", "back to itself"),
    ],
)
def test_mistakes_in_files_of_people(tmp_path: Path, kind: str, text: str, says: str) -> None:
    path = put(tmp_path, text)
    with pytest.raises(ReadError, match=says):
        read_people(**{"owners": None, "aliases": None, kind: path})


def test_aliases_of_aliases_lead_to_the_end() -> None:
    people = read_people(None, {"A@b.c": "d+x@e.f", "d@e.f": "g@h.i", "g@h.i": "g@h.i"})
    assert people.aliases == {"a@b.c": "g@h.i", "d@e.f": "g@h.i"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_the_command_writes_what_score_reads(csv: Path, tmp_path: Path) -> None:
    owners = put(tmp_path, f"id,userId,email,firstName\n901,7,{JO},Jo\n")
    options = ["--owners", str(owners), "--gap-days", "14", "--as-of", "2026-06-01T00:00Z"]
    for name in ("e.parquet", "e.csv"):
        target = tmp_path / name
        made = run("reconstruct", str(csv), "--timezone", ZONE, *options, "-o", str(target))
        assert made.exit_code == 0, made.output
        assert "4 mails read = 3 used + 0 ignored + 1 rejected" in made.output
        assert "1 enrollments of 1 senders in 1 sequences, all inferred." in made.output
        assert "1 ended by a reply in the thread" in made.output
        assert "Known faults" in made.output
        assert (tmp_path / "e.rejected.csv").read_text("utf-8-sig").startswith("file,line,reason")
        scored = json.loads(run("score", str(target), "--format", "json").stdout)
        assert [(r["user_label"], r["ended"], r["replied"]) for r in scored] == [("Jo", 1, 1)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "x.txt"], "ending of 'x.txt'"),
        (["-o", "x.parquet", "--gap-days", "-1"], "gap_days is -1"),
        (["-o", "x.parquet", "--as-of", "yesterday"], "not an instant"),
        (["-o", "x.parquet", "--as-of", "2026-01-01"], "with its offset"),
        (["-o", "x.parquet", "--timezone", "Europe/Berln"], "Did you mean 'Europe/Berlin'"),
        (["-o", "x.parquet", "--owners", "none.csv"], "none.csv"),
        (["-o", "no/such/x.parquet"], "Cannot be written"),
        ([], "output"),
    ],
)
def test_a_mistake_is_one_message(csv: Path, tmp_path: Path, arguments: list[str], says: str,
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    made = run("reconstruct", str(csv), "--timezone", ZONE, *arguments)
    assert made.exit_code == 2
    assert says in made.output
    assert "Traceback" not in made.output


def test_words_say_what_is_unknown(tmp_path: Path) -> None:
    objects(out("1", 0, status=None)).write_csv(tmp_path / "m.csv")
    said = describe_emails(read(tmp_path / "m.csv"))
    assert "replies are unknown" in said
    assert "bounces are unknown" in said
    assert "Without --owners" in said


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    rows = [
        out(name[:200] + str(i), i, sequence_id=name[:300], sender=f"{name}@us.example",
            owner_id=name[:100], at="no" + name)
        for i, name in enumerate(NAMES)
    ]  # fmt: skip
    objects(*rows, out("ok", 0, sequence_id=NAMES[3])).write_csv(tmp_path / "m.csv")
    made = run("reconstruct", str(tmp_path / "m.csv"), "--timezone", ZONE, "-o",
               str(tmp_path / "e.csv"))  # fmt: skip
    assert made.exit_code == 0
    assert f"{len(NAMES)} rejected" in made.output
    assert "\n=" not in (tmp_path / "e.csv").read_text().replace(",", "\n")
    assert "\x1b" not in made.output
    assert "\u202e" not in made.output


@pytest.mark.parametrize("headers", [("id", "name"), ("sequence_id", "sequence_name")])
def test_sequences_get_their_names(csv: Path, tmp_path: Path, headers: tuple[str, str]) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    names = pl.DataFrame(
        {"other": ["x", "y"], headers[0]: ["31", "99"], headers[1]: [hostile, "B"]}
    )
    names.write_csv(tmp_path / "names.csv")
    plain = read(csv).accepted
    for given in (names, tmp_path / "names.csv"):
        got = read(csv, sequences=given).accepted
        assert got.drop("sequence_name").equals(plain)
        assert set(got["sequence_name"]) == {hostile}
        assert got.columns.index("sequence_name") == got.columns.index("user_name") + 1
    other = names.with_columns(pl.Series(headers[0], ["98", "99"]))
    assert read(csv, sequences=other).accepted["sequence_name"].is_null().all()
    assert "sequence_name" not in read(csv, sequences=names.clear()).accepted.columns


def test_names_of_sequences_that_cannot_be_are_refused(csv: Path, tmp_path: Path) -> None:
    twice = pl.DataFrame({"id": ["31", "31"], "name": ["A", "B"]})
    with pytest.raises(ReadError, match="sequence '31' has two names"):
        read(csv, sequences=twice)
    assert read(csv, sequences=twice[[0, 0]]).accepted["sequence_name"][0] == "A"
    with pytest.raises(ReadError, match="need a column sequence_name"):
        read(csv, sequences=twice.drop("name"))
    with pytest.raises(ReadError, match="nothing-here"):
        read(csv, sequences=tmp_path / "nothing-here.csv")
