"""A page that shows pictures and what became of them, in one file that needs nothing else."""

from __future__ import annotations

import base64
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.batch.inputs import RESULT_TAGS
from u2net.datasets.pairs import name_below, pictures_below
from u2net.errors import BadInput
from u2net.imaging.icc import convert_profile
from u2net.imaging.resize import at_most
from u2net.imaging.samples import to_eight_bits
from u2net.io.read import MAX_BYTES, MAX_PIXELS, read
from u2net.io.write import encode
from u2net.reports.template import filled, template, text
from u2net.system.digest import digest_of

SIZES = (64, 4000)
"""Smallest and largest longer side of the pictures in a page."""
LARGE_BYTES = 100_000_000
"""Above this browsers become slow and mail refuses."""
_QUALITY = 80


@dataclass(frozen=True)
class Entry:
    """An original and its results, one for each column of the gallery; None where a column has none."""

    name: str
    original: Path
    results: tuple[Path | None, ...]


@dataclass(frozen=True)
class Gallery:
    """What a page will show.

    columns: the names of the result folders, or of the kinds of result. without_result, without_original, ambiguous:
    files that are in no entry, the last because several share a name.
    """

    title: str
    columns: tuple[str, ...]
    entries: tuple[Entry, ...]
    without_result: tuple[Path, ...] = ()
    without_original: tuple[Path, ...] = ()
    ambiguous: tuple[Path, ...] = ()

    def as_object(self, output: Path, size_bytes: int, failed: Sequence[Mapping[str, str]]) -> dict[str, object]:
        """What --json prints of a page. failed: input and error of each picture that could not be read."""
        left_out = {name: list(map(str, getattr(self, name))) for name in ("without_result", "without_original")}
        return {
            "output": str(output),
            "bytes": size_bytes,
            "pictures": len(self.entries) - len(failed),
            "results": list(self.columns),
            **left_out,
            "ambiguous": list(map(str, self.ambiguous)),
            "failed": list(failed),
        }


def find_gallery(originals: Path, results: Sequence[Path] = ()) -> Gallery:
    """Find which result belongs to which original, in the order of the originals' names.

    results: folders of results; each mirrors that of the originals, and a file belongs to the original of its path, but
    for the suffix and a tag such as `.cutout`. Without any: the results that lie beside the originals, by their tags.
    Raises BadInput where a folder is none, or nothing belongs together; UnreadablePicture for one that cannot be read.
    """
    for folder in (originals, *results):
        if not folder.is_dir():
            raise BadInput(f"{folder}: there is no such folder; give a folder of pictures, then folders of results")
    elsewhere = [folder.resolve() for folder in results if folder.resolve() != originals.resolve()]
    here = [
        path for path in pictures_below(originals) if not any(path.resolve().is_relative_to(one) for one in elsewhere)
    ]
    plain, tagged = [path for path in here if not _tag(path)], [path for path in here if _tag(path)]
    found: list[tuple[str, list[tuple[Path, Path]]]] = []
    for name, folder in zip(_names(results), results, strict=True):
        found.append((name, [(path, folder) for path in pictures_below(folder)]))
    for tag in RESULT_TAGS if not results else ():
        if own := [(path, originals) for path in tagged if _tag(path) == tag]:
            found.append((tag, own))
    gallery = _matched(originals, plain, found)
    if not gallery.entries:
        if results:
            raise BadInput(f"{originals}: no picture has a result in {', '.join(map(str, results))}; names must agree")
        raise BadInput(
            f"{originals}: no results beside the pictures; make some with: u2net remove {originals}, "
            "or name the folder of results after it"
        )
    return gallery


def _matched(originals: Path, plain: list[Path], found: list[tuple[str, list[tuple[Path, Path]]]]) -> Gallery:
    own: dict[str, list[Path]] = defaultdict(list)
    for path in plain:
        own[_key(path, originals)].append(path)
    columns = []
    for _, files in found:
        column: dict[str, list[Path]] = defaultdict(list)
        for path, folder in files:
            column[_key(path, folder)].append(path)
        columns.append(column)
    entries, alone, ambiguous = [], [], []
    for key, paths in own.items():
        candidates = [column.get(key, []) for column in columns]
        if len(paths) > 1 or any(len(each) > 1 for each in candidates):
            ambiguous += [*paths, *(path for each in candidates for path in each)]
        elif not any(candidates):
            alone += paths
        else:
            name = paths[0].relative_to(originals).as_posix()
            entries.append(Entry(name, paths[0], tuple(each[0] if each else None for each in candidates)))
    lost = [path for column in columns for key, paths in column.items() if key not in own for path in paths]
    names = tuple(name for name, _ in found)
    return Gallery(originals.resolve().name, names, tuple(entries), tuple(alone), tuple(lost), tuple(ambiguous))


def _tag(path: Path) -> str | None:
    """The tag of a result's name, `cutout` of `cat.cutout.png`."""
    return next((tag for tag in RESULT_TAGS if path.stem.lower().endswith(f".{tag}")), None)


def _key(path: Path, folder: Path) -> str:
    key = name_below(path, folder)
    if tag := _tag(path):
        key = key[: -len(tag) - 1]
    return unicodedata.normalize("NFC", key)  # macOS writes é in two parts, others in one


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names where these differ, else their paths."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def check_size(size_px: int) -> None:
    """Raise BadInput for a size that pictures in a page cannot have."""
    if not SIZES[0] <= size_px <= SIZES[1]:
        raise BadInput(f"the size of pictures in a gallery is {SIZES[0]} to {SIZES[1]} pixels, not {size_px}")


def page(
    gallery: Gallery,
    *,
    size_px: int = 900,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    on_entry: Callable[[Entry, BadInput | None], object] = lambda entry, error: None,
) -> Iterator[str]:
    """Make the page, a piece at a time, so that it never lies in memory as a whole.

    size_px: the longer side that pictures are made smaller to, 64 to 4000. max_pixels, max_bytes: as for `read`.
    on_entry: called after each entry, with its error where a file of it cannot be read; it is left out then, and named
    at the end of the page.
    Yields text of an HTML file that asks for nothing: style, script and pictures (WebP, sRGB) are in it, and its
    content security policy forbids everything else. Raises BadInput for another size.
    """
    check_size(size_px)
    whole = template("gallery.html")
    count = len(gallery.entries)
    several = len(gallery.columns) > 1
    said = {
        "policy": _policy(whole),
        "title": text(gallery.title),
        "count": f"{count} picture{'s' * (count != 1)}",
        "choices": _choices(gallery.columns) if several else "",
        "keys": f"<span><kbd>1</kbd> … <kbd>{min(9, len(gallery.columns))}</kbd> one kind of result, "
        "<kbd>0</kbd> all</span>" * several,
    }
    before, after = whole.split("@entries@")
    yield filled(before, said).replace("<main>", '<main class="wide">' if several else "<main>")
    failed = []
    for entry in gallery.entries:
        try:
            shown = _entry(entry, gallery.columns, size_px, max_pixels, max_bytes)
        except BadInput as error:
            failed.append(f"{entry.name}: {error}")
            on_entry(entry, error)
            continue
        yield shown
        on_entry(entry, None)
    remarks: dict[str, Sequence[Path | str]] = {
        "Without a result": gallery.without_result,
        "Without an original": gallery.without_original,
        "Left out, because several share a name": gallery.ambiguous,
        "Could not be read": failed,
    }
    yield filled(
        after, said | {"remarks": "\n".join(_remark(title, lines) for title, lines in remarks.items() if lines)}
    )


def _policy(whole: str) -> str:
    """Only this style, this script, and pictures that are in the page."""
    own = {}
    for tag in ("style", "script"):
        inside = whole.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        own[tag] = base64.b64encode(bytes.fromhex(digest_of(inside))).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{own['style']}'; script-src 'sha256-{own['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _choices(columns: Sequence[str]) -> str:
    labels = [("all", "side by side"), *((str(number), name) for number, name in enumerate(columns))]
    made = (
        f'<label><input type="radio" name="result" value="{value}"{" checked" * (value == "all")}>'
        f"<span>{text(name)}</span></label>"
        for value, name in labels
    )
    return "<fieldset><legend>Result</legend>\n" + "\n".join(made) + "\n</fieldset>"


def _entry(entry: Entry, columns: Sequence[str], size_px: int, max_pixels: int, max_bytes: int) -> str:
    def embedded(path: Path) -> tuple[str, int, int, bool]:
        return _embedded(path, size_px, max_pixels, max_bytes)

    original, width, height, _ = embedded(entry.original)
    name = text(entry.name)
    source = f' src="{original}"'
    figures = []
    for number, (column, result) in enumerate(zip(columns, entry.results, strict=True)):
        caption = f"<figcaption>{text(column)}</figcaption>" if len(columns) > 1 else ""
        if result is None:
            figures.append(f'<figure data-result="{number}"><div class="missing">no result</div>{caption}</figure>')
            continue
        after, _, _, empty = embedded(result)
        if empty:
            caption = f"<figcaption>{text(column)}: nothing was cut out</figcaption>"
        figures.append(
            f'<figure data-result="{number}"><div class="compare">'
            f'<img class="before"{source} alt="{name}, original" decoding="async" loading="lazy">'
            f'<img class="after" src="{after}" alt="{name}, {text(column)}" decoding="async" loading="lazy">'
            f'<span class="tag left">original</span><span class="tag right">{text(column)}</span>'
            '<div class="line"></div><input type="range" min="0" max="100" step="any" value="50" '
            f'aria-label="{name}: original against {text(column)}"></div>{caption}</figure>'
        )
        source = ""  # the page's script gives it to the others
    return (
        f'<article data-width="{width}" data-height="{height}"><h2>{name}</h2><div class="row">\n'
        + "\n".join(figures)
        + "\n</div></article>\n"
    )


def _remark(title: str, lines: Sequence[Path | str]) -> str:
    return f"<h2>{title}</h2><ul>" + "".join(f"<li>{text(str(line))}</li>" for line in lines) + "</ul>"


def _embedded(path: Path, size_px: int, max_pixels: int, max_bytes: int) -> tuple[str, int, int, bool]:
    """A picture as a data: address, its width and height, and whether it is transparent everywhere."""
    picture = read(path, max_pixels=max_pixels, max_bytes=max_bytes)
    height, width = at_most(picture.size, size_px)
    pixels = _smaller(to_eight_bits(picture.pixels), (width, height))
    empty = False
    if picture.alpha is not None:
        levels = to_eight_bits(picture.alpha)
        alpha = _smaller(levels, (width, height))
        if (height, width) != picture.size:  # colors count by their alpha, or an edge would be dark
            weighted = cv2.multiply(to_eight_bits(picture.pixels), cv2.merge([levels] * 3), scale=1 / 255)
            pixels = cv2.divide(_smaller(weighted, (width, height)), cv2.merge([alpha] * 3), scale=255)
        empty = not levels.any()
    converted = np.asarray(convert_profile(pixels, source_icc=picture.icc, target_icc=None), np.uint8)
    if picture.alpha is not None:
        converted = cv2.merge([*cv2.split(converted), alpha])
    data = base64.b64encode(encode(converted, format="webp", quality=_QUALITY)).decode()
    return f"data:image/webp;base64,{data}", width, height, empty


def _smaller(samples: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    small: NDArray[np.uint8] = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
    return small
