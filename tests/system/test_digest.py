"""Hashes: what they are of, and that there is one home for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from support.paths import ROOT
from u2net.system.digest import digest_of, digest_of_files


def test_parts_and_files_count_as_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one ")
    (tmp_path / "b").write_bytes(b"two")
    expected = hashlib.sha256(b"one two").hexdigest()
    assert digest_of("one ", b"two") == digest_of(memoryview(b"one two")) == expected
    assert digest_of_files(tmp_path / "a", tmp_path / "b") == expected
    assert digest_of_files(tmp_path / "b", algorithm="md5") == hashlib.md5(b"two").hexdigest()
    assert digest_of("two", algorithm="blake2b", digest_size=8) == hashlib.blake2b(b"two", digest_size=8).hexdigest()


def test_a_name_that_is_no_text_has_a_digest_of_its_bytes() -> None:
    assert digest_of("caf\udce9") == hashlib.sha256(b"caf\xe9").hexdigest()


def test_nobody_else_calls_hashlib() -> None:
    source = ROOT / "src" / "u2net"
    users = [path for path in source.rglob("*.py") if "hashlib" in path.read_text(encoding="utf-8")]
    assert users == [source / "system" / "digest.py"]
