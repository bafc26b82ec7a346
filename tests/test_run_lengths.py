"""Masks as run lengths: decoding equals pycocotools' own, without its warning."""

import warnings

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="pycocotools is not installed")

from labelkit.run_lengths import decode_masks, encode_masks, lengths_of, mask_library


@pytest.mark.parametrize(("height", "width", "density"), [(1, 1, 0.5), (1, 9, 0.5), (40, 60, 0.02), (40, 60, 0.98),
                                                          (37, 11, 0.3), (900, 700, 0.0), (900, 700, 1.0)])  # fmt: skip
def test_decoding_equals_pycocotools(height: int, width: int, density: float) -> None:
    masks = np.random.default_rng(0).random((7, height, width)) < density
    runs = encode_masks(masks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_masks(runs, height, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = mask_library().decode(runs).transpose(2, 0, 1)
    assert decoded.dtype == bool and np.array_equal(decoded, oracle) and np.array_equal(decoded, masks)


def test_long_runs_and_large_differences_are_read() -> None:
    lengths = [0, 100_000, 3, 1, 99_990, 6]  # differences of both signs, of several characters
    plain = {"size": [200_000, 1], "counts": lengths}
    packed = mask_library().frPyObjects([plain], 200_000, 1)[0]
    assert lengths_of(packed["counts"]).tolist() == lengths == lengths_of(packed["counts"].decode()).tolist()
    assert np.array_equal(decode_masks([packed], 200_000, 1), decode_masks([plain], 200_000, 1))


def test_masks_of_another_size_are_refused() -> None:
    runs = encode_masks(np.ones((1, 4, 6), bool))
    with pytest.raises(ValueError, match="4 x 7 was expected"):
        decode_masks(runs, 4, 7)
    with pytest.raises(ValueError, match="6 x 4 was expected"):
        decode_masks(runs, 6, 4)
    assert decode_masks([], 4, 6).shape == (0, 4, 6)
