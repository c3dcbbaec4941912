"""The tables of a warehouse, opened by an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from senderscore_nb.errors import ReadError
from senderscore_nb.safe import shown
from senderscore_nb.sources.engines.duck import DuckEngine
from senderscore_nb.sources.engines.engine import Engine, Frame
from senderscore_nb.sources.engines.places import (
    find_data,
    is_database,
    is_postgres,
    is_remote,
    tables_in,
)
from senderscore_nb.sources.engines.postgres import Server, as_it_is, connected
from senderscore_nb.sources.engines.sparks import SparkEngine


class Tables(ABC):
    """Tables by name.

    Attributes:
        where: What holds them, for messages.
    """

    where: str

    @abstractmethod
    def names(self) -> list[str]:
        """Their names, in lower case."""

    @abstractmethod
    def open(self, name: str) -> tuple[Frame, list[str]]:
        """A table with its columns by place, and their names."""


@dataclass
class FolderTables(Tables):
    """A folder: `name.parquet`, or files in `name/`."""

    engine: DuckEngine | SparkEngine
    where: str

    def names(self) -> list[str]:
        """By the files that are there."""
        return tables_in(self.where)

    def open(self, name: str) -> tuple[Frame, list[str]]:
        """Files."""
        return self.engine.open_files(find_data(self.where, name=name))


@dataclass
class DatabaseTables(Tables):
    """A schema of a DuckDB database."""

    engine: DuckEngine
    where: str
    schema: str | None

    def __post_init__(self) -> None:
        self._database = self.engine.attach(Path(self.where).expanduser())
        self._tables = self.engine.tables(self._database)
        self._chosen = _one_schema(self._tables, self.schema, self.where)

    def names(self) -> list[str]:
        """Of the schema."""
        return [name.casefold() for _, name in self._chosen]

    def open(self, name: str) -> tuple[Frame, list[str]]:
        """By its own name, whatever its case."""
        schema, own = next(t for t in self._chosen if t[1].casefold() == name)
        return self.engine.numbered(self.engine.table(self._database, schema, own))


@dataclass
class ServerTables(Tables):
    """A schema of a PostgreSQL database; what is opened is copied first, without long texts."""

    engine: DuckEngine
    server: Server
    schema: str | None
    scratch: Path

    def __post_init__(self) -> None:
        self.where = self.server.where
        self._chosen = _one_schema(self.server.tables(), self.schema, self.where)

    def names(self) -> list[str]:
        """Of the schema."""
        return [name.casefold() for _, name in self._chosen]

    def headers(self, name: str) -> list[str]:
        """The names of a table's columns."""
        return [column for column, _ in self._columns(name)]

    def open(self, name: str) -> tuple[Frame, list[str]]:
        """All columns."""
        return self.open_some(name, None)

    def open_some(self, name: str, places: Sequence[int] | None) -> tuple[Frame, list[str]]:
        """Some columns, by their places; the others are null."""
        schema, own = next(t for t in self._chosen if t[1].casefold() == name)
        columns = self._columns(name)
        sql = [
            as_it_is(self.engine.dialect.quote(column), kind)
            if places is None or i in places
            else "NULL::text"
            for i, (column, kind) in enumerate(columns)
        ]
        path = self.scratch / f"{len(list(self.scratch.iterdir()))}.parquet"
        self.server.stage(schema, own, sql, path)
        frame, _ = self.engine.numbered(self.engine.connection.read_parquet(str(path)))
        return frame, [column for column, _ in columns]

    def _columns(self, name: str) -> list[tuple[str, str]]:
        schema, own = next(t for t in self._chosen if t[1].casefold() == name)
        return self.server.columns(schema, own)


@dataclass
class CatalogTables(Tables):
    """A schema of Spark's catalog."""

    engine: SparkEngine
    where: str

    def names(self) -> list[str]:
        """As the catalog lists them."""
        found: list[Any] = self.engine.session.catalog.listTables(self.where)
        return [table.name.casefold() for table in found]

    def open(self, name: str) -> tuple[Frame, list[str]]:
        """By its full name."""
        return self.engine.open_table(f"{self.where}.{self.engine.dialect.quote(name)}")


@contextmanager
def opened(engine: Engine, source: str, schema: str | None, scratch: Path) -> Iterator[Tables]:
    """The tables of a source.

    Args:
        engine: The engine.
        source: A folder, a DuckDB database or `postgresql://…` (DuckDB), a schema of the catalog
            (Spark).
        schema: Of a database.
        scratch: A folder for what is copied.

    Raises:
        ReadError: Nothing is there.
    """
    if isinstance(engine, DuckEngine) and is_postgres(source):
        with connected(source) as server:
            yield ServerTables(engine, server, schema, scratch)
        return
    yield _tables(engine, source, schema)


def _tables(engine: Engine, source: str, schema: str | None) -> Tables:
    if isinstance(engine, DuckEngine) and is_database(source):
        return DatabaseTables(engine, source, schema)
    if not isinstance(engine, DuckEngine | SparkEngine):
        raise TypeError(engine)
    folder = Path(source).expanduser()
    if isinstance(engine, SparkEngine) and not folder.exists() and not is_remote(source):
        if not engine.session.catalog.databaseExists(source):
            raise ReadError(
                "There is no such folder, and no such schema in Spark's catalog.", where=source
            )
        return CatalogTables(engine, source)
    if schema is not None:
        raise ReadError("A folder has no schemas.", where=source, hint="Name the folder itself.")
    if not folder.is_dir():
        raise ReadError(
            "There is no such folder.",
            where=source,
            hint="Expected a folder with a file or folder for each table, such as "
            "engagement_email.parquet; a DuckDB database; or postgresql://….",
        )
    return FolderTables(engine, source)


def _one_schema(
    tables: Sequence[tuple[str, str]], schema: str | None, where: str
) -> list[tuple[str, str]]:
    """The tables of one schema: the one that is named, or the only one with a table of mails."""
    names = {"engagement_email", "engagements_emails"}
    if schema is None:
        with_mails = sorted({s for s, name in tables if name.casefold() in names})
        if len(with_mails) > 1:
            raise ReadError(
                f"There are mails in several schemas: {', '.join(map(shown, with_mails[:6]))}.",
                where=where,
                hint="Say which: schema='…', or --schema.",
            )
        schema = with_mails[0] if with_mails else None
    chosen = [t for t in tables if schema in (None, t[0])]
    if not chosen and schema is not None:
        raise ReadError(
            f"There is no table in the schema {shown(schema)!r}.",
            where=where,
            hint=f"Schemas: {', '.join(sorted({shown(s) for s, _ in tables})[:12]) or 'none'}.",
        )
    return chosen
