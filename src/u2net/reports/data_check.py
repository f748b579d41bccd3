"""What `u2net data check` found, as lines for a person and as an object for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from u2net.datasets.check import Check, summary
from u2net.datasets.pairs import Problem

_SHOWN_OF_A_KIND = 20


def as_object(checked: Check) -> dict[str, Any]:
    """What --json prints."""
    return {
        "ok": not checked.errors,
        **summary(checked),
        **{
            name: [
                {"kind": problem.kind, "paths": [str(path) for path in problem.paths], "message": problem.message}
                for problem in problems
            ]
            for name, problems in (("errors", checked.errors), ("warnings", checked.warnings))
        },
    }


def report(checked: Check, *, quiet: bool = False) -> Iterator[str]:
    """The lines that a person reads."""
    yield from _listed("to mend", checked.errors)
    yield from _listed("to look at", checked.warnings)
    if quiet:
        return
    facts = summary(checked)
    yield f"{facts['pairs']} pairs, {facts['readable']} of them readable"
    for name in ("sizes", "coverage", "truths", "classes"):
        values = facts.get(name)
        if isinstance(values, dict):
            yield f"  {name:<9} {', '.join(f'{key}: {shown(value)}' for key, value in values.items())}"
    if not checked.problems:
        yield "No problem found."


def shown(value: Any) -> str:
    """A size, a share, a count."""
    if isinstance(value, list):
        return f"{value[1]} x {value[0]}"
    if isinstance(value, dict):
        return f"in {value['pictures']} ({value['pixels']:.1%} of the pixels)"
    return f"{value:.1%}" if isinstance(value, float) else str(value)


def _listed(title: str, problems: Sequence[Problem]) -> Iterator[str]:
    """A heading for each kind, and its problems, a line each."""
    kinds = dict.fromkeys(problem.kind for problem in problems)
    for kind in kinds:
        lines = [problem.message for problem in problems if problem.kind == kind]
        yield f"{title}: {kind} ({len(lines)})"
        yield from (f"  {line}" for line in lines[:_SHOWN_OF_A_KIND])
        if len(lines) > _SHOWN_OF_A_KIND:
            yield f"  ... and {len(lines) - _SHOWN_OF_A_KIND} more; --json lists all"
    if problems:
        yield ""
