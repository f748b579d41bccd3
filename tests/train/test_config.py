"""Settings: what is refused, how they become JSON and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT
from u2net.errors import BadInput
from u2net.train.config import TrainConfig, configured, read_settings


def test_settings_survive_json() -> None:
    config = configured({"data": "x", "size": (128, 96), "map_weights": (1, 1, 1, 1, 1, 1, 0.5)}, recipe="published")
    assert TrainConfig.from_json(config.to_json(), "the settings") == config
    assert config.crop == (112, 80)


def test_the_published_recipe_is_that_of_the_paper() -> None:
    config = configured({"data": "DUTS-TR"}, recipe="published")
    assert (config.optimizer, config.learning_rate, config.batch, config.schedule) == ("adam", 1e-3, 12, "constant")
    assert (config.size, config.crop, config.losses, config.map_weights) == (
        (320, 320),
        (288, 288),
        {"bce": 1.0},
        (1.0,),
    )
    assert (config.augmentation.crop, config.augmentation.flip_vertical) == ("published", 0.5)
    assert (config.ema, config.clip, config.warmup, config.weight_decay) == (0, 0, 0, 0)


@pytest.mark.parametrize(("kind", "term", "channels"), [("classes", "cross_entropy", 4), ("image", "l1", 3)])
@pytest.mark.parametrize("recipe", ["published", "modern"])
def test_each_kind_has_its_loss(kind: str, term: str, channels: int, recipe: Any) -> None:
    config = configured({"data": "x", "kind": kind}, recipe=recipe)
    assert list(config.losses) == [term]
    assert config.out_channels == channels


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rat": 0.1}, "unknown setting 'learning_rat'"),
        ({"augmentation": {"flip": 1}}, "augmentation: unknown setting 'flip'"),
        ({"augmentation": 3}, "augmentation is an object"),
        ({"augmentation": {"flip_horizontal": "x"}}, "flip_horizontal is a probability, 0 to 1, not 'x'"),
        ({"augmentation": {"jpeg": 7}}, "jpeg is a probability, 0 to 1, not 7"),
        ({"augmentation": {"hue": None}}, "hue: expected a number"),
        ({"augmentation": {"crop": "published", "crop_size": [64]}}, "crop_size: expected two whole numbers"),
        ({"kind": [1]}, "kind: expected one of saliency"),
        ({"backgrounds": "x"}, "swap_background, is 0"),
        ({"steps": 0}, "steps is at least 1"),
        ({"steps": 1.5}, "steps: expected a whole number"),
        ({"steps": True}, "steps: expected a whole number"),
        ({"steps": "many"}, "steps: expected a whole number"),
        ({"learning_rate": 0}, "learning_rate is above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is above 0"),
        ({"batch": 12, "accumulate": 5}, "batch of 12 cannot be computed in 5"),
        ({"variant": "u2nett"}, "did you mean 'u2net'"),
        ({"losses": {"l1": 1}}, "the loss term 'l1' is none for maps of saliency"),
        ({"losses": {"dice": 1}}, "the loss term 'dice' is not known"),
        ({"losses": {"bce": 0}}, "no loss term has a weight above 0"),
        ({"losses": 3}, "losses: expected names and numbers"),
        ({"map_weights": [1, 2]}, "map_weights has 2 numbers; u2netp has 7 maps"),
        ({"crop": [400, 400]}, "crop (400, 400) is at least (32, 32) and at most size (320, 320)"),
        ({"size": 320}, "size: expected two whole numbers"),
        ({"precision": "fp8"}, "precision: expected one of auto, f32, bf16, got 'fp8'"),
        ({"kind": "depth"}, "kind: expected one of saliency"),
        ({"channels_last": "yes"}, "channels_last: expected"),
        ({"ema": 1.0}, "ema"),
        ({"data": ""}, "--data"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        configured({"data": "x"} | settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", "3"])
def test_a_file_without_settings_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match=r"config\.json"):
        read_settings(tmp_path / "config.json")


def test_given_settings_go_over_those_of_a_file() -> None:
    begin = json.loads(configured({"data": "x", "batch": 4, "steps": 7}).to_json())
    config = configured({"batch": 8}, begin=begin)
    assert (config.batch, config.steps, config.data) == (8, 7, "x")


def test_given_parts_of_the_augmentation_leave_the_rest_to_the_recipe() -> None:
    config = configured({"data": "x", "augmentation": {"swap_background": 0.5}}, recipe="published")
    assert (config.augmentation.swap_background, config.augmentation.crop, config.augmentation.hue) == (
        0.5,
        "published",
        0,
    )


@pytest.mark.parametrize(("recipe", "init"), [("u2netp-from-scratch", ""), ("u2netp-fine-tune", "u2netp")])
def test_recipes_in_docs_are_settings(recipe: str, init: str) -> None:
    config = configured({"data": "elsewhere"}, begin=read_settings(ROOT / "docs" / "recipes" / f"{recipe}.json"))
    assert (config.data, config.init, config.variant) == ("elsewhere", init, "u2netp")
    assert (config.size, config.cache, config.batch) == ((320, 320), "device", 64)
    assert config.soft_losses == {"bce": 1.0}
    assert config.weight_decay > 0
