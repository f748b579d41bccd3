"""u2net gallery: a page to compare pictures with what was made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from u2net.cli.options.values import LIMIT, complete_files

if TYPE_CHECKING:
    from u2net.errors import BadInput
    from u2net.reports.gallery import Entry


@click.command(
    "gallery",
    epilog="Examples: u2net gallery photos/ · u2net gallery photos/ cutouts/ -o compare.html · "
    "u2net gallery photos/ with-u2net/ with-u2netp/ --size 600",
)
@click.argument("originals", metavar="ORIGINALS", shell_complete=complete_files)
@click.argument("results", nargs=-1, metavar="[RESULTS]...", shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    default="gallery.html",
    show_default=True,
    metavar="FILE",
    help="The page to write; - is standard output.",
    shell_complete=complete_files,
)
@click.option(
    "--size",
    "size_px",
    type=int,
    default=900,
    show_default=True,
    metavar="PIXELS",
    help="Make pictures smaller to this longer side.",
)
@click.option("--max-megapixels", type=LIMIT, default=160, show_default=True, help="Refuse larger pictures.")
@click.option("--max-megabytes", type=LIMIT, default=500, show_default=True, help="Refuse larger files.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    originals: str,
    results: tuple[str, ...],
    output: str,
    size_px: int,
    max_megapixels: float,
    max_megabytes: float,
    as_json: bool,
    quiet: bool,
) -> int:
    """Make one page that shows pictures and their results, with a slider between the two.

    ORIGINALS is a folder of pictures, each of RESULTS a folder that mirrors it, as `u2net remove ORIGINALS -o RESULTS`
    writes it. Without RESULTS the results beside the pictures are taken (cat.jpg and cat.cutout.png).

    The page is one file: everything is in it, it asks for nothing, and opens from a disk, a stick or a mail.

    Exit codes: 0 done, 1 some pictures could not be read, 2 wrong usage or nothing to show.
    """
    import json
    import os
    import sys
    from pathlib import Path

    from u2net.cli.progress import picture_bar
    from u2net.errors import BadInput
    from u2net.reports.gallery import LARGE_BYTES, check_size, find_gallery, page
    from u2net.system.files import atomic_file, check_target, make_folder, writing

    check_size(size_px)
    if as_json and output == "-":
        raise BadInput("--json and the page both want standard output; give -o FILE")
    if output == "-" and sys.stdout.isatty():
        raise BadInput("standard output is a terminal; give -o FILE or redirect it")
    target = Path(output, "gallery.html") if os.path.isdir(output) else Path(output)
    if output != "-":
        if target.suffix.lower() not in (".html", ".htm"):
            raise BadInput(f"-o {output}: the result is a page; give it a name that ends in .html")
        check_target(target, beside=False)
    gallery = find_gallery(Path(originals), [Path(folder) for folder in results])
    failed: list[dict[str, str]] = []
    with picture_bar(len(gallery.entries), quiet=quiet) as (advance, tell):

        def after(entry: Entry, error: BadInput | None) -> None:
            if error:
                failed.append({"input": str(entry.original), "error": str(error)})
                tell(f"u2net: {error}")
                if len(failed) == len(gallery.entries):
                    raise BadInput(f"{originals}: none of the pictures can be read, nothing is written")
            advance()

        limits = {"max_pixels": int(max_megapixels * 1e6), "max_bytes": int(max_megabytes * 1e6)}
        pieces = (piece.encode() for piece in page(gallery, size_px=size_px, on_entry=after, **limits))
        size_bytes = 0
        if output == "-":
            whole = b"".join(pieces)  # nothing half-written there either
            size_bytes = len(whole)
            sys.stdout.buffer.write(whole)
            sys.stdout.buffer.flush()
        else:
            make_folder(target.parent)
            with writing(f"{target}:"), atomic_file(target) as stream:
                size_bytes = sum(map(stream.write, pieces))
    if size_bytes > LARGE_BYTES and not quiet:
        advice = f"a smaller --size than {size_px}, or fewer pictures"
        click.echo(f"u2net: the page has {size_bytes / 1e6:.0f} MB, which is slow to open; try {advice}", err=True)
    for what, paths in {"result": gallery.without_result, "original": gallery.without_original}.items():
        if paths and not quiet:
            some = ", ".join(map(str, paths[:3])) + (" ..." if len(paths) > 3 else "")
            click.echo(f"u2net: {len(paths)} without {what}: {some}", err=True)
    if as_json:
        click.echo(json.dumps(gallery.as_object(target, size_bytes, failed)))
    elif output != "-" and not quiet:
        click.echo(str(target))
    return 1 if failed else 0
