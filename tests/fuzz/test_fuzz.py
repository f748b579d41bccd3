"""300 mutated files, the same ones each time. Many more: `python tests/fuzz/decode.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CASES = 300


def test_mutated_files_are_read_or_refused_in_time_and_within_memory() -> None:
    command = [sys.executable, str(Path(__file__).with_name("decode.py")), "--cases", str(CASES), "--fixed"]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"{CASES} files: " in result.stdout
