"""Memory of a training step: a chain whose kept tensors can be counted by hand."""

import torch

from labelkit.metrics.cost import step_memory


class Chain(torch.nn.Module):
    def __init__(self, twice):
        super().__init__()
        self.first, self.twice = torch.nn.Linear(256, 512, bias=False), twice

    def training_step(self, batch):
        hidden = self.first(batch).exp()  # exp keeps its result
        loss = hidden.square().sum()  # square keeps its input, the same tensor
        return {"loss": loss + (self.first(batch + 1).exp().sum() if self.twice else 0)}


def test_tensors_are_counted_once_and_weights_apart():
    batch = torch.randn(1024, 256) * 0.01
    once, twice = (step_memory(Chain(each), batch) for each in (False, True))
    mib = 2**-20
    assert once["weights"] == 256 * 512 * 4 * mib
    # The input of the linear layer, and the result of exp.
    assert once["activations"] == (1024 * 256 + 1024 * 512) * 4 * mib
    assert twice["activations"] == 2 * once["activations"]
    assert once["total"] == once["activations"] + 2 * once["weights"]


def test_gradients_that_were_there_stay():
    chain, batch = Chain(False), torch.zeros(2, 256)
    chain.first.weight.grad = torch.ones_like(chain.first.weight)
    step_memory(chain, batch)
    assert (chain.first.weight.grad == 1).all()
