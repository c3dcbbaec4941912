"""The simulated account: its sequences, its senders, and what is planted in it.

Rates are fractions 0–1. Weeks are counted from 1 (the first of the account's weeks); a week's
effects hold for the enrollments that begin in it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

LAST_DAY = dt.date(2026, 11, 15)
"""A Sunday: the last day that the sample knows of."""

WEEKS = 40
SEED = 14
"""One of several seeds under which the sender on a band's edge is also seen near it."""

TIMEZONE = "Europe/Stockholm"

Mix = tuple[tuple[str, float], ...]
"""Sequence ids with their shares of a sender's enrollments."""


@dataclass(frozen=True)
class Sequence:
    """A sequence: `steps` e-mails over `days`; `strength` is added to the log-odds of a reply."""

    sequence_id: str
    name: str
    steps: int
    days: int
    strength: float


@dataclass(frozen=True)
class Sender:
    """A sender and the true rates.

    Attributes:
        user_id: Id of the user.
        name: Name of the user.
        team: Team in the roster.
        weekly: Enrollments a week, on average.
        reply_rate: Probability that a contact whose mail did not bounce replies, over `mix` and
            the sender's use of tokens, before any planted change.
        bounce_rate: Probability that a mail is returned, before any planted change.
        mix: The sequences used.
        tokens: Share of enrollments with at least one personalization token.
        first_week: First week with enrollments; None: was there before the first week.
        last_week: Last week with enrollments; None: is still there.
        paid_seat: Whether the user has an assigned paid seat.
        role: What the sender is there for, in words.
    """

    user_id: str
    name: str
    team: str
    weekly: float
    reply_rate: float
    bounce_rate: float
    mix: Mix
    tokens: float = 0.5
    first_week: int | None = None
    last_week: int | None = None
    paid_seat: bool = True
    role: str = ""


@dataclass(frozen=True)
class Decay:
    """A sequence whose log-odds of a reply change by `slope` every week, from week 1 on."""

    sequence_id: str
    slope: float


@dataclass(frozen=True)
class BadList:
    """A contact source that one sender uses from `first_week` on, and that gets worse.

    Attributes:
        user_id: The sender. Nobody else uses the source.
        source: Name of the contact source.
        first_week: First week with enrollments from it.
        share: Its share of the sender's enrollments from then on.
        first_rate: Its bounce rate in `first_week`.
        weekly_rise: Added to its bounce rate every week after, up to a rate of 0.5.
    """

    user_id: str
    source: str
    first_week: int
    share: float
    first_rate: float
    weekly_rise: float


@dataclass(frozen=True)
class MixShift:
    """A sender who uses other sequences, or in other shares, from `first_week` on."""

    user_id: str
    first_week: int
    mix: Mix


@dataclass(frozen=True)
class Effects:
    """What is planted. Each can be switched off: None, or an odds ratio of 1.

    An effect on a sender or sequence that the simulated account does not have does nothing.

    Attributes:
        tokens_odds_ratio: Odds of a reply with a personalization token or more against none, for
            the same sender, sequence and week.
        past_bounce_odds_ratio: Odds of a bounce where the contact had bounced before against where
            not, for the same sender, source and week.
        sends_odds_ratio: Odds of a reply for each further e-mail sent since the contact last
            engaged, for the same sender, sequence, week and token.
        decay: A sequence that wears out.
        bad_list: A contact source that bounces.
        mix_shift: A sender who moves to other sequences.

    >>> Effects(tokens_odds_ratio=1.0, decay=None).mix_shift.user_id
    '1007'
    """

    tokens_odds_ratio: float = 1.5
    past_bounce_odds_ratio: float = 10.0
    sends_odds_ratio: float = 0.95
    decay: Decay | None = Decay("308", -0.035)
    bad_list: BadList | None = BadList("1003", "Purchased list", 24, 0.35, 0.04, 0.012)
    mix_shift: MixShift | None = MixShift("1007", 23, (("306", 0.15), ("307", 0.85)))


NO_EFFECTS = Effects(
    tokens_odds_ratio=1.0,
    past_bounce_odds_ratio=1.0,
    sends_odds_ratio=1.0,
    decay=None,
    bad_list=None,
    mix_shift=None,
)
"""Constant rates by sender and sequence, and nothing else."""

NULL_FACTORS = ("segment", "lifecycle_stage", "recipient_domain", "template_id")
"""Factors without any effect on replies or bounces (a template: within its sequence)."""

PREVIOUSLY_BOUNCED = 0.02
"""The share of contacts that had bounced before, among those whose mail is not returned."""

SENDS_DECAY = 0.85
"""The number of e-mails since a contact last engaged is n with a chance proportional to this to the
n-th power, up to `MOST_SENDS`, among those who do not reply."""

MOST_SENDS = 40

SEQUENCES = (
    Sequence("301", "Inbound follow-up", 4, 10, 0.35),
    Sequence("302", "Cold intro, manufacturing", 6, 24, -0.3),
    Sequence("303", "Cold intro, retail", 6, 24, -0.2),
    Sequence("304", "Event follow-up", 3, 8, 0.3),
    Sequence("305", "Webinar invitation", 3, 7, 0.0),
    Sequence("306", "Pricing question", 4, 12, 0.55),
    Sequence("307", "Reactivation", 5, 28, -0.85),
    Sequence("308", "Product launch", 5, 18, 0.3),
    Sequence("309", "Partner referral", 4, 14, 0.4),
    Sequence("310", "Trial expiry", 4, 9, 0.2),
    Sequence("311", "Renewal check-in", 3, 14, 0.1),
    Sequence("312", "Executive outreach", 6, 28, -0.4),
)

SENDERS = (
    Sender(
        *("1001", "Amina Yusuf", "Nordics", 165, 0.155, 0.004),
        mix=(("301", 0.4), ("304", 0.3), ("310", 0.3)),
        tokens=0.8,
        role="the best",
    ),
    Sender(
        *("1002", "Johan Lindqvist", "Nordics", 150, 0.1, 0.016),
        mix=(("308", 0.4), ("302", 0.3), ("305", 0.3)),
        role="uses the sequence that wears out",
    ),
    Sender(
        *("1003", "Priya Raman", "Nordics", 120, 0.095, 0.012),
        mix=(("303", 0.4), ("305", 0.3), ("309", 0.3)),
        role="bounces climb: the purchased list",
    ),
    Sender(
        *("1004", "Mateusz Nowak", "Nordics", 95, 0.07, 0.03),
        mix=(("302", 0.5), ("304", 0.25), ("311", 0.25)),
        role="on a band's edge",
    ),
    Sender(
        *("1005", "Ingrid Solheim", "Nordics", 60, 0.075, 0.02),
        mix=(("311", 0.6), ("312", 0.4)),
        role="ordinary",
    ),
    Sender(
        *("1006", "Lukas Brandt", "Central", 140, 0.105, 0.014),
        mix=(("308", 0.35), ("301", 0.35), ("303", 0.3)),
        tokens=0.6,
        role="uses the sequence that wears out",
    ),
    Sender(
        *("1007", "Chloé Martin", "Central", 115, 0.125, 0.025),
        mix=(("306", 0.85), ("307", 0.15)),
        role="only the mix of sequences moves",
    ),
    Sender(
        *("1008", "Kwame Boateng", "Central", 100, 0.08, 0.022),
        mix=(("303", 0.4), ("310", 0.3), ("312", 0.3)),
        tokens=0.4,
        role="ordinary",
    ),
    Sender(
        *("1009", "Sofia Rossi", "Central", 80, 0.06, 0.036),
        mix=(("302", 0.5), ("305", 0.5)),
        tokens=0.3,
        role="outside both good ranges",
    ),
    Sender(
        *("1010", "Elif Demir", "Central", 130, 0.098, 0.011),
        mix=(("301", 0.3), ("309", 0.4), ("312", 0.3)),
        tokens=0.6,
        paid_seat=False,
        role="no paid seat",
    ),
    Sender(
        *("1011", "Daniel O'Brien", "Overseas", 90, 0.026, 0.056),
        mix=(("307", 0.6), ("302", 0.4)),
        tokens=0.2,
        role="the worst",
    ),
    Sender(
        *("1012", "Hana Kovář", "Overseas", 70, 0.05, 0.034),
        mix=(("303", 0.6), ("305", 0.4)),
        tokens=0.4,
        role="outside both good ranges",
    ),
    Sender(
        *("1013", "Rajesh Iyer", "Overseas", 100, 0.1, 0.019),
        mix=(("308", 0.4), ("310", 0.3), ("305", 0.3)),
        role="uses the sequence that wears out",
    ),
    Sender(
        *("1014", "Grace Whitfield", "Overseas", 45, 0.14, 0.006),
        mix=(("309", 0.5), ("306", 0.5)),
        tokens=0.7,
        role="few enrollments, high rates",
    ),
    Sender(
        *("1015", "Omar Haddad", "Overseas", 85, 0.07, 0.021),
        mix=(("304", 0.4), ("302", 0.6)),
        last_week=29,
        role="left the company",
    ),
    Sender(
        *("1016", "Lucía Fernández", "Nordics", 24, 0.09, 0.015),
        mix=(("305", 0.5), ("312", 0.5)),
        first_week=36,
        role="new: below 100 ended",
    ),
)

SWEDISH_SEQUENCES = (
    Sequence("401", "Uppföljning efter mässa", 4, 12, 0.2),
    Sequence("402", "Återkoppling på offert", 3, 9, 0.0),
)

SWEDISH_SENDERS = (
    Sender(
        *("2001", "Åsa Öberg", "Norr", 11, 0.11, 0.015),
        mix=(("401", 0.6), ("402", 0.4)),
    ),
    Sender(
        *("2002", "Björn Sjögren", "Norr", 9, 0.07, 0.03),
        mix=(("401", 0.3), ("402", 0.7)),
    ),
)


def monday(week: int, *, weeks: int = WEEKS, last_day: dt.date = LAST_DAY) -> dt.date:
    """The first day of a week.

    >>> monday(40)
    datetime.date(2026, 11, 9)
    """
    return last_day - dt.timedelta(days=6 + 7 * (weeks - week))
