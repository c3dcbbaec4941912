"""Sentences about what goes with replies and bounces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from senderscore_nb.drivers.factors import FactorEffects

_DONE = {"replied": "were replied to", "bounced": "bounced"}
_RATES = {"replied": "reply rate", "bounced": "bounce rate"}

NAMES: Mapping[str, str] = {
    "personalization_tokens": "personalization tokens",
    "personalization_tokens (how many)": "number of tokens",
    "template_id": "template",
    "steps": "number of steps",
    "segment": "segment",
    "contact_source": "contact source",
    "lifecycle_stage": "lifecycle stage",
    "recipient_domain": "recipient domain",
    "mailbox_provider": "mailbox provider",
    "previously_bounced": "bounced before",
    "opted_out": "opted out",
    "sends_since_engagement": "sends since last engagement",
    "enrolled_hour": "hour of enrollment",
    "enrolled_weekday": "weekday of enrollment",
    "sequence_id": "sequence",
    "unengaged": "engagement",
}
"""Factors' names in words."""


def factor_name(factor: str) -> str:
    """A factor's name in words; a column of the user's own as it is named.

    >>> factor_name("template_id")
    'template'
    """
    return NAMES.get(factor, factor.replace("_", " "))


def effect_sentences(found: FactorEffects, *, most: int = 6) -> list[str]:
    """What was found, as sentences: the greatest certain differences first, then what was not.

    Args:
        found: As `factor_effects` returns it.
        most: The most differences to name.

    Returns:
        Sentences of plain text; names of levels in them come from the data and are not escaped.
    """
    certain = found.effects.filter(pl.col("certain"))
    # The greatest of a factor speaks for it.
    size = pl.col("difference_pp").abs()
    ranked = certain.sort(size, descending=True).unique(
        ["outcome", "factor"], keep="first", maintain_order=True
    )
    told = [effect_sentence(row) for row in ranked.head(most).iter_rows(named=True)]
    if not told and found.effects.height:
        told = ["No factor goes with replies or bounces by more than chance would make it."]
    more = ranked.height - most
    if more > 0:
        told.append(f"{more} more factor{'s' if more > 1 else ''} differ by more than chance.")
    told += _without(found)
    if ranked.height:
        told.append(
            "Associations, not causes: senders choose whom they write to, and what differs beside "
            "the factor may be behind it."
        )
    return told


def effect_sentence(row: Mapping[str, Any]) -> str:
    """One row of `effects` as a sentence.

    >>> effect_sentence({"outcome": "replied", "factor": "personalization_tokens",
    ...     "level": "one or more", "against": "none", "difference_pp": 2.9,
    ...     "difference_pp_low": 1.9, "difference_pp_high": 3.9, "senders": 9})
    'Enrollments with at least one personalization token were replied to 2.9 percentage points \
more often than those without (1.9 to 3.9), given sender, sequence and week.'
    """
    difference, low, high = (float(row[f"difference_pp{end}"]) for end in ("", "_low", "_high"))
    way = "more" if difference >= 0 else "less"
    ends = sorted((low, high)) if difference >= 0 else sorted((-low, -high))
    factor = row["factor"]
    within = "sender and week" if factor == "sequence_id" else "sender, sequence and week"
    return (
        f"{_subject(factor, row['level'])} {_DONE[row['outcome']]} {_size(abs(difference))} "
        f"{way} often than {_others(factor, row['against'])} ({_number(ends[0])} to "
        f"{_number(ends[1])}), given {within}."
    )


def _size(difference: float) -> str:
    text = _number(difference)
    return f"{text} percentage point{'' if text == '1.0' else 's'}"


def _number(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _subject(factor: str, level: str) -> str:
    if factor == "personalization_tokens" and level == "one or more":
        return "Enrollments with at least one personalization token"
    if factor == "previously_bounced" and level == "yes":
        return "Contacts that had bounced before"
    if factor == "opted_out" and level == "yes":
        return "Contacts that had opted out"
    if factor == "unengaged" and level == "yes":
        return "Contacts that do not engage"
    if factor == "sends_since_engagement":
        return f"Contacts with {level} sends since they last engaged"
    return f"Enrollments with {factor_name(factor)} “{level}”"


def _others(factor: str, against: str) -> str:
    if against == "all others":
        return "all others"
    if factor in ("personalization_tokens", "previously_bounced", "opted_out", "unengaged"):
        return "those without" if factor == "personalization_tokens" else "others"
    return f"those with {against}" if factor == "sends_since_engagement" else f"with “{against}”"


def _without(found: FactorEffects) -> list[str]:
    """Factors that were looked at in vain, or could not be."""
    sentences = []
    for outcome, rate in _RATES.items():
        tests = found.tests.filter(pl.col("outcome") == outcome)
        # A factor with a certain level is not without effect, though its test of all levels may be.
        known = found.effects.filter((pl.col("outcome") == outcome) & pl.col("certain"))["factor"]
        nothing = tests.filter(
            (pl.col("status") == "estimated")
            & ~pl.col("certain").fill_null(value=False)
            & ~pl.col("factor").is_in(known.to_list())
        )
        if nothing.height:
            sentences.append(
                f"Nothing beyond chance is seen for the {rate} by {_list(nothing['factor'])}."
            )
    untold = found.tests.filter(pl.col("status").is_in(["aliased", "same_as", "too_few"]))
    if untold.height:
        names = untold["factor"].unique(maintain_order=True)
        sentences.append(f"Not to be told from this data: {_list(names)}.")
    return sentences


def _list(names: pl.Series | Sequence[str]) -> str:
    words = [factor_name(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
