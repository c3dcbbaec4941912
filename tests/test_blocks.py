"""Blocks: every text escaped once, numbers as people read them."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest

from senderscore_nb.reports import blocks
from senderscore_nb.reports.blocks import Column, Prose, Summary, Table, plain
from senderscore_nb.reports.clean import clean_html

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\"'&"


def test_text_is_escaped_in_every_place():
    frame = pl.DataFrame({"a": [HOSTILE], "b": [HOSTILE]})
    table = Table(frame, [Column("a", HOSTILE), Column("b", "b")], HOSTILE)
    for html in (
        table._repr_html_(),
        Prose([HOSTILE])._repr_html_(),
        Prose([HOSTILE], listed=True)._repr_html_(),
    ):
        assert "<script" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html
        cleaned = clean_html(html)
        assert "<script" not in cleaned
        assert cleaned.count("&lt;script&gt;") == html.count("&lt;script&gt;")


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [
        (blocks.percent, 0.0712, "7.1\u00a0%"),
        (blocks.percent, None, "–"),
        (blocks.percent, float("nan"), "–"),
        (blocks.points, 70.04, "70.0"),
        (blocks.signed, -3.14, "−3.1"),
        (blocks.signed, 3.14, "+3.1"),
        (blocks.signed_percentage_points, -0.0123, "−1.2\u00a0pp"),
        (blocks.count, 1234567, "1\u2009234\u2009567"),
        (blocks.day, dt.date(2026, 3, 2), "2 Mar 2026"),
        (blocks.day, None, "–"),
        (blocks.text, None, "–"),
    ],
)
def test_numbers_read_as_people_read_them(form, value, shown):
    assert form(value) == shown


def test_an_empty_table_says_so():
    assert (
        "Nobody" in Table(pl.DataFrame({"a": []}), [Column("a", "a")], empty="Nobody")._repr_html_()
    )


def test_a_summary_is_plain_json():
    frame = pl.DataFrame({"d": [dt.date(2026, 3, 2)], "x": [float("inf")], "n": [None]})
    data = plain({"frame": frame, "list": (1, float("nan")), "day": dt.date(2026, 1, 1)})
    assert data == {
        "frame": [{"d": "2026-03-02", "x": None, "n": None}],
        "list": [1, None],
        "day": "2026-01-01",
    }
    assert (
        json.loads(
            json.dumps(Summary(data)._repr_mimebundle_()[blocks.SUMMARY_MIME], allow_nan=False)
        )
        == data
    )


@pytest.mark.parametrize(
    "html",
    [
        '<a href="javascript:alert(1)">x</a>',
        "<svg onload=alert(1)><p>x</p></svg>",
        '<p style="background:url(//evil)">x</p>',
        "<iframe src=//evil></iframe>x",
        "<style>@import '//evil'</style>x",
        "<!-- <script> -->x",
        "<form action=//evil><input></form>x",
    ],
)
def test_html_is_cut_down_to_harmless_elements(html):
    cleaned = clean_html(html)
    assert "x" in cleaned
    for bad in (
        "javascript:",
        "onload=",
        "style=",
        "<iframe",
        "<style",
        "<!--",
        "<form",
        "<svg",
        "<input",
    ):
        assert bad not in cleaned
