"""Mappings: presets, a user's own TOML, which one fits a file, and what is wrong with one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import polars as pl
import pytest

from senderscore_nb.errors import MappingError
from senderscore_nb.sources import Mapping, load_mapping, mapping_names, read_enrollments
from senderscore_nb.sources.choosing import choose_mapping
from senderscore_nb.sources.forms import fold
from senderscore_nb.sources.mapping import parse_mapping
from tests.conftest import ROOT
from tests.test_sources_files import HEADER, HOSTILE, ROWS, put, read

OWN = """
name = "ours"
extends = "canonical"
decimal = ","
blank_is_false = ["replied"]
[columns]
user_id = ["Owner", "User ID"]
region = "Sales region"
deal_size = "Size"
seen = ["Seen on"]
[types]
deal_size = "number"
seen = "date"
[dates]
day_first = true
[words]
true = ["oui"]
false = ["non"]
[words.end_reason]
"a répondu" = "reply"
"""


def test_presets() -> None:
    hubspot, others = (
        ("hubspot-en", "hubspot-sv"),
        ("instantly", "outreach", "salesloft", "smartlead"),
    )
    assert mapping_names() == ("apollo", *hubspot, *others)
    for name in ("canonical", *mapping_names()):
        mapping = load_mapping(name)
        assert mapping.name == name
        assert load_mapping(mapping) is mapping


def test_own_mapping_types_factors_and_words(tmp_path: Path) -> None:
    path = put(tmp_path, "\ufeff" + OWN, "ours.toml")
    text = (
        "Enrollment_ID;  OWNER ;sequence_id;enrolled_on;ended_on;replied;bounced;SALES  Region;"
        "Size;Seen on;end_reason;Another\n"
        "1;7;3;4/3/2026;5/3/2026;;non;Nord;1,5;1.2.2026;A RÉPONDU;x\n"
        "2;7;3;4/3/2026;;oui;maybe;Nord;1.5;;;x\n"
    )
    reading = read(tmp_path, text, mapping=str(path))
    assert (
        reading.accepted.drop("enrolled_weekday").row(0, named=True).items()
        >= {
            "user_id": "7",
            "replied": False,
            "bounced": False,
            "region": "Nord",
            "deal_size": 1.5,
            "end_reason": "reply",
        }.items()
    )
    assert reading.accepted.schema["seen"] == pl.Date
    assert reading.rejected["reason"].to_list() == [
        "bounced: expected true or false, or a count, found 'maybe'; "
        "deal_size (Size): expected a number, found '1.5'"
    ]
    (file,) = reading.files
    assert (file.mapping, file.decimal, file.delimiter) == ("ours", ",", ";")
    assert file.mapped["OWNER"] == "user_id"
    assert file.unmapped == {"Another": ""}


def test_headers_are_found_whatever_their_case_and_space() -> None:
    headers = [" enrollment  ID", "ENROLLED BY ID", "Sequence\u00a0ID", "\ufeffEnrolled at"]
    headers += [
        "hs_ended_at",
        "Emails replied",
        "Emails  Bounced",
        "Emails sent",
        "Kontaktka\u0308lla",
    ]
    mapped = choose_mapping(headers, None, where="f.csv")
    assert mapped.mapping.name == "hubspot-en"
    assert [mapped.places[c] for c in ("enrollment_id", "user_id", "sequence_id")] == [0, 1, 2]
    assert set(mapped.unmapped) == set(headers[7:])
    assert fold("Kontaktka\u0308lla") == fold("KONTAKTKÄLLA")


def test_a_near_name_is_offered() -> None:
    mapped = choose_mapping([*HEADER.split(","), "conact_id", "zzz"], None, where="f.csv")
    assert mapped.unmapped == {"conact_id": "contact_id", "zzz": ""}
    headers = HEADER.replace("user_id", "user id.").split(",")
    with pytest.raises(MappingError, match=r"f\.csv: No header.* user_id \(perhaps 'user id\.'\)"):
        choose_mapping(headers, None, where="f.csv")


@pytest.mark.parametrize("header", [*HOSTILE, "user'id", 'user"i\\d'])
def test_hostile_headers_are_named_and_nothing_more(header: str) -> None:
    with pytest.raises(MappingError, match="No header was found for user_id") as caught:
        choose_mapping(
            HEADER.replace("user_id", "\0").replace("\0", header).split(","), None, where="f"
        )
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()
    mapping = Mapping(name=header, columns={"user_id": (header, "u")})
    with pytest.raises(MappingError, match="both mean 'user_id'"):
        choose_mapping([header, "u"], mapping, where="f")


def test_a_preset_that_two_headers_confuse_does_not_stop_another() -> None:
    headers = [*HEADER.split(","), "User name", "Enrolled by"]
    assert choose_mapping(headers, None, where="f").mapping.name == "canonical"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", r"m\.toml: Not valid TOML"),
        ("name='x'", "columns: Field required"),
        ("[columns]", "name: Field required"),
        ("name='x'\ncolums={}", "colums: this key is unknown. Did you mean 'columns'"),
        ("name='x'\n[columns]\n[dates]\nday_frist=true", "dates.day_frist: this.*'day_first'"),
        ("name='x'\n[columns]\nuser_id=[]", "columns.user_id: "),
        ("name='x'\n[columns]\nuser_id=3", "columns.user_id: "),
        ("name='x'\n[columns]\n'__file'='a'", "'__file' is not a name"),
        ("name='x'\n[columns]\n'a b'='a'", "'a b' is not a name"),
        ("name='x'\n[columns]\na='Q'\nb=' q '", "' q ' means both 'a' and 'b'"),
        ("name='x'\n[columns]\n[types]\na='text'", "types: 'a' is not a factor"),
        ("name='x'\n[columns]\n[types]\nopened='text'", "types: 'opened' is not a factor"),
        ("name='x'\nblank_is_false=['segment']\n[columns]", "'segment' is not true or false"),
        ("name='x'\n[columns]\n[words.state]\nFoo='EXECUTNG'", "Did you mean 'EXECUTING'"),
        ("name='x'\n[columns]\n[words]\ntrue='x'\nfalse='X'", "'x' is both true and false"),
        ("name='x'\nextends='hubspot-de'\n[columns]", r"m\.toml: extends: .*Did you mean 'hubspot"),
        ("name='x'\ndecimal='auto '\n[columns]", "decimal: "),
    ],
)
def test_an_invalid_mapping_names_file_and_key(text: str, said: str) -> None:
    with pytest.raises(MappingError, match=said) as caught:
        parse_mapping(text, where="m.toml")
    assert str(caught.value).startswith("m.toml: ")


@pytest.mark.parametrize("name", ["ended", "day", "team", "meetings"])
def test_a_factor_cannot_have_the_name_of_a_count(name: str) -> None:
    mapping = parse_mapping(f"name='x'\nextends='canonical'\n[columns]\n{name}='Z'", where="m")
    with pytest.raises(MappingError, match=f"f: columns: '{name}' cannot be a factor's name"):
        choose_mapping([*HEADER.split(","), "z"], mapping, where="f")


@pytest.mark.parametrize("name", ["hubspot-e", "x" * 5000, "../../etc/x", "a\x00b"])
def test_no_such_mapping(name: str) -> None:
    with pytest.raises(MappingError, match="There is no mapping named") as caught:
        load_mapping(name)
    assert len(str(caught.value)) < 400


def test_a_mapping_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", put(tmp_path, b"\xff", "bad.toml"), tmp_path):
        with pytest.raises(MappingError):
            load_mapping(path)


def test_the_example_of_the_manual_runs(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "mapping.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(toml|csv)\n(.*?)```", manual, flags=re.DOTALL))
    mapping = put(tmp_path, blocks["toml"], "ours.toml")
    export = put(tmp_path, blocks["csv"], "export.csv")
    reading = read_enrollments(export, mapping=mapping, timezone="Europe/Paris")
    assert reading.rejected.is_empty()
    assert reading.accepted.height == blocks["csv"].strip().count("\n")
    assert reading.accepted["replied"].to_list() == [True, False]
    assert reading.accepted["region"].to_list() == ["Nord", "Sud"]
    (short,) = re.findall(r"(?:^    .+\n)+", manual, flags=re.MULTILINE)
    extended = parse_mapping(textwrap.dedent(short), where="docs")
    assert extended.columns == load_mapping("hubspot-en").columns
    assert extended.dates.day_first is True
    keys = {*Mapping.model_fields, "extends"}
    assert keys == set(re.findall(r"^\| `(?:\[?)(\w+)", manual, flags=re.MULTILINE)) & keys


def test_rows_of_the_other_tests_are_whole() -> None:
    assert {row.count(",") for row in ROWS} == {HEADER.count(",")}
