"""What every result says of how it came about, and where it goes. Loads nothing large: a child process starts with its
parent's peak memory."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
TOLD_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
"""Processors of one name differ in these, and they decide how fast a network is."""


def facts(benchmark: str) -> dict[str, Any]:
    """What a report begins with: what was run, when, of which commit, by which command, where."""
    return {
        "benchmark": benchmark,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine(),
    }


def keep(report: Mapping[str, Any], output: Path | None) -> None:
    """Write a report to a file, if there is to be one, and print it as a line."""
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))


def machine() -> dict[str, Any]:
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    of = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = of.get("flags", "").split()
    return {
        "cpu": of.get("model name", platform.machine()),
        "flags": [flag for flag in TOLD_FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def git_commit() -> str | None:
    """The commit, followed by `-dirty` where files differ from it; None where there is none."""
    command = ["git", "-C", str(REPO), "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
