"""Where clips lie: the same in memory and read one by one, and then in bounded memory."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cells import context, same_weights, without_time
from torch import nn

from labelkit import runs
from labelkit.datasets.streams import Stream
from labelkit.experiments import video, video_data, video_labels
from labelkit.experiments.video_clips import Maker
from labelkit.experiments.video_phases import Labelled
from labelkit.experiments.video_storage import Read, clips_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "datasets"))
COUNT, MIB = 60, 1 << 20
ROOM = 4  # MiB, less than all clips take and less than their labels
ONE = 6 * 32 * 48  # pixels of a clip
SMALL = {
    "paper": "video", "run": "test", "budget": "smoke", "data": ["street_clips"], "arms": ["vat-vst"], "seeds": [0],
    "steps": 4, "batch_size": 1, "learning_rate": 0.02, "height": 32, "width": 48, "images": 8, "test_images": 4,
    "gap": 1, "window": 2, "discriminator_width": 2, "self_training_steps": 2,
}  # fmt: skip


def settings(**changes):
    return runs.parse(SMALL | changes)


class Films:
    """Clips that are made when asked, with flow, so that the data set itself keeps nothing."""

    name, fingerprint = "films", "f"

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        draw = torch.Generator().manual_seed(index)
        flow = torch.randn(2, 5, 2, 32, 48, generator=draw)
        return {
            "frames": torch.rand(6, 3, 32, 48, generator=draw),
            "masks": torch.randint(0, 7, (6, 32, 48), generator=draw),
            "flow": flow[0], "flow_back": flow[1], "name": f"film {index}",
        }  # fmt: skip


def films(folder, memory, part="target_train"):
    maker = Maker(part, Films(), tuple("abcdefg"), np.zeros((7, 3), np.uint8), None, 1, frames=6, reach=2, flow="auto")
    return clips_of(maker, folder, memory, "cpu")


def taken():
    """Bytes of all tensors that are alive."""
    gc.collect()
    tensors = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return sum({each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}.values())


def highest(samples, before):
    """Bytes above `before` at the most, while one sample after the other is looked at."""
    peak = 0
    for index in range(len(samples)):
        sample = samples[index]
        if index % 30 == 29:
            peak = max(peak, taken() - before)
        del sample
    return peak


def test_what_does_not_fit_is_read_in_bounded_memory(tmp_path):
    """60 clips with flow are 11 MiB as bytes; one is 0.2 MiB, and 0.6 MiB as it is handed out."""
    before = taken()
    lazy = films(tmp_path / "lazy", ROOM)
    assert isinstance(lazy.samples, Read) and not list(tmp_path.glob("lazy/clips-*"))
    peaks = [highest(lazy, before) for _ in range(2)]  # the second time flow is read from its files
    assert max(peaks) < 2 * MIB, peaks
    stream = Stream(lazy, range(COUNT), 2)
    for step in (0, COUNT):
        batch = stream[step]
        assert taken() - before < 4 * MIB
        del batch
    whole = films(tmp_path / "whole", 64)  # the measure can fail: all clips in memory are seen as such
    assert highest(whole, before) > COUNT * ONE * (4 + 16)


def test_labels_that_do_not_fit_lie_in_files(tmp_path):
    predict = nn.Conv2d(3, 7, 1).eval()
    lazy = films(tmp_path / "clips", ROOM)
    lazy.samples.prepare()
    before = taken()
    held, filed = (
        Labelled(predict, lazy, video.ARMS["vat-vst"], settings(memory=memory), "cpu", tmp_path / str(memory))
        for memory in (2048, ROOM)
    )
    assert (
        filed.held is None and len(list((tmp_path / str(ROOM)).iterdir())) == COUNT and not (tmp_path / "2048").exists()
    )
    for index in (0, 47):
        same(held[index], filed[index])
    full = taken() - before
    del held
    assert highest(filed, before) < 3 * MIB < COUNT * ONE * 15 < full
    assert films(tmp_path / "clips", ROOM)[3]["masks"].max() == 6  # the truth of the clips themselves is as it was


def same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key] for key in a)


def test_a_clip_is_the_same_from_memory_from_files_and_from_the_flow_that_was_kept(tmp_path):
    whole = video_data.load("street_clips", settings(), context(tmp_path / "whole"))
    lazy = video_data.load("street_clips", settings(memory=0), context(tmp_path / "lazy"))
    for part in video_data.PARTS:
        ours, theirs = getattr(whole, part), getattr(lazy, part)
        assert isinstance(ours.samples, list) and isinstance(theirs.samples, Read)
        assert len(ours) == len(theirs) and ours.fingerprint == theirs.fingerprint
        for _ in range(2):
            for index in range(len(ours)):
                same(ours[index], theirs[index])


@pytest.fixture(scope="module")
def owners(tmp_path_factory):
    """Miniatures of VIPER and of Cityscapes-VPS in the layouts of their owners."""
    street_trees = pytest.importorskip("street_trees")
    root = tmp_path_factory.mktemp("owners")
    street_trees.viper(root / "viper", instances=False)
    street_trees.vps(root / "cityscapes_vps")
    return root


def test_films_of_viper_and_cityscapes_vps_train_alike_from_memory_and_from_files(tmp_path, owners, monkeypatch):
    pytest.importorskip("cv2")
    from dataclasses import replace

    from labelkit.datasets.pairs import PairedFiles

    chosen = {"data": ["viper_vps"], "height": 32, "width": 64, "frames": 4}
    monkeypatch.setattr(video_labels, "CLIPS", 2)  # measured elsewhere
    read = []
    arrays = PairedFiles.arrays
    monkeypatch.setattr(PairedFiles, "arrays", lambda self, index: read.append(index) or arrays(self, index))
    found = {}
    for memory in (0, 2048):
        here = replace(context(tmp_path / str(memory)), data_root=owners)
        video.prepare(settings(**chosen, memory=memory), here)
        read.clear()
        found[memory] = video.run("vat-vst", "viper_vps", 0, settings(**chosen, memory=memory), here), len(read)
        assert not list(here.workspace.glob("labels-*"))
    (lazy, many), (whole, none) = found[0], found[2048]
    assert without_time(lazy) == without_time(whole) and same_weights(lazy.weights, whole.weights)
    assert many > 0 == none


def test_flow_is_made_beforehand_and_only_where_it_is_missing(tmp_path):
    lazy = films(tmp_path, ROOM)
    lazy.samples.prepare()
    files = sorted(tmp_path.rglob("*.pt"))
    assert len(files) == COUNT
    times = [path.stat().st_mtime_ns for path in files]
    files[3].unlink()
    lazy.samples.prepare()
    assert [path.stat().st_mtime_ns != time for path, time in zip(files, times)] == [i == 3 for i in range(COUNT)]
    assert not list(films(tmp_path / "other", 1, "source_train").samples.folder.parent.glob("flow-*"))


def test_a_broken_file_is_named(tmp_path):
    lazy = films(tmp_path, ROOM)
    lazy.samples.prepare()
    path = sorted(tmp_path.rglob("*.pt"))[5]
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"000005\.pt is broken; delete it, and it is made again"):
        lazy[5]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is broken"):
        lazy[5]
