"""What users may rely on: changing this list is a decision."""

from __future__ import annotations

import subprocess
import sys

import u2net

NAMES = [
    "MODELS",
    "Cutout",
    "Crop",
    "Gradient",
    "Hint",
    "ModelSpec",
    "Outcome",
    "Picture",
    "Session",
    "U2NetError",
    "open_session",
    "read",
    "remove",
    "remove_many",
    "saliency",
]


def test_public_names_are_these() -> None:
    assert sorted(u2net.__all__) == sorted(NAMES)


def test_every_public_name_is_there_and_documented() -> None:
    for name in NAMES:
        value = getattr(u2net, name)
        assert name in dir(u2net)
        assert value.__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(u2net, "segment")


def test_remove_stays_the_function_whichever_module_is_loaded_first() -> None:
    code = "import u2net.cli.remove, u2net.tasks.remove, u2net; print(callable(u2net.remove))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"
