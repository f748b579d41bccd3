"""u2net models: what there is, what is here, and having it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from u2net.cli.options.values import complete_names
from u2net.errors import WeightsUnavailable
from u2net.models import weights
from u2net.models.registry import MODELS, find_model


@click.group("models")
def command() -> None:
    """Weight files: list, fetch, verify, import and remove them."""


@command.command("list", epilog="Example: u2net models list --json")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One line a model: name, kind, bytes, licence, training_data, checksum, state, path (null: not here).",
)
def list_models(as_json: bool) -> None:
    """Every model, and whether its file is here.

    A file is verified, or has a wrong checksum, is unreadable, unfinished (`pull` goes on with it) or not fetched.
    """
    from u2net.reports.models import report, row

    rows = [row(spec) for spec in MODELS.values()]
    click.echo("\n".join(map(json.dumps, rows) if as_json else report(rows)))


@command.command("pull", epilog="Example: u2net models pull u2net u2netp")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_names)
@click.option("--offline", is_flag=True, help="Only look whether the files are here.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def pull(names: tuple[str, ...], offline: bool, quiet: bool) -> int:
    """Fetch weight files and print where they lie.

    Each is verified. A file of ours that is not the published one is replaced; an interrupted download
    from an address is continued.
    """
    from u2net.cli.progress import download_bar

    specs = [find_model(name) for name in names]
    exit_code = 0
    for spec in specs:
        try:
            with download_bar(quiet=quiet) as on_progress:
                path = weights.pull(spec, offline=offline, on_progress=on_progress)
        except WeightsUnavailable as error:
            click.echo(f"u2net: {error}", err=True)
            exit_code = error.exit_code
        else:
            if not quiet:
                click.echo(path)
    return exit_code


@command.command("verify", epilog="Example: u2net models verify u2net")
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=complete_names)
def verify(names: tuple[str, ...]) -> int:
    """Compare weight files with their checksums.

    Every byte is read. Without a NAME, all that are here. Files of other tools are looked at too.
    Exits with 4 where one is wrong or a NAME is not here.
    """
    specs = [find_model(name) for name in names] or list(MODELS.values())
    problems = [weights.not_here(spec) for spec in specs if names and not weights.candidate_files(spec)]
    for spec in specs:
        for path in weights.candidate_files(spec):
            problem = weights.problem_of(path, spec)
            click.echo(f"{'wrong' if problem else 'right'}  {path}")
            problems += [problem] if problem else []
    for problem in problems:
        click.echo(f"u2net: {problem}", err=True)
    return WeightsUnavailable.exit_code if problems else 0


@command.command("path", epilog='Example: cp "$(u2net models path u2net)" .')
@click.argument("name", shell_complete=complete_names)
def path_of(name: str) -> None:
    """Print where a model's file lies.

    It is verified first. Nothing is fetched; exits with 4 where it is not here.
    """
    spec = find_model(name)
    path = weights.find(spec)
    if path is None:
        raise WeightsUnavailable(weights.not_here(spec))
    click.echo(path)


@command.command("import", epilog="Example: u2net models import Downloads/u2net.onnx --as u2net")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--as", "name", required=True, metavar="NAME", help="The model that the file is.", shell_complete=complete_names
)
def import_file(file: Path, name: str) -> None:
    """Take up a weight file that you have.

    It is copied into the cache folder if its checksum is the published one.
    """
    click.echo(weights.import_file(file, find_model(name)))


@command.command("rm", epilog="Example: u2net models rm u2net_human_seg")
@click.argument("name", shell_complete=complete_names)
def remove(name: str) -> None:
    """Delete a model's file from the cache folder.

    What was compiled from it goes too, and all that is gone is printed. Files of other tools are never deleted.
    """
    spec = find_model(name)
    for path in weights.remove(spec):
        click.echo(path)
    for path in weights.candidate_files(spec):
        click.echo(f"u2net: {path} stays: it is of another tool", err=True)
