"""A copy's tables → the mails that count, with the API's names, in the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.engines.engine import Engine, Frame
from senderscore_nb.sources.engines.values import Column, Steps
from senderscore_nb.sources.forms import fold
from senderscore_nb.sources.warehouse.layouts import Layout, Places, find_places, owner_places
from senderscore_nb.sources.warehouse.tables import ServerTables, Tables

_TRUE = ("true", "t", "1", "yes")
_ONE = r"^\[\s*\x22?([0-9]+)\x22?\s*\]$"
"""A list of one id, as text."""


@dataclass(frozen=True)
class Mails:
    """The mails of a copy.

    Attributes:
        frame: Those that count, under the API's names.
        read: Rows of the table.
        kept: Rows of the frame.
    """

    frame: Frame
    read: int
    kept: int


@dataclass(frozen=True)
class _Table:
    """An opened table: its frame by place, headers, and columns as the engine reads them."""

    frame: Frame
    headers: list[str]
    columns: list[Column]

    def at(self, place: int) -> Column:
        """A column by its place."""
        return self.columns[place]

    def named(self, *names: str) -> Column | None:
        """The first of some headers that is there."""
        folded = {fold(header): i for i, header in enumerate(self.headers)}
        found = [folded[fold(name)] for name in names if fold(name) in folded]
        return self.columns[found[0]] if found else None


def mails_of(engine: Engine, tables: Tables, layout: Layout) -> Mails:
    """The mails that are not deleted.

    A mail is deleted if its newest version is; then all of its versions are left out. Versions
    that are not deleted are left to the reconstruction, which takes the newest.

    Raises:
        MappingError: A column that is needed is not there.
    """
    where = f"{tables.where}: {layout.mails}"
    if isinstance(tables, ServerTables):
        places = find_places(tables.headers(layout.mails), layout, where=where)
        table = _table(engine, *tables.open_some(layout.mails, places.all))
    else:
        table = _table(engine, *tables.open(layout.mails))
        places = find_places(table.headers, layout, where=where)
    columns = _columns(engine, table, places)
    frame = engine.select(table.frame, columns)
    have = set(columns)
    names = set(tables.names())
    for name in layout.beside:
        if name in names:
            frame, more = _beside(engine, frame, have, name, _table(engine, *tables.open(name)))
            have |= more
    kept = _not_deleted(engine, frame) if places.deleted is not None else frame
    staged = {MAIL[c][0]: engine.dialect.quote(c) for c in MAIL if c in have}
    (read,) = engine.counted(frame, {"n": "count(*)"})
    (left,) = engine.counted(kept, {"n": "count(*)"}) if kept is not frame else (read,)
    return Mails(engine.select(kept, staged), read, left)


def owners_of(engine: Engine, tables: Tables, layout: Layout) -> pl.DataFrame | None:
    """Owners as `read_emails` takes them, the newest version of each; None where there are none."""
    if layout.owners not in tables.names():
        return None
    table = _table(engine, *tables.open(layout.owners))
    places = owner_places(table.headers)
    if not {"owner_id", "email"} <= set(places):
        return None
    texts = {
        column: f"coalesce({', '.join(_text(table.at(i)) for i in found)}, NULL)"
        for column, found in places.items()
    }
    order = table.named(layout.synced, *layout.modified)
    texts["__order"] = order.plain if order is not None else "''"
    rows = engine.rows(engine.select(table.frame, texts))
    newest: dict[Any, tuple[Any, ...]] = {}
    for row in sorted(rows, key=lambda row: str(row[-1] or "")):
        newest[row[0] if row[0] is not None else row] = row[:-1]
    schema = dict.fromkeys(places, pl.String)
    return pl.DataFrame(list(newest.values()), schema=schema, orient="row")


def _table(engine: Engine, frame: Frame, headers: list[str]) -> _Table:
    kinds = engine.columns(frame)
    steps = Steps(engine.dialect)
    return _Table(frame, headers, [Column(name, kind, steps) for name, kind in kinds])


def _columns(engine: Engine, table: _Table, places: Places) -> dict[str, str]:
    """Column of mail → SQL over its table, and `__id`, `__deleted`, `__order`."""
    sql = {column: _as_it_is(table.at(place)) for column, place in places.roles.items()}
    if places.properties is not None:
        held = engine.dialect.json(
            table.at(places.properties).sql, table.at(places.properties).kind
        )
        for column, names in MAIL.items():
            key = next((name for name in names if name.startswith(("hs_", "hubspot_"))), None)
            if column not in sql and key is not None and column not in ("mail_id", "modified"):
                sql[column] = engine.dialect.json_text(held, key)
    ids = [_text(table.at(place)) for place in places.ids]
    sql["mail_id"] = sql["__id"] = f"coalesce({', '.join(ids)}, NULL)"
    if places.contacts is not None:
        alone = engine.dialect.extract(table.at(places.contacts).plain, _ONE)
        given = (
            f"CAST({sql['contact_id']} AS {engine.dialect.text_type}), "
            if "contact_id" in sql
            else ""
        )
        sql["contact_id"] = f"coalesce({given}{alone})"
    when = [*places.modified, *([places.synced] if places.synced is not None else [])]
    if when:
        sql["modified"] = _as_it_is(table.at(when[0]))
    synced = table.at(places.synced).plain if places.synced is not None else "''"
    changed = table.at(places.modified[0]).plain if places.modified else "''"
    sql["__synced"], sql["__changed"] = f"coalesce({synced}, '')", f"coalesce({changed}, '')"
    sql["__deleted"] = "FALSE"
    if places.deleted is not None:
        flag = f"lower({_text(table.at(places.deleted))})"
        sql["__deleted"] = f"coalesce({engine.dialect.one_of(flag, _TRUE)}, FALSE)"
    return sql


def _beside(
    engine: Engine, frame: Frame, have: set[str], name: str, other: _Table
) -> tuple[Frame, set[str]]:
    """Mails with what a table beside theirs says; and the columns that are new by it."""
    key = other.named("id") if name == "engagement" else other.named("engagement_id")
    if key is None:
        return frame, set()
    if name == "engagement":
        told = {"at": other.named("timestamp"), "direction": other.named("type"),
                "owner_id": other.named("owner_id")}  # fmt: skip
        counted = "max"
    else:
        told, counted = {"contact_id": other.named("contact_id")}, "only"
    told = {c: column for c, column in told.items() if column and (c in _IDS or c not in have)}
    rows = other.frame
    if (gone := other.named("_fivetran_deleted")) is not None:
        flag = engine.dialect.one_of(f"lower({_text(gone)})", _TRUE)
        rows = engine.where(rows, f"NOT coalesce({flag}, FALSE)")
    values = {f"__new_{c}": _text(column) if c in _IDS else _as_it_is(column)
              for c, column in told.items() if column}  # fmt: skip
    small = engine.select(rows, {"__key": _text(key), **values})
    one = {
        value: f"max({value})"
        if counted == "max"
        else f"CASE WHEN min({value}) = max({value}) THEN max({value}) END"
        for value in values
    }
    joined = engine.joined(frame, engine.grouped(small, "__key", one), "__id = __key")
    text = engine.dialect.text_type
    columns = {name: engine.dialect.quote(name) for name in have}
    for c in told:
        columns[c] = f"coalesce(CAST({c} AS {text}), __new_{c})" if c in have else f"__new_{c}"
    return engine.select(joined, columns), set(told)


_IDS = ("owner_id", "contact_id")


def _not_deleted(engine: Engine, frame: Frame) -> Frame:
    deleted = engine.kept(
        engine.grouped(engine.where(frame, "__deleted"), "__id", {"__n": "count(*)"})
    )
    if not engine.counted(deleted, {"n": "count(*)"})[0]:
        return frame
    versions = engine.among(frame, engine.select(deleted, {"__id": "__id"}), "__id", keep=True)
    order = engine.dialect.struct(["__synced", "__changed"])
    newest = engine.grouped(versions, "__id", {"__gone": f"max_by(__deleted, {order})"})
    gone = engine.kept(engine.select(engine.where(newest, "__gone"), {"__id": "__id"}))
    return engine.among(engine.where(frame, "NOT __deleted"), gone, "__id", keep=False)


def _text(column: Column) -> str:
    return column.cleaned()


def _as_it_is(column: Column) -> str:
    """Instants stay instants; what a Parquet file of mails has no type for becomes text."""
    return column.cleaned() if column.kind in ("decimal", "other") else column.sql
