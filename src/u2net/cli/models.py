"""u2net models: what there is, what is here, and fetching it."""

from __future__ import annotations

import json
from typing import Any

import click


@click.group("models")
def command() -> None:
    """List and fetch models."""


@command.command("list", epilog="Example: u2net models list --json")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a model.")
def list_models(as_json: bool) -> None:
    """Every model by name: size, licence, training data, and where its file lies on this machine."""
    from u2net import weights
    from u2net.errors import WrongChecksum
    from u2net.models import MODELS

    rows: list[dict[str, Any]] = []
    for name, spec in MODELS.items():
        try:
            path = weights.find(spec)
            where = str(path) if path else None
            state = "here" if path else "not fetched"
        except WrongChecksum:
            where, state = str(weights.cache_dir() / spec.file), "wrong checksum"
        rows.append(
            {
                "name": name,
                "kind": spec.kind,
                "bytes": spec.size_bytes,
                "licence": spec.licence,
                "training_data": spec.training_data,
                "state": state,
                "path": where,
            }
        )
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    click.echo(f"{'name':<10} {'size':>8}  {'licence':<11} {'trained on':<11} where")
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f} MB"
        where = row["path"] if row["state"] == "here" else f"({row['state']})"
        click.echo(f"{row['name']:<10} {size:>8}  {row['licence']:<11} {row['training_data']:<11} {where}")


@command.command("pull", epilog="Example: u2net models pull u2net u2netp")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--offline", is_flag=True, help="Only look whether the files are here.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def pull(names: tuple[str, ...], offline: bool, quiet: bool) -> None:
    """Fetch the weight files of models, verify them, and print where they lie.

    A file of ours that is not the published one is replaced.
    """
    from u2net import weights
    from u2net.cli.progress import download_bar
    from u2net.models import find_model

    specs = [find_model(name) for name in names]
    for spec in specs:
        with download_bar(quiet=quiet) as on_progress:
            path = weights.pull(spec, offline=offline, on_progress=on_progress)
        if not quiet:
            click.echo(path)
