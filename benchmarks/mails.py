"""Generated mail, and what is measured over it.

`python -m benchmarks.mails data FILE MAILS` writes mail as Parquet; `python -m benchmarks.mails
WORK FILE` measures one piece of work in a process of its own, as `benchmarks.worker` does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.process import python, run, tell
from benchmarks.suites import DATA, Aim, Case, Suite

ZONE = "Europe/Stockholm"
COLUMNS = (
    *("hs_object_id", "hs_timestamp", "hs_email_direction", "hs_email_status", "hs_sequence_id"),
    *("hs_email_from_email", "hs_email_to_email", "hs_email_thread_id", "hubspot_owner_id"),
)
SQL = """
    with mails as (
        select hs_object_id as id, hs_sequence_id as sequence,
               lower(trim(hs_email_from_email)) as f, lower(trim(hs_email_to_email)) as t,
               hs_timestamp::timestamp as sent_at, hs_email_status as status
        from read_parquet(?)
        where hs_email_direction = 'EMAIL' and hs_sequence_id is not null
        qualify row_number() over (partition by id order by hs_lastmodifieddate::bigint desc) = 1
    ), marked as (
        select *, case when sent_at - lag(sent_at) over key <= interval 21 days
                        and lag(status) over key <> 'BOUNCED' then 0 else 1 end as begins
        from mails window key as (partition by sequence, f, t order by sent_at, id)
    ), numbered as (
        select *, sum(begins) over (partition by sequence, f, t order by sent_at, id) as n
        from marked
    )
    select sequence, f, t, n, min(sent_at) as first_at, max(sent_at) as last_at, count(*) as mails,
           bool_or(status = 'BOUNCED') as bounced
    from numbered group by all
"""
"""The grouping alone: no aliases, no names before addresses, no incoming mail, no restarts."""


def write(path: Path, mails: int) -> None:
    """Mail of a simulated account with all its nuisances, in no order.

    It is repeated under other addresses and ids until it is as much as asked for.
    """
    import polars as pl

    from senderscore_nb.sample.account import LAST_DAY
    from senderscore_nb.sample.generate import simulate_rows
    from senderscore_nb.sample.mails import simulate_mails

    rows = simulate_rows(14, weeks=40, volume=min(2.0, max(0.02, mails / 320_000)))
    one = simulate_mails(rows, last_day=LAST_DAY).mails
    folder = path.with_suffix(".parts")
    folder.mkdir(exist_ok=True)
    for part in range(-(-mails // one.height)):
        other = one.head(mails - part * one.height).with_columns(
            pl.col("hs_object_id") + f"{part:02}",
            pl.col("hs_email_thread_id") + f"-{part}",
            pl.col("hs_email_from_email", "hs_email_to_email", "hs_email_text").str.replace_all(
                r"@([a-z.]*)example", f"@${{1}}e{part}xample"
            ),
        )
        other.write_parquet(folder / f"{part:04}.parquet")
    pl.scan_parquet(folder / "*.parquet").sink_parquet(path)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def ours(path: str) -> Any:
    from senderscore_nb.sources.emails import read_emails

    def work() -> Any:
        return read_emails(path, timezone=ZONE)

    return work, lambda reading: {
        "rows": reading.read, "accounted for": bool(reading.fates["mails"].sum() == reading.read)
    }  # fmt: skip


def duckdb(path: str) -> Any:
    import duckdb

    def work() -> Any:
        connection = duckdb.connect()
        connection.execute("set threads = 2")
        return connection.sql(SQL, params=[path]).to_arrow_table()

    return work, lambda table: {"grouped": table.num_rows}


def scan(path: str) -> Any:
    import polars as pl

    def work() -> Any:
        looked = [pl.len().alias("rows"), *(pl.col(n).str.len_bytes().sum() for n in COLUMNS)]
        return pl.scan_parquet(path).select(looked).collect(engine="streaming").row(0, named=True)

    return work, lambda row: {"rows": row["rows"]}


WORK = {work.__name__: work for work in (ours, duckdb, scan)}


def reconstruct(quick: bool) -> Suite:
    """The suite: the whole reconstruction, the grouping alone in SQL, and the bare scan."""
    mails = 5_000 if quick else 20_000_000
    DATA.mkdir(exist_ok=True)
    path = DATA / f"mails-{mails}.parquet"
    if not path.exists():
        run(python("-m", "benchmarks.mails", "data", str(path), str(mails)))

    def case(name: str, work: str) -> Case:
        return Case(name, python("-m", "benchmarks.mails", work, str(path)))

    whole, sql, bare = "read_emails", "DuckDB, the grouping alone", "scan, values looked at"
    return Suite(
        "reconstruct",
        f"Enrollments from {mails:,} mails in Parquet",
        [case(whole, "ours"), case(sql, "duckdb"), case(bare, "scan")],
        [
            Aim(
                "at most twice the processor seconds of DuckDB's grouping alone",
                whole,
                2,
                "cpu_seconds",
                sql,
            ),
            Aim(
                f"at most 40 times the processor seconds of the {bare}",
                whole,
                40,
                "cpu_seconds",
                bare,
            ),
            Aim("below 2.5 GB", whole, 2500, measure="peak_mb"),
        ],
        note=(
            "A simulated account with every nuisance of docs/validation-mail.md. The "
            "reconstruction reads addresses and instants, drops older copies, groups, matches "
            "replies, notices and automatic replies, and accounts for every mail; the SQL drops "
            "older copies and groups outgoing mail by sequence, sender, recipient and gap, and "
            "nothing else; the scan decodes nine columns and looks at them. The memory of the "
            "reconstruction is mostly that of its result, the enrollments."
        ),
        rounds=1,
        same_facts=False,
    )


def main(name: str, path: str, *sizes: str) -> None:
    if name == "data":
        write(Path(path), int(sizes[0]))
        return
    tell(*WORK[name](path))


if __name__ == "__main__":
    main(*sys.argv[1:])
