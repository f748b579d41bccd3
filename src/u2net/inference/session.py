"""A loaded model. Engines make one; users get theirs from `open_session`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from u2net.errors import BadInput
from u2net.models.spec import ModelSpec
from u2net.types import Map, Tensor

log = logging.getLogger("u2net")

Engine: TypeAlias = Literal["auto", "openvino", "onnxruntime"]
Device: TypeAlias = Literal["auto", "cpu", "gpu", "npu", "cuda", "coreml", "directml", "rocm"]
Precision: TypeAlias = Literal["auto", "f32", "bf16", "int8"]

ENGINES: tuple[Engine, ...] = ("auto", "openvino", "onnxruntime")
PRECISIONS: tuple[Precision, ...] = ("auto", "f32", "bf16", "int8")
DEVICES_OF_ENGINE: dict[str, tuple[str, ...]] = {
    "openvino": ("cpu", "gpu", "npu"),
    "onnxruntime": ("cpu", "cuda", "coreml", "directml", "rocm"),
}


@dataclass(frozen=True, eq=False)
class Session:
    """A model, loaded once; any number of threads may share it.

    spec: how pictures go in and maps come out. engine, device, precision: what really runs, never `auto`.
    infer: (1, 3, h, w) to all the maps that the file has, each (1, C, h, w), in the file's order; at most `requests`
    threads may be in it. opened_by: the call that opens a session like this one.
    A session pickles as that call: another process that gets it opens one with the same arguments, once.

    >>> with u2net.open_session("u2netp", precision="f32") as session:
    ...     session.device, session.precision, session.spec.size
    ('cpu', 'f32', (320, 320))
    """

    spec: ModelSpec
    engine: str
    device: str
    precision: str
    infer: Callable[[Tensor], list[Map]] = field(repr=False)
    requests: int = 1
    opened_by: partial[Session] | None = field(default=None, repr=False)
    _turns: threading.Semaphore = field(init=False, repr=False)
    _queue: ThreadPoolExecutor = field(init=False, repr=False)
    _closed: threading.Event = field(default_factory=threading.Event, repr=False)
    _closing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_turns", threading.Semaphore(self.requests))
        object.__setattr__(self, "_queue", ThreadPoolExecutor(self.requests, "u2net"))

    def run(self, tensor: Tensor, *, outputs: Literal["fused", "all"] = "fused") -> Map:
        """Run the network.

        tensor: (N, 3, h, w) float32, as `transforms.from_pixels` makes it.
        Returns (N, C, h, w) float32, probabilities: C is 1 for the fused map of a saliency model; with
        outputs="all" the side outputs follow on the same axis.
        Raises BadInput for another shape or a closed session.
        """
        expected = ("N", 3, *self.spec.size) if self.spec.fit != "native" else ("N", 3, "h", "w")
        fits = tensor.ndim == 4 and all(want in (got, "N", "h", "w") for want, got in zip(expected, tensor.shape))  # noqa: B905
        if not fits:
            raise BadInput(f"expected a tensor of shape {expected}, got {tensor.shape}")
        tensor = np.ascontiguousarray(tensor, dtype=np.float32)
        maps = []
        for one in np.split(tensor, tensor.shape[0]):
            with self._turns:
                if self._closed.is_set():
                    raise BadInput("the session is closed; open another one")
                found = self.infer(one)
            maps.append(np.concatenate(found if outputs == "all" else found[:1], axis=1))
        return _activated(np.concatenate(maps), self.spec)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def __reduce__(self) -> tuple[partial[Session], tuple[()]]:
        """Raises BadInput for a session without `opened_by`."""
        if self.opened_by is None:
            raise BadInput(
                "only a session of u2net.open_session can be pickled; this one does not know how it was opened"
            )
        return self.opened_by, ()

    def submit(self, tensor: Tensor) -> Future[Map]:
        """Queue `run(tensor)` and return at once; the future gives its result."""
        return self._queue.submit(self.run, tensor)

    def close(self) -> None:
        """Wait for what is running and refuse what comes later."""
        self._queue.shutdown()
        with self._closing:
            self._closed.set()
            for _ in range(self.requests):
                self._turns.acquire()
            self._turns.release(self.requests)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _activated(maps: Map, spec: ModelSpec) -> Map:
    logits = spec.activation == "sigmoid" or (
        spec.activation == "detect" and spec.kind == "saliency" and (maps.min() < -1e-3 or maps.max() > 1 + 1e-3)
    )
    if logits:
        with np.errstate(over="ignore"):  # exp of a large number is infinity, and 1 / infinity the right answer
            maps = (1 / (1 + np.exp(-maps))).astype(np.float32)
    return 1 - maps if spec.invert else maps
