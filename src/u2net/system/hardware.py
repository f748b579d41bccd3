"""What this machine is: its processor, threads, memory and graphics cards, without running any engine."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from u2net.system.resources import cpu_quota, memory_limit, usable_cores, usable_threads

_X86 = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni", "avx512vnni", "avxvnni"),
    "bf16": ("avx512_bf16", "avx512bf16", "amx_bf16"),
    "AMX": ("amx_tile",),
}
_ARM = {"NEON": ("asimd", "neon"), "dot product": ("asimddp",), "i8mm": ("i8mm",), "bf16": ("bf16",), "SVE": ("sve",)}
# What Apple calls them, under hw.optional.arm; every one of its ARM processors has NEON.
_APPLE = {"neon": "asimd", "FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm", "FEAT_BF16": "bf16"}
_WINDOWS = {"avx2": 40, "avx512f": 41, "asimd": 19, "asimddp": 43}  # PF_… of IsProcessorFeaturePresent


@dataclass(frozen=True)
class Machine:
    """The facts about a machine that decide what u2net can do on it.

    capabilities: what the processor computes with, True, False, or None where the system does not tell.
    cores: all that the system has. usable_cores: those that this process may run on. cpu_quota: cores' worth of time
    that its control group gives it, or None. threads: how many u2net takes.
    memory_bytes, free_bytes: of the machine, or of the control group where that is less; None: unknown.
    graphics: the makers of graphics cards that can be reached: `nvidia`, `amd`, `intel`, `apple`.
    """

    system: str
    python: str
    processor: str
    capabilities: dict[str, bool | None]
    cores: int
    usable_cores: int
    cpu_quota: float | None
    threads: int
    memory_bytes: int | None
    free_bytes: int | None
    graphics: tuple[str, ...]


def this_machine() -> Machine:
    """Look at the machine that this process runs on."""
    name, flags = _processor()
    total, free = _memory()
    limit = memory_limit()
    if limit and (total is None or limit[0] < total):
        total = limit[0]
    if limit and (free is None or limit[0] - limit[1] < free):
        free = max(0, limit[0] - limit[1])
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_version()} ({sys.executable})",
        processor=name,
        capabilities=capabilities(platform.machine(), flags, exhaustive=sys.platform != "win32"),
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        cpu_quota=cpu_quota(),
        threads=usable_threads(),
        memory_bytes=total,
        free_bytes=free,
        graphics=graphics(),
    )


def capabilities(architecture: str, flags: set[str], *, exhaustive: bool = True) -> dict[str, bool | None]:
    """What a processor with these flags can do.

    exhaustive: whether a flag that is not named is not there; else it is unknown.
    """
    known = _X86 if architecture.lower() in ("x86_64", "amd64", "i686", "x86") else _ARM
    absent = False if exhaustive and flags else None
    return {name: True if flags & set(names) else absent for name, names in known.items()}


def parse_cpuinfo(text: str) -> tuple[str, set[str]]:
    """(processor name, flags) from /proc/cpuinfo; ARM has no name there and calls its flags features."""
    rows = dict(re.findall(r"^(model name|Model|flags|Features)\s*: (.*)$", text, re.MULTILINE))
    flags = set((rows.get("flags") or rows.get("Features") or "").split())
    return rows.get("model name") or rows.get("Model") or "", flags


def parse_meminfo(text: str) -> tuple[int | None, int | None]:
    """(bytes of memory, bytes that programs can still have) from /proc/meminfo."""
    found = {name: int(value) * 1024 for name, value in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return found.get("MemTotal"), found.get("MemAvailable")


def parse_sysctl(text: str) -> tuple[str, set[str], int | None]:
    """(processor name, flags as Linux calls them, bytes of memory) from what macOS' sysctl prints."""
    rows = dict(re.findall(r"^([\w.]+): (.*)$", text, re.MULTILINE))
    intel = (rows.get("machdep.cpu.features", "") + " " + rows.get("machdep.cpu.leaf7_features", "")).lower().split()
    apple = [flag for name, flag in _APPLE.items() if rows.get(f"hw.optional.arm.{name}", rows.get(name)) == "1"]
    if rows.get("hw.optional.arm64") == "1":
        apple.append("asimd")
    memory = rows.get("hw.memsize", "")
    return rows.get("machdep.cpu.brand_string", ""), {*intel, *apple}, int(memory) if memory.isdigit() else None


def parse_vm_stat(text: str) -> int | None:
    """Bytes that programs can still have, from what macOS' vm_stat prints."""
    page = re.search(r"page size of (\d+) bytes", text)
    pages = re.findall(r"^Pages (?:free|inactive|speculative|purgeable):\s+(\d+)\.$", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, pages)) if page and pages else None


def _processor() -> tuple[str, set[str]]:
    name, flags = "", set[str]()
    if sys.platform == "linux":
        name, flags = parse_cpuinfo(_text("/proc/cpuinfo"))
    elif sys.platform == "darwin":
        name, flags, _ = parse_sysctl(_output("sysctl", "-a"))
    elif sys.platform == "win32":
        name = os.environ.get("PROCESSOR_IDENTIFIER", "")
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        flags = {flag for flag, number in _WINDOWS.items() if present(number)}
    return name or platform.processor() or platform.machine(), flags


def _memory() -> tuple[int | None, int | None]:
    if sys.platform == "linux":
        return parse_meminfo(_text("/proc/meminfo"))
    if sys.platform == "darwin":
        return parse_sysctl(_output("sysctl", "hw.memsize"))[2], parse_vm_stat(_output("vm_stat"))
    if sys.platform == "win32":
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return status.total, status.free
    return None, None


def peak_memory() -> int | None:
    """The most bytes of memory that this process has had at once; None: unknown."""
    if sys.platform == "linux":
        # Not getrusage: a process starts with the peak of the one that started it.
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _text("/proc/self/status"), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "win32":
        counters = _ProcessMemory(length=ctypes.sizeof(_ProcessMemory))
        ask = ctypes.windll.kernel32.K32GetProcessMemoryInfo
        ask.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
        if ask(-1, ctypes.byref(counters), counters.length):  # -1 is GetCurrentProcess()
            return int(counters.peak)
    return None


class _ProcessMemory(ctypes.Structure):
    """Windows' PROCESS_MEMORY_COUNTERS."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        ("peak", ctypes.c_size_t),
        ("rest", ctypes.c_size_t * 7),
    )


class _MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("free", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 5),
    )


def graphics(root: Path = Path("/")) -> tuple[str, ...]:
    """The makers of the graphics cards that this process may reach, by what their drivers show.

    root: where /dev and /sys are found. A container sees its host's cards in /sys, but has their devices only if given.
    """
    found = set()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.add("apple")
    if (root / "dev/nvidia0").exists() or "GPU " in _output("nvidia-smi", "-L"):
        found.add("nvidia")
    devices = {"0x1002": ("amd", "dev/kfd"), "0x8086": ("intel", "dev/dri")}
    for vendor in root.glob("sys/class/drm/card*/device/vendor"):
        maker, device = devices.get(_text(vendor).strip(), ("", ""))
        if maker and (root / device).exists():
            found.add(maker)
    return tuple(sorted(found))


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str:
    """What a program of the system prints; nothing where it is not there, fails or hangs."""
    program: Any = shutil.which(command[0])
    if not program:
        return ""
    try:
        result = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""
