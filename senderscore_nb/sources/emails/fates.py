"""What became of every mail: used, ignored or rejected, counted."""

from __future__ import annotations

import polars as pl

from senderscore_nb.sources.emails.batches import ROW
from senderscore_nb.sources.emails.kinds import (
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
from senderscore_nb.sources.emails.replies import by_kind
from senderscore_nb.sources.emails.store import Store

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


def fates_of(
    store: Store, answering: pl.DataFrame, rest: pl.DataFrame, matched: pl.DataFrame,
    senders: pl.Series,
) -> pl.DataFrame:  # fmt: skip
    """`fate`, `what`, `mails`; the mails add up to all that were read and have columns.

    Args:
        store: The typed mail.
        answering: Incoming mail that may belong to an enrollment.
        rest: As `replies.answering` counts the rest of it.
        matched: As `replies.match` returns it.
        senders: The addresses that mail of sequences is sent from.
    """
    rows: list[tuple[str, str, int]] = []
    for kind, mails in store.kinds.select("kind", "mails").sort("kind").iter_rows():
        if kind <= REFUSED:
            rows.append(("used", _USED[kind], mails))
        elif kind in IGNORED:
            rows.append(("ignored", IGNORED[kind], mails))
        elif kind in REJECTED_KINDS:
            rows.append(("rejected", REJECTED_KINDS[kind][0], mails))
    used = pl.col(ROW).is_in(matched[ROW].implode())
    found = answering.filter(used).group_by("kind").len().sort("kind")
    rows += [("used", _USED[kind], mails) for kind, mails in found.iter_rows()]
    rows += _ignored(pl.concat([by_kind(answering.filter(~used), senders), rest]))
    if store.older:
        rows.append(("ignored", IGNORED[OLDER], store.older))
    return pl.DataFrame(rows, schema=FATES, orient="row")


def _ignored(counts: pl.DataFrame) -> list[tuple[str, str, int]]:
    """Incoming mail of no enrollment, by what is said of it."""
    totals: dict[str, int] = {}
    for kind, own, mails in counts.sort("kind", "own").iter_rows():
        said = _OWN if own else _UNMATCHED[kind]
        totals[said] = totals.get(said, 0) + mails
    return [("ignored", what, mails) for what, mails in totals.items()]
