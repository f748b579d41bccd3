"""Mutate real picture files and read them; only our own errors may come out, in time and within memory.

    python tests/fuzz/decode.py                        20,000 files, others at each run
    python tests/fuzz/decode.py --cases 300 --fixed    the same 300 at each run; the suite does this

Each file is written to a temporary place before it is read, so that one which takes the process down can be found.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from support.hostile import seeds
from support.judge import judge, peak_mb

MOST_SECONDS = 5
MOST_MB = 1500

# What lengths, sizes and offsets are wrong with.
_NUMBERS = [0, 1, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def _number_bytes() -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda value, width, order: (value % (1 << 8 * width)).to_bytes(width, order),
        st.sampled_from(_NUMBERS),
        st.sampled_from([1, 2, 4]),
        st.sampled_from(["little", "big"]),
    )


def _mutated(data: bytes, at: float, kind: str, length: int, patch: bytes, other: bytes) -> bytes:
    """One change. at: where, 0 to 1, cubed: headers are changed more often than pixels."""
    start = int(len(data) * at**3)
    if kind == "overwrite":
        return data[:start] + patch + data[start + len(patch) :]
    if kind == "delete":
        return data[:start] + data[start + length :]
    if kind == "insert":
        return data[:start] + patch * (1 + length % 9) + data[start:]
    if kind == "repeat":
        return data[: start + length] + data[start:]
    if kind == "splice":
        return data[:start] + other[int(len(other) * at**3) :]
    return data[:start]  # truncate


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A seed with one to four changes."""
    whole = list(seeds().values())
    data = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(1, 4))):
        data = _mutated(
            data,
            draw(st.floats(0, 1)),
            draw(st.sampled_from(["overwrite"] * 6 + ["delete", "insert", "repeat", "splice", "truncate"])),
            draw(st.integers(1, 300)),
            draw(st.one_of(_number_bytes(), st.binary(min_size=1, max_size=8))),
            draw(st.sampled_from(whole)),
        )
    return _with_right_checksums(data) if draw(st.booleans()) else data


def _with_right_checksums(data: bytes) -> bytes:
    """A PNG whose chunks carry their checksums, without which nothing behind them would be looked at."""
    if not data.startswith(b"\x89PNG"):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        parts += [data[at : at + 4], body, zlib.crc32(body).to_bytes(4, "big")]
        at += 12 + length
    return b"".join(parts)


def fuzz(cases: int, *, fixed: bool) -> str:
    """Run, and say what happened. Raises AssertionError with the smallest file found that does something else."""
    handle, name = tempfile.mkstemp(prefix="u2net-fuzz-")
    os.close(handle)
    place = Path(name)
    outcomes = {"read": 0, "refused": 0}
    slowest = 0.0

    @settings(
        max_examples=cases,
        derandomize=fixed,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(files())
    def run(data: bytes) -> None:
        nonlocal slowest
        place.write_bytes(data)
        says = judge(place)
        assert says["outcome"] in outcomes, f"{says['outcome']}: {says['message']}; the file is {place}"
        assert says["seconds"] <= MOST_SECONDS, f"{says['seconds']:.1f} s; the file is {place}"
        assert says["peak_mb"] <= MOST_MB, f"{says['peak_mb']:.0f} MB; the file is {place}"
        outcomes[says["outcome"]] += 1
        slowest = max(slowest, says["seconds"])

    start = time.perf_counter()
    run()
    place.unlink()
    return (
        f"{sum(outcomes.values())} files: {outcomes['read']} read, {outcomes['refused']} refused; "
        f"slowest {slowest:.2f} s, peak {peak_mb():.0f} MB, {time.perf_counter() - start:.0f} s in all"
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--fixed", action="store_true")
    arguments = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    print(fuzz(arguments.cases, fixed=arguments.fixed))


if __name__ == "__main__":
    main()
