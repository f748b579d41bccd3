"""Weights in and out: the published files in three formats, our own, and what is refused."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_bytes

import u2net
from support import tiny
from support.small_onnx import small_network
from u2net.errors import BadInput, CannotWrite
from u2net.inference.session import Session
from u2net.inference.transforms import from_pixels
from u2net.models import weights
from u2net.models.card import ModelCard
from u2net.models.registry import MODELS
from u2net.networks.checkpoint import load, save
from u2net.networks.published_weights import fill_norms, to_own_names
from u2net.networks.u2net import U2Net
from u2net.train.resume import State, save_state


def published_names(network: U2Net) -> dict[str, torch.Tensor]:
    """The state dict as the authors' class would name it, by position: their order of definition is ours of running."""
    theirs = []
    heights = [(7, "1"), (6, "2"), (5, "3"), (4, "4"), (4, "5"), (4, "6"), (4, "5d"), (4, "4d"), (5, "3d"), (6, "2d")]
    for height, stage in [*heights, (7, "1d")]:
        units = ["in", *range(1, height + 1), *(f"{level}d" for level in range(height - 1, 0, -1))]
        for unit in units:
            theirs += [f"stage{stage}.rebnconv{unit}.{part}" for part in ("conv_s1", "bn_s1")]
    theirs += [f"side{number}" for number in range(1, 7)] + ["outconv"]
    modules = [module for module in network.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.BatchNorm2d))]
    assert len(theirs) == len(modules)
    return {
        f"{name}.{leaf}": tensor
        for name, module in zip(theirs, modules, strict=True)
        for leaf, tensor in module.state_dict().items()
    }


@pytest.fixture(scope="module")
def random_network() -> U2Net:
    return tiny.random_network()


def same(left: U2Net, right: U2Net) -> bool:
    with torch.inference_mode():
        picture = torch.rand(1, 3, 64, 48)
        return all(torch.equal(a, b) for a, b in zip(left(picture), right(picture), strict=True))


@pytest.mark.parametrize(
    ("prefix", "tracked", "count", "around"),
    [
        ("", True, 798, None),
        ("", False, 686, "state_dict"),
        ("module.", True, 798, "state_dict"),
        ("module.", False, 686, None),
    ],
)
def test_a_published_checkpoint_loads(
    prefix: str, tracked: bool, count: int, around: str | None, random_network: U2Net, tmp_path: Path
) -> None:
    tensors = {
        prefix + name: tensor
        for name, tensor in published_names(random_network).items()
        if tracked or not name.endswith("num_batches_tracked")
    }
    assert len(tensors) == count
    assert f"{prefix}stage1.rebnconvin.conv_s1.weight" in tensors
    torch.save({around: tensors, "epoch": 3} if around else tensors, tmp_path / "u2netp.pth")
    network, card = load(tmp_path / "u2netp.pth")
    assert same(network, random_network)
    assert (card.variant, card.in_channels, card.out_channels) == ("u2netp", 3, 1)


@pytest.mark.parametrize("variant", ["u2net", "u2netp", "isnet"])
@pytest.mark.parametrize("channels", [(3, 1), (3, 3), (4, 4)])
def test_variant_and_channels_are_read_from_the_shapes(variant: str, channels: tuple[int, int], tmp_path: Path) -> None:
    network = U2Net(variant, in_channels=channels[0], out_channels=channels[1])
    torch.save(network.state_dict(), tmp_path / "some.pt")
    _, card = load(tmp_path / "some.pt")
    assert (card.variant, card.in_channels, card.out_channels) == (variant, *channels)


def test_safetensors_keep_numbers_and_card(random_network: U2Net, tmp_path: Path) -> None:
    card = ModelCard("u2netp", size=(288, 288), data="16 pictures", recipe={"lr": 0.001}, metrics={"MAE": 0.04})
    save(random_network, tmp_path / "mine.safetensors", card)
    network, read = load(tmp_path / "mine.safetensors")
    assert read == card
    assert same(network, random_network)


@pytest.mark.slow("src/u2net/models/card.py")
@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("model", ["u2netp", "u2net"])
def test_all_seven_maps_equal_those_of_the_published_onnx(
    model: str, reference: Path, session_of: Callable[[str], Session]
) -> None:
    import onnxruntime

    network, card = load(model)
    assert (card.variant, card.data) == (model, "DUTS-TR")
    theirs = onnxruntime.InferenceSession(str(weights.locate(MODELS[model])), providers=["CPUExecutionProvider"])
    pictures = sorted((reference / "reference" / "salient" / "images").iterdir())
    for path in pictures[:4]:
        tensor = from_pixels(u2net.read(path).pixels, MODELS[model])
        expected = theirs.run(None, {theirs.get_inputs()[0].name: tensor})
        # Float sums in another order: oneDNN's are up to 1.0e-4 from those in double precision, torch's own 2.7e-5.
        with torch.inference_mode(), torch.backends.mkldnn.flags(enabled=model != "u2netp"):
            found = [torch.sigmoid(one).numpy() for one in network(torch.from_numpy(tensor))]
        worst = [float(np.abs(ours - one).max()) for ours, one in zip(found, expected, strict=True)]
        assert len(worst) == 7
        assert max(worst) <= 1e-4, worst
        assert max(float(one.max()) for one in found) > 0.9  # there is something to compare


@pytest.mark.slow("src/u2net/models/card.py")
def test_norms_filled_with_pictures_start_training_where_evaluation_is(reference: Path) -> None:
    network, _ = load("u2netp")
    paths = sorted((reference / "ecssd-100" / "images").iterdir())
    spec = MODELS["u2netp"]
    tensors = torch.from_numpy(np.concatenate([from_pixels(u2net.read(path).pixels, spec) for path in paths[:48]]))
    pictures = torch.nn.functional.interpolate(tensors, size=(160, 160), mode="bilinear")
    with torch.no_grad():
        before = torch.sigmoid(network(pictures[:16])[0])
        unfilled = torch.sigmoid(network.train()(pictures[:16])[0])
    network, _ = load("u2netp")
    fill_norms(network, pictures[16:].split(8))
    assert not network.training
    with torch.no_grad():
        after = torch.sigmoid(network(pictures[:16])[0])
        training = torch.sigmoid(network.train()(pictures[:16])[0])
    assert (before - after).abs().max() < 1e-3  # evaluation mode is untouched
    assert (before - training).abs().mean() < 0.03
    assert (before - unfilled).abs().mean() > 0.1  # what happens without


def test_norms_with_statistics_of_their_own_are_kept(random_network: U2Net) -> None:
    before = {name: tensor.clone() for name, tensor in random_network.state_dict().items()}
    fill_norms(random_network, [torch.rand(2, 3, 64, 64)])
    assert all(torch.equal(before[name], tensor) for name, tensor in random_network.state_dict().items())


def test_missing_unknown_and_misshapen_tensors_are_named(random_network: U2Net, tmp_path: Path) -> None:
    tensors = published_names(random_network)
    del tensors["stage3.rebnconv2.conv_s1.bias"]
    tensors["stage9.extra"] = torch.zeros(1)
    tensors["side2.weight"] = torch.zeros(1, 32, 3, 3)
    torch.save(tensors, tmp_path / "bad.pth")
    with pytest.raises(BadInput) as caught:
        load(tmp_path / "bad.pth")
    message = str(caught.value)
    assert "nearest is u2netp" in message
    assert "encoder.2.encoder.1.conv.bias is missing" in message
    assert "stage9.extra is unknown" in message
    assert "sides.1.weight has shape (1, 32, 3, 3) instead of (1, 64, 3, 3)" in message


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never be printed",)


@pytest.mark.parametrize(
    "content",
    [b"", b"no weights", pickle.dumps(_Evil(), 2), pickle.dumps([1, 2], 2), pickle.dumps({"a": torch.zeros(2)}, 2)],
    ids=["empty", "text", "code", "list", "other network"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".onnx"])
def test_a_file_without_weights_is_one_sentence(
    content: bytes, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "never" not in capsys.readouterr().out


def test_a_damaged_file_is_one_sentence_wherever_it_was_cut(random_network: U2Net, tmp_path: Path) -> None:
    """Also the format of old, which is what the published files are in."""
    tensors = dict(list(random_network.state_dict().items())[:6])
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(tensors, tmp_path / "new.pth")
    (tmp_path / "whole.onnx").write_bytes(small_network(32))
    for whole in sorted(tmp_path.iterdir()):
        data = whole.read_bytes()
        rng = np.random.default_rng(0)
        places = rng.integers(0, len(data), 60).tolist()
        damaged = [data[:place] for place in places] + [
            data[:place] + bytes([value]) + data[place + 1 :]
            for place, value in zip(places, rng.integers(0, 256, 60).tolist(), strict=True)
        ]
        for one in damaged:
            path = tmp_path / f"damaged{whole.suffix}"
            path.write_bytes(one)
            with pytest.raises(BadInput) as caught:
                load(path)
            assert str(path) in str(caught.value)


def test_an_onnx_file_whose_weights_lie_in_another_file_that_is_gone(tmp_path: Path) -> None:
    import onnx

    model = onnx.load_from_string(small_network(32))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="gone.data")
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BadInput, match=r"mine.onnx: is not an ONNX file that can be read .*gone.data"):
        load(tmp_path / "mine.onnx")


def test_the_state_of_a_run_is_no_checkpoint(random_network: U2Net, tmp_path: Path) -> None:
    save_state(State(step=7, network=random_network.state_dict(), card="{}"), tmp_path)
    with pytest.raises(BadInput, match=r"its weights are best.safetensors"):
        load(tmp_path / "state-000007-network.pt")


def test_weights_in_half_precision_are_computed_with_in_f32(random_network: U2Net, tmp_path: Path) -> None:
    half = {name: tensor.half() for name, tensor in random_network.state_dict().items()}
    (tmp_path / "half.safetensors").write_bytes(to_bytes({name: tensor.contiguous() for name, tensor in half.items()}))
    network, _ = load(tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_pictures_go_in_as_the_variant_takes_them_where_nothing_is_said(tmp_path: Path) -> None:
    for variant, name in (("isnet", "isnet-general-use"), ("u2netp", "u2net")):
        torch.save(U2Net(variant).state_dict(), tmp_path / "mine.pth")
        _, card = load(tmp_path / "mine.pth")
        spec = MODELS[name]
        assert (card.size, card.scale, card.mean, card.std) == (spec.size, spec.scale, spec.mean, spec.std)
        assert (card.variant, card.licence, card.data) == (variant, "", "")


def test_a_card_of_other_maps_is_refused(random_network: U2Net, tmp_path: Path) -> None:
    save(random_network, tmp_path / "mine.safetensors", ModelCard("u2netp", kind="classes", out_channels=4))
    with pytest.raises(BadInput, match="its card says classes of 4 channels, but it has 1"):
        load(tmp_path / "mine.safetensors")


def test_an_onnx_file_of_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "small.onnx").write_bytes(small_network(32))
    with pytest.raises(BadInput, match="no U²-Net"):
        load(tmp_path / "small.onnx")


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on a file's size")
def test_a_disk_that_is_full_leaves_the_previous_file(
    random_network: U2Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    path = tmp_path / "last.safetensors"
    path.write_bytes(b"the previous one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(CannotWrite, match="as it was"):
            save(random_network, path, ModelCard("u2netp"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"the previous one"
    assert [one.name for one in tmp_path.iterdir()] == ["last.safetensors"]


def test_our_own_names_pass_through() -> None:
    assert list(to_own_names({"encoder.0.stem.conv.weight": torch.zeros(1)})) == ["encoder.0.stem.conv.weight"]
