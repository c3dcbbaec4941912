"""DuckDB: a connection, and the tables that it opens."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senderscore_nb.errors import ReadError, did_you_mean
from senderscore_nb.safe import shown
from senderscore_nb.sources.engines.dialect import DuckDB
from senderscore_nb.sources.engines.engine import Engine, Frame, by_place
from senderscore_nb.sources.engines.places import Files, alike
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.engines.values import Kind

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KINDS: dict[str, Kind] = {
    "VARCHAR": "text",
    "DATE": "date",
    "BOOLEAN": "boolean",
    "FLOAT": "float",
    "DOUBLE": "float",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "naive"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "integer"),
}


class DuckEngine(Engine):
    """DuckDB in this process.

    Args:
        connection: One of the user's; without, one of its own in memory.
        scratch: A folder to spill to.
    """

    def __init__(self, connection: DuckDBPyConnection | None, scratch: Path) -> None:
        self.dialect = DuckDB()
        self._own = connection is None
        self._names = 0
        self._tables: list[str] = []
        self._attached: list[str] = []
        self.connection = _connected(scratch) if connection is None else connection

    def select(self, frame: Frame, columns: Mapping[str, str]) -> Frame:
        """A projection."""
        return frame.project(
            ", ".join(f"{sql} AS {self.dialect.quote(name)}" for name, sql in columns.items())
        )

    def where(self, frame: Frame, condition: str) -> Frame:
        """A filter."""
        return frame.filter(condition)

    def grouped(self, frame: Frame, key: str, columns: Mapping[str, str]) -> Frame:
        """An aggregate by one column."""
        parts = [key, *(f"{sql} AS {self.dialect.quote(name)}" for name, sql in columns.items())]
        return frame.aggregate(", ".join(parts), key)

    def among(self, frame: Frame, others: Frame, key: str, *, keep: bool) -> Frame:
        """A semi join, or an anti join."""
        how = "semi" if keep else "anti"
        return frame.set_alias("l").join(
            others.set_alias("r"), f"l.{key} = r.{key}", how=how
        )  # fmt: skip

    def joined(self, frame: Frame, others: Frame, condition: str) -> Frame:
        """A left join."""
        return frame.set_alias("l").join(others.set_alias("r"), condition, how="left")

    def together(self, one: Frame, other: Frame) -> Frame:
        """UNION ALL."""
        return one.union(other)

    def kept(self, frame: Frame) -> Frame:
        """A temporary table."""
        name, view = self._name(), self._name()
        frame.query(view, f"CREATE TEMP TABLE {name} AS FROM {view}")
        self._tables.append(name)
        return self.connection.sql(f"FROM temp.{name}")

    def rows(self, frame: Frame) -> list[tuple[Any, ...]]:
        """All of them."""
        found: list[tuple[Any, ...]] = frame.fetchall()
        return found

    def columns(self, frame: Frame) -> list[tuple[str, Kind]]:
        """By the names of DuckDB's types."""
        kinds = [_kind(str(kind)) for kind in frame.types]
        return list(zip(frame.columns, kinds, strict=True))

    def write(self, frame: Frame, folder: str) -> None:
        """One file, streamed."""
        frame.write_parquet(str(Path(folder) / "rows.parquet"), compression="zstd")

    def one_row(self) -> Frame:
        """A frame of one row."""
        return self.connection.sql("SELECT 1 AS __0")

    def close(self) -> None:
        """The connection, or what was left in the user's."""
        if self._own:
            self.connection.close()
            return
        for name in self._tables:
            self.connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
        for name in self._attached:
            self.connection.execute(f"DETACH DATABASE IF EXISTS {name}")

    def open_files(self, files: Files) -> tuple[Frame, list[str]]:
        """Files as one frame of columns `__0`, `__1`, …, and their names.

        Raises:
            ReadError: A file is not what its ending says.
        """
        with in_words(files.where):
            if files.form == "parquet":
                names_of = [glob.escape(str(path)) for path in files.paths]
                return self.numbered(self.connection.read_parquet(names_of, union_by_name=True))
            groups = alike(files)
            names = list(dict.fromkeys(name for group in groups for name in group.headers))
            frame: Frame = None
            for group in groups:
                own = {f"__{i}": "VARCHAR" for i in range(len(group.headers))}
                paths: Any = [glob.escape(str(path)) for path in group.paths]
                read = self.connection.read_csv(
                    paths,
                    header=True,
                    columns=own,
                    auto_detect=False,
                    delimiter=group.delimiter,
                    quotechar='"',
                    escapechar='"',
                )
                part = self.select(read, by_place(names, group.headers, self.dialect))
                frame = part if frame is None else self.together(frame, part)
            return frame, names

    def numbered(self, frame: Frame) -> tuple[Frame, list[str]]:
        """A frame with its columns by place; nanoseconds are cut, not rounded to the next day."""
        columns = {}
        for i, (name, kind) in enumerate(zip(frame.columns, frame.types, strict=True)):
            sql = self.dialect.quote(name)
            if str(kind) == "TIMESTAMP_NS":
                n = f"epoch_ns({sql})"
                sql = f"make_timestamp(({n} - (({n} % 1000) + 1000) % 1000) // 1000)"
            elif str(kind) in ("TIMESTAMP_S", "TIMESTAMP_MS"):
                sql = f"CAST({sql} AS TIMESTAMP)"
            columns[f"__{i}"] = sql
        return self.select(frame, columns), list(frame.columns)

    def attach(self, path: Path) -> str:
        """Open a database for reading; its name in this connection.

        Raises:
            ReadError: It is not there, is no database, or another process writes to it.
        """
        if not path.is_file():
            raise ReadError("There is no such database.", where=str(path))
        name = self._name()
        hint = "Another process may be writing to it: close that, or copy the file."
        with in_words(str(path), hint=hint):
            self.connection.execute(
                f"ATTACH {self.dialect.literal(str(path))} AS {name} (READ_ONLY, TYPE duckdb)"
            )
        self._attached.append(name)
        return name

    def tables(self, database: str) -> list[tuple[str, str]]:
        """Schema and name of every table and view of a database."""
        found = self.connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_catalog = ? ORDER BY 1, 2",
            [database],
        ).fetchall()
        return [(str(schema), str(name)) for schema, name in found]

    def table(self, database: str, schema: str, name: str) -> Frame:
        """A table, by names that are known to be there."""
        parts = ".".join(self.dialect.quote(part) for part in (database, schema, name))
        return self.connection.sql(f"FROM {parts}")

    def _name(self) -> str:
        self._names += 1
        return f"senderscore_{id(self):x}_{self._names}"


def chosen_table(
    tables: Sequence[tuple[str, str]], table: str, schema: str | None, where: str
) -> tuple[str, str]:
    """Schema and name of the table that is meant: by its name, or as `schema.name`.

    Raises:
        ReadError: There is none, or one in several schemas.
    """
    fit = [t for t in tables if t[1] == table and schema in (None, t[0])]
    if not fit and schema is None:
        fit = [t for t in tables if f"{t[0]}.{t[1]}" == table]
    if len(fit) == 1:
        return fit[0]
    asked = f"{schema}.{table}" if schema else table
    if fit:
        raise ReadError(
            f"There is a table {shown(table)!r} in several schemas: "
            f"{', '.join(shown(t[0]) for t in fit[:6])}.",
            where=where,
            hint="Say which.",
        )
    names = [f"{s}.{n}" if schema or s not in ("main", "public") else n for s, n in tables]
    hint = did_you_mean(asked[:100], [shown(name) for name in names])
    raise ReadError(f"There is no table {shown(asked)!r}.", where=where, hint=hint)


def _connected(scratch: Path) -> DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise ReadError(
            "This needs the package duckdb.", hint="pip install 'senderscore-nb[duckdb]'."
        ) from None
    spill = str(scratch / "spill")
    own: dict[str, Any] = {"temp_directory": spill, "autoinstall_known_extensions": "false"}
    connection = duckdb.connect(config=own)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _kind(name: str) -> Kind:
    if name in _KINDS:
        return _KINDS[name]
    if name.endswith("WITH TIME ZONE"):
        return "instant" if name.startswith("TIMESTAMP") else "other"
    if name.startswith("DECIMAL"):
        return "decimal"
    return "other"
