"""Clips with flow both ways: what `StreetClips` has too is equal, and the way back is the way there reversed."""

import pickle

import pytest
import torch

from labelkit.worlds.street_clips import StreetVideo, parts
from labelkit.worlds.streets import StreetClips

SIZE = {"height": 32, "width": 48}


def same(one, other):
    return all(one[k] == v if k == "name" else torch.equal(one[k], v) for k, v in other.items())


@pytest.mark.parametrize("domain", ["sim", "real"])
def test_shared_keys_are_those_of_street_clips(domain):
    video = StreetVideo("val", 3, domain=domain, seed=4, frames=3, **SIZE)
    clip = StreetClips("val", 3, domain=domain, seed=4, frames=3, **SIZE)[2]
    first, again = video[2], video[2]
    assert set(first) - set(clip) == {"flow_back", "occluded_back"}
    assert same(first, clip) and same(again, first)
    assert all(first[k].dtype == v.dtype for k, v in clip.items() if k != "name")
    assert first["flow_back"].shape == (2, 2, 32, 48) and first["occluded_back"].dtype == torch.bool


def test_the_way_back_is_the_way_there_reversed():
    clip = StreetVideo("train", 1, seed=1, frames=3, height=64, width=96)[0]
    for t in range(2):
        there, back = clip["flow"][t], clip["flow_back"][t]
        surface = clip["masks"][t] * 1000 + clip["instances"][t], clip["masks"][t + 1] * 1000 + clip["instances"][t + 1]
        rows, columns = torch.where(~clip["occluded"][t])
        x, y = (columns + there[0][rows, columns]).round(), (rows + there[1][rows, columns]).round()
        stays = (x >= 0) & (x < 96) & (y >= 0) & (y < 64)
        rows, columns, x, y = (each[stays].long() for each in (rows, columns, x, y))
        lands = surface[0][rows, columns] == surface[1][y, x]  # rounding may land on the neighbour's surface
        gap = (there[:, rows, columns] + back[:, y, x]).norm(dim=0)[lands]
        assert lands.float().mean() > 0.9 and gap.median() < 0.1 and gap.quantile(0.95) < 1


def test_what_is_kept_is_not_touched_and_not_sent_along():
    video = StreetVideo("train", 2, frames=2, **SIZE)
    before = video[0]["flow_back"].clone()
    video[0]["flow_back"].zero_()
    assert torch.equal(video[0]["flow_back"], before) and set(video._kept) == {0}
    assert pickle.loads(pickle.dumps(video))._kept == {}
    nothing = StreetVideo("train", 2, frames=2, keep_mib=0, **SIZE)
    assert same(nothing[0], video[0]) and not nothing._kept and nothing.fingerprint == video.fingerprint


def test_parts_and_bad_arguments():
    found = parts("sim", **SIZE, lengths={"train": 3, "test": 2}, frames=2, seed=7)
    assert {part: (len(d), d.domain, d.split, d.seed) for part, d in found.items()} == {
        "train": (3, "sim", "train", 7), "test": (2, "sim", "test", 7),
    }  # fmt: skip
    assert found["train"].fingerprint != found["test"].fingerprint
    assert found["train"].fingerprint != StreetClips("train", 3, domain="sim", seed=7, frames=2, **SIZE).fingerprint
    alone = StreetVideo("train", 1, frames=1, **SIZE)[0]
    assert alone["flow_back"].shape == (0, 2, 32, 48) and alone["frames"].shape[0] == 1
    with pytest.raises(ValueError, match="keep_mib is -1"):
        StreetVideo(keep_mib=-1)
    with pytest.raises(ValueError, match="domain is 'dusk'"):
        parts("dusk", **SIZE, lengths={"train": 1})
    with pytest.raises(IndexError, match="index 3"):
        found["train"][3]
