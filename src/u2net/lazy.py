"""Public names that load when they are first used, for `u2net` and for the rooms that show some."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package where a public name is what it is said to be, though a module of the package may have that name too.

    When Python has loaded `u2net.compose.highlight` it binds the module to `u2net.compose`, in the place of the
    function `highlight`. Here the function stays; imports from the module work as ever.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in self.__all__):
            super().__setattr__(name, value)


def attach(
    package: str, names_of: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package's `__getattr__, __dir__, __all__` are.

    package: its `__name__`. names_of: the module that each public name comes from, with the names.
    """
    home = {name: module for module, names in names_of.items() for name in names}
    face = sys.modules[package]
    face.__class__ = _Package

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home[name]), name)
        setattr(face, name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(face), *home})

    return load, names, sorted(home)
