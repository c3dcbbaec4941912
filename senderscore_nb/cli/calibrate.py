"""The command that fits a policy to what was read off the vendor's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import FAILED, options, policy_option, say
from senderscore_nb.errors import PolicyError, ReadError, SenderScoreError

if TYPE_CHECKING:
    import polars as pl

    from senderscore_nb.experiment.calibrate import Calibration
    from senderscore_nb.experiment.calibrate_assumptions import Assumptions
    from senderscore_nb.sources import Reading

_SHOWN = 20

_reading = options(
    click.argument("readings", metavar="READINGS"),
    click.argument("data", nargs=-1),
    click.option("--rates", type=click.Choice(["percent", "fraction"]),
                 help="What bare numbers of READINGS are; refused unless given."),
    click.option("--headers", metavar="NAME|FILE", help="A mapping for the headers of READINGS."),
    click.option("--bands", metavar="NAMES", help="The report's bands from the lowest on, with "
                 "commas; the policy's unless given."),
    click.option("--mapping", metavar="NAME|FILE", help="A mapping for the headers of DATA."),
    click.option("--timezone", metavar="ZONE", help="DATA's time zone, as Europe/Berlin."),
    click.option("--roster", metavar="FILE", help="Users, teams, paid seats of DATA."),
    click.option("--start", metavar="DAY", help="First day of DATA to choose the next reading by."),
    click.option("--end", metavar="DAY", help="Last day."),
)  # fmt: skip
_assuming = options(
    click.option("--most", type=float, default=100.0, show_default=True,
                 help="The highest score there is."),
    click.option("--reply-most", metavar="POINTS|free", default="50", show_default=True,
                 help="Points of the best reply rate, or free."),
    click.option("--from-zero/--not-from-zero", default=True, show_default=True,
                 help="The worst rates give no points."),
    click.option("--reply-knots", metavar="RATES", help="Where the reply curve bends, as "
                 "0,0.07,0.13,0.2; anywhere unless given."),
    click.option("--bounce-knots", metavar="RATES", help="Where the bounce curve bends."),
    click.option("--steps", is_flag=True, help="Points hold from knot to knot."),
    click.option("--edge", "edges", multiple=True, metavar="BAND=POINTS",
                 help="A lower edge that is known; repeatable."),
    click.option("--at-bounces", metavar="RATES", help="Bounce rates to say the bands' replies "
                 "at; 0.01,0.03,0.05 unless given."),
    click.option("--at-replies", metavar="RATES", help="Reply rates to say the bands' bounces "
                 "at; 0.05,0.07,0.1 unless given."),
)  # fmt: skip


@click.command()
@_reading
@policy_option
@_assuming
@click.option("--name", default="calibrated", show_default=True, help="Of the fitted policy.")
@click.option("--output", "-o", metavar="FILE", help="Write the fitted policy as TOML.")
@click.option("--rejects", metavar="FILE", help="Write rejected rows as CSV.")
def calibrate(
    readings: str,
    data: Sequence[str],
    policy: str | None,
    rates: Any,
    headers: str | None,
    bands: str | None,
    name: str,
    output: str | None,
    rejects: str | None,
    **more: Any,
) -> None:
    """Fit a policy to READINGS of the vendor's report: which policies agree, and how sure each is.

    READINGS is a CSV, TSV, XLSX or Parquet file with user, ended, reply rate, bounce rate, and the
    band or the gauge's value. With DATA it is said whose reading would teach most. Exits with 1 if
    readings are rejected or contradict each other.
    """
    from senderscore_nb.experiment.calibrate import calibrate as fit
    from senderscore_nb.policy import DEFAULT_POLICY, load_policy
    from senderscore_nb.sources import write_rejects
    from senderscore_nb.sources.readings import read_readings

    base = load_policy(policy or DEFAULT_POLICY)
    assumed = _assumptions(bands, **more)
    names = assumed.names(base)
    read = read_readings(readings, base, bands=names, most=assumed.most, rates=rates,
                         mapping=headers)  # fmt: skip
    _require(read, readings)
    candidates = _candidates(data, base, **more) if data else None
    found = fit(read.accepted, base, assumptions=assumed, candidates=candidates, name=name)
    for line in _lines(found):
        click.echo(line)
    _tables(found)
    if output:
        _write(found, output)
    else:
        click.echo("Add --output FILE to keep the fitted policy.")
    rejected = read.rejected.height
    for line in _rejected(read):
        click.echo(line, err=True)
    if rejects and rejected:
        write_rejects(read, rejects)
        click.echo(f"Rejected rows were written to {rejects}.", err=True)
    if rejected or found.contradictions.height:
        raise SystemExit(FAILED)


def _assumptions(bands: str | None, **given: Any) -> Assumptions:
    from senderscore_nb.experiment.calibrate_assumptions import Assumptions

    share = given["reply_most"].strip().casefold()
    kind = "step" if given["steps"] else "linear"
    asked = {
        "bounce_rates": _rates("--at-bounces", given["at_bounces"]),
        "reply_rates": _rates("--at-replies", given["at_replies"]),
    }
    return Assumptions(
        bands=None if bands is None else tuple(part.strip() for part in bands.split(",")),
        most=given["most"],
        reply_most=None if share == "free" else _number("--reply-most", share),
        from_zero=given["from_zero"],
        reply_knots=_rates("--reply-knots", given["reply_knots"]),
        bounce_knots=_rates("--bounce-knots", given["bounce_knots"]),
        reply_interpolation="step" if kind == "step" else "linear",
        bounce_interpolation="step" if kind == "step" else "linear",
        edges=_edges(given["edges"]),
        **{name: rates for name, rates in asked.items() if rates is not None},
    )


def _rates(option: str, text: str | None) -> tuple[float, ...] | None:
    """Fractions with commas."""
    if text is None:
        return None
    return tuple(_number(option, part) for part in text.split(",") if part.strip())


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PolicyError(f"expected a number, found {text.strip()!r}.", where=option) from None


def _edges(pairs: Sequence[str]) -> dict[str, float]:
    edges = {}
    for pair in pairs:
        name, equals, points = pair.rpartition("=")
        if not equals:
            raise PolicyError(f"expected BAND=POINTS, found {pair!r}.", where="--edge")
        edges[name.strip()] = _number("--edge", points)
    return edges


def _require(read: Reading, path: str) -> None:
    if read.accepted.is_empty():
        first = f"; the first because of {read.rejected['reason'][0]}" if read.read else ""
        raise ReadError(f"None of {read.read} readings can be used{first}.", where=path)


def _candidates(data: Sequence[str], base: Any, **given: Any) -> pl.DataFrame:
    """Those who have a score in the data."""
    import polars as pl

    from senderscore_nb.account import open_account
    from senderscore_nb.score import score
    from senderscore_nb.selection import Selection

    selection = Selection.parse({key: given[key] for key in ("start", "end")}, where="options")
    account = open_account(
        list(data),
        mapping=given["mapping"],
        timezone=given["timezone"],
        roster=given["roster"],
        policy=base,
        progress=say,
    )
    scores = score(account.select(selection), base, by="user", roster=account.roster)
    return account.labels.add(scores).filter(pl.col("status") == "scored")


def _lines(found: Calibration) -> Iterator[str]:
    """The sentences, without those that the table of ranges has."""
    from senderscore_nb.experiment.calibrate_words import range_said

    tabled = {range_said(row) for row in found.ranges.iter_rows(named=True)}
    yield from (line for line in found.words if line not in tabled)


def _tables(found: Calibration) -> None:
    from senderscore_nb.experiment.calibrate_words import percent, range_said
    from senderscore_nb.output import print_rows

    fitted = [_fitted(row) for row in found.ranges.iter_rows(named=True)]
    said = [range_said(row) for row in found.ranges.iter_rows(named=True)]
    if said:
        print_rows([{"what is known": a, "fitted": b} for a, b in zip(said, fitted, strict=True)])
    if found.next_readings.height:
        print_rows(
            [
                {
                    "read next": row["user"],
                    "replies": percent(row["reply_rate"]),
                    "bounces": percent(row["bounce_rate"]),
                    "may be": " or ".join(row["possible"]),
                    "open bands": row["open_now"],
                    "left on average": f"{row['open_expected']:.1f}",
                    "at worst": row["open_worst"],
                }
                for row in found.next_readings.iter_rows(named=True)
            ]
        )


def _fitted(row: dict[str, Any]) -> str:
    from senderscore_nb.experiment.calibrate_words import percent

    if row["fitted"] is None:
        return "never"
    return f"{row['fitted']:.4g} points" if row["what"] == "edge" else percent(row["fitted"])


def _write(found: Calibration, output: str) -> None:
    from senderscore_nb.safe import write_atomically

    try:
        write_atomically(Path(output), found.policy.to_toml())
    except OSError as error:
        raise SenderScoreError(f"Cannot be written ({error}).", where=output) from None
    click.echo(output)


def _rejected(read: Reading) -> Iterator[str]:
    if not read.rejected.height:
        return
    yield f"{read.rejected.height} of {read.read} readings were rejected:"
    for line, reason in read.rejected.select("line", "reason").head(_SHOWN).iter_rows():
        yield f"  line {line}: {reason}"
    if read.rejected.height > _SHOWN:
        yield f"  … and {read.rejected.height - _SHOWN} more (--rejects FILE has them all)"
