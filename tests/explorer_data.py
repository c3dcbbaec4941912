"""Small accounts and views for the explorer's tests."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import strategies as st

from senderscore_nb.explorer import Data, Side, View
from senderscore_nb.explorer.state import PANELS
from senderscore_nb.selection import Selection

MONDAY = dt.date(2026, 3, 2)
DAYS = 45
USERS = ("7", "8", "9", "<b>")
SEQUENCES = ("a", "b", "c")
ROSTER = pl.DataFrame(
    {
        "user_id": ["7", "8", "9", "new"],
        "user_name": ["Ann", "Bo", "Cy", "Di"],
        "team": ["North", "South", None, "South"],
        "paid_seat": [True, True, False, True],
    }
)

days = st.integers(0, DAYS - 1).map(lambda n: MONDAY + dt.timedelta(days=n))
ranges = st.one_of(
    st.just((None, None)),
    st.tuples(days, days).map(sorted),
    days.map(lambda d: (d, None)),
    days.map(lambda d: (None, d)),
)


def subsets(names: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=2).map(tuple)


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    start, end = draw(ranges)
    return Selection(
        users=draw(subsets(USERS)),
        teams=draw(subsets(("North", "South"))),
        sequences=draw(subsets(SEQUENCES)),
        start=start,
        end=end,
    )


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view of the account that `data_of` makes."""
    user = draw(st.sampled_from(("", *USERS)))
    brush = draw(st.one_of(st.just((None, None)), st.tuples(days, days).map(sorted)))
    side = st.builds(Side, selection=selections(), policy=st.just("hubspot-article"))
    return View(
        selection=draw(selections()),
        date_basis=draw(st.sampled_from(("", "ended_on"))),
        panel=draw(st.sampled_from(PANELS)),
        user=user,
        sequence=draw(st.sampled_from(("", *SEQUENCES))) if user else "",
        brush_start=brush[0],
        brush_end=brush[1],
        weeks=draw(st.sampled_from((1, 3))),
        sort=draw(st.sampled_from(("score", "name", "ended", "reply_rate", "bounce_rate"))),
        descending=draw(st.booleans()),
        page=draw(st.integers(0, 2)),
        other=draw(st.one_of(st.none(), side)),
        split=draw(st.sampled_from(("sequence", "user"))),
    )


@st.composite
def tallies(draw: st.DrawFn, *, nulls: bool = True) -> pl.DataFrame:
    """Tallies of a few users, sequences and days; counts around the minimum, some unknown."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from(USERS), st.sampled_from(SEQUENCES), days),
            unique=True,
            min_size=1,
            max_size=40,
        )
    )
    rows = []
    for user, sequence, day in keys:
        ended = draw(st.integers(1, 90))
        bounced = draw(st.integers(0, ended))
        replied = draw(st.integers(0, ended - bounced))
        unknown = draw(st.sampled_from((0, 0, 0, 0, 1, 2))) if nulls else 0
        rows.append(
            (
                *(user, sequence, day, ended),
                None if unknown == 1 else replied,
                None if unknown == 2 else bounced,
            )
        )
    schema = {"user_id": pl.String, "sequence_id": pl.String, "day": pl.Date}
    schema |= dict.fromkeys(("ended", "replied", "bounced"), pl.Int64)
    extra = [pl.lit(0, pl.Int64).alias(n) for n in ("opened", "clicked", "meetings")]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        *extra, pl.lit(0, pl.Int64).alias("unsubscribed")
    )


def data_of(frame: pl.DataFrame) -> Data:
    """The data of tallies with every user and sequence known, whether or not it has any."""
    from senderscore_nb.labels import labels_of

    every = pl.DataFrame(
        {"user_id": list(USERS), "sequence_id": [*SEQUENCES, SEQUENCES[0]]},
    )
    return Data.of_tallies(frame, roster=ROSTER, labels=labels_of(every, ROSTER))


def full() -> pl.DataFrame:
    """Every user in every sequence on every day."""
    rows = [
        (u, s, MONDAY + dt.timedelta(days=d), 12, (i + d) % 3, d % 2 if i == 2 else 0)
        for i, u in enumerate(USERS)
        for s in SEQUENCES
        for d in range(DAYS)
    ]
    schema = ["user_id", "sequence_id", "day", "ended", "replied", "bounced"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(
        pl.lit(0, pl.Int64).alias(n) for n in ("opened", "clicked", "meetings", "unsubscribed")
    )
