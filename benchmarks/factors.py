"""Factors of many enrollments, and the usual way: row by row in statsmodels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.process import python, run
from benchmarks.suites import DATA, Aim, Case, Suite

FACTORS = ("segment", "contact_source", "steps", "personalization_tokens", "enrolled_weekday",
           "mailbox_provider", "previously_bounced", "sends_since_engagement")  # fmt: skip


def factors(quick: bool) -> Suite:
    """`factor_effects` on all rows; statsmodels on as many as a minute allows."""
    rows, few = (40_000, 2_000) if quick else (5_000_000, 20_000)
    whole, part = _data(rows), _data(few)
    ours = f"factor_effects, {rows:,} rows, {len(FACTORS)} factors, both outcomes"
    theirs = f"statsmodels, {few:,} rows, one factor, one outcome"
    work = python("-m", "benchmarks.worker")
    return Suite(
        "factors",
        f"What goes with the outcomes of {rows:,} enrollments",
        [
            Case(ours, [*work, "factors_of", whole]),
            Case(theirs, [*work, "factors_ungrouped", part]),
        ],
        [
            Aim("within a minute", ours, 60),
            Aim("below 2 GB", ours, 2000, measure="peak_mb"),
            Aim(f"all of it in the time of one such model of {few:,} rows", ours, 1, over=theirs),
        ],
        note=(
            "400 senders, 12 sequences, a year. The usual way is a logistic regression of rows, "
            "a column for each sender and sequence, with errors clustered by sender; its design "
            "grows with rows × senders, so it is given a sample."
        ),
        rounds=3,
        same_facts=False,
    )


def _data(rows: int) -> str:
    DATA.mkdir(exist_ok=True)
    path = DATA / f"factors-{rows}.parquet"
    if not path.exists():
        run(python("-m", "benchmarks.factors", str(path), str(rows)))
    return str(path)


def write(path: Path, rows: int) -> None:
    """Enrollments with factors, a million at a time."""
    import polars as pl

    rng = np.random.default_rng(rows)
    senders = 400 if rows >= 20_000 else 20
    parts = []
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        day = 20_000 + rng.integers(0, 365, n)
        token = rng.integers(0, 3, n)
        words = {
            name: pl.Series([f"{name} {i}" for i in range(size)]).gather(rng.integers(0, size, n))
            for name, size in (("segment", 8), ("contact_source", 6), ("mailbox_provider", 4))
        }
        bounced = rng.random(n) < 0.02
        parts.append(
            pl.DataFrame(
                {
                    "user_id": pl.Series(rng.integers(0, senders, n)).cast(pl.String),
                    "sequence_id": pl.Series(rng.integers(0, 12, n)).cast(pl.String),
                    "enrolled_on": pl.Series(day.astype(np.int32)).cast(pl.Date),
                    "ended_on": pl.Series((day + 9).astype(np.int32)).cast(pl.Date),
                    "replied": ~bounced & (rng.random(n) < 0.07 + 0.03 * (token > 0)),
                    "bounced": bounced,
                    "personalization_tokens": token,
                    "steps": rng.integers(3, 7, n),
                    "enrolled_weekday": rng.integers(1, 8, n),
                    "previously_bounced": rng.random(n) < 0.02,
                    "sends_since_engagement": rng.integers(0, 40, n),
                    **words,
                }
            )
        )
    unfinished = path.with_suffix(".part")
    pl.concat(parts).write_parquet(unfinished)
    unfinished.replace(path)


def work_facts(row: dict[str, Any]) -> dict[str, Any]:
    """What came out: whether the planted factor is found, and nothing else."""
    return {"certain": row["certain"]}


def factors_of(path: str) -> Any:
    import polars as pl

    from senderscore_nb.drivers import factor_effects

    def work() -> dict[str, Any]:
        found = factor_effects(pl.scan_parquet(path), factors=FACTORS)
        names = found.effects.filter("certain")["factor"].unique().sort().to_list()
        return {"certain": names}

    return work, work_facts


def factors_ungrouped(path: str) -> Any:
    import polars as pl
    import statsmodels.api as sm

    def work() -> dict[str, Any]:
        rows = pl.read_parquet(path).filter(~pl.col("bounced"))
        columns = rows.select(
            tokens=(pl.col("personalization_tokens") > 0).cast(pl.Float64),
            day=pl.col("enrolled_on").cast(pl.Int32).cast(pl.Float64) / 365,
        )
        dummies = rows.select("user_id", "sequence_id").to_dummies(drop_first=True)
        design = np.column_stack([np.ones(rows.height), columns.to_numpy(), dummies.to_numpy()])
        senders = rows["user_id"].cast(pl.Int64).to_numpy()
        model = sm.GLM(rows["replied"].to_numpy(), design, family=sm.families.Binomial())
        fitted = model.fit(cov_type="cluster", cov_kwds={"groups": senders})
        return {"certain": ["personalization_tokens"] if fitted.pvalues[1] < 0.05 else []}

    return work, work_facts


if __name__ == "__main__":
    import sys

    write(Path(sys.argv[1]), int(sys.argv[2]))
