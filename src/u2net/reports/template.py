"""Pages come of templates in this folder: one style for all, `@name@` where something is put in, one file at last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from importlib import resources


def template(name: str) -> str:
    """The text of a template, with the style that all pages share in the place of `@style@`."""
    folder = resources.files("u2net.reports")
    page, style = (folder.joinpath(file).read_text(encoding="utf-8") for file in (name, "style.css"))
    return page.replace("@style@", style.strip())


def filled(piece: str, said: Mapping[str, str]) -> str:
    """A piece of a template with everything put in, all at once: what is put in may itself look like a mark."""
    return re.sub("@([a-z]+)@", lambda mark: said[mark[1]], piece)


def text(value: str) -> str:
    """A text as HTML has it; of a name that is none, what can be shown."""
    return escape(value.encode("utf-8", "replace").decode())
