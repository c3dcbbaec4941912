"""The files of the sample account, as a user would have them."""

from __future__ import annotations

import gzip
import io
import tempfile
from pathlib import Path

import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.sample.account import (
    SEED,
    SENDERS,
    SWEDISH_SENDERS,
    SWEDISH_SEQUENCES,
    WEEKS,
    Effects,
)
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.readme import readme

EXPORT = "hubspot-crm-exports-sequence-enrollments-2026-11-16.csv.gz"
SWEDISH_EXPORT = "swedish/hubspot-crm-exports-sekvensregistreringar-2026-11-16.csv"
ROSTER = "roster.csv"
README = "README.md"

_LABELS = (
    ("enrollment_id", "Enrollment ID", "Registrerings-ID"),
    ("contact_id", "Record ID - Contact", "Post-ID - Kontakt"),
    ("sequence_id", "Sequence ID", "Sekvens-ID"),
    ("sequence_name", "Sequence name", "Sekvensnamn"),
    ("user_id", "Enrolled by ID", "Registrerad av ID"),
    ("user_name", "Enrolled by", "Registrerad av"),
    ("enrolled_at", "Enrolled at", "Registrerad den"),
    ("ended_at", "Ended at", "Avslutad den"),
    ("state", "Enrollment state", "Registreringsstatus"),
    ("source", "Unenrolled source", "Källa för avregistrering"),
    ("error", "Step error type", "Typ av stegfel"),
    ("sent", "Emails sent", "Skickade e-postmeddelanden"),
    ("opens", "Emails opened", "Öppnade e-postmeddelanden"),
    ("clicks", "Emails clicked", "Klickade e-postmeddelanden"),
    ("replies", "Emails replied", "Besvarade e-postmeddelanden"),
    ("bounces", "Emails bounced", "Studsade e-postmeddelanden"),
    ("unsubscribes", "Unsubscribes", "Avprenumerationer"),
    ("meetings", "Meetings booked", "Bokade möten"),
    ("steps", "Number of steps", "Antal steg"),
    ("recipient_email", "Recipient email", "Mottagarens e-postadress"),
    ("personalization_tokens", "Personalization tokens", "Personaliseringstokens"),
    ("contact_source", "Contact source", "Kontaktkälla"),
    ("segment", "Segment", "Segment"),
    ("lifecycle_stage", "Lifecycle stage", "Livscykelstadium"),
    ("template_id", "Template ID", "Mall-ID"),
    ("previously_bounced", "Previously bounced", "Tidigare studsad"),
    ("sends_since_engagement", "Sends since last engagement", "Utskick sedan senaste engagemang"),
)

_IN_SWEDISH = {
    "state": {
        "EXECUTING": "Pågår",
        "PAUSED": "Pausad",
        "FINISHED": "Slutförd",
        "UNENROLLED": "Avregistrerad",
    },
    "source": {
        "REPLY": "Svar",
        "THREAD_REPLY": "Svar i tråd",
        "MEETING": "Möte",
        "ACCOUNT_REPLY": "Kontosvar",
        "ACCOUNT_MEETING": "Kontomöte",
        "MANUAL": "Manuell",
        "WORKFLOW": "Arbetsflöde",
        "ERROR": "Fel",
    },
    "error": {
        "BOUNCED": "Studsade",
        "UNSUBSCRIBED": "Avprenumererad",
        "RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL": "Tidigare studsad",
        "DISCONNECTED_INBOX": "",
    },
    "contact_source": {
        "Website form": "Webbformulär",
        "Prospecting tool": "Prospekteringsverktyg",
        "Event": "Mässa",
        "Referral": "Rekommendation",
    },
    "segment": {
        "Manufacturing": "Tillverkning",
        "Public sector": "Offentlig sektor",
        "Retail": "Detaljhandel",
        "Software": "Programvara",
    },
    "lifecycle_stage": {
        "Lead": "Lead",
        "Marketing qualified": "Marknadskvalificerad",
        "Sales qualified": "Säljkvalificerad",
        "Opportunity": "Affärsmöjlighet",
    },
}


def write_sample(folder: str | Path, *, seed: int = SEED) -> tuple[Path, ...]:
    """Write the sample account; the same seed gives the same bytes.

    Args:
        folder: Made where it does not exist; files of the same names are replaced.
        seed: Seed of the generator.

    Returns:
        The paths of the export, the Swedish export, the roster and the README.

    Raises:
        SenderScoreError: The folder cannot be written to.
    """
    rows = simulate_rows(seed)
    contents = {
        EXPORT: gzip.compress(export_csv(rows), compresslevel=9, mtime=0),
        SWEDISH_EXPORT: swedish_csv(seed),
        ROSTER: roster_csv(),
        README: readme(rows, seed, export=EXPORT, swedish=SWEDISH_EXPORT, roster=ROSTER).encode(),
    }
    paths = []
    try:
        for name, content in contents.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            paths.append(path)
    except OSError as error:
        raise SenderScoreError(
            f"The sample cannot be written ({error.strerror}).",
            where=str(error.filename or folder),
            hint="Name a folder that can be written to.",
        ) from None
    return tuple(paths)


def export_csv(rows: pl.DataFrame) -> bytes:
    """The export with English labels: UTF-8, comma."""
    labels = [label for _, label, _ in _LABELS]
    return _csv(_as_shown(rows).select(c for c, *_ in _LABELS), labels)


def swedish_csv(seed: int) -> bytes:
    """The small export with Swedish labels and words: cp1252, semicolon, decimal comma."""
    rows = simulate_rows(
        seed,
        senders=SWEDISH_SENDERS,
        sequences=SWEDISH_SEQUENCES,
        weeks=WEEKS // 2,
        effects=Effects(decay=None, bad_list=None, mix_shift=None),
        first_id=900_001,
    )
    rows = _as_shown(rows).select(c for c, *_ in _LABELS)
    counts = pl.selectors.integer()
    yes, no = pl.lit("Ja"), pl.lit("Nej")
    rows = rows.with_columns(
        counts.cast(pl.String) + ",0",
        pl.when("previously_bounced").then(yes).otherwise(no).alias("previously_bounced"),
        *(pl.col(column).replace(words) for column, words in _IN_SWEDISH.items()),
    )
    labels = [label for *_, label in _LABELS]
    return _csv(rows, labels, separator=";").decode("utf-8").encode("cp1252")


def roster_csv() -> bytes:
    """Who sends: user, name, team, paid seat, active, address."""
    rows = pl.DataFrame(
        {
            "User ID": [s.user_id for s in SENDERS],
            "Name": [s.name for s in SENDERS],
            "Team": [s.team for s in SENDERS],
            "Paid seat": ["true" if s.paid_seat else "false" for s in SENDERS],
            "Active": ["true" if s.last_week is None else "false" for s in SENDERS],
            "Email": [f"user-{s.user_id}@example.com" for s in SENDERS],
        }
    )
    return _csv(rows, rows.columns)


def _as_shown(rows: pl.DataFrame) -> pl.DataFrame:
    instants = pl.col("enrolled_at", "ended_at").dt.strftime("%Y-%m-%d %H:%M")
    return rows.with_columns(instants)


def _csv(rows: pl.DataFrame, labels: list[str], *, separator: str = ",") -> bytes:
    buffer = io.BytesIO()
    # The writer puts quotes around empty text, and leaves a null blank.
    rows = rows.with_columns(pl.col(pl.String).replace("", None))
    named = rows.rename(dict(zip(rows.columns, labels, strict=True)))
    named.write_csv(buffer, separator=separator, quote_style="necessary")
    return buffer.getvalue()


def sample_folder() -> Path:
    """The sample account's folder: the checkout's, or a temporary one written from its seed.

    Raises:
        SenderScoreError: It cannot be written.
    """
    checkout = Path(__file__).parents[2] / "data" / "sample"
    if (checkout / EXPORT).is_file():
        return checkout
    folder = Path(tempfile.mkdtemp(prefix="senderscore-sample-"))
    write_sample(folder)
    return folder
