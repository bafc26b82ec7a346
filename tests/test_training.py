"""The training loop: resume equals uninterrupted, stops that lose nothing, several processes, bad input."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labelkit.files import write_whole
from labelkit.training import Interrupted, constant, poly, train


class Noisy(nn.Module):
    """A method whose step draws random numbers and has buffers, so that a resume must restore both."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(4, 2, 1))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def training_step(self, batch):
        self.calls += 1
        logits = self.net(batch["image"] + 0.1 * torch.rand_like(batch["image"]))
        return {"loss": F.cross_entropy(logits, batch["mask"]), "seen": torch.tensor(1.0)}

    def predict(self, images):
        return self.net(images)


class Made:
    """Batches that are a function of the step; ``stop`` sends a signal when that step is asked for."""

    def __init__(self, stop: int = -1):
        self.stop, self.asked = stop, []

    def __getitem__(self, step):
        self.asked.append(step)
        if step == self.stop:
            os.kill(os.getpid(), signal.SIGTERM)
        generator = torch.Generator().manual_seed(step)
        return {
            "image": torch.rand(2, 3, 8, 8, generator=generator),
            "mask": torch.randint(0, 2, (2, 6, 6), generator=generator),
        }


def fit(steps=20, batches=None, **options):
    method = Noisy()
    options.setdefault("evaluate", lambda step: {"score": float((step * 7) % 11)})
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)
    torch.manual_seed(1)
    history = train(
        method,
        batches or Made(),
        steps=steps,
        optimizer=optimizer,
        evaluate_every=5,
        keep_best="score",
        log_every=3,
        **options,
    )
    return method, history


def assert_same(first, second):
    for (name, a), (_, b) in zip(first[0].state_dict().items(), second[0].state_dict().items()):
        assert torch.equal(a, b), name
    assert first[1].series == second[1].series
    assert first[1].best_step == second[1].best_step
    for name, value in first[1].best_weights.items():
        assert torch.equal(value, second[1].best_weights[name]), name


def test_resume_after_an_error_is_bit_identical(tmp_path):
    class Breaks(Made):
        def __getitem__(self, step):
            if step == 13:
                raise RuntimeError("power cut")
            return super().__getitem__(step)

    checkpoint = tmp_path / "c.pt"
    with pytest.raises(RuntimeError, match="power cut"):
        fit(batches=Breaks(), checkpoint=checkpoint, checkpoint_every=4)
    resumed = Made()
    result = fit(batches=resumed, checkpoint=checkpoint, checkpoint_every=4)
    assert resumed.asked == list(range(12, 20)), "the checkpoint of step 12 was not used"
    assert_same(result, fit())


def test_sigterm_saves_at_the_next_step_and_resumes(tmp_path):
    checkpoint = tmp_path / "c.pt"
    with pytest.raises(Interrupted) as stopped:
        fit(batches=Made(stop=7), checkpoint=checkpoint)
    assert stopped.value.code == 143 and "step 8" in str(stopped.value)
    resumed = Made()
    result = fit(batches=resumed, checkpoint=checkpoint)
    assert resumed.asked[0] == 8
    assert_same(result, fit())


class Parts(Made):
    """The batches of ``Made`` in two parts of one image each."""

    def __getitem__(self, index):
        step, part = divmod(index, 2)
        whole = super().__getitem__(step)
        self.asked[-1] = (step, part)
        return {name: value[part : part + 1] for name, value in whole.items()}


def test_a_run_in_parts_resumes_bit_identically_and_stops_between_steps(tmp_path):
    class Breaks(Parts):
        def __getitem__(self, index):
            if index == 27:  # in the middle of step 13
                raise RuntimeError("power cut")
            return super().__getitem__(index)

    whole, checkpoint = fit(batches=Parts(), accumulate=2), tmp_path / "c.pt"
    with pytest.raises(RuntimeError, match="power cut"):
        fit(batches=Breaks(), accumulate=2, checkpoint=checkpoint, checkpoint_every=4)
    resumed = Parts()
    assert_same(fit(batches=resumed, accumulate=2, checkpoint=checkpoint, checkpoint_every=4), whole)
    assert resumed.asked == [(step, part) for step in range(12, 20) for part in (0, 1)]

    checkpoint.unlink()
    with pytest.raises(Interrupted) as stopped:
        fit(batches=Parts(stop=7), accumulate=2, checkpoint=checkpoint)
    assert stopped.value.step == 8, "the signal came in the first part of step 7, which has two"
    assert_same(fit(batches=Parts(), accumulate=2, checkpoint=checkpoint), whole)


def test_a_step_in_parts_is_the_step_on_the_joined_batch():
    """Gradient, clipping and schedule are those of the joined batch; series hold means over its parts."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Conv2d(3, 2, 3).double()

        def training_step(self, batch):
            return {"loss": F.cross_entropy(self.net(batch["image"].double()), batch["mask"])}

    def fitted(batches, accumulate):
        method = Linear()
        optimizer = torch.optim.SGD(method.parameters(), lr=1.0, momentum=0.9)
        history = train(method, batches, steps=5, optimizer=optimizer, accumulate=accumulate, clip_norm=0.3)
        return method.net.weight, [value for _, value in history.series["loss"]]

    (weight, series), (expected, whole) = fitted(Parts(), 2), fitted(Made(), 1)
    torch.testing.assert_close(weight, expected, rtol=0, atol=1e-12)
    assert series == pytest.approx(whole, abs=1e-12)


SCRIPT = """
    import sys, torch
    torch.set_num_threads(1)
    sys.path.insert(0, {tests!r})
    from test_training import Made, fit
    import time
    class Slow(Made):
        def __getitem__(self, step):
            time.sleep(0.02)
            return super().__getitem__(step)
    fit(steps=200, batches=Slow(), checkpoint=sys.argv[1], checkpoint_every=10)
"""


def test_kill_9_in_mid_training_then_resume_equals_uninterrupted(tmp_path):
    script, checkpoint = tmp_path / "job.py", tmp_path / "c.pt"
    script.write_text(textwrap.dedent(SCRIPT.format(tests=str(Path(__file__).parent))))
    job = subprocess.Popen([sys.executable, str(script), str(checkpoint)])
    deadline = time.time() + 120
    while not checkpoint.exists() and time.time() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL, "the job ended before it was killed"
    resumed = Made()
    result = fit(steps=200, batches=resumed, checkpoint=checkpoint)
    assert 10 <= resumed.asked[0] < 200
    assert_same(result, fit(steps=200))


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"not a checkpoint"])
def test_corrupt_checkpoint_is_named(tmp_path, damage):
    checkpoint = tmp_path / "c.pt"
    fit(steps=5, checkpoint=checkpoint, checkpoint_every=5)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(ValueError, match=r"c\.pt: not a readable checkpoint .*delete it"):
        fit(steps=5, checkpoint=checkpoint)


def test_checkpoint_of_another_run_is_refused(tmp_path):
    checkpoint = tmp_path / "c.pt"
    fit(steps=5, checkpoint=checkpoint, checkpoint_every=5, identity="one")
    with pytest.raises(ValueError, match="another run"):
        fit(steps=5, checkpoint=checkpoint, identity="two")
    with pytest.raises(ValueError, match="only 4 steps"):
        fit(steps=4, checkpoint=checkpoint, identity="one")


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "record.json"
    target.write_text("old")

    def half(path):
        path.write_text("half a rec")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"record\.json: could not be written \(No space left"):
        write_whole(target, half)
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_loss_that_is_not_finite_stops_with_the_step():
    class Explodes(Noisy):
        def training_step(self, batch):
            return {"loss": super().training_step(batch)["loss"] * float("inf")}

    method = Explodes()
    with pytest.raises(FloatingPointError, match="before step 3: loss"):
        train(method, Made(), steps=9, optimizer=torch.optim.SGD(method.parameters(), lr=0.1), log_every=3)


def test_schedules():
    assert poly(0.9)(0, 100) == 1.0
    assert poly(0.9)(50, 100) == pytest.approx(0.5**0.9)
    assert constant()(70, 100) == 1.0
    method = Noisy()
    optimizer = torch.optim.SGD(method.parameters(), lr=0.2)
    train(method, Made(), steps=4, optimizer=optimizer, schedule=poly(1.0))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * (1 - 3 / 4))  # set before the step, from 0


def test_clipping_bounds_the_gradient():
    method = Noisy()
    before = {name: value.clone() for name, value in method.named_parameters()}
    train(method, Made(), steps=1, optimizer=torch.optim.SGD(method.parameters(), lr=1.0), clip_norm=1e-3)
    moved = torch.sqrt(sum(((value - before[name]) ** 2).sum() for name, value in method.named_parameters()))
    assert moved.item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("options", [{"precision": "bf16"}, {"channels_last": True}, {"workers": 1}])
def test_options_reach_the_same_neighbourhood(options):
    torch.manual_seed(1)
    plain, changed = fit()[1].series["loss"], fit(**options)[1].series["loss"]
    assert [step for step, _ in plain] == [step for step, _ in changed]
    assert plain[-1][1] == pytest.approx(changed[-1][1], rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp64"}, "precision is 'fp64'"),
        ({"precision": "fp16"}, "needs a CUDA device"),
        ({"accumulate": 0}, "accumulate is 0; expected at least 1 part"),
        ({"keep_best": "loss"}, r"keep_best is 'loss', but the evaluation gives only \['score'\]"),
    ],
)
def test_bad_arguments(options, message):
    method = Noisy()
    arguments = {
        "optimizer": torch.optim.SGD(method.parameters(), lr=0.1),
        "evaluate": lambda step: {"score": 1.0},
    } | options
    with pytest.raises(ValueError, match=message):
        train(method, Made(), steps=5, evaluate_every=5, **arguments)


PROCESSES = """
    import os, sys, torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn import functional as F
    from labelkit.datasets.streams import Stream
    from labelkit.training import constant, train
    torch.set_num_threads(1)
    class Method(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 2, 1))
        def training_step(self, batch):
            return {"loss": F.cross_entropy(self.net(batch["image"]), batch["mask"])}
    class Data:
        def __getitem__(self, i):
            g = torch.Generator().manual_seed(i)
            image = torch.rand(3, 8, 8, generator=g, dtype=torch.float64)
            return {"image": image, "mask": torch.randint(0, 2, (6, 6), generator=g)}
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    if world > 1:
        dist.init_process_group("gloo")
    method = Method().double()
    jitter = lambda sample, rng: sample | {"image": sample["image"] + rng.random()}
    stream = Stream(Data(), range(16), 4, jitter, seed=3, rank=rank, world_size=world)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1, momentum=0.9)
    train(method, stream, steps=6, optimizer=optimizer, schedule=constant())
    if rank == 0:
        torch.save(method.state_dict(), sys.argv[1])
    if world > 1:
        dist.destroy_process_group()
"""


def test_two_processes_train_as_one_with_the_joined_batch(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(textwrap.dedent(PROCESSES))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    subprocess.run([sys.executable, str(script), str(one)], check=True, env=environment)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*launch, str(script), str(two)], check=True, env=environment, capture_output=True)
    first, second = torch.load(one, weights_only=True), torch.load(two, weights_only=True)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-12)
