"""u2net remove: cut the object out of pictures."""

from __future__ import annotations

import click

from u2net.cli.picture_command import PictureRun, picture_command


@picture_command(
    "remove", "subject", "edge", "framed", "scene", "encoding", "many",
    epilog="Examples: u2net remove cat.jpg · u2net remove photos/ -o cutouts/ · "
    "u2net remove shoe.jpg --background white -o white.jpg · cat cat.jpg | u2net remove - > cat.png · "
    "u2net remove in/ -o shop/ --crop marketplace --shadow contact --format webp",
)  # fmt: skip
@click.option("--only-mask", is_flag=True, help="Write the alpha as a grey picture instead of the cutout.")
def command(run: PictureRun, only_mask: bool) -> int:
    """Cut the object out of pictures.

    IN is a picture, a folder (searched recursively), a pattern, or - for standard input. A result is written beside its
    input as <stem>.cutout.png, or into -o as <stem>.png. Cutting out, cropping, shadow, background and encoding are one
    pass.

    Exit codes: 0 done, 1 some pictures failed, 2 wrong usage or bad input, 3 no object (--fail-if-empty, or nothing to
    crop or to cast a shadow), 4 no weights, 5 no such device or engine.
    """
    from dataclasses import replace
    from pathlib import Path

    from u2net.batch.inputs import are_many, jobs_below
    from u2net.batch.removal import Removal
    from u2net.batch.run import Run
    from u2net.batch.settings import Watch
    from u2net.cli.show import check_streams, leave, say_what_would_be_done, show

    given, many, encoding = run.given, run.many, run.encoded
    layout = run.scene.layout(run.framed.frame(), given)
    removal = Removal(**run.subject.arguments, **vars(run.edge), only_mask=only_mask, layout=layout, encoding=encoding)
    if encoding.format == "jpeg" and not (layout.replaces or only_mask or given.quiet or many.dry_run):
        click.echo("u2net: JPEG has no transparency; the object is laid over white (--background)", err=True)
    many.check(given)
    inputs, several, watch = list(given.inputs), many.watch or are_many(given.inputs), None
    folder = Path(given.output) if given.output is not None and several else None
    if many.watch:
        assert folder is not None
        watch = Watch(tuple(map(Path, inputs)), folder, encoding.suffix, many.exclude)
        inputs = [
            text for text in inputs if jobs_below(Path(text), folder, suffix=encoding.suffix, excludes=many.exclude)
        ]
    run.tag = "mask" if only_mask else "cutout"
    run.given = replace(given, inputs=tuple(inputs))
    planned = Run(
        run.plan(reads=[run.scene.background], excludes=many.exclude) if inputs else [],
        lambda requests: removal.drawing(run.open(requests)),
        given.settings,
        folder=folder,
        options=lambda: removal.fingerprint(run.session.model, run.session.precision),
        overwrite=many.overwrite,
        watch=watch,
        threads=run.session.threads,
        several=several,
    )
    if many.dry_run:
        say_what_would_be_done(planned, given)
        return 0
    check_streams(planned, given)
    return leave(show(planned, given, report=many.report), watched=many.watch)
