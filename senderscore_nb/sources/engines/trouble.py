"""What an engine complains of, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from senderscore_nb.errors import ReadError
from senderscore_nb.safe import shown

_ENGINES = {"duckdb", "_duckdb", "pyspark", "py4j", "adbc_driver_manager", "pyarrow"}
_CLASS = re.compile(r"^\[[A-Z_.0-9]+\] ?|^(?:[a-z]+\.)+[A-Za-z$]*(?:Exception|Error): ?")
_TELLING = re.compile(r"(?:Caused by: )?(?:[\w$]+\.)*[\w$]*(?:Exception|Error): (.+)")


@contextmanager
def in_words(
    where: str, *, hide: Iterable[str | None] = (), hint: str | None = None
) -> Iterator[None]:
    """Errors of DuckDB, Spark, ADBC and Arrow as a `ReadError`; all others pass.

    Wrap what makes an engine read, as the frame of an `EngineReading` is only read when it is used.

    Args:
        where: What is being read.
        hide: What must not be said: secrets, and addresses that hold them.
        hint: What to do.

    Raises:
        ReadError: The engine gave up.
    """
    try:
        yield
    except Exception as error:
        modules = {kind.__module__.split(".")[0] for kind in type(error).__mro__}
        if not modules & _ENGINES:
            raise
        said = first_line(error)
        for secret in hide:
            said = said.replace(secret, "***") if secret else said
        name = _engine(modules)
        raise ReadError(f"{name} says: {said}.", where=where, hint=hint) from None


def first_line(error: BaseException) -> str:
    """What is wrong, on one line: the cause that a stack of Java names, else the first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [m[1] for line in lines if line.startswith("Caused by") if (m := _TELLING.match(line))]
    told = causes[-1] if causes else (lines[0] if lines else type(error).__name__)
    if "CSV Error on Line" in told:
        more = (line for line in lines[1:] if not line.startswith(("Original Line", "Possible")))
        told = f"{told}: {next(more, '')}"
    return shown(_CLASS.sub("", told).strip().rstrip("."), most=240)


def _engine(modules: set[str]) -> str:
    if modules & {"duckdb", "_duckdb"}:
        return "DuckDB"
    if modules & {"pyspark", "py4j"}:
        return "Spark"
    return "PostgreSQL" if "adbc_driver_manager" in modules else "Arrow"
