"""Any network that a user has as an ONNX file: it is a graph of numbers, and nothing in it is unpickled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.auditing.features.pictures import BATCH, Pictures, feature_rows, resized, unit_scale, with_channels
from pushforward.errors import InputError

__all__ = ["onnx"]


@dataclass(frozen=True)
class Layout:
    """How a graph wants its pictures; ``None`` leaves it to them."""

    batch: int | None
    channels: int | None
    height: int | None
    width: int | None
    channels_last: bool

    @classmethod
    def of(cls, shape: Sequence[int | str | None]) -> Layout:
        """Read off a declared shape of four axes; names and unknown lengths are open."""
        batch, *rest = (n if isinstance(n, int) and n > 0 else None for n in shape)
        last = rest[2] in (1, 3) and rest[0] not in (1, 3)
        channels, height, width = (rest[2], rest[0], rest[1]) if last else rest
        return cls(batch, channels, height, width, last)


def onnx(sets: Sequence[Pictures], path: str) -> tuple[Float[np.ndarray, "N d"], str]:
    """The first output of an ONNX graph, averaged over places or tokens if it has any.

    The pictures enter as float32 in 0…1, resized (antialiased, cubic) where the file fixes a size and turned to
    grey or RGB where it fixes the channels. A network that expects another range, such as ImageNet's, is to be
    exported with that first step inside.

    Arguments:
        sets: Pictures of one size.
        path: The file.

    Raises:
        InputError: if onnxruntime is not installed, the file is missing or not such a graph, or its output is
        not finite.
    """
    name, session = Path(path).name, _session(Path(path))
    layout, scale = _layout(name, session.get_inputs()), unit_scale(sets)

    def features(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        fed = _prepared(x * scale, layout)
        try:
            output = session.run(None, {session.get_inputs()[0].name: fed.numpy()})[0]
        except Exception as error:  # onnxruntime's errors have no root of their own
            raise InputError(f"{name} cannot take pictures of shape {tuple(fed.shape[1:])}: {_line(error)}") from error
        return _pooled(name, output, len(fed), layout.channels_last)[: len(x)]

    rows = feature_rows(features, sets, layout.batch or BATCH)
    if not np.isfinite(rows).all():
        raise InputError(f"{name} answers with values that are not finite: check its weights and the range it expects")
    return rows, f"{name}, {rows.shape[1]:,} features"


def _session(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"there is no file {path}: give the path of an ONNX file, as in onnx:network.onnx")
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError("onnx features need onnxruntime: pip install 'pushforward[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said once, by the error
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"{path} is not a usable ONNX file: {_line(error)}; export the network anew") from error


def _layout(name: str, inputs: Sequence[Any]) -> Layout:
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        given = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs) or "no input"
        raise InputError(f"{name} takes {given}, but features need one float32 input of four axes, (N, C, H, W)")
    return Layout.of(inputs[0].shape)


def _prepared(x: Float[Tensor, "b c h w"], layout: Layout) -> Tensor:
    """Of the size, channels, order and number that the graph asks for."""
    x = with_channels(x, layout.channels or x.shape[1])
    x = resized(x, (layout.height or x.shape[2], layout.width or x.shape[3]))
    x = x.movedim(1, -1) if layout.channels_last else x
    missing = (layout.batch or len(x)) - len(x)
    return torch.cat([x, x[-1:].expand(missing, -1, -1, -1)]).contiguous()


def _pooled(name: str, output: np.ndarray, count: int, channels_last: bool) -> Float[Tensor, "b d"]:
    x = torch.from_numpy(np.asarray(output, np.float32))
    if x.ndim not in (2, 3, 4) or len(x) != count:
        raise InputError(
            f"{name} answers {count} pictures with shape {tuple(x.shape)}, but features need "
            f"({count}, D), ({count}, T, D) or ({count}, C, H, W): export the layer before the last"
        )
    places = (1, 2) if channels_last else (2, 3)
    return x if x.ndim == 2 else x.mean(1 if x.ndim == 3 else places)


def _line(error: Exception) -> str:
    """The first line of what onnxruntime says, less its own codes."""
    return str(error).strip().splitlines()[0].split(" : ")[-1].rstrip(".")
