"""How an enrollment ended, from the vendor's state, source and error words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import polars as pl

from senderscore_nb.contract import END_REASONS

STATES: tuple[str, ...] = ("EXECUTING", "PAUSED", "FINISHED", "UNENROLLED")

SOURCES: tuple[str, ...] = (
    "REPLY",
    "THREAD_REPLY",
    "MEETING",
    "ACCOUNT_REPLY",
    "ACCOUNT_MEETING",
    "MANUAL",
    "WORKFLOW",
    "ERROR",
    "SEQUENCE_DELETED",
)

BLOCKED: tuple[str, ...] = (
    "RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL",
    "RECIPIENT_PREVIOUSLY_BOUNCED_GLOBALLY",
    "PREVIOUSLY_MARKED_AS_SPAM",
    "GLOBALLY_BLOCKED_RECIPIENT_ADDRESS",
    "GLOBALLY_BLOCKED_RECIPIENT_DOMAIN",
    "CONTACT_INVALID_EMAIL_ADDRESS",
    "GDPR",
)
"""Errors by which an address was refused before anything was sent."""

ERRORS: tuple[str, ...] = (
    "BOUNCED",
    "UNSUBSCRIBED",
    *BLOCKED,
    "CONTACT_MISSING",
    "RATE_LIMITED_BY_CLIENT",
    "RATE_LIMITED_BY_PROVIDER",
    "PERMANENT_FAIL",
    "DISCONNECTED_INBOX",
    "GMAIL_SEND_FAIL",
    "OTHER_SEND_REJECTED",
    "DOWNGRADE",
    "OTHER",
    "UNKNOWN",
)

RUN_STATUSES: tuple[str, ...] = ("active", "never_began", *END_REASONS)
"""What one status word of another sender can mean: it has not ended, it ended before anything was
sent, or it ended and why."""

_OPEN, _CLOSED = ("EXECUTING", "PAUSED"), ("FINISHED", "UNENROLLED")

PROVIDERS: dict[str, tuple[str, ...]] = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com", "office365.com"),
    "yahoo": ("yahoo.com", "ymail.com"),
}
"""Who runs a mailbox, and the domains that say so."""

DOMAIN = r"@([^@\s>]+)>?$"
"""The domain of an address, in its group."""


def reasons_by_words(state: Any, by: Any, error: Any) -> list[tuple[Any, str | None]]:
    """The rule of the contract's `end_reason`: conditions in order, each with what it means.

    Args:
        state: One of `STATES`; an expression with `is_in`, `is_null`, `is_not_null`, `&` and `|`,
            as those of polars, or of SQL (`engines.conditions`).
        by: One of `SOURCES`.
        error: One of `ERRORS`.
    """
    is_error = by.is_in(["ERROR"]) | (by.is_null() & error.is_not_null())
    return [
        (state.is_in(_OPEN), None),
        (is_error & error.is_in(["BOUNCED"]), "bounced"),
        (is_error & error.is_in(["UNSUBSCRIBED"]), "unsubscribed"),
        (is_error & error.is_in(BLOCKED), "blocked"),
        (is_error, "error"),
        *((by.is_in([word]), word.lower()) for word in SOURCES if word != "ERROR"),
        (state.is_in(["FINISHED"]), "finished"),
        (state.is_in(["UNENROLLED"]), "unknown"),
    ]


def contradictions(state: Any, ended_on: Any) -> list[tuple[Any, str]]:
    """When state and end do not go together: conditions, each with what is wrong."""
    return [
        (state.is_in([word]) & ended_on.is_not_null(), f"state is {word} but there is an end")
        for word in _OPEN
    ] + [
        (state.is_in([word]) & ended_on.is_null(), f"state is {word} but there is no end")
        for word in _CLOSED
    ]


def end_reason() -> pl.Expr:
    """The contract's `end_reason` from `state`, `unenrolled_by` and `error_type`."""
    return _first(reasons_by_words(*map(pl.col, ("state", "unenrolled_by", "error_type"))))


def contradiction() -> pl.Expr:
    """Why state and end do not go together; null where they do."""
    return _first(contradictions(pl.col("state"), pl.col("ended_on")))


def _first(branches: Sequence[tuple[pl.Expr, str | None]]) -> pl.Expr:
    """The text of the first condition that holds."""
    chain: Any = pl
    for condition, said in branches:
        chain = chain.when(condition).then(pl.lit(said, pl.String))
    return cast(pl.Expr, chain.otherwise(None))


def recipient_domain() -> pl.Expr:
    """The domain of an address, in lower case."""
    return pl.col("recipient_email").str.to_lowercase().str.extract(DOMAIN)


def mailbox_provider() -> pl.Expr:
    """Who runs the mailbox, where the domain says so; most business domains do not."""
    domains = {domain: name for name, ds in PROVIDERS.items() for domain in ds}
    return pl.col("recipient_domain").replace_strict(domains, default=None, return_dtype=pl.String)
