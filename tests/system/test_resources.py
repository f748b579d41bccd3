"""Control groups: the texts of real machines and containers, and the limits they mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from u2net.errors import U2NetError
from u2net.inference.open_session import open_session
from u2net.system.resources import allowed_threads, cpu_quota, group_folders, memory_limit, usable_cores, usable_threads

V2_MOUNT = "29 22 0:26 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"
V1_MOUNTS = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n"
)
V1_GROUPS = "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


def machine(root: Path, cgroup: str, mountinfo: str, files: dict[str, str]) -> Path:
    texts = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo, **files}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_version_2_container_has_its_limits_at_the_mount(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/memory.max": "536870912\n",
        "sys/fs/cgroup/memory.current": "1000\n",
        "sys/fs/cgroup/memory.stat": "anon 700\ninactive_file 250\n",
    }
    root = machine(tmp_path, "0::/\n", V2_MOUNT, files)
    assert cpu_quota(root) == 1.5
    assert memory_limit(root) == (536870912, 750)


def test_tightest_of_a_group_and_those_above_it_counts(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/pod/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
        "sys/fs/cgroup/pod/memory.max": "3000\n",
        "sys/fs/cgroup/pod/memory.current": "2900\n",
        "sys/fs/cgroup/pod/box/memory.max": "2000\n",
        "sys/fs/cgroup/pod/box/memory.current": "10\n",
    }
    root = machine(tmp_path, "0::/pod/box\n", V2_MOUNT, files)
    assert cpu_quota(root) == 0.5
    assert memory_limit(root) == (3000, 2900)


def test_version_1_container_has_its_limits(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "4096\n",
        "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 96\n",
    }
    root = machine(tmp_path, V1_GROUPS, V1_MOUNTS, files)
    assert cpu_quota(root) == 2.0
    assert memory_limit(root) == (1073741824, 4000)


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files"),
    [
        ("", "", {}),  # not Linux
        ("0::/\n", V2_MOUNT, {"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n"}),
        (
            V1_GROUPS,
            V1_MOUNTS,
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
        ),
        ("nonsense\n", "more nonsense\n", {}),
    ],
)
def test_no_limit_is_none(tmp_path: Path, cgroup: str, mounts: str, files: dict[str, str]) -> None:
    root = machine(tmp_path, cgroup, mounts, files)
    assert cpu_quota(root) is None
    assert memory_limit(root) is None
    assert allowed_threads(root) is None


def test_group_of_another_namespace_is_taken_as_the_mounted_one() -> None:
    assert [str(folder) for folder in group_folders("0::/../other\n", V2_MOUNT, "cpu")][-1] == "/sys/fs/cgroup"
    mounted = group_folders("2:cpu:/kubepods/pod7\n", V1_MOUNTS, "cpu")
    assert [str(folder) for folder in mounted] == ["/sys/fs/cgroup/cpu,cpuacct"]


@pytest.mark.parametrize(("quota_us", "threads"), [(50_000, 1), (150_000, 1), (799_000, 7), (1_600_000, None)])
def test_quota_is_rounded_down_to_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota_us: int, threads: int | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    root = machine(tmp_path, "0::/\n", V2_MOUNT, {"sys/fs/cgroup/cpu.max": f"{quota_us} 100000\n"})
    assert allowed_threads(root) == threads
    assert usable_cores() == 16
    monkeypatch.setattr("u2net.system.resources.allowed_threads", lambda: threads)
    assert usable_threads() == (threads or 16)


@pytest.mark.parametrize(("given", "quota", "expected"), [(None, 2, 2), (None, None, None), (8, 2, 8)])
def test_session_takes_no_more_threads_than_the_quota_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: int | None, quota: int | None, expected: int | None
) -> None:
    import u2net.inference.engines.onnxruntime

    class Opened(U2NetError):
        pass

    def record(*_: object, threads: int | None, **__: object) -> None:
        raise Opened(repr(threads))

    (tmp_path / "mine.onnx").write_bytes(b"")
    monkeypatch.setattr("u2net.inference.open_session.allowed_threads", lambda: quota)
    monkeypatch.setattr(u2net.inference.engines.onnxruntime, "open_onnxruntime", record)
    with pytest.raises(Opened, match=f"^{expected}$"):
        open_session(tmp_path / "mine.onnx", engine="onnxruntime", threads=given)
