"""How to train: one frozen record, whose file form is JSON of the same fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from u2net.datasets.ground_truth import Kind
from u2net.errors import BadInput
from u2net.networks.u2net import VARIANTS, find_variant
from u2net.train.augment import MODERN, PUBLISHED, Augmentation
from u2net.train.losses import TERMS
from u2net.types import Size

PLACES = ("data", "truths", "validation", "validation_truths", "backgrounds", "init", "cache")
"""The settings that say where something lies on this machine."""

_TERMS_OF_KIND = {
    "saliency": ("bce", "iou", "ssim", "structure"),
    "classes": ("cross_entropy",),
    "image": ("l1",),
}


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The defaults are the modern recipe for saliency.

    data, truths, validation: as `find_pairs` takes them; validation empty: `held_out` of the data, drawn by name.
    backgrounds: a folder of pictures for the background swap; empty: the others of the batch.
    init: empty for random numbers, a model's name, or a file that `checkpoint.load` takes.
    kind, classes: what the maps mean; classes counts only for `classes`.
    size: (H, W) that pictures are kept at and validated at. crop: (h, w) that the network learns from.
    crop_sides: sides of squares, one of which is drawn for each step, instead of `crop`; empty: `crop` always.
    steps: optimizer steps. batch: pictures a step and process, computed in `accumulate` parts.
    learning_rate: at its highest, after `warmup` steps; `cosine` then lets it fall to 0 at the last step.
    clip: longest gradient, 0: any. ema: share of the old in the moving average that is validated and kept, 0: none.
    losses: weight of each term of `losses.TERMS`. soft_losses: the same, against soft targets.
    map_weights: of the fused map and the side outputs, or one for all.
    norms: `train`, or `frozen`: in evaluation mode with fixed statistics.
    precision: `auto` is bf16 where the device computes in it, else f32. validate_every, save_every: steps.
    patience: validations without a better one that end the run, 0: never.
    cache: `ram`, a folder for the decoded pictures, or `device`: all on the device from the start.
    licence: of the weights, for their card.

    >>> from u2net.train import TrainConfig
    >>> TrainConfig(data="DUTS-TR", init="u2netp", steps=3000).batch > 0
    True
    """

    data: str
    truths: str = ""
    validation: str = ""
    validation_truths: str = ""
    held_out: float = 0.05
    backgrounds: str = ""
    variant: str = "u2netp"
    init: str = ""
    kind: Kind = "saliency"
    classes: int = 4
    size: Size = (320, 320)
    crop: Size = (288, 288)
    crop_sides: tuple[int, ...] = ()
    augmentation: Augmentation = MODERN
    steps: int = 30_000
    batch: int = 12
    accumulate: int = 1
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: int = 500
    schedule: Literal["constant", "cosine"] = "cosine"
    clip: float = 1.0
    ema: float = 0.999
    losses: dict[str, float] = field(default_factory=lambda: {"bce": 1.0, "iou": 0.5})
    soft_losses: dict[str, float] = field(default_factory=dict)
    map_weights: tuple[float, ...] = (1.0,)
    norms: Literal["train", "frozen"] = "train"
    precision: Literal["auto", "f32", "bf16"] = "auto"
    channels_last: bool | None = None
    compile: bool = False
    device: str = "auto"
    seed: int = 0
    validate_every: int = 1000
    patience: int = 0
    save_every: int = 500
    cache: str = "ram"
    licence: str = ""

    def __post_init__(self) -> None:
        """Raises BadInput for what cannot be trained with."""
        _check_types(self)
        _check_types(self.augmentation)
        find_variant(self.variant)
        for name in ("steps", "batch", "accumulate", "validate_every", "save_every", "classes"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is at least 1, not {getattr(self, name)}")
        for name in ("warmup", "patience", "clip", "weight_decay"):
            if getattr(self, name) < 0:
                raise BadInput(f"{name} is at least 0, not {getattr(self, name)}")
        if min(*self.size, *self.crop) < 32 or self.crop[0] > self.size[0] or self.crop[1] > self.size[1]:
            raise BadInput(f"crop {self.crop} is at least (32, 32) and at most size {self.size}")
        if any(side < 32 or side % 32 or side > 2 * min(self.size) for side in self.crop_sides):
            raise BadInput(f"crop_sides are multiples of 32, at most twice size {self.size}, not {self.crop_sides}")
        if self.crop_sides and self.augmentation.crop != "resized":
            raise BadInput(f"crop_sides need the augmentation's crop to be resized, not {self.augmentation.crop}")
        if (self.cache == "device" or self.soft_losses) and self.kind != "saliency":
            raise BadInput(f"cache=device and soft_losses are for maps of saliency, not of {self.kind}")
        if self.backgrounds and not self.augmentation.swap_background:
            raise BadInput("backgrounds are for the background swap, whose probability, swap_background, is 0")
        if self.batch % self.accumulate:
            raise BadInput(f"a batch of {self.batch} cannot be computed in {self.accumulate} equal parts")
        if not 0 <= self.seed < 2**20:
            raise BadInput(f"seed is at least 0 and below {2**20}, not {self.seed}")
        if not self.learning_rate > 0 or not 0 <= self.ema < 1 or not 0 <= self.held_out < 1:
            raise BadInput("learning_rate is above 0, ema and held_out are at least 0 and below 1")
        allowed = _TERMS_OF_KIND[self.kind]
        if wrong := [name for name in (*self.losses, *self.soft_losses) if name not in allowed]:
            known = wrong[0] in TERMS
            reason = f"is none for maps of {self.kind}" if known else "is not known"
            raise BadInput(f"the loss term '{wrong[0]}' {reason}; there are {', '.join(allowed)}")
        if not any(weight > 0 for weight in self.losses.values()):
            raise BadInput("no loss term has a weight above 0")
        maps = 6 + VARIANTS[self.variant].fused
        if len(self.map_weights) not in (1, maps):
            raise BadInput(f"map_weights has {len(self.map_weights)} numbers; {self.variant} has {maps} maps")

    @property
    def out_channels(self) -> int:
        """Of the network."""
        return {"saliency": 1, "image": 3, "classes": self.classes}[self.kind]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str, name: str) -> TrainConfig:
        """From an object of settings; name: what errors call it. Raises BadInput, for unknown keys too."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise BadInput(f"{name}: holds no object of settings")
        nested = values.get("augmentation", {})
        _refuse_unknown(cls, values, name)
        if not isinstance(nested, dict):
            raise BadInput(f"{name}: augmentation is an object of settings")
        _refuse_unknown(Augmentation, nested, f"{name}: augmentation")
        try:
            values["augmentation"] = Augmentation(**{key: _tuple(value) for key, value in nested.items()})
            return cls(**{key: _tuple(value) for key, value in values.items()})
        except TypeError as error:
            raise BadInput(f"{name}: {error}") from error


def of_recipe(name: Literal["published", "modern"], kind: Kind = "saliency") -> dict[str, Any]:
    """The settings, as in JSON, in which a recipe differs from the defaults.

    published: as the authors trained: Adam with .001, batches of 12, BCE of seven maps, crops of 288, flips.
    modern: AdamW with warm-up and cosine, BCE and IoU, moving average, more augmentation, bf16.

    >>> from u2net.train import TrainConfig, of_recipe
    >>> of_recipe("published")["optimizer"]
    'adam'
    """
    if kind not in get_args(Kind):
        raise BadInput(f"kind: expected one of {', '.join(get_args(Kind))}, got {kind!r}")
    own = {"classes": {"losses": {"cross_entropy": 1.0}}, "image": {"losses": {"l1": 1.0}}}
    settings = own.get(kind, {}) | {"kind": kind}
    if name == "modern":
        return {"augmentation": asdict(MODERN)} | settings
    if name != "published":
        raise BadInput(f"no recipe '{name}'; there are published and modern")
    published = {
        "augmentation": asdict(replace(PUBLISHED, crop_size=None)),  # of the size that `crop` says
        "optimizer": "adam",
        "weight_decay": 0.0,
        "warmup": 0,
        "schedule": "constant",
        "clip": 0.0,
        "ema": 0.0,
        "losses": {"bce": 1.0},
        "precision": "f32",
        "steps": 600_000,
    }
    return published | settings


def configured(
    given: Mapping[str, Any],
    *,
    recipe: Literal["published", "modern"] = "modern",
    begin: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """Settings from those that somebody gave, over those to begin from, over a recipe's and the defaults.

    A size without a crop gets one of nine tenths; of the augmentation only what is given changes.
    Raises BadInput, for unknown names too.
    """
    values = dict(begin or {})
    if begin is None:
        values = of_recipe(recipe, given.get("kind", "saliency"))
    before, changes = values.get("augmentation"), given.get("augmentation")
    values |= given
    if isinstance(before, dict) and isinstance(changes, dict):
        values["augmentation"] = before | changes
    if not values.get("data"):
        raise BadInput("nothing to learn from; name pictures and truths with --data")
    size = given.get("size")
    if isinstance(size, (tuple, list)) and "crop" not in given:
        values["crop"] = [min(side, max(32, round(side * 0.9 / 16) * 16)) for side in size]
    return TrainConfig.from_json(json.dumps(values), "the settings")


def config_of(given: dict[str, Any], recipe: Any, config_file: str | None) -> TrainConfig:
    """The settings that somebody asks for, over those of a file or a recipe; `init` says the variant where nobody does.

    Raises BadInput, and what `load` raises.
    """
    from u2net.networks.checkpoint import load

    if recipe and config_file:
        raise BadInput("--recipe and --config both say what to begin from; leave one out")
    if given.get("init") and "variant" not in given:
        given = given | {"variant": load(given["init"])[1].variant}
    begin = read_settings(Path(config_file)) if config_file else None
    return configured(given, recipe=recipe or "modern", begin=begin)


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file, not yet checked. Raises BadInput."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: the settings cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path}: holds no object of settings")
    return values


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _refuse_unknown(cls: type, values: dict[str, Any], name: str) -> None:
    known = [each.name for each in fields(cls)]
    if unknown := sorted(set(values) - set(known)):
        raise BadInput(f"{name}: unknown setting '{unknown[0]}'; there are {', '.join(known)}")


def _check_types(settings: TrainConfig | Augmentation) -> None:
    """JSON knows no Literal and no whole numbers: `"steps": "many"` or `1.5` is said here, not at step 1.5."""
    for name, hint in get_type_hints(type(settings)).items():
        value = getattr(settings, name)
        if hint == Size | None and value is not None:
            hint = Size
        choices = get_args(hint)
        if hint in (str, bool, int, float):
            expected = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[hint]
            right = _is_number(value, whole=hint is int) if hint in (int, float) else isinstance(value, hint)
        elif get_origin(hint) is Literal:
            expected, right = f"one of {', '.join(choices)}", value in choices
        elif hint == bool | None:
            expected, right = "true, false or null", value is None or isinstance(value, bool)
        elif get_origin(hint) is tuple:
            two, whole = choices == (int, int), choices[0] is int
            expected = "two whole numbers, (H, W)" if two else f"a list of {'whole ' * whole}numbers"
            right = isinstance(value, tuple) and all(_is_number(one, whole=whole) for one in value)
            right = right and (len(value) == 2 or not two)
        elif get_origin(hint) is dict:
            expected = "names and numbers"
            right = isinstance(value, dict) and all(_is_number(one) for one in value.values())
        else:
            continue
        if not right:
            raise BadInput(f"{name}: expected {expected}, got {value!r}")


def _is_number(value: Any, *, whole: bool = False) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
