"""How an enrollment ended, from the vendor's state, source and error words."""

from __future__ import annotations

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

_PROVIDERS = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com", "office365.com"),
    "yahoo": ("yahoo.com", "ymail.com"),
}


def end_reason() -> pl.Expr:
    """The contract's `end_reason` from `state`, `unenrolled_by` and `error_type`."""
    state, by, error = pl.col("state"), pl.col("unenrolled_by"), pl.col("error_type")
    is_error = (by == "ERROR") | (by.is_null() & error.is_not_null())
    return (
        pl.when(state.is_in(["EXECUTING", "PAUSED"]))
        .then(None)
        .when(is_error & (error == "BOUNCED"))
        .then(pl.lit("bounced"))
        .when(is_error & (error == "UNSUBSCRIBED"))
        .then(pl.lit("unsubscribed"))
        .when(is_error & error.is_in(BLOCKED))
        .then(pl.lit("blocked"))
        .when(is_error)
        .then(pl.lit("error"))
        .when(by.is_not_null())
        .then(by.str.to_lowercase())
        .when(state == "FINISHED")
        .then(pl.lit("finished"))
        .when(state == "UNENROLLED")
        .then(pl.lit("unknown"))
    )


def contradiction() -> pl.Expr:
    """Why state and end do not go together; null where they do."""
    active = pl.col("state").is_in(["EXECUTING", "PAUSED"])
    ended = pl.col("ended_on").is_not_null()
    return (
        pl.when(active & ended)
        .then(pl.format("state is {} but there is an end", "state"))
        .when(pl.col("state").is_in(["FINISHED", "UNENROLLED"]) & ~ended)
        .then(pl.format("state is {} but there is no end", "state"))
    )


def recipient_domain() -> pl.Expr:
    """The domain of an address, in lower case."""
    return pl.col("recipient_email").str.to_lowercase().str.extract(r"@([^@\s>]+)>?$")


def mailbox_provider() -> pl.Expr:
    """Who runs the mailbox, where the domain says so; most business domains do not."""
    domains = {domain: name for name, ds in _PROVIDERS.items() for domain in ds}
    return pl.col("recipient_domain").replace_strict(domains, default=None, return_dtype=pl.String)
