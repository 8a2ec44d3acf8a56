"""One thread a test: the suite runs in several processes, and small tensors gain nothing from more."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
