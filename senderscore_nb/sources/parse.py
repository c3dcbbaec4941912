"""Columns of text → columns of the contract's types, with the values that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from senderscore_nb.safe import shown
from senderscore_nb.sources.forms import CODE, word
from senderscore_nb.sources.mapping import Words

_NUMBER = {".": r"^[+-]?\d+(\.\d+)?$", ",": r"^[+-]?\d+(,\d+)?$"}
_LONGEST = 80


@dataclass(frozen=True)
class Parsed:
    """A column with the type that it should have.

    Attributes:
        values: Null where blank or bad.
        bad: Where there is something that does not fit.
        expected: What would have fitted.
        instants: For dates: the local time of day where there was one, else None.
    """

    values: pl.Series
    bad: pl.Series
    expected: str
    instants: pl.Series | None = None


def clean(values: pl.Series) -> pl.Series:
    """Text without surrounding space; null where nothing is left.

    Whole numbers that a typed file keeps as floats are written as whole: an id stays `1001`.
    """
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        is_whole = (whole.cast(values.dtype) == values).fill_null(value=False)
        return whole.cast(pl.String).zip_with(is_whole, values.cast(pl.String))
    text = values.cast(pl.String).str.strip_chars(" \t\r\n\u00a0\u2009\u202f")
    return text.set(text == "", None)


def parse_text(values: pl.Series) -> Parsed:
    """Text, as it is."""
    text = clean(values)
    return Parsed(text, _no(text), "text")


def parse_number(values: pl.Series, decimal: str, dtype: pl.DataType) -> Parsed:
    """Numbers; whole ones where the type is an integer."""
    if values.dtype.is_numeric() or values.dtype == pl.Boolean:
        number = values.cast(pl.Float64)
        text = number.cast(pl.String)
    else:
        text = clean(values)
        number = _plain(text, decimal).cast(pl.Float64, strict=False)
    expected = "a number"
    bad = text.is_not_null() & (number.is_null() | ~number.is_finite().fill_null(value=True))
    if dtype == pl.Int64:
        expected = "a whole number"
        off = (number != number.round()) | (number.abs() > 2**53)
        bad = bad | off.fill_null(value=False)
        number = number.set(bad, None).cast(pl.Int64, strict=False)
    return Parsed(number.set(bad, None), bad, expected)


def parse_rates(text: pl.Series, *, percent: bool) -> tuple[pl.Series, pl.Series]:
    """Fractions, and half of the last digit that they are written with.

    Without a percent sign, here or in the header, 1 could be 1 % or all, so it has to be below.
    """
    t = pl.col("t").str.replace(",", ".", literal=True)
    frame = (
        clean(text)
        .to_frame("t")
        .select(
            number=t.str.extract(r"^(\d{1,3}(?:\.\d{1,17})?)\s*%?$").cast(pl.Float64),
            digits=t.str.extract(r"\.(\d+)").str.len_bytes().fill_null(0).cast(pl.Int32),
            percent=t.str.ends_with("%") | percent,
        )
    )
    scale = pl.when("percent").then(100.0).otherwise(1.0)
    rate = pl.col("number") / scale
    half = pl.lit(0.5) * pl.lit(10.0).pow(-pl.col("digits")) / scale
    possible = pl.when("percent").then(rate <= 1).otherwise(rate < 1)
    result = frame.select(rate=pl.when(possible).then(rate), half=half)
    return result["rate"], result["half"]


def parse_boolean(values: pl.Series, words: Words, decimal: str, *, blank_is_false: bool) -> Parsed:
    """Words for yes and no, or counts: 0 is no, more is yes."""
    if values.dtype == pl.Boolean:
        result = values
        text = None
    else:
        text = clean(values)
        folded = text.str.to_lowercase()
        number = _plain(text, decimal).cast(pl.Float64, strict=False)
        frame = pl.DataFrame({"w": folded, "n": number})
        result = frame.select(
            pl.when(pl.col("w").is_in([w.lower() for w in words.true]))
            .then(pl.lit(value=True))
            .when(pl.col("w").is_in([w.lower() for w in words.false]))
            .then(pl.lit(value=False))
            .when(pl.col("n") >= 0)
            .then(pl.col("n") > 0)
        ).to_series()
    bad = result.is_null() & text.is_not_null() if text is not None else _no(result)
    if blank_is_false:
        result = result.fill_null(value=False)
    return Parsed(result.set(bad, None), bad, "true or false, or a count")


def parse_enum(values: pl.Series, words: dict[str, str], known: Sequence[str]) -> Parsed:
    """A word of a fixed list, through the mapping's own words."""
    text = clean(values)
    table = {word(k): k for k in known} | {word(k): v for k, v in words.items()}
    folded = text.str.normalize("NFC").str.to_uppercase().str.replace_all(r"[\s_\-]+", "_")
    code = text.str.extract(CODE, 1)
    folded = code.zip_with(code.is_not_null(), folded)
    result = folded.replace_strict(table, default=None, return_dtype=pl.String)
    bad = text.is_not_null() & result.is_null()
    more = ", …" if len(known) > 4 else ""
    return Parsed(result, bad, f"one of {', '.join(known[:4])}{more}")


def shorten(value: str) -> str:
    """A value as an error shows it."""
    return shown(value, most=_LONGEST)


def _no(values: pl.Series) -> pl.Series:
    return pl.repeat(value=False, n=len(values), eager=True, dtype=pl.Boolean)


def _plain(text: pl.Series, decimal: str) -> pl.Series:
    """Texts that are numbers with this decimal mark, with a point; null for all others."""
    numbers = pl.when(pl.col("p").str.contains(_NUMBER[decimal])).then("p")
    return (
        text.alias("p").to_frame().select(numbers.str.replace(",", ".", literal=True)).to_series()
    )
