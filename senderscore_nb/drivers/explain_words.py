"""An explained change in words, which say no more than its intervals allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from senderscore_nb.drivers.explain import Explanation
from senderscore_nb.drivers.explain_split import KINDS
from senderscore_nb.drivers.explain_steps import SMALL, named, only
from senderscore_nb.labels import Labels

_MANY = {
    "sequence_id": "sequences",
    "user_id": "senders",
    "team": "teams",
    "day": "days",
    "week": "weeks",
    "month": "months",
}
_RATES = {"reply_rate": "reply rate", "bounce_rate": "bounce rate"}
_MOST_NAMED = 3
_ALL = 0.85
_SHARES = ((_ALL, "Almost all of it"), (0.6, "Most of it"), (0.4, "About half of it"))
_LEADS = 0.85


def story(
    why: Explanation,
    *,
    labels: Labels | None = None,
    who: str = "The score",
    noise: bool = True,
) -> list[str]:
    """Why the score moved, a sentence or two each.

    Only what is more than noise is given as a reason; what is not is said to be noise.

    Args:
        why: Of one change; see `Explanation.of`.
        labels: Names to show instead of ids.
        who: Whose score, as the sentence's subject.
        noise: Also say what moved it by no more than noise.

    Returns:
        Plain sentences, the change first, its largest reason next.

    Raises:
        ContractError: Not exactly one change.
    """
    change = only(why)
    if change["change"] is None:
        return [f"{who} {_no_change(str(change['state']))}"]
    lines = [_lead(change, who), *_by_the_rules(change, why)]
    parts = named(why, labels)
    kinds = sorted(why.kinds.iter_rows(named=True), key=lambda kind: -abs(kind["part"]))
    if len(parts) == len(KINDS):
        kinds = [kind for kind in kinds if kind["kind"] != "mix"]
    many = " and ".join(_MANY.get(key, f"values of {key}") for key in why.by)
    for kind in kinds:
        of_kind = parts.filter(pl.col("kind") == kind["kind"])
        if kind["certain"]:
            lines.append(_reason(kind, change, of_kind, many))
    alone = parts.filter(
        pl.col("certain")
        & (pl.col("part").abs() >= SMALL)
        & pl.col("kind").is_in([k["kind"] for k in kinds if not k["certain"]])
    ).sort(pl.col("part").abs(), descending=True)
    if alone.height:
        said = [_alone(row) for row in alone.head(_MOST_NAMED).iter_rows(named=True)]
        lines.append(f"Taken alone, more than noise {'are' if len(said) > 1 else 'is'} "
                     f"{_listed(said)}.")  # fmt: skip
    if noise and (rest := [kind for kind in kinds if not kind["certain"]]):
        lines.append(_noise(rest, many))
    return lines


def _no_change(state: str) -> str:
    reasons = {
        "nothing_before": "cannot be compared: nothing ended before.",
        "nothing_after": "cannot be compared: nothing ended after.",
    }
    return reasons.get(
        state,
        "cannot be compared: replies or bounces are not known on one side, or nothing was "
        "delivered.",
    )


def _lead(change: Mapping[str, Any], who: str) -> str:
    between = f"{_signed(change['change_low'])} to {_signed(change['change_high'])}"
    ends = f"from {_points(change['score_before'])} to {_points(change['score'])}"
    if not change["certain"]:
        if _points(change["score_before"]) == _points(change["score"]):
            return f"{who} stayed at {_points(change['score'])} ({between})."
        alone = change["change_low"] <= 0 <= change["change_high"]
        said = "that is within noise" if alone else "among so many that may be chance"
        return f"{who} went {ends}, and {said} ({_signed(change['change'])}; {between})."
    verb = "rose" if change["change"] > 0 else "fell"
    return f"{who} {verb} {_points(abs(change['change']))} points, {ends} ({between})."


def _by_the_rules(change: Mapping[str, Any], why: Explanation) -> list[str]:
    if change["state"] == "no_paid_seat":
        return ["By the rules there is no score without a paid seat; these are what it would be."]
    if change["state"] == "below_minimum":
        minimum = why.policy.minimum
        least = minimum.sequence if "sequence_id" in why.within else minimum.user
        return [
            f"By the rules there is no score below {least} ended enrollments "
            f"({change['ended_before']} before, {change['ended']} after); these are what it "
            "would be."
        ]
    return []


def _reason(
    kind: Mapping[str, Any], change: Mapping[str, Any], parts: pl.DataFrame, many: str
) -> str:
    part = kind["part"]
    ranked = parts.filter(pl.col("part") * part > 0).sort(pl.col("part").abs(), descending=True)
    top = list(ranked.head(_MOST_NAMED).iter_rows(named=True))
    if kind["kind"] == "mix":
        noun = f"the mix of {many}"
        worth = [row for row in top if abs(row["part"]) >= 0.1 * abs(part)] or top[:1]
        told = f": {_listed([_shift(row) for row in worth])}"
    else:
        word, sure = _RATES[kind["kind"]], [row for row in top if row["certain"]]
        if parts.height == 1 or (sure and sure[0]["part"] / part >= _LEADS):
            return f"{_how_much(part, change)} the {word} of {_moved(top[0])}."
        noun = f"the {word}s of the {many}"
        told = ", of which none alone moved by more than noise"
        if sure:
            each = [f"{_moved(row)} ({_signed(row['part'])})" for row in sure]
            told = f": {_listed(each)}"
    return f"{_how_much(part, change)} {noun}{told}."


def _how_much(part: float, change: Mapping[str, Any]) -> str:
    worth = _signed(part)
    if not change["certain"]:
        return f"More than noise ({worth}) is"
    ratio = part / change["change"]
    if ratio < 0:
        return f"The other way ({worth}) worked"
    if ratio > 1 + (1 - _ALL):
        return f"More than all of it ({worth}) is"
    for least, words in _SHARES:
        if ratio >= least:
            return f"{words} ({worth}) is"
    return f"A part of it ({worth}) is"


def _shift(row: Mapping[str, Any]) -> str:
    if not row["share_before"]:
        return f"{row['name']} is new, with {_share(row['share'])} of what ended"
    if not row["share"]:
        return f"{row['name']} is gone, which had {_share(row['share_before'])} of what ended"
    return (
        f"{row['name']} went from {_share(row['share_before'])} to {_share(row['share'])} "
        "of what ended"
    )


def _moved(row: Mapping[str, Any]) -> str:
    ends = [_rate(row[f"{row['kind']}{end}"]) for end in ("_before", "")]
    return f"{row['name']}, from {ends[0]} to {ends[1]}"


def _alone(row: Mapping[str, Any]) -> str:
    worth = _signed(row["part"])
    if row["kind"] == "mix":
        ends = [_share(row[f"share{end}"]) for end in ("_before", "")]
        return f"the share of {row['name']}, from {ends[0]} to {ends[1]} ({worth})"
    return f"the {_RATES[row['kind']]} of {_moved(row)} ({worth})"


def _noise(kinds: Sequence[Mapping[str, Any]], many: str) -> str:
    words = {
        "mix": f"the mix of {many}",
        "reply_rate": f"the reply rates of the {many}",
        "bounce_rate": f"the bounce rates of the {many}",
    }
    said = [f"{words[kind['kind']]} ({_signed(kind['part'])})" for kind in kinds]
    text = f"{_listed(said)} moved it by no more than noise."
    return text[0].upper() + text[1:]


def _listed(texts: Iterable[str]) -> str:
    """Texts in a sentence; semicolons where they hold commas."""
    several = list(texts)
    if len(several) == 1:
        return several[0]
    mark = ";" if any("," in text for text in several) else ","
    joined = f"{mark} ".join(several[:-1])
    return f"{joined}{mark if mark == ';' else ''} and {several[-1]}"


def _points(value: float) -> str:
    return f"{value:.1f}"


def _signed(value: float) -> str:
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def _share(value: float) -> str:
    return f"{100 * value:.0f}\u00a0%"


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f}\u00a0%"
