"""Packed training data: pictures and truths at one small size, in a few plain zip files that travel.

A folder holds `pack.json` and shards. A shard is an uncompressed zip with `pictures/NAME.webp`, `truths/NAME.webp` and,
where there are soft targets, `maps/NAME.webp`: unpacked, it is a folder of pairs as `find_pairs` takes them.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.errors import BadInput
from u2net.system.digest import digest_of
from u2net.system.files import atomic_file, is_part, writing
from u2net.system.resources import usable_threads
from u2net.types import Size

INDEX = "pack.json"
_UNFINISHED = "pack.unfinished.json"
_FORMAT = "u2net pack 1"
_SHARD = re.compile(r"shard-\d{3,}\.zip")
_LOSSLESS = 101  # what OpenCV calls it
_SOFT_QUALITY = 90
_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: the same pairs give the same bytes
_ENTRY_BYTES = 250  # of the zip itself, for each file in it; a little more than it is


@dataclass(frozen=True)
class Shard:
    """One zip file of a pack. names: of its pairs, in order. sha256: of the file."""

    file: str
    bytes: int
    sha256: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Pack:
    """What `pack.json` says. size: (H, W) of all pictures. quality: of the WebP pictures.

    soft: where the soft targets come from: a model's name, `maps`, or empty where there are none.
    """

    folder: Path
    size: Size
    quality: int
    soft: str
    shards: tuple[Shard, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all pairs, in order."""
        return tuple(name for shard in self.shards for name in shard.names)

    @property
    def bytes(self) -> int:
        """Of all shards."""
        return sum(shard.bytes for shard in self.shards)


@dataclass(frozen=True, eq=False)
class PackedSample:
    """picture: (H, W, 3) uint8 RGB. truth: (H, W) uint8, 255 is the object. soft: as truth, or None."""

    name: str
    picture: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    soft: NDArray[np.uint8] | None = None


def is_pack(folder: Path) -> bool:
    """Whether a folder holds packed data; an unfinished one counts, so that `open_pack` can say so."""
    return (folder / INDEX).is_file() or (folder / _UNFINISHED).is_file()


def encode_sample(sample: PackedSample, quality: int) -> dict[str, bytes]:
    """The files of a sample: pictures at `quality`, truths without loss, soft targets at quality 90."""
    picture = cv2.cvtColor(sample.picture, cv2.COLOR_RGB2BGR)
    files = {"pictures": _webp(picture, quality), "truths": _webp(_three(sample.truth), _LOSSLESS)}
    return files if sample.soft is None else files | {"maps": _webp(_three(sample.soft), _SOFT_QUALITY)}


def write_pack(
    names: Sequence[str], pack: Pack, encoded: Iterable[dict[str, bytes] | None], *, shard_bytes: int, source: str
) -> Pack:
    """Write the shards and then the index, which is not there before all is.

    names: of the pairs, in order, unique. encoded: their files as `encode_sample` makes them, one after the other,
    None for a pair that is left out; those in `kept_shards` are not asked for. source: a hash of what all is made from.
    Returns the finished pack. Raises CannotWrite, then the complete shards are taken up by the next try; BadInput for
    a folder that holds something else.
    """
    shards = list(kept_shards(pack, source, shard_bytes))
    done = {name for shard in shards for name in shard.names}
    waiting: dict[str, dict[str, bytes]] = {}
    filled = 0
    with writing(f"{pack.folder}: the packed data"):
        pack.folder.mkdir(parents=True, exist_ok=True)
        if not is_pack(pack.folder) and any(not is_part(path.name, "") for path in pack.folder.iterdir()):
            raise BadInput(f"{pack.folder}: holds something else; give a new folder for the packed data")
        _write_index(pack.folder / _UNFINISHED, replace(pack, shards=tuple(shards)), [source, shard_bytes])
        for name, files in zip((name for name in names if name not in done), encoded, strict=True):
            if files is None:
                continue
            extent = sum(len(data) + 2 * len(name.encode()) + _ENTRY_BYTES for data in files.values())
            if waiting and filled + extent > shard_bytes:
                shards.append(_write_shard(pack.folder, len(shards), waiting))
                _write_index(pack.folder / _UNFINISHED, replace(pack, shards=tuple(shards)), [source, shard_bytes])
                waiting, filled = {}, 0
            waiting[name] = files
            filled += extent
        if waiting:
            shards.append(_write_shard(pack.folder, len(shards), waiting))
        if not shards:
            raise BadInput(f"{pack.folder}: not one pair could be packed")
        finished = replace(pack, shards=tuple(shards))
        _write_index(pack.folder / INDEX, finished, None)
        (pack.folder / _UNFINISHED).unlink(missing_ok=True)
        kept = {shard.file for shard in shards}
        for path in pack.folder.iterdir():
            if _SHARD.fullmatch(path.name) and path.name not in kept:
                path.unlink()  # of an earlier try of something else
    return finished


def kept_shards(pack: Pack, source: str, shard_bytes: int) -> tuple[Shard, ...]:
    """The shards that an earlier try of the very same pack has left in its folder, whole."""
    try:
        before = json.loads((pack.folder / _UNFINISHED).read_text(encoding="utf-8"))
        same = before["unfinished"] == [source, shard_bytes]
        found = _from_json(before, pack.folder) if same else pack
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    shards = []
    for shard in found.shards:
        with suppress(BadInput):
            _bytes_of(found, shard)
            shards.append(shard)
            continue
        break
    return tuple(shards)


def open_pack(folder: Path) -> Pack:
    """Read the index and look whether all shards are there. Raises BadInput, which names what is missing.

    >>> from u2net.datasets import open_pack
    >>> open_pack(Path("data"))
    Traceback (most recent call last):
        ...
    u2net.errors.BadInput: data: holds no packed data
    """
    if not (folder / INDEX).is_file():
        reason = "is unfinished; run the same `u2net data pack` again" if is_pack(folder) else "holds no packed data"
        raise BadInput(f"{folder}: {reason}")
    try:
        pack = _from_json(json.loads((folder / INDEX).read_text(encoding="utf-8")), folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / INDEX}: is no index of packed data ({error}); copy or pack it again") from error
    for shard in pack.shards:
        if not (folder / shard.file).is_file():
            raise BadInput(f"{folder / shard.file}: is missing; copy it there ({shard.bytes / 1e6:.1f} MB)")
    return pack


def read_samples(pack: Pack, wanted: Collection[str] | None = None) -> Iterator[PackedSample]:
    """Decode the pairs of these names (None: all), in the pack's order, on all cores.

    Raises BadInput for a shard that is damaged.

    >>> from u2net.datasets import find_pairs, pack_pairs, read_samples
    >>> packed = pack_pairs(find_pairs(Path("data")).pairs, Path("packed"), size=(64, 64))
    >>> [sample.picture.shape for sample in read_samples(packed.pack)]
    [(64, 64, 3)]
    """
    asked = None if wanted is None else frozenset(wanted)
    with ThreadPoolExecutor(usable_threads(), "u2net-unpack") as pool:
        for shard in pack.shards:
            names = [name for name in shard.names if asked is None or name in asked]
            if not names:
                continue
            path = pack.folder / shard.file
            try:
                with zipfile.ZipFile(io.BytesIO(_bytes_of(pack, shard))) as archive:
                    files = [_files_of(archive, name, soft=bool(pack.soft)) for name in names]
                for name, data in zip(names, files, strict=True):
                    assert len(data) == 2 + bool(pack.soft), name
                yield from pool.map(_decode, names, files, [path] * len(names), [pack.size] * len(names))
            except (zipfile.BadZipFile, KeyError) as error:
                raise _damaged(path, str(error)) from error


def _files_of(archive: zipfile.ZipFile, name: str, *, soft: bool) -> list[bytes]:
    return [archive.read(_entry(kind, name)) for kind in ("pictures", "truths", "maps")[: 2 + soft]]


def _decode(name: str, files: list[bytes], path: Path, size: Size) -> PackedSample:
    found = []
    for number, data in enumerate(files):
        mode = cv2.IMREAD_COLOR if number == 0 else cv2.IMREAD_GRAYSCALE
        values = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
        if values is None or values.shape[:2] != size:
            raise _damaged(path, f"{name} cannot be decoded")
        found.append(values)
    picture = cv2.cvtColor(found[0], cv2.COLOR_BGR2RGB)
    return PackedSample(name, picture, found[1], found[2] if len(found) > 2 else None)


def _bytes_of(pack: Pack, shard: Shard) -> bytes:
    """A shard's content, compared with its checksum."""
    path = pack.folder / shard.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) != shard.bytes:
        raise _damaged(path, f"it has {len(data)} bytes of {shard.bytes}")
    if digest_of(data) != shard.sha256:
        raise _damaged(path, "its checksum is another")
    return data


def _damaged(path: Path, reason: str) -> BadInput:
    return BadInput(f"{path}: the shard is damaged ({reason}); copy it again or pack the data anew")


def _write_shard(folder: Path, number: int, samples: Mapping[str, Mapping[str, bytes]]) -> Shard:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, files in samples.items():
            for kind, data in files.items():
                entry = zipfile.ZipInfo(_entry(kind, name), _WHEN)
                entry.create_system = 3  # the same bytes on every system
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
    content = buffer.getvalue()
    path = folder / f"shard-{number:03}.zip"
    with atomic_file(path, durable=True) as stream:
        stream.write(content)
    return Shard(path.name, len(content), digest_of(content), tuple(samples))


def _entry(kind: str, name: str) -> str:
    """A path inside the zip that stays inside: names of a CSV may be paths of anywhere."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..")]
    inner = "/".join(parts).replace(":", "_").encode("utf-8", "backslashreplace").decode()
    return f"{kind}/{inner}.webp"


def _write_index(path: Path, pack: Pack, unfinished: list[object] | None) -> None:
    values: dict[str, Any] = {"format": _FORMAT, "pairs": len(pack.names)} | asdict(pack)
    del values["folder"]
    if unfinished is not None:
        values["unfinished"] = unfinished
    with atomic_file(path, durable=True) as stream:
        stream.write(json.dumps(values, indent=1, ensure_ascii=True).encode())


def _from_json(values: dict[str, Any], folder: Path) -> Pack:
    """Raises KeyError, TypeError and ValueError where it is none."""
    if values["format"] != _FORMAT:
        raise ValueError(f"its format is {values['format']}, and this u2net reads {_FORMAT}")
    height, width = map(int, values["size"])
    shards = []
    for one in values["shards"]:
        if Path(one["file"]).name != one["file"]:
            raise ValueError("a shard lies outside of the folder")
        shards.append(Shard(one["file"], int(one["bytes"]), str(one["sha256"]), tuple(map(str, one["names"]))))
    return Pack(folder, (height, width), int(values["quality"]), str(values["soft"]), tuple(shards))


def _three(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """WebP has colors only; of three equal channels grey comes back as it was."""
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    done, data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert done
    return bytes(data)
