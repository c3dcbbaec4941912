"""An account whose every name is an attack."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

NAMES = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "{{7*7}}{% raw %}",
    '=HYPERLINK("http://evil.example","x")',
    "../../etc/x",
    "long " * 2_000,
    "שלום \u202eevil\u202c עולם",
    '"><img src=x onerror="window.pwned=3">',
    "'; DROP TABLE users; --\\\n\"",
    "datum.x]; alert(1); //",
)


def write_hostile(folder: Path) -> Path:
    """A folder with an export and a roster; ids, names, teams and sequences are all hostile."""
    rows = []
    for i, name in enumerate(NAMES):
        for week in range(20):
            day = dt.date(2026, 6, 29) + dt.timedelta(weeks=week, days=i % 6)
            rows += [
                {
                    "enrollment_id": f"{i}-{week}-{k}",
                    "user_id": f"{name[:300]}{i}",
                    "user_name": name,
                    "sequence_id": NAMES[(i + k) % len(NAMES)][:300],
                    "sequence_name": NAMES[(i + k) % len(NAMES)],
                    "enrolled_on": day,
                    "ended_on": day + dt.timedelta(days=1),
                    "replied": k % 11 == i,
                    "bounced": k % 37 == i + 20,
                }
                for k in range(60)
            ]
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows)
    frame.write_csv(folder / "export.csv")
    frame.select("user_id", "user_name").unique(maintain_order=True).with_columns(
        team=pl.col("user_name").str.slice(0, 200), paid_seat=pl.lit(value=True)
    ).write_csv(folder / "roster.csv")
    return folder
