"""One thread a process: what is compared bit by bit must not depend on how a machine shares out its work."""

import torch

torch.set_num_threads(1)
