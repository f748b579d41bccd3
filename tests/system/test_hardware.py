"""What the texts and folders of real systems say about a machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from u2net.system import hardware
from u2net.system.hardware import (
    capabilities,
    graphics,
    parse_cpuinfo,
    parse_meminfo,
    parse_sysctl,
    parse_vm_stat,
    this_machine,
)

SAPPHIRE_RAPIDS = """\
processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags		: fpu sse2 avx avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile
bogomips	: 5400.00

processor	: 1
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags		: fpu sse2 avx avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile
"""
RASPBERRY_PI_5 = """\
processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41

Model		: Raspberry Pi 5 Model B Rev 1.0
"""
APPLE_M2 = """\
hw.memsize: 17179869184
hw.optional.arm64: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_DotProd: 1
hw.optional.arm.FEAT_I8MM: 1
machdep.cpu.brand_string: Apple M2
"""
INTEL_MAC = """\
hw.memsize: 8589934592
machdep.cpu.brand_string: Intel(R) Core(TM) i5-8257U CPU @ 1.40GHz
machdep.cpu.features: FPU SSE2 AVX1.0
machdep.cpu.leaf7_features: RDWRFSGS AVX2 BMI1
"""
VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            300000.
Pages inactive:                           20000.
Pages speculative:                          500.
Pages purgeable:                            100.
"""


def test_linux_on_x86_tells_name_and_capabilities() -> None:
    name, flags = parse_cpuinfo(SAPPHIRE_RAPIDS)
    assert name == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert capabilities("x86_64", flags) == dict.fromkeys(["AVX2", "AVX-512", "VNNI", "bf16", "AMX"], True)
    assert capabilities("x86_64", flags - {"avx512_bf16", "amx_bf16"})["bf16"] is False


def test_linux_on_arm_tells_model_and_capabilities() -> None:
    name, flags = parse_cpuinfo(RASPBERRY_PI_5)
    assert name == "Raspberry Pi 5 Model B Rev 1.0"
    expected = {"NEON": True, "dot product": True, "i8mm": False, "bf16": False, "SVE": False}
    assert capabilities("aarch64", flags) == expected


def test_macos_tells_both_kinds_of_processor() -> None:
    name, flags, memory_bytes = parse_sysctl(APPLE_M2)
    assert (name, memory_bytes) == ("Apple M2", 16 << 30)
    expected = {"NEON": True, "dot product": True, "i8mm": True, "bf16": True, "SVE": False}
    assert capabilities("arm64", flags) == expected
    name, flags, memory_bytes = parse_sysctl(INTEL_MAC)
    assert (name[:14], memory_bytes) == ("Intel(R) Core(", 8 << 30)
    assert capabilities("x86_64", flags)["AVX2"] is True
    assert capabilities("x86_64", flags)["AVX-512"] is False


def test_windows_and_a_system_that_tells_nothing_say_unknown_not_no() -> None:
    assert capabilities("AMD64", {"avx2"}, exhaustive=False)["AVX2"] is True
    assert capabilities("AMD64", {"avx2"}, exhaustive=False)["bf16"] is None
    assert set(capabilities("x86_64", set()).values()) == {None}


def test_memory_is_told_in_bytes() -> None:
    assert parse_meminfo("MemTotal:  2000 kB\nMemFree:  100 kB\nMemAvailable:  700 kB\n") == (2_048_000, 716_800)
    assert parse_meminfo("") == (None, None)
    assert parse_vm_stat(VM_STAT) == 30_600 * 16384
    assert parse_vm_stat("") is None


def test_this_machine_agrees_with_what_the_system_says_elsewhere() -> None:
    seen = this_machine()
    assert seen.cores == os.cpu_count()
    assert 1 <= seen.threads <= seen.usable_cores <= seen.cores
    assert platform.python_version() in seen.python and sys.executable in seen.python
    assert seen.memory_bytes is None or 0 < (seen.free_bytes or 0) <= seen.memory_bytes
    if sys.platform == "linux":
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        assert seen.memory_bytes is not None and seen.memory_bytes <= total


@pytest.mark.parametrize(
    ("limit", "total", "free"),
    [((4_000, 1_000), 4_000, 3_000), ((4_000, 4_500), 4_000, 0), (None, 10_240, 5_120), ((99_999, 0), 10_240, 5_120)],
)
def test_memory_of_a_container_is_what_its_group_may_have(
    monkeypatch: pytest.MonkeyPatch, limit: tuple[int, int] | None, total: int, free: int
) -> None:
    monkeypatch.setattr(hardware, "_memory", lambda: (10_240, 5_120))
    monkeypatch.setattr(hardware, "memory_limit", lambda: limit)
    seen = this_machine()
    assert (seen.memory_bytes, seen.free_bytes) == (total, free)


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
@pytest.mark.parametrize(
    ("vendor", "device", "makers"),
    [
        ("0x8086", "dev/dri", ("intel",)),
        ("0x8086", "", ()),  # a container that sees its host's card and was not given it
        ("0x1002", "dev/dri", ()),  # no ROCm without its kernel driver
        ("0x1002", "dev/kfd", ("amd",)),
        ("0x1af4", "dev/dri", ()),
        ("0x10de", "dev/nvidia0", ("nvidia",)),
    ],
)
def test_cards_are_those_whose_devices_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: str, device: str, makers: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", "")
    card = tmp_path / "sys/class/drm/card0/device"
    card.mkdir(parents=True)
    (card / "vendor").write_text(vendor + "\n")
    if device:
        (tmp_path / device).mkdir(parents=True)
    assert graphics(tmp_path) == makers


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize(("script", "makers"), [("echo 'GPU 0: NVIDIA L4'", ("nvidia",)), ("exit 9", ())])
def test_nvidia_is_asked_where_there_is_no_device_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, makers: tuple[str, ...]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tuple(maker for maker in graphics(tmp_path) if maker == "nvidia") == makers
