"""Senders under several policies: who is where, who agrees, who wins and loses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.errors import PolicyError, SenderScoreError, did_you_mean
from senderscore_nb.experiment.agreement import (
    KappaWeights,
    cross_table,
    rank_correlations,
    weighted_kappa,
)
from senderscore_nb.policy import ScoringPolicy

UNSCORED: dict[str, str] = {
    "collecting": "Collecting",
    "no_paid_seat": "No paid seat",
    "not_computable": "Not computable",
}
"""What stands for a band where there is no score."""

NOTHING = "Nothing ended"
"""What stands for a band where a policy's rules count nothing at all of a sender."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Senders under several policies; `compare` makes it.

    Attributes:
        policies: In the order given. The first one is what the others are compared with.
        names: A name for each, by which the frames below call it.
        now: One row for each policy and sender: `policy`, `user_id`, `user_label` where labels are
            known, `ended`, `replied`, `bounced`, `score`, `score_low`, `score_high`, `place` (of
            the band, from 0; null without a score), `state` (the band's name, or why there is
            none), `verdict`.
        history: The same by `week`, without the interval; None unless weeks were asked for.
    """

    policies: tuple[ScoringPolicy, ...]
    names: tuple[str, ...]
    now: pl.DataFrame
    history: pl.DataFrame | None = None

    def bands(self) -> pl.DataFrame:
        """The band of each sender under each policy: `user_id`, `user_label`, one column each."""
        keys = _keys(self.now)
        senders = self.now.select(keys).unique().sort("user_id")
        columns = []
        for name in self.names:
            own = self.now.filter(pl.col("policy") == name).select(*keys, "state")
            joined = senders.join(own, on=keys, how="left", maintain_order="left", nulls_equal=True)
            columns.append(joined["state"].fill_null(NOTHING).alias(name))
        return senders.with_columns(columns)

    def migration(self, before: str | None = None, after: str | None = None) -> pl.DataFrame:
        """How many senders go from which band to which, those without a score included.

        Args:
            before: A policy's name; the first one unless given.
            after: Another policy's name; the second one unless given.

        Returns:
            One row for each pair of states that either policy knows, also where nobody is:
            `before`, `after`, `before_place`, `after_place` (null for what is not a band),
            `senders` (how many), `who` (their labels, joined).
        """
        one, two = self._pair(before, after)
        joined = self._joined(self.now, one, two)
        label = "user_label" if "user_label" in joined.columns else "user_id"
        counted = joined.group_by("state_before", "state").agg(
            senders=pl.len().cast(pl.Int64), who=pl.col(label).sort().str.join(", ")
        )
        sides = []
        for side, column in ((one, "state_before"), (two, "state")):
            names = list(self._policy(side).band_names)
            names += [n for n in joined[column].unique().sort() if n not in names]
            places = [i if i < len(self._policy(side).bands) else None for i in range(len(names))]
            sides.append(pl.DataFrame({column: names, f"{column}_place": places}, strict=False))
        return (
            sides[0]
            .join(sides[1], how="cross")
            .join(counted, on=["state_before", "state"], how="left", maintain_order="left")
            .select(
                before="state_before",
                after="state",
                before_place=pl.col("state_before_place").cast(pl.Int64),
                after_place=pl.col("state_place").cast(pl.Int64),
                senders=pl.col("senders").fill_null(0),
                who=pl.col("who").fill_null(""),
            )
        )

    def fill(self) -> pl.DataFrame:
        """How the bands fill under each policy.

        Returns:
            One row for each policy and state, in the policies' order, bands from the lowest on and
            then what is not a band: `policy`, `state`, `place` (null for what is not a band),
            `bands` (how many the policy has), `senders`, `share` and `start` (fractions of all).
        """
        rows: list[tuple[object, ...]] = []
        for name, policy in zip(self.names, self.policies, strict=True):
            own = self.now.filter(pl.col("policy") == name)["state"]
            counts = dict(own.value_counts().iter_rows())
            others = sorted(state for state in counts if state not in policy.band_names)
            start = 0
            for place, state in enumerate([*policy.band_names, *others]):
                n, k = counts.get(state, 0), len(policy.bands)
                shares = n / max(1, len(own)), start / max(1, len(own))
                rows.append((name, state, place if place < k else None, k, n, *shares))
                start += n
        return pl.DataFrame(rows, schema=_FILL, orient="row")

    def agreement(self, weights: KappaWeights = "linear") -> pl.DataFrame:
        """How far each policy agrees with the first one, over the senders that both score.

        Args:
            weights: Of disagreements in `kappa`.

        Returns:
            One row for each policy but the first: `policy`, `senders`, `same` (fraction in the
            same band), `up`, `down`, `kappa`, `spearman`, `kendall` (of the scores). Bands are
            matched by their place from the lowest on; where the two policies have different
            numbers of bands, `same`, `up`, `down` and `kappa` are null.
        """
        rows = [
            {"policy": name, **self._agreed(self.now, self.names[0], name, weights)}
            for name in self.names[1:]
        ]
        return pl.DataFrame(rows, schema={"policy": pl.String, **_AGREEMENT})

    def movers(self, before: str | None = None, after: str | None = None) -> pl.DataFrame:
        """Who wins and who loses, the greatest gain first.

        Returns:
            One row for each sender with a score under either policy: `user_id`, `user_label`,
            `state_before`, `state`, `bands` (how many up; null where either has no score, or the
            policies have different numbers of bands), `score_before`, `score`, `points` (gained),
            `rank_before`, `rank` (1 is the best), `moves` (the state differs).
        """
        one, two = self._pair(before, after)
        joined = self._joined(self.now, one, two)
        alike = len(self._policy(one).bands) == len(self._policy(two).bands)
        moved = pl.col("place") - pl.col("place_before")
        rank = {
            f"rank{end}": pl.col(f"score{end}").rank("min", descending=True).cast(pl.Int64)
            for end in ("_before", "")
        }
        return (
            joined.filter(pl.col("place").is_not_null() | pl.col("place_before").is_not_null())
            .with_columns(
                bands=moved if alike else pl.lit(None, pl.Int64),
                points=pl.col("score") - pl.col("score_before"),
                moves=pl.col("state") != pl.col("state_before"),
                **rank,
            )
            .select(
                *_keys(joined),
                *("state_before", "state", "bands", "score_before", "score", "points"),
                *("rank_before", "rank", "moves"),
            )
            .sort(["bands", "points", "user_id"], descending=[True, True, False], nulls_last=True)
        )

    def over_time(
        self,
        before: str | None = None,
        after: str | None = None,
        *,
        weights: KappaWeights = "linear",
    ) -> pl.DataFrame:
        """The agreement of two policies at the end of each week.

        Returns:
            `week` and the columns of `agreement` but `policy`.

        Raises:
            SenderScoreError: The comparison has no history.
        """
        if self.history is None:
            raise SenderScoreError(
                "There is no history here.", hint="Compare with weeks=4, or another window."
            )
        one, two = self._pair(before, after)
        weeks = self.history["week"].unique().sort().to_list()
        rows = [
            {
                "week": week,
                **self._agreed(self.history.filter(pl.col("week") == week), one, two, weights),
            }
            for week in weeks
        ]
        return pl.DataFrame(rows, schema={"week": pl.Date, **_AGREEMENT})

    def flips(self) -> pl.DataFrame:
        """How often bands really changed from week to week under each policy.

        Returns:
            One row a policy: `policy`, `pairs` (of neighbouring weeks with a score in both),
            `flips` (fraction of these in different bands; null without pairs). Windows that
            share weeks flip less often than windows that do not.

        Raises:
            SenderScoreError: The comparison has no history.
        """
        if self.history is None:
            raise SenderScoreError(
                "There is no history here.", hint="Compare with weeks=4, or another window."
            )
        keys = ["policy", "user_id"]
        rows = self.history.sort([*keys, "week"])
        near = pl.col("week").diff().over(keys) == pl.duration(days=7)
        moved = (pl.col("place").diff() != 0).over(keys)
        both = (
            near & pl.col("place").is_not_null() & pl.col("place").shift().over(keys).is_not_null()
        )
        order = pl.Enum(list(self.names))
        return (
            rows.with_columns(__both=both.fill_null(value=False), __moved=moved)
            .group_by(pl.col("policy").cast(order))
            .agg(
                pairs=pl.col("__both").sum().cast(pl.Int64),
                flips=pl.col("__moved").filter(pl.col("__both")).mean(),
            )
            .sort("policy")
            .with_columns(pl.col("policy").cast(pl.String))
        )

    def _pair(self, before: str | None, after: str | None) -> tuple[str, str]:
        if len(self.names) < 2 and (before is None or after is None):
            raise PolicyError("Only one policy was given; two are compared.")
        one, two = before or self.names[0], after or self.names[1]
        for name in (one, two):
            self._policy(name)
        return one, two

    def _policy(self, name: str) -> ScoringPolicy:
        if name not in self.names:
            raise PolicyError(
                f"The comparison has no policy {name!r}.", hint=did_you_mean(name, self.names)
            )
        return self.policies[self.names.index(name)]

    def _joined(self, rows: pl.DataFrame, one: str, two: str) -> pl.DataFrame:
        keys = _keys(rows)
        sides = [
            rows.filter(pl.col("policy") == name).select(*keys, "score", "place", "state")
            for name in (two, one)
        ]
        joined = sides[0].join(
            sides[1], on=keys, how="full", coalesce=True, suffix="_before", nulls_equal=True
        )
        states = pl.col("state", "state_before").fill_null(NOTHING)
        return joined.with_columns(states).sort("user_id")

    def _agreed(
        self, rows: pl.DataFrame, one: str, two: str, weights: KappaWeights
    ) -> dict[str, object]:
        joined = self._joined(rows, one, two).drop_nulls(["place", "place_before"])
        before, after = (joined[c].to_numpy() for c in ("place_before", "place"))
        spearman, kendall = rank_correlations(
            joined["score_before"].to_numpy(), joined["score"].to_numpy()
        )
        bands = len(self._policy(one).bands), len(self._policy(two).bands)
        said: dict[str, object] = dict.fromkeys(_AGREEMENT)
        said |= {"senders": joined.height, "spearman": spearman, "kendall": kendall}
        if bands[0] == bands[1] and joined.height:
            said |= {
                "same": float(np.mean(before == after)),
                "up": float(np.mean(after > before)),
                "down": float(np.mean(after < before)),
                "kappa": weighted_kappa(cross_table(before, after, bands), weights),
            }
        return said


_FILL: dict[str, pl.DataType] = {
    "policy": pl.String(),
    "state": pl.String(),
    **{name: pl.Int64() for name in ("place", "bands", "senders")},
    **{name: pl.Float64() for name in ("share", "start")},
}
_AGREEMENT: dict[str, pl.DataType] = {
    "senders": pl.Int64(),
    **{n: pl.Float64() for n in ("same", "up", "down", "kappa", "spearman", "kendall")},
}


def _keys(rows: pl.DataFrame) -> list[str]:
    return [name for name in ("user_id", "user_label") if name in rows.columns]
