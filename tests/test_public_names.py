"""What users may rely on: changing this list is a decision."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys

import pytest

from support.paths import EXAMPLES, ROOT

NAMES = {
    "u2net": """
        MODELS Crop Cutout Gradient Hint ModelSpec Outcome Picture Session U2NetError open_session read remove
        remove_many saliency
    """,
    "u2net.matting": """
        EDGES ClosedForm Guided estimate_foreground matte_trimap refine refine_closed_form refine_guided to_trimap
    """,
    "u2net.compose": """
        CROPS Crop Cutout Gradient Layout Location Placement STYLES add_shadow apply_layout crop cutout defocused
        highlight match_view panel parallax parse_background paste sides_panel
    """,
    "u2net.video": "Animation Frame encode_frames open_animation open_source remove_animation smooth thumbnail",
    "u2net.evaluation": """
        MEASURES Evaluation Pair Scores evaluate map_by mean_curves pair_up read_map score summarise
    """,
    "u2net.datasets": """
        Annotation Check Detection Pack PackedSample Pair Pairs Problem Scene SceneSettings Subject check draw_boxes
        draw_scene find_boxes find_pairs find_subjects first_look near_duplicates open_pack pack_pairs perceptual_hash
        read_samples read_truth to_coco to_yolo write_scenes
    """,
    "u2net.train": """
        MODERN PUBLISHED Augmentation Report Result TrainConfig U2Net augment load of_recipe save train
    """,
}
ALSO_PUBLIC = ["u2net.compat.rembg"]
"""A module that stands in for another package."""
each_package = pytest.mark.parametrize("package", NAMES)
ALL = [(package, name) for package, names in NAMES.items() for name in names.split()]


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@each_package
def test_public_names_are_these(package: str) -> None:
    assert sorted(importlib.import_module(package).__all__) == sorted(NAMES[package].split())


@pytest.mark.parametrize(("package", "name"), ALL)
def test_every_public_name_is_there_and_documented(package: str, name: str) -> None:
    if package == "u2net.train" and not importlib.util.find_spec("torch"):
        pytest.skip("needs torch")
    module = importlib.import_module(package)
    value = getattr(module, name)
    assert name in dir(module)
    assert value.__doc__ or name.isupper()


@each_package
def test_type_checkers_see_the_same_names_from_the_same_modules(package: str) -> None:
    module = importlib.import_module(package)
    tree = ast.parse((ROOT / "src" / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    (table,) = (node for node in ast.walk(tree) if isinstance(node, ast.Dict))
    seen = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {(home, name) for home, names in ast.literal_eval(table).items() for name in names}
    assert {name for _, name in seen} == set(module.__all__)


@each_package
def test_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'segment'"):
        importlib.import_module(package).segment  # noqa: B018


def test_importing_all_of_them_loads_nothing_heavy() -> None:
    heavy = ["torch", "openvino", "numpy", "cv2", "PIL", "matplotlib"]
    code = f"import sys, {', '.join(NAMES)}; print(*[name for name in {heavy} if name in sys.modules])"
    assert python(code) == ""


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["module first", "name first"])
def test_a_name_stays_what_it_is_though_a_module_is_called_like_it(order: tuple[int, int]) -> None:
    """Whichever is imported first, and after both."""
    alike = [(package, name) for package, name in ALL if importlib.util.find_spec(f"{package}.{name}")]
    assert ("u2net.compose", "highlight") in alike
    assert ("u2net.video", "remove_animation") in alike
    lines = []
    for package, name in alike:
        if package == "u2net.train" and not importlib.util.find_spec("torch"):
            continue
        both = [f"import {package}.{name}", f"from {package} import {name}"]
        lines += [both[order[0]], both[order[1]], f"assert callable({name}) and {package}.{name} is {name}"]
        lines += [f"from {package}.{name} import __spec__; assert __spec__.name == '{package}.{name}'"]
    assert python("\n".join([*lines, "print('ok')"])) == "ok"


def test_remove_stays_the_function_whichever_module_is_loaded_first() -> None:
    assert python("import u2net.cli.remove, u2net.tasks.remove, u2net; print(callable(u2net.remove))") == "True"


def test_docs_readme_and_examples_use_public_names_only() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *EXAMPLES.glob("*.ipynb"), *EXAMPLES.glob("*.py")]
    rooms = {path.parent.name for path in (ROOT / "src" / "u2net").glob("*/__init__.py")}
    imported = re.compile(r"from (u2net(?:\.\w+)*) import ([\w, ]+)")
    mentioned = re.compile(r"\b(u2net)\.(\w+)(?:\.(\w+(?:\.\w+)*))?")
    used, wrong = 0, []
    for path in texts:
        text = path.read_text(encoding="utf-8")
        names = {f"{found[1]}.{name.strip()}" for found in imported.finditer(text) for name in found[2].split(",")}
        names |= {found[0] for found in mentioned.finditer(text) if found[2] in rooms}
        used += len(names)
        wrong += [f"{path.relative_to(ROOT)}: {name}" for name in names if not is_public(name)]
    assert used > 20
    assert not wrong


def is_public(name: str) -> bool:
    """Whether a dotted name is a public package, or one of its names, or something of one."""
    whole = {f"{package}.{one}" for package, one in ALL} | {*ALSO_PUBLIC}
    return name in NAMES or any(f"{name}.".startswith(f"{one}.") for one in whole)
