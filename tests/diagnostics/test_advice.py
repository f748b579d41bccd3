"""Each problem that a machine can have, given as what the doctor saw, and the command that fixes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.examinations import ABSENT, HEALTHY, HERE, ONNXRUNTIME, OPENVINO, SMALL_HERE, failing, with_engines
from u2net.diagnostics.advice import Finding, findings
from u2net.diagnostics.doctor import Cache, Engine, Examination, Weights
from u2net.diagnostics.probe import ProbeResult
from u2net.models.weights import State

REINSTALL = "pip install --force-reinstall openvino"
INTEL = 'sudo apt install ocl-icd-libopencl1 intel-opencl-icd && sudo usermod -aG render "$USER"'
CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'


def with_card(*makers: str, seen: Examination = HEALTHY) -> Examination:
    return replace(seen, machine=replace(seen.machine, graphics=makers))


def only(seen: Examination, platform: str = "linux") -> Finding:
    (finding,) = findings(seen, platform=platform)
    return finding


def test_healthy_machine_has_no_findings_with_or_without_the_extra() -> None:
    assert findings(HEALTHY) == []
    assert findings(with_engines(onnxruntime=ABSENT)) == []
    assert findings(replace(HEALTHY, weights=(HERE, replace(SMALL_HERE, state="not fetched", path=None)))) == []


def test_no_engine_at_all_is_broken() -> None:
    gone = Engine("openvino", {}, "openvino cannot be loaded (No module named 'openvino'); run: u2net doctor", ())
    finding = only(with_engines(gone, ABSENT))
    assert finding == Finding(True, "openvino is not installed; no engine works", "pip install openvino")


def test_engine_that_works_is_named_where_the_usual_one_does_not() -> None:
    damaged = Engine("openvino", OPENVINO.packages, "openvino cannot be loaded (libtbb.so); run: u2net doctor", ())
    finding = only(with_engines(damaged))
    assert finding == Finding(True, "openvino cannot be loaded (libtbb.so); --engine onnxruntime works", REINSTALL)


def test_openvino_without_a_cpu_is_broken() -> None:
    finding = only(with_engines(replace(OPENVINO, trials=()), ABSENT))
    assert (finding.broken, finding.fix) == (True, REINSTALL)
    assert "no device 'cpu'" in finding.problem


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_openvino_failing_on_the_cpu_is_broken(precision: str) -> None:
    finding = only(with_engines(failing(OPENVINO, "cpu", "crashed (SIGILL)", precision)))
    assert finding == Finding(True, f"openvino on 'cpu' in {precision}: crashed (SIGILL)", REINSTALL)


def test_intel_card_that_openvino_does_not_find_wants_its_driver() -> None:
    finding = only(with_card("intel"))
    assert (finding.broken, finding.fix) == (False, INTEL)
    assert "Intel" in finding.problem
    lists_it = replace(OPENVINO, trials=(*OPENVINO.trials, ProbeResult("openvino", "gpu", "Arc", "f32")))
    assert findings(with_card("intel", seen=with_engines(lists_it))) == []


@pytest.mark.parametrize(("platform", "fix"), [("linux", INTEL), ("win32", "pip install --upgrade openvino")])
def test_openvino_card_that_fails_is_told_once_and_breaks_nothing(platform: str, fix: str) -> None:
    engine = failing(OPENVINO, "gpu", "gave no answer within 120 s")
    again = replace(engine.trials[-1], precision="bf16")
    finding = only(with_engines(replace(engine, trials=(*engine.trials, again))), platform)
    assert finding == Finding(False, "openvino on 'gpu' in f32: gave no answer within 120 s", fix)


def test_nvidia_card_without_a_cuda_provider_wants_the_other_package() -> None:
    finding = only(with_card("nvidia"))
    assert (finding.broken, finding.fix) == (False, f"pip uninstall -y onnxruntime && {CUDA}")
    assert "NVIDIA" in finding.problem and "has no provider" in finding.problem
    finding = only(with_card("nvidia", seen=with_engines(onnxruntime=ABSENT)))
    assert finding.fix == CUDA and "is not installed" in finding.problem


def test_amd_card_without_a_provider_wants_the_other_package() -> None:
    assert only(with_card("amd")).fix == "pip uninstall -y onnxruntime && pip install onnxruntime-migraphx"


def test_cuda_that_fails_with_a_card_here_wants_its_libraries() -> None:
    engine = failing(replace(ONNXRUNTIME, packages={"onnxruntime-gpu": "1.31.1"}), "cuda", "missing: libcudnn.so.9")
    finding = only(with_card("nvidia", seen=with_engines(onnxruntime=engine)))
    assert finding == Finding(False, "onnxruntime on 'cuda' in f32: missing: libcudnn.so.9", CUDA)


def test_cuda_package_without_a_card_is_the_wrong_one() -> None:
    engine = failing(replace(ONNXRUNTIME, packages={"onnxruntime-gpu": "1.31.1"}), "cuda", "missing: libcuda.so.1")
    finding = only(with_engines(onnxruntime=engine))
    assert finding.fix == "pip uninstall -y onnxruntime-gpu && pip install onnxruntime"
    assert "no NVIDIA card" in finding.problem


@pytest.mark.parametrize(("makers", "again"), [((), "pip install onnxruntime"), (("nvidia",), CUDA)])
def test_two_onnxruntime_packages_over_each_other_become_the_one_for_this_machine(
    makers: tuple[str, ...], again: str
) -> None:
    both = replace(ONNXRUNTIME, packages={"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.30.0"})
    finding = only(with_card(*makers, seen=with_engines(onnxruntime=both)))
    assert finding.fix == f"pip uninstall -y onnxruntime onnxruntime-gpu && {again}"
    assert finding.problem == "onnxruntime and onnxruntime-gpu are installed over each other's files; keep one"


def test_half_of_onnxruntime_is_installed_anew() -> None:
    half = replace(ONNXRUNTIME, problem="onnxruntime is only half installed; run: u2net doctor", trials=())
    finding = only(with_engines(onnxruntime=half))
    assert finding == Finding(False, "onnxruntime is only half installed", "pip install --force-reinstall onnxruntime")


@pytest.mark.parametrize(
    ("device", "fix"),
    [
        ("cpu", "pip install --force-reinstall onnxruntime-openvino"),
        ("coreml", "pip install --upgrade onnxruntime-openvino"),
    ],
)
def test_other_devices_of_onnxruntime_that_fail_want_its_package(device: str, fix: str) -> None:
    engine = failing(replace(ONNXRUNTIME, packages={"onnxruntime-openvino": "1.24.1"}), device, "crashed (SIGSEGV)")
    assert only(with_engines(onnxruntime=engine)).fix == fix


def test_read_only_cache_is_broken_only_where_weights_must_still_be_fetched() -> None:
    read_only = replace(HEALTHY, cache=Cache("/cache", "Read-only file system", 1))
    finding = only(read_only)
    assert (finding.broken, finding.fix) == (False, "mkdir -m 700 /tmp/u2net && export U2NET_CACHE=/tmp/u2net")
    assert "/cache (Read-only file system): each start compiles" in finding.problem
    missing = replace(read_only, weights=(Weights("u2net", "not fetched", None, 175_997_641), SMALL_HERE))
    broken, pull = findings(missing, platform="win32")
    assert (broken.broken, broken.fix) == (True, 'set "U2NET_CACHE=%TEMP%\\u2net"')
    assert "weights cannot be fetched" in broken.problem
    assert (pull.broken, pull.fix) == (False, "u2net models pull u2net")


def test_full_disk_is_broken_before_the_weights_are_fetched_and_fine_after() -> None:
    full = replace(HEALTHY, cache=Cache("/cache", None, 300_000_000))
    assert findings(full) == []
    broken, _ = findings(replace(full, weights=(Weights("u2net", "not fetched", None, 175_997_641),)))
    assert broken.broken and "only 300 MB" in broken.problem


@pytest.mark.parametrize("state", ["not fetched", "unfinished"])
def test_missing_weights_are_no_breakage_for_the_first_use_fetches_them(state: State) -> None:
    finding = only(replace(HEALTHY, weights=(Weights("u2net", state, None, 175_997_641),)))
    assert (finding.broken, finding.fix) == (False, "u2net models pull u2net")
    assert "176 MB" in finding.problem


@pytest.mark.parametrize(("model", "broken"), [("u2net", True), ("u2netp", False)])
def test_damaged_weights_are_fetched_anew(model: str, broken: bool) -> None:
    weights = [replace(each, state="wrong checksum") if each.model == model else each for each in HEALTHY.weights]
    finding = only(replace(HEALTHY, weights=tuple(weights)))
    assert (finding.broken, finding.fix) == (broken, f"u2net models pull {model}")
    assert f"/cache/{model}.onnx" in finding.problem


def test_unreadable_weights_are_fetched_anew() -> None:
    finding = only(replace(HEALTHY, weights=(replace(HERE, state="unreadable", path="/my cache/u2net.onnx"),)))
    assert (finding.broken, finding.fix) == (True, "u2net models pull u2net")


def test_what_stands_in_the_way_comes_first() -> None:
    damaged = replace(with_card("nvidia", "intel"), weights=(replace(HERE, state="wrong checksum"),))
    assert [finding.broken for finding in findings(damaged)] == [True, False, False]
