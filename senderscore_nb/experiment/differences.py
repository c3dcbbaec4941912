"""What differs between two policies, number by number."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from senderscore_nb.policy import PointCurve, ScoringPolicy, load_policy

_SCHEMA = {"key": pl.String, "before": pl.String, "after": pl.String}


def differences(
    before: ScoringPolicy | str | Path, after: ScoringPolicy | str | Path
) -> pl.DataFrame:
    """What differs between two policies: knot by knot, band by band, option by option.

    Knots are matched by their rate, bands by their name; what only one of the two has is null on
    the other side. Names and sources say nothing about scores and are left out.

    Args:
        before: A policy, a preset's name or the path of a TOML file.
        after: Another one.

    Returns:
        One row a difference: `key` (as `reply_points at 7 %`), `before`, `after` (text). No rows
        where both score alike.

    Raises:
        PolicyError: A policy is not valid.
    """
    one, two = load_policy(before), load_policy(after)
    rows: list[tuple[str, str | None, str | None]] = []
    for name in ("reply_points", "bounce_points"):
        rows += _curves(name, getattr(one, name), getattr(two, name))
    lowers = [{b.name: f"from {b.lower:g}" for b in policy.bands} for policy in (one, two)]
    for name in dict.fromkeys([*lowers[0], *lowers[1]]):
        rows.append((f"band {name}", lowers[0].get(name), lowers[1].get(name)))
    order = [list(names) for names in lowers]
    if sorted(order[0]) == sorted(order[1]) and order[0] != order[1]:
        rows.append(("order of bands", ", ".join(order[0]), ", ".join(order[1])))
    for section in ("minimum", "counting"):
        own, other = (getattr(policy, section).model_dump() for policy in (one, two))
        rows += [(f"{section}.{key}", str(own[key]), str(other[key])) for key in own]
    if one.most != two.most:
        rows.append(("highest score", f"{one.most:g}", f"{two.most:g}"))
    different = [row for row in rows if row[1] != row[2]]
    return pl.DataFrame(different, schema=_SCHEMA, orient="row")


def _curves(
    name: str, one: PointCurve, two: PointCurve
) -> list[tuple[str, str | None, str | None]]:
    rows: list[tuple[str, str | None, str | None]] = [
        (f"{name} between knots", one.interpolation, two.interpolation)
    ]
    own, other = dict(one.knots), dict(two.knots)
    for rate in sorted({*own, *other}):
        values = [None if rate not in side else f"{side[rate]:g} points" for side in (own, other)]
        rows.append((f"{name} at {100 * rate:g} %", values[0], values[1]))
    return rows
