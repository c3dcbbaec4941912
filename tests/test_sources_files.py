"""Files of every form become tables: formats, encodings, delimiters, line numbers, bad files."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from senderscore_nb.errors import ReadError, SenderScoreError
from senderscore_nb.sources import Reading, read_enrollments
from senderscore_nb.sources.raw import find_files

HEADER = "enrollment_id,user_id,sequence_id,enrolled_on,ended_on,replied,bounced,segment"
ROWS = [
    "1001,7,31,2026-03-02,2026-03-09,true,false,Retail",
    "1002,7,31,2026-03-02,,false,false,Retail",
    "1003,8,32,2026-03-03,2026-03-04,no,yes,Öl & Gas",
    "1004,8,32,2026-03-04,2026-03-18,0,0,",
]
TEXT = "\n".join([HEADER, *ROWS]) + "\n"
HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "\u202egnitset",
    "a\x00b",
    "../../etc/passwd",
    "{{x}}",
    "x" * 10_000,
]


def put(folder: Path, content: str | bytes, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(folder: Path, content: str | bytes, name: str = "export.csv", **options: str) -> Reading:
    reading = read_enrollments(put(folder, content, name), **options)
    assert reading.accepted.height + reading.rejected.height == reading.read
    return reading


def xlsx(rows: list[list[object]]) -> bytes:
    """A workbook; days and times are real date cells."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        time = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                if isinstance(value, dt.date):
                    shape = time if isinstance(value, dt.datetime) else day
                    sheet.write_datetime(y, x, value, shape)
                else:
                    sheet.write(y, x, value)
    return buffer.getvalue()


@pytest.fixture
def plain(tmp_path: Path) -> pl.DataFrame:
    (tmp_path / "plain").mkdir()
    return read(tmp_path / "plain", TEXT).accepted


def test_own_headers_and_dates_need_neither_mapping_nor_zone(plain: pl.DataFrame) -> None:
    assert plain["enrollment_id"].to_list() == ["1001", "1002", "1003", "1004"]
    assert plain["replied"].to_list() == [True, False, False, False]
    assert plain["ended_on"].to_list()[:2] == [dt.date(2026, 3, 9), None]
    assert "enrolled_hour" not in plain.columns
    assert plain["enrolled_weekday"].to_list() == [1, 1, 2, 3]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_delimiters_and_line_ends(
    tmp_path: Path, plain: pl.DataFrame, encoding: str, delimiter: str, end: str
) -> None:
    text = TEXT.replace(",", delimiter).replace("\n", end)
    reading = read(tmp_path, text.encode(encoding))
    assert reading.accepted.equals(plain)
    (file,) = reading.files
    assert (file.encoding, file.delimiter, file.form) == (encoding, delimiter, "csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.TSV", "a.tsv.gz", "a.txt"])
def test_endings(tmp_path: Path, plain: pl.DataFrame, name: str) -> None:
    content = (TEXT.replace(",", "\t") if "ts" in name.lower() else TEXT).encode()
    content = gzip.compress(content) if name.endswith(".gz") else content
    assert read(tmp_path, content, name).accepted.equals(plain)


def test_xlsx_with_real_dates_and_numbers(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [],
        HEADER.split(","),
        [1001, 7.0, 31, dt.date(2026, 3, 2), dt.date(2026, 3, 9), True, 0, "Retail"],
        [],
        [1002, 7, 31, dt.date(2026, 3, 2), "", 2, "maybe", "=1+1"],
        [1003, 7, 31, "2026-03-05", "", 0, 0, "<script>"],
    ]
    reading = read(tmp_path, xlsx(rows), "a.xlsx")
    first = reading.accepted.row(0, named=True)
    assert (first["enrollment_id"], first["user_id"]) == ("1001", "7")
    assert (first["enrolled_on"], first["ended_on"]) == (dt.date(2026, 3, 2), dt.date(2026, 3, 9))
    assert first["replied"] is True
    assert reading.accepted["segment"].to_list() == ["Retail", "<script>"]
    assert reading.rejected.select("line", "reason").rows() == [
        (5, "bounced: expected true or false, or a count, found 'maybe'")
    ]


def test_xlsx_with_times_asks_for_the_zone(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        HEADER.split(","),
        ["1", "7", "31", dt.datetime(2026, 3, 2, 23, 30), "", 0, 0, ""],
        ["2", "7", "31", dt.datetime(2026, 3, 2), "", 0, 0, ""],
    ]
    with pytest.raises(ReadError, match="times of day"):
        read(tmp_path, xlsx(rows), "a.xlsx")
    reading = read(tmp_path, xlsx(rows), "a.xlsx", timezone="Europe/Berlin")
    assert reading.accepted["enrolled_on"].to_list() == [dt.date(2026, 3, 2)] * 2
    assert reading.accepted["enrolled_hour"].to_list() == [23, 0]


def test_parquet_keeps_types_and_brings_instants_to_the_zone(tmp_path: Path) -> None:
    late = dt.datetime(2026, 3, 2, 23, 30, tzinfo=dt.UTC)
    frame = pl.DataFrame(
        {
            "enrollment_id": [1001.0, None, 1003.0],
            "user_id": pl.Series([7, 7, 8]),
            "sequence_id": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "enrolled_on": [late, late, late],
            "ended_on": pl.Series([None, None, dt.date(2026, 4, 1)], dtype=pl.Date),
            "replied": [1.0, 0.0, float("nan")],
            "bounced": [False, None, True],
            "what": [[1], [2], None],
            "bytes": [b"\xff", b"a", None],
        }
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    reading = read(tmp_path, buffer.getvalue(), "a.parquet", timezone="Asia/Tokyo")
    assert reading.accepted["enrollment_id"].to_list() == ["1001", "1003"]
    assert reading.accepted["enrolled_on"].to_list() == [dt.date(2026, 3, 3)] * 2
    assert reading.accepted["enrolled_hour"].to_list() == [8, 8]
    assert reading.accepted["replied"].to_list() == [True, None]
    assert reading.rejected.select("line", "reason").rows() == [(2, "enrollment_id: is blank")]
    assert '"what":"' in reading.rejected["row"][0]


def test_folder_glob_and_list_read_each_file_once(tmp_path: Path, plain: pl.DataFrame) -> None:
    other = TEXT.replace("100", "200")
    put(tmp_path, other, "b.csv")
    put(tmp_path, TEXT, "a.csv")
    for name in ("roster.csv", "a.rejected.csv", "README.md", ".hidden.csv"):
        put(tmp_path, "nothing of ours", name)
    for paths in (
        tmp_path,
        str(tmp_path),
        f"{tmp_path}/*.csv",
        [tmp_path / "a.csv", tmp_path, tmp_path / "." / "a.csv"],
    ):
        reading = read_enrollments(paths)
        assert [file.name for file in reading.files] == ["a.csv", "b.csv"]
        assert reading.accepted.height == 8


@pytest.mark.parametrize("item", ["nothing-*.csv", "missing.csv", "x" * 5000, "a\x00b"])
def test_nothing_found_says_what_was_looked_for(tmp_path: Path, item: str) -> None:
    with pytest.raises(ReadError, match="Nothing to read was found"):
        find_files(f"{tmp_path}/{item}")
    with pytest.raises(ReadError, match="No file was given"):
        find_files([])


def test_header_only_is_no_error(tmp_path: Path) -> None:
    reading = read(tmp_path, HEADER + "\r\n\r\n")
    assert (reading.read, reading.accepted.height) == (0, 0)
    assert reading.accepted.schema["enrolled_on"] == pl.Date
    assert read(tmp_path, xlsx([HEADER.split(",")]), "a.xlsx").read == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b" \n\n", "empty"),
        ("a.csv", bytes(range(256)) * 20 + bytes(3000), "not a text file"),
        ("a.csv", b"PK\x03\x04 a workbook", "not a text file"),
        ("a.csv", b'"enrollment_id\n1', "stray quote"),
        ("a.csv", b"\xff\xfea", "not utf-16"),
        ("a.csv", b"x" * 200_000, "No header was found"),
        ("a.csv.gz", b"not gzip", "gzip"),
        ("a.csv.gz", gzip.compress(TEXT.encode())[:-9], "gzip"),
        ("a.xlsx", b"not a workbook", "xlsx"),
        ("a.xlsx", xlsx([]), "empty"),
        ("a.parquet", b"PAR1 not parquet PAR1", "parquet"),
        ("a.pdf", b"%PDF", "cannot be read"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(SenderScoreError, match=said) as caught:
        read(tmp_path, content, name)
    assert name in str(caught.value)


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "",
            HEADER,
            '1,7,31,2026-03-02,,0,0,"two\nlines"',
            "",
            ",,,,,,,",
            "2,7,31,2026-03-02,,0,0,x,extra,more",
            "3,7,31,2026-03-02",
            '4,7,31,"2026-03-02"x,,0,0,',
            '5,7,31,2026-03-02,,0,0,"open',
            "6,7,31,2026-03-02,,0,0,fine",
            "7,7,31,yesterday,,0,0,",
        ]
    )
    reading = read(tmp_path, text)
    assert reading.accepted["enrollment_id"].to_list() == ["1", "6"]
    assert reading.accepted["segment"].to_list() == ["two\nlines", "fine"]
    assert reading.rejected["line"].to_list() == [7, 8, 9, 10, 12]
    assert reading.rejected["reason"].str.extract(r"^(\w+)").to_list() == [
        "fields",
        "fields",
        "quotes",
        "quotes",
        "enrolled_on",
    ]
    assert '"field 10": "more"' in reading.rejected["row"][0]
    assert "open" in reading.rejected["row"][3]


def test_duplicate_headers(tmp_path: Path) -> None:
    with pytest.raises(SenderScoreError, match="both mean 'user_id'"):
        read(tmp_path, TEXT.replace("segment", "User_ID", 1))
    reading = read(tmp_path, HEADER.replace("segment", "what,what") + "\n,7,31,,,,,first,second\n")
    assert '"what (2)":"second"' in reading.rejected["row"][0]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_contents_are_text(tmp_path: Path, text: str) -> None:
    quoted = '"' + text.replace('"', '""') + '"'
    body = f"{HEADER},{quoted}\n{quoted},{quoted},31,2026-03-02,,0,0,{quoted},1\n"
    reading = read(tmp_path, body + f"2,7,31,{quoted},,{quoted},0,,1\n")
    assert reading.accepted.select("enrollment_id", "user_id", "segment").row(0) == (text,) * 3
    reason = reading.rejected["reason"][0]
    assert len(reason) < 500
    assert reason.isprintable()
    assert set(reading.files[0].unmapped) == {text}
