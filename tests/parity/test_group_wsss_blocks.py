"""The blocks of Group-WSSS against arrays that the authors' code produced (see group_wsss/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.models.coattention import CoAttention
from labelkit.models.conv_gru import ConvGRU
from labelkit.models.graph_dropout import GraphDropout

FOLDER = Path(__file__).parent / "group_wsss"
ATTENTION = {"extra_proja": "receiver_projection", "extra_projb": "sender_projection", "extra_gate": "gate"}
GRU = {"reset_gate": "reset", "update_gate": "update", "out_gate": "candidate"}


def read(name):
    with np.load(FOLDER / name) as file:
        return {key: torch.from_numpy(np.array(file[key])) for key in file.files}


def loaded(module, arrays, names):
    """Our module in double precision with the official weights ``w__<official>.<leaf>``."""
    module = module.double()
    official = {key.removeprefix("w__"): value for key, value in arrays.items() if key.startswith("w__")}
    renamed = {f"{names[key.rsplit('.', 1)[0]]}.{key.rsplit('.', 1)[1]}": value for key, value in official.items()}
    module.load_state_dict(renamed)
    return module


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-9)


def test_affinity_and_message():
    arrays = read("coattention.npz")
    block = loaded(CoAttention(20), arrays, ATTENTION)
    close(block.affinity(arrays["receiver"], arrays["sender"]), arrays["raw_affinity"])
    close(block(arrays["receiver"], arrays["sender"]), arrays["message"])


def test_all_pairs_at_once_give_the_same_message():
    arrays = read("coattention.npz")
    block = loaded(CoAttention(20), arrays, ATTENTION)
    nodes = torch.stack([arrays["sender"][0], arrays["receiver"][0]])[None]
    close(block.between(nodes)[:, 1, 0], arrays["message"])


def test_gated_recurrent_unit():
    arrays = read("convgru_k1.npz")
    unit = loaded(ConvGRU(6, 5, 1), arrays, GRU)
    close(unit(arrays["message"], arrays["state"]), arrays["new_state"])
    close(unit(arrays["message"]), arrays["new_state_from_zero"])


@pytest.mark.parametrize("training", [True, False])
def test_graph_dropout_both_ways_and_in_evaluation(training):
    arrays = read("graph_dropout.npz")
    layer = GraphDropout(float(arrays["drop_rate"]), float(arrays["drop_th"])).train(training)
    assert bool(arrays["active_in_eval"])
    close(layer(arrays["x"], torch.tensor(1)), arrays["out_drop_mask"])
    close(layer(arrays["x"], torch.tensor(0)), arrays["out_importance"])
    close(layer(arrays["x_negative"], torch.tensor(1)), arrays["out_drop_mask_negative"])
    assert torch.equal(arrays["out_drop_mask_negative"], arrays["x_negative"])


def test_which_draw_chooses_the_drop_mask(monkeypatch):
    arrays = read("graph_dropout.npz")
    draws = iter(arrays["uniform_draws"])
    monkeypatch.setattr(torch, "rand", lambda *size, **_: next(draws).reshape(size))
    layer = GraphDropout(float(arrays["drop_rate"]), float(arrays["drop_th"]))
    for chosen in arrays["mask_chosen"]:
        assert float(layer.draw(3)) == float(chosen)
