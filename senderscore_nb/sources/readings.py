"""What somebody read off the vendor's own report: rates, and the band or the gauge beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from senderscore_nb.errors import MappingError, PolicyError, ReadError, did_you_mean
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.safe import shown_series
from senderscore_nb.sources.delimited import Table, broken_rows, unique
from senderscore_nb.sources.forms import fold
from senderscore_nb.sources.mapping import Mapping as Headers
from senderscore_nb.sources.mapping import load_mapping
from senderscore_nb.sources.parse import clean, parse_number, parse_rates, shorten
from senderscore_nb.sources.possible import possible_rates
from senderscore_nb.sources.raw import read_raw
from senderscore_nb.sources.reading import REJECTED, Reading, SourceFile

RateUnit = Literal["percent", "fraction"]

READINGS = pl.Schema(
    {
        "line": pl.Int64(),
        "user": pl.String(),
        "ended": pl.Int64(),
        "reply_rate": pl.Float64(),
        "reply_rate_low": pl.Float64(),
        "reply_rate_high": pl.Float64(),
        "bounce_rate": pl.Float64(),
        "bounce_rate_low": pl.Float64(),
        "bounce_rate_high": pl.Float64(),
        "band": pl.String(),
        "value": pl.Float64(),
        "value_low": pl.Float64(),
        "value_high": pl.Float64(),
    }
)
"""A reading: the rates as printed and between which limits the true ones lie (fractions 0–1), the
band and the gauge's value, each null where it was not read."""

_HEADERS = Headers(
    name="readings",
    columns={
        "user": ("User", "User ID", "User name", "Sender", "Name", "Enrolled by"),
        "ended": ("Total ended sequences", "Ended sequences", "Total ended"),
        "reply_rate": ("Reply rate", "Reply rate %", "Reply rate (%)"),
        "bounce_rate": ("Bounce rate", "Bounce rate %", "Bounce rate (%)"),
        "replied": ("Replies", "Replied"),
        "bounced": ("Bounces", "Bounced"),
        "band": ("Band", "Rating", "Level"),
        "value": ("Value", "Gauge", "Gauge value", "Score", "Sender score"),
    },
)
_TYPED = "typed readings"


@dataclass(frozen=True)
class _Rules:
    """How a table of readings is to be understood."""

    bands: tuple[str, ...]
    most: float
    denominator: str
    rates: RateUnit | None


@dataclass(frozen=True)
class _Text:
    """One column as it stands in the table."""

    values: pl.Series
    percent: bool


def read_readings(
    path: str | Path,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    bands: Sequence[str] | None = None,
    most: float | None = None,
    rates: RateUnit | None = None,
    mapping: str | Path | Headers | None = None,
) -> Reading:
    """Read what was read off the vendor's report, one row a sender.

    Columns: `user`, `ended`, `reply_rate` or `replied`, `bounce_rate` or `bounced`, and `band`,
    `value` or both. A rate is written `7.1 %` or `7,1%`; a bare `7.1` or `0.071` is refused unless
    the header has a `%` or `rates` says which it is.

    A printed rate is rounded, so the true one is only known to lie between limits: those that a
    whole number out of `ended` can give. Without `ended` they are half of the last digit away.

    Args:
        path: CSV, TSV, XLSX or Parquet.
        policy: Its bands' names, its highest score and its reply denominator are the report's.
        bands: The report's bands from the lowest to the highest, instead of the policy's.
        most: The gauge's highest value, instead of the policy's.
        rates: What bare numbers are: `percent` (7.1) or `fraction` (0.071).
        mapping: Labels of other headers; a preset or a TOML file.

    Returns:
        A `Reading` whose `accepted` rows are `READINGS`, in the order of the file.

    Raises:
        ReadError: Not readable.
        MappingError: A needed column has no header.
        PolicyError: The policy or the bands are invalid.
    """
    raw = read_raw(Path(path))
    chosen = load_mapping(mapping) if mapping is not None else _HEADERS
    rows, mapped = _understood(raw, chosen, _rules(policy, bands, most, rates), str(path))
    file = SourceFile.of(raw, str(path), chosen.name, mapped)
    return _parted(rows, raw, file)


def typed_readings(
    rows: pl.DataFrame | Iterable[Mapping[str, Any]],
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    bands: Sequence[str] | None = None,
    most: float | None = None,
    rates: RateUnit | None = None,
) -> Reading:
    """Readings that are typed in a notebook, under the rules of `read_readings`.

    >>> typed = typed_readings([{"user": "Ann", "ended": 480, "reply_rate": "7.1 %",
    ...                          "bounce_rate": "2,9 %", "band": "Good"}])
    >>> row = typed.accepted.row(0, named=True)
    >>> row["band"], round(row["bounce_rate_low"], 4), row["value"]
    ('Good', 0.0292, None)

    Raises:
        ReadError: There is no row, or a row is no mapping of columns to values.
        MappingError: A needed column has no header.
        PolicyError: The policy or the bands are invalid.
    """
    try:
        given = rows if isinstance(rows, pl.DataFrame) else _framed(list(rows))
    except (TypeError, ValueError, AttributeError) as error:
        raise ReadError(f"Not a list of rows ({shorten(str(error))}).", where=_TYPED) from None
    if given.width == 0:
        raise ReadError("There is no row.", where=_TYPED)
    frame = given.select(
        pl.col(name).cast(pl.String).alias(str(i)) for i, name in enumerate(given.columns)
    )
    lines = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)
    table = Table(tuple(given.columns), frame, lines, broken_rows([]))
    understood, mapped = _understood(table, _HEADERS, _rules(policy, bands, most, rates), _TYPED)
    content = frame.write_csv().encode()
    file = SourceFile(
        path=_TYPED,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        rows=frame.height,
        form="typed",
        encoding=None,
        delimiter=None,
        decimal=".",
        mapping=_HEADERS.name,
        mapped=mapped,
        unmapped={h: "" for h in table.headers if h not in mapped},
    )
    return _parted(understood, table, file)


def _framed(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    return pl.DataFrame(
        [[None if row.get(name) is None else str(row[name]) for name in names] for row in rows],
        schema=dict.fromkeys(names, pl.String),
        orient="row",
    )


def _rules(
    policy: ScoringPolicy | str,
    bands: Sequence[str] | None,
    most: float | None,
    rates: RateUnit | None,
) -> _Rules:
    policy = load_policy(policy)
    names = tuple(name.strip() for name in bands) if bands is not None else policy.band_names
    folded = [fold(name) for name in names]
    if not names or "" in folded or len(set(folded)) < len(folded):
        raise PolicyError(
            "Bands must have different names, from the lowest to the highest.", where="bands"
        )
    if rates not in (None, "percent", "fraction"):
        raise ReadError(f"rates: expected percent or fraction, found {shorten(str(rates))!r}.")
    highest = policy.most if most is None else most
    return _Rules(names, highest, policy.counting.reply_denominator, rates)


def _understood(
    raw: Table, mapping: Headers, rules: _Rules, where: str
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Every row as `READINGS` with `reason`, null where it fits; header → column."""
    try:
        places = mapping.find(raw.headers)
    except MappingError as error:
        raise MappingError(error.found, where=where, hint=error.hint) from None
    needed = ("user",), ("replied", "reply_rate"), ("bounced", "bounce_rate"), ("band", "value")
    for options in needed:
        if not any(name in places for name in options):
            near = did_you_mean(options[-1], [shorten(h) for h in raw.headers])
            raise MappingError(
                f"No header was found for {' or '.join(options)}.", where=where, hint=near
            )
    texts = {name: _Text(raw.frame[str(i)], "%" in raw.headers[i]) for name, i in places.items()}
    columns, reasons = _columns(texts, rules)
    frame = pl.DataFrame({"line": raw.lines, **columns}).with_columns(
        pl.DataFrame(reasons).select(reason=pl.coalesce(pl.all())).to_series()
    )
    frame = possible_rates(frame, rules.denominator)
    return frame, {raw.headers[i]: name for name, i in places.items()}


def _columns(
    texts: Mapping[str, _Text], rules: _Rules
) -> tuple[dict[str, pl.Series], list[pl.Series]]:
    height = len(next(iter(texts.values())).values)
    nothing = pl.repeat(None, height, dtype=pl.String, eager=True)
    columns: dict[str, pl.Series] = {}
    reasons: list[pl.Series] = []

    def refuse(bad: pl.Series, said: str, text: pl.Series) -> None:
        frame = pl.DataFrame({"bad": bad, "t": shown_series(text.fill_null(""))})
        found = pl.concat_str(pl.lit(f"{said}, found '"), "t", pl.lit("'"))
        reasons.append(
            frame.select(pl.when("bad").then(found)).to_series().alias(f"r{len(reasons)}")
        )

    def text_of(name: str) -> pl.Series:
        return clean(texts[name].values) if name in texts else nothing

    columns["user"] = text_of("user")
    refuse(columns["user"].is_null(), "user: expected a name or an id", columns["user"])
    for name in ("ended", "replied", "bounced"):
        parsed = parse_number(text_of(name), ".", pl.Int64())
        bad = parsed.bad | (parsed.values < 0).fill_null(value=False)
        if name == "ended":
            bad = bad | (parsed.values == 0).fill_null(value=False)
        refuse(bad, f"{name}: expected a whole number", text_of(name))
        columns[name] = parsed.values.set(bad, None)
    for name, count in (("reply_rate", "replied"), ("bounce_rate", "bounced")):
        text = text_of(name)
        percent = rules.rates == "percent" or (name in texts and texts[name].percent)
        rate, half = parse_rates(text, percent=percent)
        bare = ~text.str.ends_with("%") & (not (percent or rules.rates))
        said = "a bare number is ambiguous; write 7.1 %, or say that rates are percent or fraction"
        refuse(bare.fill_null(value=False), f"{name}: {said}", text)
        refuse(rate.is_null() & text.is_not_null(), f"{name}: expected a rate such as 7.1 %", text)
        neither = text.is_null() & columns[count].is_null()
        refuse(neither, f"{name}: expected a rate such as 7.1 %", text)
        columns |= {name: rate, f"{name}_half": half.set(rate.is_null(), None)}
    _shown(columns, refuse, text_of("band"), text_of("value"), rules)
    return columns, reasons


def _shown(columns: dict[str, pl.Series], refuse: Any, band: pl.Series, value: pl.Series,
           rules: _Rules) -> None:  # fmt: skip
    """The band and the gauge's value, with the limits that its rounding leaves."""
    known = {fold(name): name for name in rules.bands}
    folded = pl.Series([None if b is None else fold(b) for b in band], dtype=pl.String)
    columns["band"] = folded.replace_strict(known, default=None, return_dtype=pl.String)
    names = ", ".join(shorten(name) for name in rules.bands)
    refuse(columns["band"].is_null() & band.is_not_null(), f"band: expected one of {names}", band)
    parsed = parse_number(value.str.replace(",", ".", literal=True), ".", pl.Float64())
    outside = ~parsed.values.is_between(0, rules.most).fill_null(value=True)
    bad = parsed.bad | outside
    refuse(bad, f"value: expected a number from 0 to {rules.most:g}", value)
    digits = value.str.extract(r"[.,](\d+)$").str.len_bytes().fill_null(0)
    half = pl.Series([0.5 * 10.0 ** -min(n, 12) for n in digits], dtype=pl.Float64)
    number = parsed.values.set(bad, None)
    columns["value"] = number
    columns["value_low"] = (number - half).clip(0.0, rules.most)
    columns["value_high"] = (number + half).clip(0.0, rules.most)
    refuse(band.is_null() & value.is_null(), "band: expected a band or a gauge value", band)


def _parted(rows: pl.DataFrame, raw: Table, file: SourceFile) -> Reading:
    texts = raw.frame.select(
        pl.col(str(i)).cast(pl.String).alias(name) for i, name in enumerate(unique(raw.headers))
    )
    rows = rows.with_columns(
        texts.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("row"),
        file=pl.lit(file.path),
    )
    accepted = rows.filter(pl.col("reason").is_null()).select(list(READINGS)).cast(READINGS)
    broken = raw.broken.with_columns(file=pl.lit(file.path)).select(list(REJECTED))
    bad = rows.filter(pl.col("reason").is_not_null()).select(list(REJECTED))
    return Reading(accepted, pl.concat([bad, broken]), (file,))
