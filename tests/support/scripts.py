"""The repository's scripts as modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types

from support.paths import ROOT


def load(name: str) -> types.ModuleType:
    """A script without a suffix, as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        sys.modules[loader.name] = module
        loader.exec_module(module)
        return module
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(str(ROOT / "scripts"))
