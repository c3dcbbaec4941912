"""A source and an engine → enrollments in that engine."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from senderscore_nb.errors import ReadError, did_you_mean
from senderscore_nb.safe import shown
from senderscore_nb.sources.days import known_zone
from senderscore_nb.sources.engines.duck import DuckEngine, chosen_table
from senderscore_nb.sources.engines.engine import Engine, Frame
from senderscore_nb.sources.engines.places import (
    find_data,
    is_database,
    is_postgres,
    is_remote,
    without_password,
)
from senderscore_nb.sources.engines.projection import Builder, Shape, mapped_columns
from senderscore_nb.sources.engines.reading import EngineReading, climbed, judged
from senderscore_nb.sources.engines.sparks import SparkEngine
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.engines.values import Steps
from senderscore_nb.sources.mapping import Mapping, load_mapping

EngineName = Literal["duckdb", "spark"]
ENGINES: tuple[EngineName, ...] = ("duckdb", "spark")


def engine_enrollments(
    source: str | Path,
    *,
    engine: EngineName = "duckdb",
    table: str | None = None,
    schema: str | None = None,
    timezone: str | None = None,
    naive_timestamps: Literal["account", "UTC"] = "account",
    mapping: str | Path | Mapping | None = None,
    trust_ids: bool = False,
    session: Any = None,
) -> EngineReading:
    """Read enrollments with an engine, without bringing the rows to Python.

    Columns have the contract's names, HubSpot's internal names (also after `property_` and
    `properties_`), or those of a mapping. Values are understood as `read_enrollments` understands
    them, but for days as D.M.Y and M/D/Y. Days are decided by the engine in the stated time zone,
    whatever the zone of its session.

    Args:
        source: A file, a folder (with its subfolders) or a glob of Parquet or CSV; a DuckDB
            database; `postgresql://…` (DuckDB only); for Spark also a table of the catalog, or an
            address of the cluster's file system (`s3a://…`).
        engine: `duckdb` or `spark`.
        table: The table of a database, by its name or as `schema.name`.
        schema: Where the table is.
        timezone: The account's time zone (IANA); needed where a column holds times of day.
        naive_timestamps: What a time without a zone is: wall clock of the account, or UTC.
        mapping: A preset, a TOML file or a `Mapping`; found by the headers unless given.
        trust_ids: Do not look for ids that are there twice. That look is the one step whose cost
            grows with the number of different ids.
        session: A DuckDB connection or a Spark session to work in; without, a connection of its
            own, or the session of `spark_session`.

    Returns:
        An `EngineReading`. Its frames hold good until it is closed.

    Raises:
        ReadError: The source, the table or the time zone is not there, the server cannot be
            reached, a package or Java is missing.
        MappingError: A required column is not there.
    """
    if engine not in ENGINES:
        raise ReadError(
            f"There is no engine {shown(engine)!r}.", hint=did_you_mean(str(engine)[:60], ENGINES)
        )
    chosen = load_mapping(mapping) if mapping is not None else None
    if timezone:
        known_zone(timezone)
    asked = Asked(str(source), table, schema, timezone, naive_timestamps == "UTC", chosen)
    if engine == "spark" and (is_postgres(asked.source) or is_database(asked.source)):
        raise ReadError(
            "Spark does not read this by itself.",
            where=asked.shown,
            hint="Take the engine duckdb, or make it a table of Spark's catalog and name that.",
        )
    scratch = Path(tempfile.mkdtemp(prefix="senderscore-engine-"))
    opened: list[Engine] = []

    def close() -> None:
        atexit.unregister(close)
        for one in opened:
            with in_words(asked.shown):
                one.close()
        opened.clear()
        shutil.rmtree(scratch, ignore_errors=True)

    # Frames outlive the reading that they come from, so nothing ends before the process or `close`.
    atexit.register(close)
    try:
        if engine == "duckdb":
            opened.append(DuckEngine(session, scratch))
        else:
            opened.append(SparkEngine(session))
        return _read(opened[0], asked, scratch, trust_ids=trust_ids, close=close)
    except BaseException:
        close()
        raise


@dataclass(frozen=True)
class Asked:
    """What `engine_enrollments` is asked for; its arguments."""

    source: str
    table: str | None
    schema: str | None
    zone: str | None
    naive_is_utc: bool
    mapping: Mapping | None

    @property
    def shown(self) -> str:
        """The source as it may stand in a message."""
        return without_password(self.source)[0] if is_postgres(self.source) else self.source


def _read(
    engine: Engine, asked: Asked, scratch: Path, *, trust_ids: bool, close: Callable[[], None]
) -> EngineReading:
    with in_words(asked.shown):
        if asked.zone and not engine.knows_zone(asked.zone):
            raise ReadError(f"{engine.dialect.name} has no time zone {shown(asked.zone)!r}.")
        raw, headers, where, naive_is_utc = _opened(engine, asked, scratch)
        shape = Shape(tuple(headers), tuple(kind for _, kind in engine.columns(raw)), where)
        mapped = mapped_columns(shape, asked.mapping)

        def holds(steps: Steps, condition: str) -> bool:
            table = {f"__{i}": f"__{i}" for i in range(len(headers))}
            found = engine.where(climbed(engine, raw, table, steps.steps), condition)
            return bool(engine.rows(engine.select(found, {"there": "1"}).limit(1)))

        builder = Builder(shape, mapped, engine.dialect, asked.zone, naive_is_utc, holds)
        return judged(engine, raw, builder.build(), trust_ids=trust_ids, close=close)


def _opened(engine: Engine, asked: Asked, scratch: Path) -> tuple[Frame, list[str], str, bool]:
    """The table by place, its headers, its name, and whether wall clocks in it are UTC's."""
    if isinstance(engine, DuckEngine):
        if is_postgres(asked.source):
            from senderscore_nb.sources.engines.postgres import stage_days

            staged = stage_days(
                asked.source, asked.table, asked.schema, scratch, asked.zone, asked.mapping,
                naive_is_utc=asked.naive_is_utc,
            )  # fmt: skip
            raw, _ = engine.numbered(engine.connection.read_parquet(str(staged.path)))
            return raw, list(staged.headers), staged.where, False
        raw, headers, where = _by_duckdb(engine, asked)
    elif isinstance(engine, SparkEngine):
        raw, headers, where = _by_spark(engine, asked)
    else:
        raise TypeError(engine)
    return raw, headers, where, asked.naive_is_utc


def _by_duckdb(engine: DuckEngine, asked: Asked) -> tuple[Frame, list[str], str]:
    if is_database(asked.source):
        if asked.table is None:
            raise _no_table(asked)
        database = engine.attach(Path(asked.source).expanduser())
        tables = engine.tables(database)
        schema, name = chosen_table(tables, asked.table, asked.schema, asked.source)
        raw, headers = engine.numbered(engine.table(database, schema, name))
        return raw, headers, f"{asked.source}: {shown(name)}"
    if is_remote(asked.source):
        raise ReadError(
            "DuckDB reads files of this machine, its own databases and postgresql://….",
            where=asked.source,
            hint="Spark reads what its cluster can reach: engine spark.",
        )
    _no_table_wanted(asked)
    return *engine.open_files(find_data(asked.source)), asked.source


def _by_spark(engine: SparkEngine, asked: Asked) -> tuple[Frame, list[str], str]:
    if is_remote(asked.source):
        _no_table_wanted(asked)
        return *engine.open_remote(asked.source), asked.source
    found = Path(asked.source).expanduser()
    if not found.exists() and _is_table(engine, asked.source):
        _no_table_wanted(asked)
        return *engine.open_table(asked.source), asked.source
    _no_table_wanted(asked)
    return *engine.open_files(find_data(asked.source)), asked.source


def _is_table(engine: SparkEngine, name: str) -> bool:
    """A table of the catalog; what is no name there is none."""
    try:
        return bool(engine.session.catalog.tableExists(name))
    except Exception as error:
        if type(error).__module__.startswith(("pyspark", "py4j")):
            return False
        raise


def _no_table(asked: Asked) -> ReadError:
    return ReadError(
        "A database has many tables, and none was named.",
        where=asked.shown,
        hint="Name it: table='…', or --table.",
    )


def _no_table_wanted(asked: Asked) -> None:
    if asked.table is not None or asked.schema is not None:
        raise ReadError(
            "A table is named for a database alone, and this is files or a table already.",
            where=asked.source,
        )
