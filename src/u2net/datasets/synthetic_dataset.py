"""A data set of synthetic scenes on disk: pictures, masks, COCO annotations, and what each was made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from u2net.compose.cutout import Cutout
from u2net.datasets.annotations import run_lengths
from u2net.datasets.pairs import pictures_below
from u2net.datasets.synthetic_scene import Instance, Scene, SceneSettings, draw_scene, trimmed
from u2net.errors import BadInput, NothingSalient
from u2net.imaging.blend import lay_over_color
from u2net.imaging.icc import to_srgb
from u2net.imaging.samples import to_eight_bits
from u2net.io.read import read
from u2net.io.write import SUFFIX_OF_FORMAT, encode
from u2net.system.files import atomic_file, atomic_files, writing
from u2net.system.resources import usable_threads
from u2net.types import Picture

_GREY = (0.5, 0.5, 0.5)
_WRITTEN = {"images", "masks", "annotations.json", "manifest.json"}
"""A folder that holds nothing else may be replaced."""


@dataclass(frozen=True, eq=False)
class Subject:
    """An object to make scenes of. name: its path in its folder. category: of COCO."""

    name: str
    category: str
    cutout: Cutout


def find_subjects(
    source: Path,
    cut: Callable[[Picture], Cutout],
    settings: SceneSettings,
    *,
    category: str | None = None,
    on_empty: Callable[[str], None] = lambda _: None,
) -> list[Subject]:
    """Read and cut out the subjects below a folder (or the one that is a file), in the order of their names.

    cut: makes a cutout of a picture. category: of all; None: the name of the folder that a subject lies in, directly
    below `source`, else `object`. on_empty: called with the name of one without an object, which is left out.
    Raises BadInput for no pictures, NothingSalient where all are empty, and what `read` and `cut` raise.

    >>> from u2net.datasets import SceneSettings, find_subjects
    >>> cut = lambda picture: u2net.remove(picture, "u2netp")
    >>> [subject.name for subject in find_subjects(Path("examples/cat.png"), cut, SceneSettings())]
    ['cat.png']
    """
    found = []
    largest = round(max(settings.scale) * min(settings.size))
    paths = _pictures(source, "subjects")
    for path in paths:
        name = _name_of(path, source)
        inner = name.split("/")
        try:
            picture = read(path)
            cutout = cut(picture)
            if cutout.box is None:
                raise NothingSalient("nothing of it is half opaque")
            plain = replace(cutout, pixels=to_eight_bits(to_srgb(cutout.pixels, cutout.icc)), icc=None)
            found.append(
                Subject(name, category or (inner[0] if len(inner) > 1 else "object"), trimmed(plain, max(16, largest)))
            )
        except NothingSalient:
            on_empty(str(path))
    if not found:
        raise NothingSalient(f"{source}: none of the {len(paths)} subjects holds an object")
    return found


def write_scenes(
    subjects: Sequence[Subject],
    backgrounds: Path,
    target: Path,
    *,
    count: int,
    seed: int,
    settings: SceneSettings,
    format: Literal["jpeg", "png"] = "jpeg",
    overwrite: bool = False,
    on_done: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Write `count` scenes into the folder `target`, all or nothing.

    `images/` and `masks/` (8-bit alpha) hold files of one name, which `pairs.find_pairs` takes; `annotations.json` is
    COCO's (boxes, areas and masks of what is to be seen of each object), `manifest.json` says what was made of what.
    The same subjects, backgrounds, settings and seed give the same bytes, on however many threads.
    Returns the manifest. Raises BadInput before anything is drawn for a folder that is not empty, CannotWrite, and what
    `read` raises for a background.

    >>> from u2net.datasets import SceneSettings, Subject, write_scenes
    >>> subject = Subject("cat", "animal", u2net.remove("examples/cat.png", "u2netp").cropped())
    >>> settings = SceneSettings(size=(64, 64))
    >>> made = write_scenes([subject], Path("examples/coffee.jpg"), Path("scenes"), count=2, seed=0, settings=settings)
    >>> len(list(Path("scenes/masks").iterdir()))
    2
    """
    check_target(target, overwrite=overwrite)
    if not 1 <= count <= 1_000_000:
        raise BadInput(f"count is 1 to 1000000 scenes, not {count}")
    if seed < 0:
        raise BadInput(f"seed is a whole number from 0 on, not {seed}")
    paths = _pictures(backgrounds, "backgrounds")
    names = [_name_of(path, backgrounds) for path in paths]
    cutouts = [subject.cutout for subject in subjects]
    digits = max(6, len(str(count)))
    with writing(f"{target}:"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(target) as (folder,):
            for inner in ("images", "masks"):
                (folder / inner).mkdir(parents=True)

            def draw(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
                random = np.random.default_rng([seed, number])
                chosen = int(random.integers(len(paths)))
                scene = draw_scene(cutouts, _background(paths[chosen]), random, settings)
                name = f"{number + 1:0{digits}}"
                image = f"{name}{SUFFIX_OF_FORMAT[format]}"
                _write(folder / "images" / image, encode(scene.pixels, format=format))
                _write(folder / "masks" / f"{name}.png", encode(scene.alpha))
                made = {"file_name": image, "background": names[chosen]}
                on_done()
                return made, list(_described(scene))

            with ThreadPoolExecutor(usable_threads(), "u2net-scenes") as pool:
                scenes = list(pool.map(draw, range(count)))
            manifest = _manifest(scenes, subjects, seed, settings)
            for name, content in (("annotations", _coco(scenes, subjects, settings)), ("manifest", manifest)):
                text = json.dumps(content, indent=None if name == "annotations" else 1)
                _write(folder / f"{name}.json", f"{text}\n".encode())
    return manifest


def _write(path: Path, data: bytes) -> None:
    with atomic_file(path) as stream:
        stream.write(data)


def check_target(target: Path, *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Raises BadInput where scenes must not be written to `target`: it is no empty folder, or an input lies in it."""
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: is a file; give a folder with -o")
    for path in inputs:
        if target.resolve().is_relative_to(path.resolve()):
            raise BadInput(f"{target}: lies in {path}, whose pictures are read; give another folder with -o")
        if path.resolve().is_relative_to(target.resolve()):
            raise BadInput(f"{target}: holds {path}, which would be replaced; give another folder with -o")
    inside = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if inside and not overwrite:
        raise BadInput(f"{target}: is not empty; give another folder with -o, or --overwrite to replace it")
    if foreign := sorted(inside - _WRITTEN):
        raise BadInput(f"{target}: holds {foreign[0]}, which is of no data set made here; give another folder with -o")


def _pictures(source: Path, what: str) -> list[Path]:
    if not source.exists():
        raise BadInput(f"{source}: there is no such folder or picture of {what}")
    paths = [source] if source.is_file() else pictures_below(source)
    if not paths:
        raise BadInput(f"{source}: holds no pictures to take for {what}")
    return sorted(paths, key=lambda path: path.relative_to(source).as_posix())


def _name_of(path: Path, source: Path) -> str:
    """Its path in the folder `source`, or, where that is the picture itself, its name."""
    return path.relative_to(source).as_posix() if path != source else path.name


def _background(path: Path) -> Picture:
    picture = read(path)
    pixels = to_srgb(lay_over_color(picture, _GREY), picture.icc)
    return Picture(to_eight_bits(pixels))


def _described(scene: Scene) -> Iterator[dict[str, Any]]:
    for instance in scene.instances:
        left, top, right, bottom = instance.box
        yield {
            "bbox": [left, top, right - left, bottom - top],
            "area": int(instance.mask.sum()),
            "segmentation": {"size": list(instance.mask.shape), "counts": run_lengths(instance.mask)},
            "drawn": _drawn_as(instance),
        }


def _drawn_as(instance: Instance) -> dict[str, Any]:
    return {
        "subject": instance.subject,
        "scale": round(instance.scale, 4),
        "rotation": round(instance.rotation, 2),
        "flipped": instance.flipped,
        "at": list(instance.at),
    }


_Scenes = Sequence[tuple[dict[str, Any], list[dict[str, Any]]]]


def _coco(scenes: _Scenes, subjects: Sequence[Subject], settings: SceneSettings) -> dict[str, Any]:
    names = sorted({subject.category for subject in subjects})
    ids = {name: number for number, name in enumerate(names, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (made, instances) in enumerate(scenes, 1):
        height, width = settings.size
        images.append({"id": number, "file_name": made["file_name"], "width": width, "height": height})
        for instance in instances:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": ids[subjects[instance["drawn"]["subject"]].category],
                    "bbox": instance["bbox"],
                    "area": instance["area"],
                    "segmentation": instance["segmentation"],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _manifest(scenes: _Scenes, subjects: Sequence[Subject], seed: int, settings: SceneSettings) -> dict[str, Any]:
    listed = []
    for made, instances in scenes:
        drawn = [one["drawn"] | {"subject": subjects[one["drawn"]["subject"]].name} for one in instances]
        listed.append(made | {"objects": drawn})
    return {"seed": seed, "count": len(scenes), "settings": asdict(settings), "scenes": listed}
