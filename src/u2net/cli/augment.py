"""u2net augment: a data set of objects on backgrounds."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import click

from u2net.cli.options.groups import Sectioned
from u2net.cli.options.session import SessionOptions, session_options
from u2net.cli.options.values import PictureSize, complete_files


@click.command(
    "augment",
    cls=Sectioned,
    epilog="Examples: u2net augment shoes/ rooms/ -o data --count 1000 · "
    "u2net augment cutouts/ rooms/ -o data --seed 7 --size 640x480 --category shoe",
)
@session_options
@click.argument("subjects", metavar="SUBJECTS", shell_complete=complete_files)
@click.argument("backgrounds", metavar="BACKGROUNDS", shell_complete=complete_files)
@click.option("-o", "--output", metavar="DIR", required=True, help="The folder to make.", shell_complete=complete_files)
@click.option("--count", type=int, default=100, show_default=True, help="How many pictures to make.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same files.")
@click.option(
    "--size", type=PictureSize(), default="512", show_default=True, metavar="SIDE|WIDTHxHEIGHT", help="Of the pictures."
)
@click.option("--most", type=int, default=3, show_default=True, help="Objects in one picture, at most.")
@click.option(
    "--scale",
    type=float,
    nargs=2,
    default=(0.3, 0.8),
    show_default=True,
    help="An object's long side, from and to, as a share of the picture's short side.",
)
@click.option(
    "--rotation",
    "--rotate",
    "rotation",
    type=float,
    default=20,
    show_default=True,
    help="At most so many degrees either way.",
)
@click.option("--category", help="Of all objects; default: the name of the folder they lie in, below SUBJECTS.")
@click.option("--format", "file_format", type=click.Choice(["jpeg", "png"]), default="jpeg", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace the folder if it is there and not empty.")
@click.option("--json", "as_json", is_flag=True, help="The counts as one line of JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    session: SessionOptions,
    subjects: str,
    backgrounds: str,
    output: str,
    count: int,
    seed: int,
    size: Any,
    most: int,
    scale: tuple[float, float],
    rotation: float,
    category: str | None,
    file_format: Any,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Make a data set: objects at random places, sizes and angles on backgrounds, with masks and COCO boxes.

    SUBJECTS and BACKGROUNDS are folders of pictures (searched recursively), or a picture. Subjects with transparent
    pixels are used as they are, others are cut out, once. DIR gets images/, masks/, annotations.json (COCO) and a
    manifest.json, and `u2net train --data DIR` can use it.

    Exit codes as in `u2net remove`.
    """
    from u2net.cli.progress import picture_bar
    from u2net.compose.cutout import Cutout
    from u2net.datasets.synthetic_dataset import check_target, find_subjects, write_scenes
    from u2net.datasets.synthetic_scene import SceneSettings
    from u2net.errors import BadInput
    from u2net.inference.predict import predict
    from u2net.tasks.remove import cut_out, is_cutout
    from u2net.types import Picture

    settings = SceneSettings(
        size=(size, size) if isinstance(size, int) else size, most=most, scale=scale, rotation=rotation
    )
    if not output:
        raise BadInput("an empty name stands for nothing: is a variable of the shell unset?")
    target = Path(output)
    check_target(target, overwrite=overwrite, inputs=[Path(subjects), Path(backgrounds)])
    open_session = functools.cache(lambda: session.open(quiet=quiet))  # cutouts need none

    def cut(picture: Picture) -> Cutout:
        return Cutout.opaque(picture) if is_cutout(picture) else cut_out(picture, predict(open_session(), picture))

    def tell_empty(name: str) -> None:
        if not quiet:
            click.echo(f"u2net: {name}: no object found; left out", err=True)

    found = find_subjects(Path(subjects), cut, settings, category=category, on_empty=tell_empty)
    with picture_bar(count, quiet=quiet) as (advance, _):
        made = write_scenes(
            found,
            Path(backgrounds),
            target,
            count=count,
            seed=seed,
            settings=settings,
            format=file_format,
            overwrite=overwrite,
            on_done=advance,
        )
    objects = sum(len(scene["objects"]) for scene in made["scenes"])
    if as_json:
        click.echo(json.dumps({"output": output, "pictures": count, "objects": objects, "subjects": len(found)}))
    elif not quiet:
        click.echo(f"{output}: {count} pictures, {objects} objects")
    return 0
