"""What a flag's value may be: 10%, 4:5, X,Y, 1200x800; and what the shell completes there."""

from __future__ import annotations

import math
import re
from typing import Any

import click
from click.shell_completion import CompletionItem


class Percent(click.types.StringParamType):
    """A number of percent, with the sign or without; given to the command as a share."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            share = float(value.removesuffix("%")) / 100
        except ValueError:
            share = float("nan")
        if not 0 <= share < float("inf"):
            self.fail(f"'{value}' is not a number of percent.", param, ctx)
        return share


class Margin(click.types.StringParamType):
    """`10%` or `40`; given to the command as what a `Crop` takes."""

    name = "PERCENT%|PIXELS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)%|(\d+)(?:px)?", value)
        if not found:
            self.fail(f"'{value}' is neither percent of the object nor pixels; write 10% or 40.", param, ctx)
        return {"margin": float(found[1]) / 100} if found[1] else {"margin_px": int(found[2])}


class Aspect(click.types.StringParamType):
    """`4:5`; given to the command as width by height."""

    name = "WIDTH:HEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", value)
        if not found or not float(found[1]) or not float(found[2]):
            self.fail(f"'{value}' is no aspect; write 1:1, 4:5 or 16:9, the width first.", param, ctx)
        return float(found[1]) / float(found[2])


class PictureSize(click.types.StringParamType):
    """`2000`, or `1200x800`, width first as for pictures everywhere; given to the command as 2000 or (800, 1200)."""

    name = "LONGER|WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d{1,12})(?:x(\d{1,12}))?", value.lower())
        if not found:
            self.fail(f"'{value}' is no size; write 2000, or 1200x800, the width first.", param, ctx)
        return int(found[1]) if found[2] is None else (int(found[2]), int(found[1]))


class _Limit(click.types.FloatParamType):
    """A number above 0; `inf` and `nan` are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not 0 < number < math.inf:
            self.fail(f"{value} is not a number above 0.", param, ctx)
        return number


LIMIT = _Limit()


class KeepParts(click.types.StringParamType):
    """`all`, `largest`, or a whole number from 1 on."""

    name = "all|largest|N"
    _words = ("all", "largest")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self._words:
            return str(value)
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"'{value}' is not all, largest or a number of parts from 1 on.", param, ctx)
        return int(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self._words if word.startswith(incomplete)]


class PixelNumbers(click.types.StringParamType):
    """So many numbers with commas between. whole: no fractions."""

    def __init__(self, *names: str, whole: bool = True) -> None:
        self.name = ",".join(names)
        self.count = len(names)
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            numbers = tuple(map(int if self.whole else float, value.split(",")))
        except ValueError:
            numbers = ()
        if len(numbers) != self.count:
            kind = "whole numbers" if self.whole else "numbers"
            self.fail(f"'{value}' is not {self.name}: {self.count} {kind} with commas, in pixels.", param, ctx)
        return numbers


def parse_size(value: str) -> tuple[int, int]:
    """`320` or, height first, `320x240`."""
    height, _, width = value.lower().partition("x")
    if not height.isdecimal() or not (width or height).isdecimal():
        raise click.BadParameter(f"{value} is no size; write 320 or, height first, 320x240.")
    return int(height), int(width or height)


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a file's name; click.Path would, but also refuses files in its own words."""
    return [CompletionItem(incomplete, type="file")]


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models' names."""
    from u2net.models.registry import MODELS

    return [CompletionItem(name) for name in MODELS if name.startswith(incomplete)]


def complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models' names, or a file's where none begins like that."""
    return complete_names(ctx, param, incomplete) or complete_files(ctx, param, incomplete)
