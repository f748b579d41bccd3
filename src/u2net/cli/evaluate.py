"""u2net evaluate: how near maps come to their truths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from u2net.cli.options.session import SessionOptions, session_options
from u2net.cli.options.values import complete_files
from u2net.errors import BadInput

if TYPE_CHECKING:
    from u2net.evaluation.evaluate import MapOf


@click.command(
    "evaluate",
    epilog="Examples: u2net evaluate maps/ truths/"
    " · u2net evaluate -m u2netp --images photos/ --truths truths/ --report report/"
    " · u2net evaluate maps/ truths/ --json -",
)
@click.argument("folders", nargs=-1, metavar="[MAPS TRUTHS]", shell_complete=complete_files)
@session_options
@click.option("--images", metavar="DIR", help="Pictures to make maps of; with MAPS, to show in the report.")
@click.option("--truths", metavar="DIR", help="The truths of the pictures.")
@click.option(
    "--truth-above",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="The object is where a truth is brighter than this share of white. Default: a half.",
)
@click.option("--json", "json_file", metavar="FILE", help="Write the measures as JSON; - is standard output.")
@click.option("--report", metavar="DIR", help="Write index.html, with curves and pictures, and pictures.csv.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    session: SessionOptions,
    folders: tuple[str, ...],
    images: str | None,
    truths: str | None,
    truth_above: float | None,
    json_file: str | None,
    report: str | None,
    quiet: bool,
) -> None:
    """Measure maps against truths.

    Either a folder of maps and one of truths, or a model with --images and --truths: then the maps are made as
    `u2net saliency` makes them. Files belong together that have one name, whatever the suffix. Where one has no
    partner or cannot be read nothing is measured.

    A truth is cut at a half, a map spread to its full range first, as PySODMetrics does. --precision auto is f32
    here, in which the published numbers were made.

    Needs the extra `evaluate`; without it the error says how to install it.
    """
    from u2net.cli.progress import picture_bar
    from u2net.evaluation.evaluate import evaluate, map_by, pair_up, read_map
    from u2net.evaluation.metrics import TRUTH_ABOVE, pysodmetrics
    from u2net.reports.evaluation import prepare_report, table, versions, write_report
    from u2net.system.files import write_bytes

    if "" in (*folders, images, truths, json_file, report):
        raise BadInput("an empty name stands for nothing: is a variable of the shell unset?")
    sources, of_truth = _folders(folders, images, truths)
    pysodmetrics()  # before pictures are looked for, weights fetched, and an hour spent on maps
    if report is not None:
        prepare_report(Path(report))
    pairs = pair_up(sources, of_truth, pictures=Path(images) if images else None)
    map_of: MapOf = read_map
    facts = {"maps": str(sources)}
    if not folders:
        opened = session.exact().open(quiet=quiet)
        map_of = map_by(opened)
        facts = {"model": session.model, "run by": f"{opened.engine}, {opened.device}, {opened.precision}"}
    facts |= {"pictures": images} if images else {}
    facts |= {"truths": str(of_truth)}
    facts |= {} if truth_above is None else {"object above": f"{truth_above:g} of a truth's white"}
    above = TRUTH_ABOVE if truth_above is None else truth_above
    with picture_bar(len(pairs), quiet=quiet) as (advance, _):
        evaluation = evaluate(pairs, map_of, truth_above=above, threads=session.threads, on_pair=advance)

    as_json = json.dumps(evaluation.summary, indent=1) + "\n"
    if json_file == "-":
        click.echo(as_json, nl=False)
    elif not quiet:
        click.echo("\n".join(table(evaluation.summary)))
    if json_file not in (None, "-"):
        write_bytes(Path(json_file), as_json.encode())
    if report is not None:
        write_report(
            Path(report),
            evaluation,
            title=f"Evaluation of {sources if folders else session.model}",
            facts=facts | versions(),
        )


def _folders(folders: tuple[str, ...], images: str | None, truths: str | None) -> tuple[Path, Path]:
    """Where the maps or pictures are, and their truths."""
    if not folders and images and truths:
        return Path(images), Path(truths)
    if not folders:
        raise click.UsageError("give two folders, MAPS and TRUTHS, or a model with --images and --truths")
    if len(folders) != 2:
        raise click.UsageError(f"expected two folders, MAPS and TRUTHS, got {len(folders)}")
    if truths is not None:
        raise click.UsageError("the truths are given twice: as the second folder and by --truths")
    for name in ("model", "engine", "device", "require_device", "precision", "offline"):
        if click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"a folder of maps needs no model; leave out {option}, or give --images and --truths alone"
            )
    return Path(folders[0]), Path(folders[1])
