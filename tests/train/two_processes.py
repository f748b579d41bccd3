"""What torchrun starts in test_distributed.py: a run of the tiny variant. Arguments: the settings, the folder."""

import sys
from pathlib import Path

import torch

from support.tiny import add_tiny
from u2net.train.config import TrainConfig
from u2net.train.loop import train

torch.set_num_threads(1)
add_tiny()
train(TrainConfig.from_json(Path(sys.argv[1]).read_text(), sys.argv[1]), Path(sys.argv[2]))
