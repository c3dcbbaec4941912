"""Public names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


def publish(package: str, homes: Mapping[str, str]) -> None:
    """Make names of a package's modules names of the package, each imported when it is asked for.

    A function may be named like the module that it is in: importing a submodule sets an attribute
    of its name on the package, which would hide the function. A property is not hidden.

    Args:
        package: The package's `__name__`.
        homes: The module of each name; an empty one where the name is the module itself.
    """

    class Package(ModuleType):
        def __dir__(self) -> list[str]:
            return sorted(homes)

    for name, home in homes.items():
        setattr(Package, name, _public(package, name, home))
    sys.modules[package].__class__ = Package


def _public(package: str, name: str, home: str) -> property:
    def get(_: ModuleType) -> Any:
        if home:
            return getattr(import_module(f"{package}.{home}"), name)
        return import_module(f"{package}.{name}")

    return property(get, lambda _, __: None)
