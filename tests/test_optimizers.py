"""Two optimisers as one: each part does what it would do alone, and a stop in between changes nothing."""

import pytest
import torch

from labelkit.optimizers import SideBySide
from labelkit.training import constant, train


class Pair(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)

    def training_step(self, batch):
        return {"loss": self.a(batch).square().sum() + (self.b(batch) - 1).square().sum()}


class Batches:
    def __getitem__(self, step):
        return torch.randn(4, 3, generator=torch.Generator().manual_seed(step))


def parts(pair):
    sgd = torch.optim.SGD(pair.a.parameters(), lr=0.01, momentum=0.9)
    return sgd, torch.optim.Adam(pair.b.parameters(), lr=0.02)


def test_each_part_steps_as_it_would_alone_under_the_schedule():
    together, alone = Pair(), Pair()
    train(together, Batches(), steps=7, optimizer=SideBySide(parts(together)))
    for name, optimizer in zip("ab", parts(alone)):
        train(alone, Batches(), steps=7, optimizer=optimizer)
        for found, wanted in zip(getattr(together, name).parameters(), getattr(alone, name).parameters()):
            torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, broken, resumed = Pair(), Pair(), Pair()
    train(whole, Batches(), steps=8, optimizer=SideBySide(parts(whole)), schedule=constant())
    keep = {"checkpoint": tmp_path / "c.pt", "checkpoint_every": 4, "schedule": constant()}

    class Fails(Batches):
        def __getitem__(self, step):
            if step == 6:
                raise RuntimeError("power cut")
            return super().__getitem__(step)

    with pytest.raises(RuntimeError, match="power cut"):
        train(broken, Fails(), steps=8, optimizer=SideBySide(parts(broken)), **keep)
    train(resumed, Batches(), steps=8, optimizer=SideBySide(parts(resumed)), **keep)
    for found, wanted in zip(resumed.parameters(), whole.parameters()):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_a_parameter_has_one_owner():
    pair = Pair()
    with pytest.raises(ValueError, match="belongs to two optimisers"):
        SideBySide([torch.optim.SGD(pair.parameters(), lr=1.0), torch.optim.Adam(pair.a.parameters())])
