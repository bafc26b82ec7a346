"""Mean IoU as the CycleGAN segmentation code computes it: one class is cut out of the confusion matrix."""

from torch import Tensor

from labelkit.metrics.confusion import ConfusionMatrix


def released_iou(confusion: ConfusionMatrix, dropped: int | None) -> Tensor:
    """IoU of the remaining classes after the row AND the column of one class are cut out of the matrix.

    Pixels of a class that are taken for the dropped one, and the reverse, vanish from the unions: no class can lose,
    and the numbers are not comparable with the usual ones. The code (arnab39/Semi-supervised-segmentation-cycleGAN at
    bc02d92) drops background on VOC (class 0) and void on Cityscapes (class 19), and nothing on ACDC.

    Args:
        confusion: C classes, over a whole set.
        dropped: the class that is cut out; None keeps all, which is the standard IoU.

    Returns:
        (C - 1,) float64, or (C,) if nothing is dropped; NaN where a class has no pixel left.

    Raises:
        ValueError: the class is not one of 0..C-1.
    """
    matrix = confusion.matrix.double()
    if dropped is not None:
        if not 0 <= dropped < len(matrix):
            raise ValueError(f"dropped is {dropped}; expected a class of 0..{len(matrix) - 1}, or None")
        kept = [label for label in range(len(matrix)) if label != dropped]
        matrix = matrix[kept][:, kept]
    hits = matrix.diagonal()
    return hits / (matrix.sum(0) + matrix.sum(1) - hits)


def released_miou(confusion: ConfusionMatrix, dropped: int | None) -> float:
    """Mean of :func:`released_iou` over the classes that are left; 0..1, NaN if none is."""
    return float(released_iou(confusion, dropped).nanmean())
