"""PostgreSQL through ADBC: the columns that are needed, streamed into a Parquet file.

DuckDB's own extension for PostgreSQL is a download that many machines may not make; ADBC's driver
comes as a package, gives Arrow batches, and leaves the decision about days to PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from senderscore_nb.errors import ReadError
from senderscore_nb.safe import shown
from senderscore_nb.sources.days import check_zone
from senderscore_nb.sources.engines.dialect import DuckDB
from senderscore_nb.sources.engines.duck import chosen_table
from senderscore_nb.sources.engines.places import telling_parts, without_password
from senderscore_nb.sources.engines.projection import Shape, mapped_columns
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.engines.values import Kind
from senderscore_nb.sources.mapping import Mapping

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

_TABLES = """
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT LIKE 'pg\\_%'
  AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
_COLUMNS = """
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, NULL)::text
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_AS_THEY_ARE = {
    *("boolean", "smallint", "integer", "bigint", "real", "double precision"),
    *("text", "character varying", "character"),
}
_HINT = (
    "The address is postgresql://USER@HOST:PORT/DATABASE; the password comes from PGPASSWORD or "
    "~/.pgpass."
)

_SQL = DuckDB()
"""PostgreSQL quotes names and texts as DuckDB does, where `standard_conforming_strings` is on."""


@dataclass(frozen=True)
class Staged:
    """A table that was copied.

    Attributes:
        path: The Parquet file; its columns are `__0`, `__1`, ….
        headers: Their names in the table.
        where: The table, for messages.
    """

    path: Path
    headers: tuple[str, ...]
    where: str


class Server:
    """A connection to a PostgreSQL server; it only reads.

    Args:
        connection: ADBC's.
        where: The address without its password.
        hidden: What must not be said: the password, if the address has one, and the address.
    """

    def __init__(self, connection: Connection, where: str, hidden: tuple[str | None, ...]) -> None:
        self._connection = connection
        self.where = where
        self._hidden = hidden

    def tables(self) -> list[tuple[str, str]]:
        """Schema and name of every table and view."""
        return [(str(s), str(n)) for s, n in self._rows(_TABLES)]

    def columns(self, schema: str, table: str) -> list[tuple[str, str]]:
        """Names and types of a table's columns."""
        return [(str(n), str(t)) for n, t in self._rows(_COLUMNS, (schema, table))]

    def stage(self, schema: str, table: str, columns: Sequence[str], path: Path) -> None:
        """Copy columns (SQL) of a table to a Parquet file, as `__0`, `__1`, ….

        Raises:
            ReadError: The server gave up, or there is no room.
        """
        import pyarrow.parquet as pq

        parts = ", ".join(f'{sql} AS "__{i}"' for i, sql in enumerate(columns))
        name = f"{_SQL.quote(schema)}.{_SQL.quote(table)}"
        with self._in_words(), self._connection.cursor() as cursor:
            cursor.execute(f"SELECT {parts} FROM {name}")  # noqa: S608
            reader = cursor.fetch_record_batch()
            with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)

    def settle(self) -> None:
        """Days and texts in one form, nothing written, backslashes in texts nothing special."""
        for setting in (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET datestyle TO ISO, YMD",
            "SET standard_conforming_strings TO on",
        ):
            with self._in_words(), self._connection.cursor() as cursor:
                cursor.execute(setting)

    def _rows(self, query: str, parameters: Sequence[str] = ()) -> list[tuple[object, ...]]:
        with self._in_words(), self._connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            found: list[tuple[object, ...]] = cursor.fetchall()
            return found

    def _in_words(self) -> AbstractContextManager[None]:
        return in_words(self.where, hide=self._hidden)


@contextmanager
def connected(url: str) -> Iterator[Server]:
    """A connection to a server, closed when the block ends.

    Args:
        url: `postgresql://…`. A password in it is never said.

    Raises:
        ReadError: The driver is missing, or the server cannot be reached or lets nobody in.
    """
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise ReadError(
            "PostgreSQL needs the package adbc-driver-postgresql.",
            hint="pip install 'senderscore-nb[postgres]'.",
        ) from None
    where, secret = without_password(url)
    hidden = (url, *telling_parts(secret))
    with in_words(where, hide=hidden, hint=_HINT):
        connection = dbapi.connect(url, autocommit=True)
    try:
        server = Server(connection, where, hidden)
        server.settle()
        yield server
    finally:
        connection.close()


def stage_days(
    url: str,
    table: str | None,
    schema: str | None,
    scratch: Path,
    zone: str | None,
    mapping: Mapping | None,
    *,
    naive_is_utc: bool,
) -> Staged:
    """Copy what a mapping needs of a table, its times as wall clock of a zone.

    So PostgreSQL decides which day it is there.

    Raises:
        ReadError: The server cannot be reached, or there is no such table.
    """
    with connected(url) as server:
        if table is None:
            raise ReadError(
                "A database has many tables, and none was named.",
                where=server.where,
                hint="Name it: table='…', or --table.",
            )
        schema, table = chosen_table(server.tables(), table, schema, server.where)
        columns = server.columns(schema, table)
        where = f"{server.where}: {shown(table)}"
        shape = Shape(tuple(n for n, _ in columns), tuple(_kind(k) for _, k in columns), where)
        columns = [columns[i] for i in sorted(mapped_columns(shape, mapping).places.values())]
        for name, kind in columns:
            if kind.startswith("timestamp"):
                check_zone(zone, file=where, header=name)
        path = scratch / "staged.parquet"
        sql = [_local(_SQL.quote(n), kind, zone or "UTC", naive_is_utc) for n, kind in columns]
        server.stage(schema, table, sql, path)
        return Staged(path, tuple(name for name, _ in columns), where)


def _kind(name: str) -> Kind:
    return "instant" if name.startswith("timestamp") else "text"


def as_it_is(column: str, kind: str) -> str:
    """SQL for a column that is copied: instants in UTC, and everything unusual as text."""
    if kind.startswith("timestamp"):
        return f"CASE WHEN isfinite({column}) THEN {column} END"
    return column if kind in _AS_THEY_ARE else f"{column}::text"


def _local(column: str, kind: str, zone: str, naive_is_utc: bool) -> str:
    """A time as wall clock of a zone, as text: so infinity comes through and can be told."""
    place = _SQL.literal(zone)
    if kind == "timestamp with time zone":
        return f"({column} AT TIME ZONE {place})::text"
    if kind == "timestamp without time zone" and naive_is_utc:
        return f"({column} AT TIME ZONE 'UTC' AT TIME ZONE {place})::text"
    return column if kind in _AS_THEY_ARE else f"{column}::text"
