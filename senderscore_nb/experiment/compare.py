"""The same senders scored under several policies."""

from __future__ import annotations

import polars as pl

from senderscore_nb.account import Account
from senderscore_nb.experiment.comparison import UNSCORED, Comparison
from senderscore_nb.experiment.counted import Data, tallies_under
from senderscore_nb.experiment.naming import Policies, load_all, policy_names
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import STATUSES, score
from senderscore_nb.selection import Selection
from senderscore_nb.sums import trailing


def compare(
    data: Data,
    policies: Policies,
    *,
    selection: Selection | None = None,
    roster: pl.DataFrame | None = None,
    weeks: int | None = None,
) -> Comparison:
    """Score the same senders under several policies.

    Each policy counts by its own rules. So policies that count differently need an account or
    enrollments; tallies serve those that count alike.

    Args:
        data: An account, enrollments of the contract, or tallies.
        policies: Policies, names of presets or paths of TOML files. The first is the present one.
        selection: Which senders, sequences and days; everything unless given.
        roster: Paid seats and teams; an account's own unless given.
        weeks: Also compare at the end of each week, over that many weeks each.

    Raises:
        PolicyError: A policy is not valid.
        ContractError: Tallies are given, and the policies count differently.

    >>> from senderscore_nb.sample import TIMEZONE, sample_folder
    >>> from senderscore_nb.account import open_account
    >>> from senderscore_nb.experiment.thresholds import Threshold
    >>> account = open_account(sample_folder(), timezone=TIMEZONE)
    >>> strict = Threshold.parse("bands.Good", account.policy).set(account.policy, 76)
    >>> compare(account, [account.policy, strict]).agreement()["same"].round(2).to_list()
    [0.79]
    """
    loaded = load_all(policies)
    names = policy_names(loaded)
    labels = None
    if isinstance(data, Account):
        roster = data.roster if roster is None else roster
        labels = data.labels
    counted = tallies_under(data, loaded, selection=selection, roster=roster)
    both: list[list[pl.DataFrame]] = [[], []]
    for name, policy, tallies in zip(names, loaded, counted, strict=True):
        views = [tallies] if weeks is None else [tallies, trailing(tallies, weeks)]
        for made, view, by in zip(both, views, ("user", "user,week"), strict=False):
            made.append(_stated(score(view, policy, by=by, roster=roster), policy, name))
    now, history = (pl.concat(made) if made else None for made in both)
    assert now is not None  # noqa: S101
    if labels is not None:
        now = _labelled_first(labels.add(now))
    return Comparison(tuple(loaded), tuple(names), now, history)


def _stated(scored: pl.DataFrame, policy: ScoringPolicy, name: str) -> pl.DataFrame:
    states = [UNSCORED.get(status, status) for status in STATUSES]
    # A band may be called "Collecting" too.
    states = [f"{s} (no score)" if s in policy.band_names else s for s in states]
    band = pl.col("band").cast(pl.String)
    unscored = pl.col("status").cast(pl.String).replace_strict(list(STATUSES), states, default=None)
    week = ["week"] if "week" in scored.columns else []
    return scored.select(
        pl.lit(name).alias("policy"),
        "user_id",
        *week,
        *("ended", "replied", "bounced", "score", "score_low", "score_high"),
        place=pl.col("band").cast(pl.Enum(policy.band_names)).to_physical().cast(pl.Int64),
        state=pl.coalesce(band, unscored),
        verdict=pl.col("verdict"),
    )


def _labelled_first(rows: pl.DataFrame) -> pl.DataFrame:
    rest = [name for name in rows.columns if name not in ("policy", "user_id", "user_label")]
    return rows.select("policy", "user_id", "user_label", *rest)
