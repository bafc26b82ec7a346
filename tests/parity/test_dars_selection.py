"""Thresholds, targets and kept counts against arrays that the authors' code produced (see dars/README.md)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from labelkit.methods.dars import confident_classes
from labelkit.pseudo_labels.histograms import bank_of
from labelkit.pseudo_labels.selection import label_and_count, label_map, select


def load(name):
    with np.load(Path(__file__).parent / "dars" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def maps(arrays):
    return list(zip(arrays["confidence_f16"], arrays["argmax"]))


@pytest.fixture(scope="module")
def aligned():
    arrays = load("dars_cs8")
    prior = arrays["class_ratio_percent"] / arrays["valid_ratio_percent"]
    pixels = int(arrays["all_pixel_num"]) * int(arrays["global_num"])
    bank = bank_of(maps(arrays), int(arrays["classes"]))
    return arrays, select(bank, float(arrays["labeling_ratio"]), "alignment", prior, pixels=pixels)


@pytest.mark.parametrize("name", ["dars_cs8", "cbst_mode"])
def test_confidences_and_classes_from_logits(name):
    arrays = load(name)
    logits = torch.from_numpy(arrays["logits_f16"]).permute(0, 3, 1, 2)
    confidence, classes = confident_classes(logits)
    assert np.array_equal(confidence.numpy(), arrays["confidence_f16"])
    assert np.array_equal(classes.numpy(), arrays["argmax"])


def test_alignment_targets_thresholds_and_sampling(aligned):
    arrays, selection = aligned
    assert np.array_equal(selection.sizes, arrays["bank_sizes"])
    assert np.array_equal(selection.targets, arrays["target_counts"])
    assert np.array_equal(selection.thresholds, arrays["thresholds"])
    np.testing.assert_allclose(selection.sampling, arrays["sampling_ratio"], rtol=0, atol=1e-12)


def test_masks_before_sampling(aligned):
    arrays, selection = aligned
    unsampled = select_without_sampling(selection)
    masks = [label_map(*pair, unsampled, np.random.default_rng(0)) for pair in maps(arrays)]
    assert np.array_equal(np.stack(masks), arrays["mask_threshold_only"])


def test_kept_counts_after_sampling(aligned):
    arrays, selection = aligned
    for number, pair in enumerate(maps(arrays)):
        mask, kept = label_and_count(*pair, selection, np.random.default_rng(number))
        assert np.array_equal(kept, arrays["kept_per_image_class_final"][number])
        assert np.array_equal(kept, np.bincount(mask.ravel(), minlength=256)[:19])


def test_cbst_mode():
    arrays = load("cbst_mode")
    selection = select(bank_of(maps(arrays), 19), float(arrays["labeling_ratio"]), "cbst", random_sampling=False)
    assert np.array_equal(selection.thresholds, arrays["thresholds"])
    assert np.array_equal(selection.sampling, arrays["sampling_ratio"])
    masks = [label_map(*pair, selection, np.random.default_rng(0)) for pair in maps(arrays)]
    assert np.array_equal(np.stack(masks), arrays["mask"])
    assert np.array_equal(selection.kept, arrays["kept"].sum(0))


def select_without_sampling(selection):
    return type(selection)(**{**vars(selection), "sampling": np.ones(len(selection.sampling))})
