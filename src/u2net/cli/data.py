"""u2net data: what is in a folder of training data, what is wrong with it, and the same made small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from u2net.cli.options.values import complete_files, complete_models, parse_size
from u2net.cli.progress import picture_bar


@click.group("data")
def command() -> None:
    """Training data: look for what is wrong before a network learns it, and pack it to travel."""


@command.command("check", epilog="Example: u2net data check DUTS-TR --against DUTS-TE --sheet duts.png")
@click.argument("source", metavar="DIR|CSV", shell_complete=complete_files)
@click.option("--truths", metavar="DIR", help="The truths of the pictures in DIR.", shell_complete=complete_files)
@click.option(
    "--kind",
    type=click.Choice(["saliency", "classes", "image"]),
    default="saliency",
    show_default=True,
    help="What a truth says: how much a pixel is the object, its class, or the colour it should become.",
)
@click.option("--classes", type=click.IntRange(2, 255), help="How many classes there are; higher ids are a problem.")
@click.option(
    "--against",
    metavar="DIR|CSV",
    help="Other data, such as that for testing: a picture in both is a problem.",
    shell_complete=complete_files,
)
@click.option("--sheet", metavar="FILE.png", help="Draw samples and problems.", shell_complete=complete_files)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
def check_data(
    source: str,
    truths: str | None,
    kind: Any,
    classes: int | None,
    against: str | None,
    sheet: str | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Decode every picture and truth of DIR and say what is wrong.

    DIR holds a folder of pictures and one of truths, or cutouts, or is a file of pairs; docs/training-data.md lists
    the layouts. Looked for are files without a partner, unreadable ones, truths of another shape, empty, full or grey
    ones, class ids that are too high, and pictures that are there twice, also if saved anew. Packed data are decoded
    and compared with their checksums, no more.

    Exit codes: 0 nothing to mend, 1 there is (with --strict: or a warning), 2 no pairs at all.
    """
    from u2net.datasets.check import check
    from u2net.datasets.pack import is_pack
    from u2net.datasets.pairs import find_pairs, find_pictures
    from u2net.errors import BadInput
    from u2net.io.write import encode, format_of
    from u2net.reports.data_check import as_object, report
    from u2net.system.files import write_bytes

    if is_pack(Path(source)):
        if truths or classes or against or sheet or kind != "saliency":
            raise BadInput(f"{source}: is packed; only its files are looked at. Check the data that it was made from")
        return _check_pack(source, as_json=as_json, quiet=quiet)
    if sheet and format_of(sheet) != "png":
        raise BadInput(f"--sheet {sheet}: the sheet is a PNG; give a name that ends in .png")
    found = find_pairs(Path(source), truths=Path(truths) if truths else None)
    others = find_pictures(Path(against)) if against else None
    count = len(found.pairs) + (len(others.pairs) if others else 0)
    with picture_bar(count, quiet=quiet) as (advance, _):
        checked = check(found, kind=kind, classes=classes, against=others, on_done=advance)
    if as_json:
        click.echo(json.dumps(as_object(checked)))
    else:
        click.echo("\n".join(report(checked, quiet=quiet)))
    if sheet:
        from u2net.reports.contact_sheet import contact_sheet

        write_bytes(Path(sheet), encode(contact_sheet(checked), format="png", compress="balanced"))
    return 1 if checked.errors or (strict and checked.warnings) else 0


@command.command(
    "pack", epilog="Example: u2net data pack DUTS-TR -o packed --teacher u2net · u2net train --data packed --out run"
)
@click.argument("source", metavar="DIR|CSV", shell_complete=complete_files)
@click.option("-o", "--out", required=True, metavar="DIR", help="The new folder.", shell_complete=complete_files)
@click.option("--truths", metavar="DIR", help="The truths of the pictures in DIR.", shell_complete=complete_files)
@click.option(
    "--maps",
    metavar="DIR",
    help="Soft targets: grey maps with the names of the pictures, as u2net saliency writes them.",
    shell_complete=complete_files,
)
@click.option(
    "--teacher",
    metavar="MODEL",
    help="Or the network that makes them here, not stretched to their range.",
    shell_complete=complete_models,
)
@click.option("--size", type=parse_size, default="320", show_default=True, metavar="N|HxW", help="Of all pictures.")
@click.option(
    "--quality", type=click.IntRange(1, 100), default=75, show_default=True, help="Of the WebP pictures; truths: exact."
)
@click.option(
    "--shard-mb", type=click.IntRange(1, 1000), default=50, show_default=True, help="Largest size of a shard."
)
@click.option("--json", "as_json", is_flag=True, help="What was packed as one JSON object.")
@click.option("--quiet", is_flag=True, help="Print nothing but what was left out.")
def pack_data(
    source: str,
    out: str,
    truths: str | None,
    maps: str | None,
    teacher: str | None,
    size: tuple[int, int],
    quality: int,
    shard_mb: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """Make pairs of picture and truth small, in a few zip files that travel to another machine.

    Pictures become WebP of --size, truths lossless, soft targets (for a network to learn from a better one's maps)
    WebP at quality 90. u2net train takes the new folder as --data, and u2net data check reads every file in it. What
    was cut off is gone on with by the same command.

    Exit codes: 0 all pairs are packed, 1 some are left out, which are named, 2 no pairs at all.
    """
    from u2net.datasets.make_pack import pack_pairs
    from u2net.datasets.pairs import describe, find_pairs
    from u2net.inference.open_session import open_session

    found = find_pairs(Path(source), truths=Path(truths) if truths else None)
    session = open_session(teacher, precision="f32") if teacher else None  # the same bytes on every processor
    with picture_bar(len(found.pairs), quiet=quiet) as (advance, _):
        packed = pack_pairs(
            found.pairs,
            Path(out),
            size=size,
            quality=quality,
            maps=Path(maps) if maps else None,
            teacher=session,
            shard_bytes=shard_mb * 1_000_000,
            on_done=advance,
        )
    if found.problems:
        click.echo(describe(found.problems), err=True)
    for name, reason in packed.skipped.items():
        click.echo(f"u2net: left out: {name}: {reason}", err=True)
    pack = packed.pack
    if as_json:
        facts = {"pairs": len(pack.names), "bytes": pack.bytes, "soft": pack.soft, "kept": packed.kept}
        shards = {shard.file: shard.bytes for shard in pack.shards}
        click.echo(json.dumps(facts | {"shards": shards, "skipped": packed.skipped}))
    elif not quiet:
        soft = f", with soft targets of {pack.soft}" if pack.soft else ""
        count = f"{len(pack.shards)} shard{'s' * (len(pack.shards) > 1)}"
        click.echo(f"{len(pack.names)} pairs{soft} in {count}, {pack.bytes / 1e6:.1f} MB", err=True)
        click.echo(out)
    return 1 if packed.skipped or found.problems else 0


def _check_pack(source: str, *, as_json: bool, quiet: bool) -> int:
    """Read and decode all of a packed folder; what is damaged is an error of its own."""
    from u2net.datasets.pack import open_pack, read_samples
    from u2net.reports.data_check import shown

    pack = open_pack(Path(source))
    empty = []
    with picture_bar(len(pack.names), quiet=quiet) as (advance, _):
        for sample in read_samples(pack):
            if not sample.truth.any():
                empty.append(sample.name)
            advance()
    if as_json:
        facts = {"ok": True, "pairs": len(pack.names), "size": list(pack.size), "quality": pack.quality}
        click.echo(json.dumps(facts | {"soft": pack.soft, "bytes": pack.bytes, "empty": empty}))
    elif not quiet:
        soft = f", soft targets of {pack.soft}" if pack.soft else ""
        click.echo(f"{len(pack.names)} packed pairs of {shown(list(pack.size))}{soft}, {pack.bytes / 1e6:.1f} MB")
        click.echo(f"All {len(pack.shards)} shards are whole; {len(empty)} truths are empty.")
    return 0
