"""u2net box: say where the objects are."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from u2net.cli.options.values import complete_files
from u2net.cli.picture_command import PictureRun, picture_command

if TYPE_CHECKING:
    from u2net.batch.process import Outcome
    from u2net.inference.session import Session
    from u2net.types import Picture


@picture_command(
    "box", "subject", "edge",
    tag="boxed",
    epilog="Examples: u2net box cat.jpg · u2net box photos/ --parts --coco boxes.json · "
    "u2net box photos/ --yolo labels/ --label shoe · u2net box cat.jpg --draw out/",
)  # fmt: skip
@click.option("--parts", is_flag=True, help="A box for each separate object, instead of one around all.")
@click.option("--coco", metavar="FILE", help="Write a COCO file of all pictures.", shell_complete=complete_files)
@click.option(
    "--yolo", metavar="DIR", help="Write a YOLO file for each picture, and classes.txt.", shell_complete=complete_files
)
@click.option(
    "--draw", metavar="DIR", help="Write the pictures with their boxes drawn, as PNG.", shell_complete=complete_files
)
@click.option("--label", default="object", show_default=True, help="What the objects are called in these files.")
@click.option("--colour", "--color", "color", default="#ff2d55", show_default=True, help="Of the boxes that are drawn.")
def command(
    run: PictureRun, parts: bool, coco: str | None, yolo: str | None, draw: str | None, label: str, color: str
) -> int:
    """Say where the objects are.

    Prints a line of JSON for each picture: `boxes`, each [left, top, right, bottom] in pixels of the upright picture,
    right and bottom one past the last pixel (the box of U²-Net's published demo is inclusive, one less), and `areas`.
    With -o FILE they are written there, as one JSON list. A picture without an object has no boxes.
    IN is a picture, a folder (searched recursively), a pattern, or - for standard input.

    Exit codes as in `u2net remove`.
    """
    from u2net.batch.inputs import Job, plan, plan_unwritten, refuse_overwriting
    from u2net.batch.operation import Report, report_of
    from u2net.datasets.annotations import Annotation, Detection, draw_boxes, find_boxes, to_coco, to_yolo
    from u2net.errors import BadInput
    from u2net.imaging.color import parse_color
    from u2net.system.files import check_target, make_folder, write_bytes
    from u2net.tasks.remove import segment

    given = run.given
    parse_color(color)
    if not label.strip() or not label.isprintable():
        raise BadInput("--label is the objects' name; a word or two on one line")
    places = plan_unwritten(given.inputs)
    if "-" in (coco, given.output):
        raise BadInput("without -o and --coco the boxes go to standard output; give these a file, or leave them out")
    texts = {job: Path(yolo) / inside.with_suffix(".txt") for job, inside in places.items()} if yolo else {}
    classes = Path(yolo or "", "classes.txt")
    jobs = plan(given.inputs, draw, tag=run.tag, suffix=".png") if draw else list(places)
    for file in (coco, given.output):
        if file is not None:
            if Path(file).is_dir():
                raise BadInput(f"{file}: is a folder; the boxes of all pictures are one file, like boxes.json")
            check_target(Path(file), beside=False)
    files = [Path(file) for file in (coco, given.output) if file] + [*texts.values(), *[classes] * bool(yolo)]
    files += [job.target for job in jobs if job.target]
    refuse_overwriting(files, [job.source for job in places if job.source])
    arguments = run.subject.arguments
    annotations: list[Annotation] = []
    reports: list[Report] = []

    def find(session: Session, picture: Picture) -> tuple[Callable[[], bytes] | None, Report]:
        segmentation = segment(session, picture, **arguments)
        found = find_boxes(run.edge.cut(picture, segmentation), parts=parts)
        boxes = [one.box for one in found]
        report: Report = {"boxes": boxes, "areas": [one.area for one in found], **report_of(segmentation)}
        if draw is None:
            return None, report
        drawn = draw_boxes(picture, boxes, color=color)
        return lambda: drawn.to_bytes("png", metadata="private"), report

    def note(outcome: Outcome) -> None:
        if outcome.error:
            return
        report, place = outcome.report, Job(outcome.job.source, None)
        found = tuple(map(Detection, report["boxes"], report["areas"]))
        height, width = report["size"]
        annotations.append(Annotation(places[place].as_posix(), (height, width), found, report["confidence"]))
        reports.append({name: value for name, value in report.items() if name != "times_s"})
        if yolo is not None:
            text = texts[place]
            make_folder(text.parent)
            write_bytes(text, to_yolo(annotations[-1]).encode())

    lines = not (given.output or coco or yolo or draw or given.quiet)
    asked = replace(given, as_json=given.as_json or lines, output=draw)
    code = run.do(
        lambda requests: functools.partial(find, run.open(requests)),
        jobs,
        given=asked,
        writes=draw is not None,
        each=note,
    )
    for file, content in ((given.output, reports), (coco, to_coco(annotations, label=label))):
        if file is not None and annotations:
            make_folder(Path(file).parent)
            write_bytes(Path(file), (json.dumps(content) + "\n").encode())
    if yolo and annotations:
        write_bytes(classes, f"{label}\n".encode())
    return code
