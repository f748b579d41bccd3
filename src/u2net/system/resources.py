"""What a container may use: the CPU quota and the memory limit of Linux control groups, version 1 and 2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many cores' time this process may use, as in `docker run --cpus 1.5`; None: all.

    root: where /proc and /sys are found.
    """
    limits = []
    for folder in _folders(root, "cpu"):
        found = _cpu_max(_text(folder / "cpu.max")) or _cfs_quota(
            _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        )
        limits += [found] if found else []
    return min(limits, default=None)


def memory_limit(root: Path = Path("/")) -> tuple[int, int] | None:
    """(bytes this process' group may use, bytes it uses and cannot give back) of the tightest group; None: no limit."""
    limits = []
    for folder in _folders(root, "memory"):
        for limit_name, usage_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = _bytes(_text(folder / limit_name))
            if limit is not None:
                used = _bytes(_text(folder / usage_name)) or 0
                limits.append((limit, max(0, used - _file_cache(_text(folder / "memory.stat")))))
    return min(limits, key=lambda pair: pair[0] - pair[1], default=None)


def allowed_threads(root: Path = Path("/")) -> int | None:
    """How many threads a CPU quota leaves room for, at least 1; None where it is no tighter than the cores.

    One thread more than the quota has the whole group halted until the next period: rounded down.
    """
    quota = cpu_quota(root)
    return max(1, int(quota)) if quota is not None and quota < usable_cores() else None


def usable_threads() -> int:
    """How many threads can be at work at a time: as many as the quota has room for, else one for each core."""
    return allowed_threads() or usable_cores()


def usable_cores() -> int:
    """The cores that this process may run on: those of its affinity, or all where there is no such thing."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def group_folders(cgroup: str, mountinfo: str, controller: str) -> list[PurePosixPath]:
    """The folders of a controller's files that limit this process: its own group's and all above it.

    cgroup, mountinfo: the texts of /proc/self/cgroup and /proc/self/mountinfo.
    """
    folders: list[PurePosixPath] = []
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for root, point in _mounts(mountinfo, controller if controllers else ""):
            inside = PurePosixPath(path)
            # In a container the group's path is the host's, and the mount shows only what lies below `root`; one that
            # is not below it is of another namespace, and what is mounted is this process' own group.
            inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
            own = point / inside
            folders += [own, *(above for above in own.parents if above.is_relative_to(point))]
    return list(dict.fromkeys(folders))


def _mounts(mountinfo: str, controller: str) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """(the group shown, the mount point) of a version 1 controller, or of version 2 for ""."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(), right.split(" ", 2)
        if kind == "cgroup2" if not controller else kind == "cgroup" and controller in options.split(","):
            yield PurePosixPath(fields[3]), PurePosixPath(fields[4])


def _folders(root: Path, controller: str) -> list[Path]:
    cgroup, mountinfo = (_text(root / "proc/self" / name) for name in ("cgroup", "mountinfo"))
    try:
        return [root / folder.relative_to("/") for folder in group_folders(cgroup, mountinfo, controller)]
    except ValueError:  # not as documented
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _cpu_max(text: str) -> float | None:
    """Version 2: `max 100000` or `150000 100000`, in microseconds."""
    quota, _, period = text.strip().partition(" ")
    return _cfs_quota(quota, period)


def _cfs_quota(quota: str, period: str) -> float | None:
    """Version 1: -1 is no limit."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _file_cache(text: str) -> int:
    """The bytes of files that the kernel keeps only as long as nobody needs the memory; `total_` is version 1."""
    counts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    return _bytes(counts.get("total_inactive_file", counts.get("inactive_file", ""))) or 0


def _bytes(text: str) -> int | None:
    """A number of bytes; None for `max` and for version 1's way to say no limit, nearly 2 to the 63rd."""
    try:
        value = int(text)
    except ValueError:
        return None
    return value if 0 <= value < 1 << 60 else None
