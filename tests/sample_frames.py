"""What the tests of the sample account share: its columns, and plain statistics over them."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from senderscore_nb.sample import (
    Effects,
)

DATA = Path(__file__).parents[1] / "data" / "sample"
PLANTED = Effects()
HEADER = (
    "Enrollment ID,Record ID - Contact,Sequence ID,Sequence name,Enrolled by ID,Enrolled by,"
    "Enrolled at,Ended at,Enrollment state,Unenrolled source,Step error type,Emails sent,"
    "Emails opened,Emails clicked,Emails replied,Emails bounced,Unsubscribes,Meetings booked,"
    "Number of steps,Recipient email,Personalization tokens,Contact source,Segment,"
    "Lifecycle stage,Template ID,Previously bounced,Sends since last engagement"
)
SWEDISH_HEADER = (
    "Registrerings-ID;Post-ID - Kontakt;Sekvens-ID;Sekvensnamn;Registrerad av ID;Registrerad av;"
    "Registrerad den;Avslutad den;Registreringsstatus;Källa för avregistrering;Typ av stegfel;"
    "Skickade e-postmeddelanden;Öppnade e-postmeddelanden;Klickade e-postmeddelanden;"
    "Besvarade e-postmeddelanden;Studsade e-postmeddelanden;Avprenumerationer;Bokade möten;"
    "Antal steg;Mottagarens e-postadress;Personaliseringstokens;Kontaktkälla;Segment;"
    "Livscykelstadium;Mall-ID;Tidigare studsad;Utskick sedan senaste engagemang"
)
TEXT = {"Enrollment ID": pl.String, "Enrolled by ID": pl.String, "Sequence ID": pl.String}

REPLIED = (pl.col("Emails replied") > 0) & (pl.col("Emails bounced") == 0)
BOUNCED = pl.col("Emails bounced") > 0


def rate(rows: pl.DataFrame) -> tuple[float, float]:
    """Reply rate of what did not bounce, and its standard error."""
    delivered = rows.filter(~BOUNCED)
    p = float(delivered.select(REPLIED.mean()).item())
    return p, math.sqrt(p * (1 - p) / delivered.height)


def z_of_difference(a: pl.DataFrame, b: pl.DataFrame) -> float:
    (p, se_p), (q, se_q) = rate(a), rate(b)
    return (q - p) / math.hypot(se_p, se_q)


def levels_apart(rows: pl.DataFrame, factor: str, outcome: str) -> float:
    """The largest |z| of a level's outcomes against what its senders and sequences expect."""
    strata = ["Enrolled by ID", "Sequence ID"]
    cells = rows.group_by(*strata, pl.col(factor).alias("level")).agg(
        n=pl.len(), hits=pl.col(outcome).sum()
    )
    total = pl.col("n").sum().over(strata)
    p = pl.col("hits").sum().over(strata) / total
    share = pl.col("n") / total
    by_level = (
        cells.with_columns(
            expected=pl.col("n") * p, variance=pl.col("n") * p * (1 - p) * (1 - share)
        )
        .group_by("level")
        .agg(pl.col("hits", "expected", "variance").sum())
    )
    z = (pl.col("hits") - pl.col("expected")).abs() / pl.col("variance").sqrt()
    return float(by_level.filter(pl.col("variance") > 0).select(z.max()).item())


def mantel_haenszel(rows: pl.DataFrame, strata: list[str]) -> float:
    """The odds ratio of a reply with tokens against none, over strata."""
    columns = {"with": pl.col("tokens"), "without": ~pl.col("tokens")}
    hits = {f"hit_{k}": (v & pl.col("replied")).sum() for k, v in columns.items()}
    misses = {f"miss_{k}": (v & ~pl.col("replied")).sum() for k, v in columns.items()}
    cells = rows.group_by(strata).agg(n=pl.len(), **hits, **misses)
    up = (pl.col("hit_with") * pl.col("miss_without") / pl.col("n")).sum()
    down = (pl.col("hit_without") * pl.col("miss_with") / pl.col("n")).sum()
    return float(cells.select(up / down).item())
