"""What became of every mail: used, ignored or rejected, counted."""

from __future__ import annotations

import polars as pl

from senderscore_nb.sources.emails.files import ROW
from senderscore_nb.sources.emails.store import Store
from senderscore_nb.sources.emails.typed import (
    AUTOMATIC,
    BOUNCED,
    FAILED,
    IGNORED,
    NOTICE,
    OLDER,
    REFUSED,
    REJECTED_KINDS,
    REPLY,
    SENT,
)

FATES = pl.Schema({"fate": pl.String(), "what": pl.String(), "mails": pl.Int64()})

_USED = {
    SENT: "sent",
    BOUNCED: "returned",
    FAILED: "not sent: an error",
    REFUSED: "not sent: the address was refused",
    REPLY: "replies",
    AUTOMATIC: "automatic replies",
    NOTICE: "bounce notices",
}
_UNMATCHED = {
    REPLY: "incoming, of no enrollment",
    AUTOMATIC: "automatic reply, of no enrollment",
    NOTICE: "bounce notice, of no enrollment",
}
_OWN = "incoming, from a sender of the account"


def fates_of(store: Store, matched: pl.DataFrame, senders: pl.Series, older: int) -> pl.DataFrame:
    """`fate`, `what`, `mails`; the mails add up to all that were read and have columns.

    Args:
        store: The typed mail.
        matched: As `replies.match` returns it.
        senders: The addresses that mail of sequences is sent from.
        older: How many mails were older copies.
    """
    rows: list[tuple[str, str, int]] = []
    for kind, mails in store.kinds.select("kind", "mails").sort("kind").iter_rows():
        if kind <= REFUSED:
            rows.append(("used", _USED[kind], mails))
        elif kind in IGNORED:
            rows.append(("ignored", IGNORED[kind], mails))
        elif kind in REJECTED_KINDS:
            rows.append(("rejected", REJECTED_KINDS[kind][0], mails))
    rows += _incoming(store.incoming, matched, senders)
    if older:
        rows.append(("ignored", IGNORED[OLDER], older))
    return pl.DataFrame(rows, schema=FATES, orient="row")


def _incoming(
    incoming: pl.DataFrame, matched: pl.DataFrame, senders: pl.Series
) -> list[tuple[str, str, int]]:
    used = pl.col(ROW).is_in(matched[ROW].implode())
    own = pl.col("sender").is_in(senders.implode()).fill_null(value=False)
    counts = (
        incoming.select("kind", used.alias("used"), own.alias("own"))
        .group_by("kind", "used", "own")
        .agg(pl.len().cast(pl.Int64).alias("mails"))
        .sort("kind", "used", "own")
    )
    totals: dict[tuple[str, str], int] = {}
    for kind, is_used, is_own, mails in counts.iter_rows():
        if is_used:
            said = ("used", _USED[kind])
        else:
            said = ("ignored", _OWN if is_own else _UNMATCHED[kind])
        totals[said] = totals.get(said, 0) + mails
    return [(fate, what, mails) for (fate, what), mails in totals.items()]
