"""Simulated mail, laid out as Fivetran and Airbyte lay out their copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from senderscore_nb.sample.mails import SimulatedMail

Tables = dict[str, pl.DataFrame]


def _instant(name: str) -> pl.Expr:
    if name == "hs_lastmodifieddate":
        return pl.from_epoch(pl.col(name).cast(pl.Int64), "ms").dt.replace_time_zone("UTC")
    return pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC")


def _gone(mails: pl.DataFrame) -> pl.DataFrame:
    """Mails that nobody may count: bounces of enrollments of their own, deleted since."""
    some = mails.filter(hs_email_direction="EMAIL").head(40)
    return some.with_columns(
        hs_object_id=pl.format("77{}", "hs_object_id"),
        hs_email_to_email=pl.lit("nobody@deleted.example"),
    )


def fivetran(sim: SimulatedMail) -> Tables:
    """Typed columns after `property_`; owners and contacts in tables beside."""
    both = pl.concat([sim.mails, _gone(sim.mails)])
    deleted = pl.col("hs_object_id").str.starts_with("77")
    ids = pl.col("hs_object_id").cast(pl.Int64)
    mails = both.select(
        ids.alias("engagement_id"),
        deleted.alias("_fivetran_deleted"),
        _instant("hs_lastmodifieddate").alias("_fivetran_synced"),
        pl.lit("EMAIL").alias("type"),
        _instant("hs_timestamp").alias("property_hs_timestamp"),
        _instant("hs_lastmodifieddate").alias("property_hs_lastmodifieddate"),
        *(
            pl.col(name).alias(f"property_{name}")
            for name in both.columns
            if name not in ("hs_object_id", "hs_timestamp", "hs_lastmodifieddate",
                            "hubspot_owner_id", "hs_email_associated_contact_id")
        ),
    )  # fmt: skip
    one = both.unique("hs_object_id", keep="first")
    contact = pl.col("hs_email_associated_contact_id")
    return {
        "engagement_email": mails,
        "engagement": one.select(
            ids.alias("id"), pl.col("hubspot_owner_id").cast(pl.Int64).alias("owner_id"),
            _instant("hs_timestamp").alias("timestamp"), type=pl.lit("EMAIL"),
        ),
        "engagement_contact": one.filter(contact.is_not_null()).select(
            ids.alias("engagement_id"),
            contact.cast(pl.Int64).alias("contact_id"),
            _fivetran_deleted=pl.lit(value=False),
        ),
        "owner": sim.owners.select(
            pl.col("id").cast(pl.Int64).alias("owner_id"),
            pl.col("userId").cast(pl.Int64).alias("user_id"), "email",
            _fivetran_synced=pl.lit("2026-01-01"),
        ),
    }  # fmt: skip


def airbyte(sim: SimulatedMail) -> Tables:
    """In append mode: older versions of some mails, and mails that were archived later."""
    gone = _gone(sim.mails)
    old = sim.mails.filter(hs_email_status="SENT").head(30).with_columns(
        hs_email_status=pl.lit("SENDING"), hs_lastmodifieddate=pl.lit("1000000000000")
    )  # fmt: skip
    parts = [
        (old, False, "2026-01-01"), (gone, False, "2026-01-01"), (sim.mails, False, "2026-02-01"),
        (gone, True, "2026-02-01"),
    ]  # fmt: skip
    mails = pl.concat(
        part.with_columns(archived=pl.lit(archived), _airbyte_extracted_at=pl.lit(day))
        for part, archived, day in parts
    )
    contacts = pl.when(pl.col("hs_email_associated_contact_id").is_not_null()).then(
        pl.concat_list(pl.col("hs_email_associated_contact_id"))
    )
    kept = ("archived", "_airbyte_extracted_at", "hs_object_id")
    return {
        "engagements_emails": mails.select(
            pl.col("hs_object_id").alias("id"), "archived", "_airbyte_extracted_at",
            pl.col("hs_lastmodifieddate").alias("updatedAt"), contacts.alias("contacts"),
            *(pl.col(n).alias(f"properties_{n}") for n in mails.columns
              if n not in (*kept, "hs_email_associated_contact_id")),
        ),
        "owners": sim.owners.with_columns(
            userIdIncludingInactive="userId", archived=pl.lit(value=False)
        ),
    }  # fmt: skip


def _packed(sim: SimulatedMail, pack: Callable[[pl.Expr], pl.Expr]) -> Tables:
    tables = airbyte(sim)
    mails = tables["engagements_emails"]
    own = [name for name in mails.columns if name.startswith("properties_")]
    inner = pl.struct(pl.col(name).alias(name.removeprefix("properties_")) for name in own)
    packed = mails.drop(own).with_columns(mails.select(pack(inner).alias("properties")).to_series())
    return tables | {"engagements_emails": packed}


def airbyte_json(sim: SimulatedMail) -> Tables:
    """All properties in one column of JSON."""
    return _packed(sim, lambda inner: inner.struct.json_encode())


def airbyte_struct(sim: SimulatedMail) -> Tables:
    """All properties in one column of structs."""
    return _packed(sim, lambda inner: inner)


LAYOUTS: dict[str, Callable[[SimulatedMail], Tables]] = {
    "fivetran": fivetran,
    "airbyte": airbyte,
    "airbyte_json": airbyte_json,
    "airbyte_struct": airbyte_struct,
}


def put_folder(tables: Tables, folder: Path) -> Path:
    """One Parquet file a table; the second half of the mails in a file of its own."""
    folder.mkdir()
    for name, table in tables.items():
        if name.startswith("engagement"):
            (folder / name).mkdir()
            half = table.height // 2
            table[:half].write_parquet(folder / name / "a [1].parquet")
            table[half:].write_parquet(folder / name / "b.parquet")
        else:
            table.write_parquet(folder / f"{name}.parquet")
    return folder
