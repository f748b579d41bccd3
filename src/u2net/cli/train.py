"""u2net train: train a network, or go on with it."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import click

from u2net.cli.options.values import complete_files, complete_models, parse_size
from u2net.errors import BadInput, MissingExtra


def _setting(value: str) -> tuple[str, Any]:
    """`name=value`, the value as JSON, or plain text where it is none."""
    name, equals, text = value.partition("=")
    if not equals:
        raise click.BadParameter(f"{value} is no setting; write NAME=VALUE.")
    try:
        return name.strip(), json.loads(text)
    except ValueError:
        return name.strip(), text


@click.command(
    "train",
    epilog="Examples: u2net train --data DUTS-TR --out run · u2net train --data mine --init u2netp --out run"
    " · u2net train --out run --resume · torchrun --nproc-per-node 2 -m u2net train --data DUTS-TR --out run",
)
@click.option("--data", metavar="DIR|CSV", help="Pictures and truths.", shell_complete=complete_files)
@click.option(
    "--truths", metavar="DIR", help="The truths, where --data is pictures only.", shell_complete=complete_files
)
@click.option(
    "--validation",
    metavar="DIR|CSV",
    help="What to validate with. Default: a twentieth of --data.",
    shell_complete=complete_files,
)
@click.option("-o", "--out", required=True, metavar="RUN", help="The folder of the run.", shell_complete=complete_files)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, with its own settings.")
@click.option("--recipe", type=click.Choice(["published", "modern"]), help="Settings to begin from. Default: modern.")
@click.option(
    "--config", "config_file", metavar="FILE", help="Or those of a file, as of a run.", shell_complete=complete_files
)
@click.option("--init", metavar="MODEL|FILE", help="Weights to begin with.", shell_complete=complete_models)
@click.option("--variant", metavar="NAME", help="u2net, u2netp or isnet. Default: that of --init, or u2netp.")
@click.option(
    "--kind", type=click.Choice(["saliency", "classes", "image"]), help="What the network gives. Default: saliency."
)
@click.option(
    "--size", type=parse_size, metavar="N|HxW", help="Pictures are resized to this (320), and cropped to .9 of it."
)
@click.option("--steps", type=click.IntRange(min=1), help="Steps of the optimizer (30000).")
@click.option("--batch", type=click.IntRange(min=1), help="Pictures a step and process (12).")
@click.option("--learning-rate", type=float, help="At its highest (.001).")
@click.option("--precision", type=click.Choice(["auto", "f32", "bf16"]), help="auto: bf16 where the device has it.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps. Default: a GPU where there is one.")
@click.option("--validate-every", type=click.IntRange(min=1), metavar="STEPS", help="How often to validate (1000).")
@click.option("--minutes", type=click.FloatRange(min=0), help="End after so many, with all saved; --resume goes on.")
@click.option(
    "--set",
    "others",
    type=_setting,
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other setting of docs/training.md: accumulate=4, losses='{\"bce\": 1}', compile=true.",
)
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a report on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    out: str,
    resume: bool,
    recipe: str | None,
    config_file: str | None,
    minutes: float | None,
    others: tuple[tuple[str, Any], ...],
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Train a network on pictures and truths.

    RUN then holds best.safetensors and last.safetensors, config.json, log.csv, curves.png, sheets/ with pictures, and
    tensorboard/. Ctrl-C and SIGTERM save the run and exit with 130 and 143; --resume goes on to the same numbers
    as if it had not been stopped.

    Needs the extra `train`; without it the error says how to install it.
    """
    from u2net.cli.progress import training_bar

    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        from u2net.system.install import install_hint

        raise MissingExtra(f"training needs torch; {install_hint('train')}") from error
    from u2net.train.config import config_of
    from u2net.train.loop import train
    from u2net.train.resume import settings_of

    if os.environ.get("RANK", "0") != "0":  # one of torchrun's processes speaks for all
        quiet, as_json = True, False
        logging.getLogger("u2net").setLevel(logging.ERROR)
    given = {name: value for name, value in flags.items() if value is not None} | dict(others)
    if resume and (recipe or config_file):
        raise BadInput("a resumed run keeps its settings; leave --recipe and --config out")
    config = settings_of(Path(out), given) if resume else config_of(given, recipe, config_file)
    with training_bar(config.steps, quiet=quiet or as_json) as show:

        def report(one: Any) -> None:
            if as_json:
                click.echo(json.dumps(vars(one)))
            else:
                show(one.step, one.loss, one.pictures_per_s, one.remaining_s, one.measures)

        result = train(config, Path(out), resume=resume, minutes=minutes, on_report=report)
    for name, reason in result.skipped.items() if not quiet else ():
        click.echo(f"u2net: left out: {name}: {reason}", err=True)
    if not quiet:
        how = f"{result.ended}; to go on: u2net train --out {out} --resume" if result.unfinished else result.ended
        click.echo(f"step {result.step} of {config.steps}: {how}", err=True)
        if not as_json and result.weights.is_file():
            click.echo(result.weights)
    return 128 + result.signal if result.signal else 0
