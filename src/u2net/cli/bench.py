"""u2net bench: how fast u2net is on this machine."""

from __future__ import annotations

import json
from typing import Any

import click

from u2net.cli.options.values import LIMIT, complete_files, complete_models
from u2net.cli.progress import download_bar, step_line
from u2net.inference.session import ENGINES, PRECISIONS


@click.command(
    "bench", epilog="Examples: u2net bench · u2net bench u2netp --seconds 30 · u2net bench --json > bench.json"
)
@click.argument("models", nargs=-1, metavar="[MODEL...]", shell_complete=complete_models)
@click.option(
    "--engine", "engines", type=click.Choice(ENGINES[1:]), multiple=True, help="Only with this; can be repeated."
)
@click.option(
    "--precision", "precisions", type=click.Choice(PRECISIONS[1:]), multiple=True, help="Only in this; can be repeated."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "gpu", "npu", "cuda", "coreml", "directml", "rocm"]),
    default="cpu",
    show_default=True,
    help="Where the network runs.",
)
@click.option("--threads", type=click.IntRange(min=1), help="At most so many processor threads.")
@click.option(
    "--pictures",
    metavar="DIR|FILE",
    help="Your own pictures, instead of one of 1.5 megapixels that u2net draws.",
    shell_complete=complete_files,
)
@click.option(
    "--seconds", type=LIMIT, default=6, show_default=True, help="How long each row is measured, besides its starts."
)
@click.option(
    "--rounds", type=click.IntRange(min=2), default=3, show_default=True, help="Starts of each row; they take turns."
)
@click.option("--offline", is_flag=True, help="Never fetch a weight file.")
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object; docs/performance.md has its keys.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    models: tuple[str, ...], pictures: str | None, seconds: float, as_json: bool, quiet: bool, **options: Any
) -> int:
    """Measure how fast u2net is here: each model with each engine and precision.

    MODEL is a name or an .onnx or .xml file; without one, all whose weights are here, and nothing is fetched. Each row
    is a process of its own, started several times in turn with the others: from its start to the first map, the network
    alone, a picture from its bytes to those of a PNG, several threads at once, and the memory taken.

    Exit codes: 0 measured, 1 one of them crashed, 2 wrong usage or pictures, 4 weights, 5 nothing of what was asked for
    is on this machine.
    """
    from u2net.batch.inputs import plan_unwritten
    from u2net.diagnostics.benchmark import bench
    from u2net.reports.benchmark import as_object, report
    from u2net.system.hardware import this_machine

    files = [job.source for job in plan_unwritten([pictures]) if job.source] if pictures is not None else []
    with download_bar(quiet=quiet) as on_progress, step_line(quiet=quiet) as on_step:
        measured = bench(models, pictures=files, seconds=seconds, on_step=on_step, on_progress=on_progress, **options)
    machine = this_machine()
    if as_json:
        click.echo(json.dumps(as_object(measured, machine)))
    else:
        click.echo("\n".join(report(measured, machine)))
    return 1 if any(each.failed for each in measured.missing) else 0
