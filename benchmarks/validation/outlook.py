"""Certainty, weekly control, shrinkage, and what lies ahead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from benchmarks.validation.accounts import Plan, Simulated, accounts_of, clumped, drawn, simulated
from benchmarks.validation.finding import Finding
from senderscore_nb.change import Window, change
from senderscore_nb.drivers import Outlook, ahead, ahead_by_week, sample_size_for, shrinkage, watch
from senderscore_nb.drivers.power import TwoSided
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import SENDERS, Effects, monday, simulate
from senderscore_nb.score import score
from senderscore_nb.tally import tally

POLICY = load_policy()
MEASURES = {"reply_rate": "true_reply", "bounce_rate": "true_bounce"}
WATCHED_WEEKS = 52
_COVERS = ("93–97 %", 0.93, 0.97)


def certainty(accounts: int, seed: int = 0) -> list[Finding]:
    """Intervals of rates and scores, and probabilities of bands, as `score` gives them."""
    frames = []
    for one in accounts_of(Plan(weeks=12), accounts, seed):
        scores = score(one.tallies, POLICY, by="user")
        frames.append(_with_truth(scores, one))
    scores = pl.concat(frames)
    scored = scores.filter(status="scored")
    found = []
    for measure, truth in MEASURES.items():
        claim = f"Wilson interval of the {_word(measure)} covers the truth"
        found.append(_share(claim, _inside(scores, measure, truth), _COVERS))
    inside = _inside(scored, "score", "true_score")
    found.append(_share("interval of the score covers the true score", inside, _COVERS))
    probability = np.column_stack([scored[f"p_{b.slug}"].to_numpy() for b in POLICY.bands])
    names = scored["true_band"].cast(pl.String).to_numpy()[:, None]
    true = names == np.array(POLICY.band_names)[None, :]
    return found + _calibration("probability of a band", probability.ravel(), true.ravel())


def shrunk(accounts: int, seed: int = 0) -> list[Finding]:
    """Shrunk intervals, and whether shrunk rates are nearer to the truth than raw ones."""
    plan = Plan(weeks=4, weekly=(10.0, 60.0))
    frames = []
    for one in accounts_of(plan, accounts, seed):
        found = shrinkage(one.tallies, POLICY, roster=one.roster)
        frames.append(_with_truth(found.drop("team"), one))
    rows = pl.concat(frames)
    findings = []
    for measure, truth in MEASURES.items():
        inside = _inside(rows, measure, truth, "_shrunk")
        claim = f"shrunk interval of the {_word(measure)} covers the truth"
        findings.append(_share(claim, inside, _COVERS))
        raw, near = (
            rows.select(((pl.col(c) - pl.col(truth)) ** 2).mean()).item()
            for c in (measure, f"{measure}_shrunk")
        )
        claim = f"squared error of the shrunk {_word(measure)}, of the raw one's"
        findings.append(Finding(claim, "below 1", 0.0, 1.0, near / raw, rows.height))
    inside = _inside(rows, "score", "true_score", "_shrunk")
    findings.append(_share("interval of the shrunk score covers the true score", inside, _COVERS))
    return findings


def year(accounts: int, seed: int = 0) -> list[Finding]:
    """A year of weekly looks at rates that stay what they were: enrollments are independent."""
    plan = Plan(senders=4, weeks=26 + WATCHED_WEEKS)
    return _looked_at(accounts_of(plan, accounts, seed), "independent enrollments")


def clumpy_year(accounts: int, seed: int = 0) -> list[Finding]:
    """The same where the true rate scatters from week to week around what it was."""
    plan = Plan(senders=2, weeks=26 + WATCHED_WEEKS)

    def made() -> Iterable[Simulated]:
        for place in range(accounts):
            rng = np.random.default_rng([seed, place, 1])
            yield clumped(rng, plan, (0.01, 0.02, 0.05)[place % 3])

    return _looked_at(made(), "clumped weeks")


def planted(accounts: int, seed: int = 0) -> list[Finding]:
    """The planted changes of the sample are found by the end of its 40 weeks."""
    team = [s for s in SENDERS if s.user_id in ("1003", "1007")]
    since = monday(21)
    alarms = []
    for place in range(accounts):
        rows = simulate(seed * 1_000_003 + place, senders=team, effects=Effects(decay=None))
        seen = watch(tally(rows), POLICY, since=since)
        for user, measure in (("1003", "bounce_rate"), ("1007", "reply_rate")):
            part = seen.filter(pl.col("user_id") == user, pl.col("measure") == measure)
            alarms.append(bool(part["alarm"].any()))
    claim = "climbing bounces and a moved mix raise an alarm within 20 weeks"
    return [_share(claim, np.array(alarms), ("at least 90 %", 0.9, 1.0))]


def days(accounts: int, seed: int = 0) -> list[Finding]:
    """The interval of the day on which a collecting sender has 100 ended enrollments."""
    with_runs, alone = [], []
    for place in range(accounts):
        rng = np.random.default_rng([seed, place, 2])
        senders = drawn(Plan(senders=8, weekly=(10.0, 30.0)), rng)
        new = [
            replace(s, first_week=int(rng.integers(6, 11))) if i % 2 else s
            for i, s in enumerate(senders)
        ]
        one = simulated(new, 26, int(rng.integers(2**31)))
        today = one.start + dt.timedelta(days=7 * 11 + int(rng.integers(7)))
        begun = {s.user_id for s in new if s.first_week}
        known = one.tallies.filter(pl.col("user_id").is_in(begun))
        with_runs += _ready(known, one.enrollments, today)
        settled = one.tallies.filter(
            ~pl.col("user_id").is_in(begun), pl.col("day") > today - dt.timedelta(days=20)
        )
        alone += _ready(settled, None, today)
    claim = "day of the 100th ended enrollment lies in its interval"
    wide = ("at least 93 %", 0.93, 1.0)
    return [
        _share(f"{claim}: new senders, with enrollments", np.array(with_runs), _COVERS),
        _share(f"{claim}: steady senders, tallies alone", np.array(alone), wide),
    ]


def bands(accounts: int, seed: int = 0) -> list[Finding]:
    """The probabilities of the next band: of the truth, of the score at the end, of ever."""
    frames = []
    for one in accounts_of(Plan(senders=6, weeks=24), accounts, seed):
        today = one.start + dt.timedelta(days=7 * 12 - 1)
        past = one.tallies.filter(pl.col("day") <= today)
        asked = {"as_of": today, "outlook": Outlook(draws=400, seed=seed)}
        now = _with_truth(ahead(past, POLICY, **asked), one).filter(pl.col("p_next").is_not_null())
        last = ahead_by_week(past, POLICY, **asked).filter(week=12).select("user_id", "p_shown")
        frames.append(now.join(last, on="user_id").join(_later(one, today), on="user_id"))
    rows = pl.concat(frames)
    edge = pl.col("next_from") - 1e-9
    happened = {
        "p_truth": pl.col("true_score") >= edge,
        "p_shown": pl.col("last_score").fill_null(-1.0) >= edge,
        "p_next": pl.col("best_score").fill_null(-1.0) >= edge,
    }
    words = {
        "p_truth": "the true score is in the next band",
        "p_shown": "the score shows the next band in 12 weeks",
        "p_next": "the score shows the next band at the end of one of 12 weeks",
    }
    return [
        finding
        for name, outcome in happened.items()
        for finding in _calibration(
            f"probability that {words[name]}",
            rows[name].to_numpy(),
            rows.select(outcome).to_series().to_numpy(),
        )
    ]


def power(accounts: int, seed: int = 0) -> list[Finding]:
    """Differences on the stated numbers of enrollments are told in four cases of five."""
    rng = np.random.default_rng([seed, 3])
    trials = max(200, 2 * accounts)
    asked = sample_size_for(10, POLICY).filter(pl.col("to_rate").is_not_null())
    rates, scores = [], []
    for row in asked.iter_rows(named=True):
        at = {"reply_rate": 0.07, "bounce_rate": 0.03, row["measure"]: row["to_rate"]}
        rates.append(_told_by_rate(rng, row, at, trials))
        scores.append(_told_by_score(rng, row["by_score"], at, trials))
    none = {"reply_rate": 0.09, "bounce_rate": 0.02}
    falsely = _told_by_score(rng, 3000, none, trials, none)
    say = ("78–83 %", 0.78, 0.83)
    return [
        _share("difference of 10 points told by its rate, power 80 %", np.concatenate(rates), say),
        _share(
            "difference of 10 points told by the score's interval, power 80 %",
            np.concatenate(scores),
            ("75–90 %", 0.75, 0.9),
        ),
        _share("no difference, told by the score's interval", falsely, ("at most 7 %", 0.0, 0.07)),
    ]


Part = Callable[[int, int], list[Finding]]

PARTS: tuple[Part, ...] = (certainty, shrunk, year, clumpy_year, planted, days, bands, power)


def study(accounts: int, seed: int = 0) -> list[Finding]:
    """All parts, one after the other."""
    return [finding for part in PARTS for finding in part(accounts, seed)]


def _with_truth(rows: pl.DataFrame, one: Simulated) -> pl.DataFrame:
    truth = one.truth.drop("team").with_columns(
        true_score=POLICY.reply_points.points(pl.col("true_reply"))
        + POLICY.bounce_points.points(pl.col("true_bounce"))
    )
    truth = truth.with_columns(true_band=POLICY.band(pl.col("true_score")))
    return rows.join(truth, on="user_id", how="left", maintain_order="left")


def _inside(rows: pl.DataFrame, name: str, truth: str, kind: str = "") -> np.ndarray:
    low, high = (pl.col(f"{name}{kind}_{end}") for end in ("low", "high"))
    known = rows.filter(low.is_not_null())
    inside = pl.col(truth).is_between(low - 1e-9, high + 1e-9)
    return known.select(inside).to_series().to_numpy()


def _word(measure: str) -> str:
    return measure.replace("_", " ")


def _share(claim: str, happened: np.ndarray, stated: tuple[str, float, float]) -> Finding:
    words, low, high = stated
    return Finding(claim, words, low, high, float(np.mean(happened)), len(happened))


def _calibration(claim: str, stated: np.ndarray, happened: np.ndarray) -> list[Finding]:
    """Of what is given such a probability, that share happens: by three ranges of probability."""
    findings = []
    for low, high in ((0.05, 0.35), (0.35, 0.65), (0.65, 0.95)):
        chosen = (stated >= low) & (stated <= high)
        if not chosen.any():
            continue
        mean, seen = float(stated[chosen].mean()), float(happened[chosen].mean())
        words = f"{100 * mean:.1f} % ± 5"
        which = f"{claim}, where it is {low:.0%}–{high:.0%}".replace("%", " %")
        findings.append(Finding(which, words, mean - 0.05, mean + 0.05, seen, int(chosen.sum())))
    return findings


def _looked_at(accounts: Iterable[Simulated], what: str) -> list[Finding]:
    """False alarms and coverage over 52 weekly looks."""
    rules, evidence, covered = [], [], []
    for one in accounts:
        since = one.start + dt.timedelta(weeks=26)
        seen = watch(one.tallies, POLICY, since=since).filter("watched")
        truth = pl.concat(
            [
                one.truth.select("user_id", pl.lit(m).alias("measure"), pl.col(t).alias("truth"))
                for m, t in MEASURES.items()
            ]
        )
        inside = pl.col("truth").is_between("so_far_low", "so_far_high")
        by_rate = (
            seen.join(truth, on=["user_id", "measure"])
            .group_by("user_id", "measure")
            .agg((pl.col("rules") != "").any(), pl.col("alarm").any(), inside.all().alias("in"))
        )
        rules += by_rate["rules"].to_list()
        evidence += by_rate["alarm"].to_list()
        covered += by_rate["in"].to_list()
    looks = f"52 weekly looks, {what}"
    return [
        _share(f"run rules call out a rate in control, {looks}", np.array(rules),
               ("at most 10 %", 0.0, 0.10)),
        _share(f"evidence raises an alarm though nothing changed, {looks}", np.array(evidence),
               ("at most 5 %", 0.0, 0.05)),
        _share(f"confidence sequence covers the truth at all looks, {looks}", np.array(covered),
               ("at least 95 %", 0.95, 1.0)),
    ]  # fmt: skip


def _ready(tallies: pl.DataFrame, enrollments: pl.DataFrame | None, today: dt.date) -> list[bool]:
    """Whether the true day lies in the interval, for each collecting sender whose day is known."""
    past = tallies.filter(pl.col("day") <= today)
    if past.is_empty():
        return []
    found = ahead(
        past, POLICY, enrollments=enrollments, as_of=today, window_days=None,
        outlook=Outlook(draws=1),
    ).filter(status="collecting")  # fmt: skip
    inside = []
    for row in found.iter_rows(named=True):
        own = tallies.filter(pl.col("user_id") == row["user_id"]).sort("day")
        counts = own.group_by("day", maintain_order=True).agg(pl.col("ended").sum())
        reached = counts.filter(pl.col("ended").cum_sum() >= 100)["day"]
        if len(reached) and row["ready_low"] and row["ready_high"]:
            inside.append(bool(row["ready_low"] <= reached[0] <= row["ready_high"]))
    return inside


def _later(one: Simulated, today: dt.date) -> pl.DataFrame:
    """The score of the window at the end of each of the 12 weeks that came."""
    windows = []
    for week in range(1, 13):
        end = today + dt.timedelta(weeks=week)
        window = one.tallies.filter(pl.col("day").is_between(end - dt.timedelta(days=83), end))
        windows.append(window.with_columns(day=pl.lit(one.start + dt.timedelta(weeks=week))))
    rows = score(pl.concat(windows), POLICY, by="user,week").sort("week")
    return rows.group_by("user_id").agg(
        best_score=pl.col("score").max(), last_score=pl.col("score").last()
    )


def _told_by_rate(
    rng: np.random.Generator, row: dict[str, object], at: dict[str, float], trials: int
) -> np.ndarray:
    """The pooled z-test of two proportions."""
    n = int(str(row["by_rate"]))
    measure = str(row["measure"])
    start = {"reply_rate": 0.07, "bounce_rate": 0.03}
    sides = []
    for state in (start, at):
        bounced = rng.binomial(n, state["bounce_rate"], trials)
        size = n - bounced if measure == "reply_rate" else np.full(trials, n)
        count = rng.binomial(size, state["reply_rate"]) if measure == "reply_rate" else bounced
        sides.append((count, size))
    (x, n1), (y, n2) = sides
    pooled = (x + y) / (n1 + n2)
    z = (x / n1 - y / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return np.abs(z) > TwoSided().z


def _told_by_score(
    rng: np.random.Generator,
    n: int,
    at: dict[str, float],
    trials: int,
    start: dict[str, float] | None = None,
) -> np.ndarray:
    """The interval of the change of a score, as reports state it."""
    start = start or {"reply_rate": 0.07, "bounce_rate": 0.03}
    day = dt.date(2026, 3, 2)
    parts = []
    for state, when in ((start, day), (at, day + dt.timedelta(days=1))):
        bounced = rng.binomial(n, state["bounce_rate"], trials)
        replied = rng.binomial(n - bounced, state["reply_rate"])
        zero = np.zeros(trials, dtype=np.int64)
        parts.append(
            pl.DataFrame(
                {
                    "user_id": [str(i) for i in range(trials)],
                    "sequence_id": ["1"] * trials,
                    "day": [when] * trials,
                    "ended": np.full(trials, n),
                    "replied": replied,
                    "bounced": bounced,
                    **dict.fromkeys(("opened", "clicked", "meetings", "unsubscribed"), zero),
                }
            )
        )
    before, now = Window(day, day), Window(day + dt.timedelta(days=1), day + dt.timedelta(days=1))
    moved = change(pl.concat(parts), POLICY, now=now, before=before)
    low, high = moved["score_change_low"].to_numpy(), moved["score_change_high"].to_numpy()
    return (low > 0) | (high < 0)
