"""Make training data small, so that it travels: pairs into packed shards, with soft targets where they are wanted."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from u2net.datasets.ground_truth import read_grey, read_pair, squash
from u2net.datasets.pack import INDEX, Pack, PackedSample, encode_sample, kept_shards, write_pack
from u2net.datasets.pairs import Pair, name_below, pictures_below
from u2net.errors import BadInput
from u2net.imaging.samples import to_eight_bits
from u2net.inference.predict import predict
from u2net.inference.session import Session
from u2net.io.read import read
from u2net.system.digest import digest_of
from u2net.system.resources import usable_threads
from u2net.types import Size

SHARD_BYTES = 50_000_000
"""So that one travels with this repository in a call of 64 MiB."""

_AT_ONCE = 64


@dataclass(frozen=True)
class Packed:
    """What came of packing. skipped: name -> why, of the pairs that were left out. kept: pairs of an earlier try."""

    pack: Pack
    skipped: dict[str, str]
    kept: int


def pack_pairs(
    pairs: Sequence[Pair],
    out: Path,
    *,
    size: Size = (320, 320),
    quality: int = 75,
    maps: Path | None = None,
    teacher: Session | None = None,
    shard_bytes: int = SHARD_BYTES,
    on_done: Callable[[], None] = lambda: None,
) -> Packed:
    """Squash pairs of kind `saliency` to `size` and write them to the folder `out`, in the order given.

    maps: a folder of soft targets, 8-bit grey, with the names of the pictures. teacher: or the network that makes them;
    its maps are not stretched. quality: of the pictures' WebP, 1 to 100. on_done: called after each pair.
    A pair that cannot be read is left out. The same pairs give the same bytes; a try that was cut off is gone on with.
    Raises BadInput where `out` holds packed data, where a map is missing, where no pair is left; CannotWrite.

    >>> from u2net.datasets import find_pairs, open_pack, pack_pairs, read_samples
    >>> packed = pack_pairs(find_pairs(Path("data")).pairs, Path("pack"), size=(64, 64))
    >>> [sample.name for sample in read_samples(open_pack(Path("pack")))]
    ['cat']
    """
    if maps and teacher:
        raise BadInput("soft targets come from maps or from a teacher; leave one out")
    if (out / INDEX).exists():
        raise BadInput(f"{out}: holds packed data already; name another folder")
    soft_files = _maps_of(pairs, maps) if maps else {}
    names = _packed_names(pairs)
    pack = Pack(out, size, quality, teacher.spec.name if teacher else "maps" if maps else "")
    source = _fingerprint(pairs, soft_files, pack)
    known = {name for shard in kept_shards(pack, source, shard_bytes) for name in shard.names}
    skipped: dict[str, str] = {}
    lock = threading.Lock()

    def encoded(pair: Pair) -> dict[str, bytes] | None:
        try:
            picture, truth = read_pair(pair, "saliency", size)
            soft = None
            if teacher:
                soft = soft_target(teacher, pair.picture, size)
            elif maps:
                # No truth, of which one that is nowhere above 1 would be of zeros and ones.
                soft = squash(to_eight_bits(read_grey(soft_files[pair.name])), size)
            return encode_sample(PackedSample("", picture, truth, soft), quality)
        except BadInput as error:
            with lock:
                skipped[pair.name] = str(error)
            return None
        finally:
            on_done()

    def all_encoded() -> Iterator[dict[str, bytes] | None]:
        for _ in known:
            on_done()
        left = [pair for pair, name in zip(pairs, names, strict=True) if name not in known]
        with ThreadPoolExecutor(usable_threads(), "u2net-pack") as pool:
            for start in range(0, len(left), _AT_ONCE):
                yield from pool.map(encoded, left[start : start + _AT_ONCE])

    finished = write_pack(names, pack, all_encoded(), shard_bytes=shard_bytes, source=source)
    return Packed(finished, skipped, len(known))


def soft_target(teacher: Session, path: Path, size: Size) -> NDArray[np.uint8]:
    """What a network believes of a picture: (H, W) uint8, 255 is 1, not stretched to its own range."""
    values = predict(teacher, read(path)).map
    if values.shape != size:
        values = cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(np.clip(values, 0, 1) * np.float32(255)), np.uint8)


def _packed_names(pairs: Sequence[Pair]) -> list[str]:
    """Names that tell nothing of this machine: those of a CSV may be whole paths."""
    names = [pair.name for pair in pairs]
    if any(PurePath(name).is_absolute() or ".." in PurePath(name).parts for name in names):
        whole = [pair.picture.resolve() for pair in pairs]
        top = Path(os.path.commonpath([path.parent for path in whole]))
        names = [name_below(path, top) for path in whole]
    if len(set(names)) < len(names):
        raise BadInput(f"two pairs have the name {max(names, key=names.count)}; only one of them can be packed")
    return names


def _maps_of(pairs: Sequence[Pair], folder: Path) -> dict[str, Path]:
    """The map of each pair: of its name in `folder`, whatever the suffix."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder of maps")
    found = {name_below(path, folder): path for path in pictures_below(folder)}
    missing = [pair.name for pair in pairs if pair.name not in found]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadInput(f"{folder}: has no map for {missing[0]}{more}; make them with: u2net saliency")
    return {pair.name: found[pair.name] for pair in pairs}


def _fingerprint(pairs: Sequence[Pair], maps: dict[str, Path], pack: Pack) -> str:
    """Of all that the bytes depend on, as far as names, sizes and times of files tell."""

    def stamp(path: Path | None) -> list[object]:
        try:
            status = path.stat() if path else None
        except OSError:
            status = None
        return [str(path), status and status.st_size, status and status.st_mtime_ns]

    files = [[pair.name, stamp(pair.picture), stamp(pair.truth), stamp(maps.get(pair.name))] for pair in pairs]
    return digest_of(json.dumps([files, pack.size, pack.quality, pack.soft]))
