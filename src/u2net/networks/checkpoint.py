"""Files of numbers: the published ones, in three formats, and our own safetensors with a model card inside."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from u2net.errors import BadInput
from u2net.io.decoders import DAMAGE
from u2net.models import weights
from u2net.models.card import KEY, ModelCard, card_in, read_card
from u2net.models.registry import MODELS, find_model
from u2net.models.spec import ModelSpec
from u2net.networks.published_weights import read_onnx, to_own_names
from u2net.networks.u2net import VARIANTS, U2Net
from u2net.system.files import atomic_file, writing

PART_KEY = "part of the state of a run"
"""In files of `resume.save_state`, which are no weights."""

SUFFIXES = (".safetensors", ".pth", ".pt", ".onnx")


def load(source: str | Path) -> tuple[U2Net, ModelCard]:
    """The network and card of a file, in evaluation mode on the CPU.

    source: a model's name (u2net, u2netp: their ONNX files, fetched where they are not here), or a file: our
    .safetensors; a published .pth, with or without `num_batches_tracked` and `module.`; a published .onnx.
    Variant and channels are read from the tensors' shapes.
    Raises BadInput, which names unknown and missing tensors, UnknownModel, WeightsUnavailable.

    >>> from u2net.train import load
    >>> network, card = load("u2netp")
    >>> network.variant, card.kind
    ('u2netp', 'saliency')
    """
    path, card = find(source)
    tensors, own_card = _read(path)
    card = own_card or card
    network = build(tensors, str(path))
    if card is None:
        card = _usual_card(network)
    expected = {"saliency": 1, "image": 3}.get(card.kind, own_card.out_channels if own_card else network.out_channels)
    if expected != network.out_channels:
        raise BadInput(f"{path}: its card says {card.kind} of {expected} channels, but it has {network.out_channels}")
    return network, replace(
        card, variant=network.variant, in_channels=network.in_channels, out_channels=network.out_channels
    )


def _usual_card(network: U2Net) -> ModelCard:
    """Of weights that say nothing themselves: pictures go in as the published network of this variant takes them."""
    spec = MODELS["isnet-general-use" if network.variant == "isnet" else "u2net"]
    kind = {1: "saliency", 3: "image"}.get(network.out_channels, "classes")
    return replace(_card_of(spec), kind=kind, stretch=kind == "saliency", data="", licence="")


def save(network: U2Net, path: Path, card: ModelCard) -> None:
    """Write weights and card as safetensors, whole or not at all. Raises CannotWrite.

    >>> from u2net.train import load, save
    >>> network, card = load("u2netp")
    >>> save(network, Path("mine.safetensors"), card)
    >>> load("mine.safetensors")[1].kind
    'saliency'
    """
    from safetensors.torch import save as to_bytes

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    data = to_bytes(tensors, metadata={"format": "pt", KEY: card.to_json()})
    with writing(f"{path}:", over=path), atomic_file(path, durable=True) as stream:
        stream.write(data)


def build(tensors: Mapping[str, Tensor], name: str) -> U2Net:
    """A network that holds these tensors, of the variant and channels that their shapes tell.

    tensors: by our names. name: what errors call them. Raises BadInput.
    """
    tensors = dict(tensors)
    for module in [key.removesuffix(".running_var") for key in tensors if key.endswith(".running_var")]:
        tensors.setdefault(f"{module}.num_batches_tracked", torch.zeros((), dtype=torch.int64))
    in_channels = _extent(tensors, ("stem.weight", "encoder.0.stem.conv.weight"), axis=1)
    out_channels = _extent(tensors, ("sides.0.weight",), axis=0)
    if in_channels is None or out_channels is None:
        missing = "encoder.0.stem.conv.weight" if in_channels is None else "sides.0.weight"
        first = ", ".join(list(tensors)[:3]) or "nothing"
        raise BadInput(f"{name}: holds no U²-Net: it lacks the tensor {missing}; it has {first} …")
    problems: dict[str, list[str]] = {}
    for variant in VARIANTS:
        with torch.device("meta"):
            network = U2Net(variant, in_channels=in_channels, out_channels=out_channels)
        problems[variant] = _differences(network, tensors)
        if not problems[variant]:
            network.load_state_dict(tensors, assign=True)
            network.requires_grad_(True)
            return network.eval()
    nearest = min(problems, key=lambda variant: len(problems[variant]))
    found = problems[nearest]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise BadInput(f"{name}: is no variant of the network; nearest is {nearest}, but {'; '.join(found[:5])}{more}")


def _differences(network: U2Net, tensors: Mapping[str, Tensor]) -> list[str]:
    expected = network.state_dict()
    found = [f"{key} is missing" for key in expected if key not in tensors]
    found += [f"{key} is unknown" for key in tensors if key not in expected]
    return found + [
        f"{key} has shape {tuple(tensors[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in tensors and tensors[key].shape != expected[key].shape
    ]


def _extent(tensors: Mapping[str, Tensor], names: tuple[str, ...], *, axis: int) -> int | None:
    return next((tensors[name].shape[axis] for name in names if name in tensors and tensors[name].ndim == 4), None)


def find(source: str | Path) -> tuple[Path, ModelCard | None]:
    """The file that `load` takes, fetched where it is not here, and the card of a model known by name."""
    path = Path(source)
    if path.suffix.lower() in SUFFIXES or path.name != str(source):
        if not path.is_file():
            raise BadInput(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}")
        return path, None
    spec = find_model(str(source))
    return weights.locate(spec), _card_of(spec)


def _card_of(spec: ModelSpec) -> ModelCard:
    return ModelCard(
        variant="",
        kind=spec.kind,
        size=spec.size,
        scale=spec.scale,
        mean=spec.mean,
        std=spec.std,
        stretch=spec.stretch,
        data=spec.training_data,
        licence=spec.licence,
    )


def _read(path: Path) -> tuple[dict[str, Tensor], ModelCard | None]:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        known = next((spec for spec in MODELS.values() if path.name == spec.file), None)
        tensors = read_onnx(path)
        return tensors, read_card(path) or (_card_of(known) if known else None)
    if suffix == ".safetensors":
        return _read_safetensors(path)
    return to_own_names(_read_pickle(path)), None


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], ModelCard | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stream:
            text = (stream.metadata() or {}).get(KEY)
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: is not a safetensors file that can be read ({error})") from error
    return to_own_names(_in_f32(tensors)), card_in(path, text) if text else None


def _read_pickle(path: Path) -> dict[str, Tensor]:
    """A state dict, or what scripts put around one. Only tensors and plain values are ever unpickled."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old files torch says that they are old
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (*DAMAGE, pickle.UnpicklingError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInput(f"{path}: holds no weights that can be read safely ({reason})") from error
    if isinstance(found, Mapping) and PART_KEY in found:
        raise BadInput(
            f"{path}: is part of the state of a run, for --resume; its weights are best.safetensors beside it"
        )
    for key in ("state_dict", "model_state_dict", "model", "network"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BadInput(f"{path}: holds no state dict: a mapping of names to tensors")
    return _in_f32({str(name): tensor for name, tensor in found.items()})


def _in_f32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All but the counters of norms, which are whole numbers."""
    return {
        name: tensor if name.endswith("num_batches_tracked") else tensor.float() for name, tensor in tensors.items()
    }
