"""One confusion matrix over a whole set, and what follows from it."""

import torch
from torch import Tensor

from labelkit import distributed


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all pixels seen, updated image by image on the device of the pixels.

    Args:
        num_classes: C; labels are 0..C-1.
        ignore_index: true label that is not counted; not one of 0..C-1.
        device: where the counts live; the device of the first update if None.

    Attributes:
        matrix: (C, C) int64, rows the truth, columns the prediction.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, device: str | torch.device | None = None):
        if num_classes < 1 or 0 <= ignore_index < num_classes:
            raise ValueError(
                f"ignore_index {ignore_index} is one of the {num_classes} classes; expected a label outside 0..C-1"
            )
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)
        self._follow = device is None

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count the pixels of one or more label maps.

        Args:
            prediction: integer labels 0..C-1, any shape.
            target: integer labels 0..C-1 or ``ignore_index``, the same shape.

        Raises:
            ValueError: the shapes differ, or a label is outside the list; names the label, and nothing was counted.
        """
        if prediction.shape != target.shape:
            raise ValueError(
                f"prediction has shape {tuple(prediction.shape)} and target {tuple(target.shape)}; expected one shape"
            )
        if prediction.numel() == 0:
            return
        if self._follow:
            self.matrix, self._follow = self.matrix.to(target.device), False
        size = self.num_classes
        # Ignored pixels get a row of their own, dropped after counting: cheaper than copying out the others.
        # int32 halves the memory that the passes go through.
        truth = target.to(torch.int32)
        truth = torch.where(truth == self.ignore_index, size, truth)
        guess = prediction.to(torch.int32)
        self._check("target", truth, size)
        self._check("prediction", guess, size - 1)
        counts = torch.bincount((truth * size + guess).reshape(-1), minlength=(size + 1) * size)
        self.matrix += counts[: size * size].reshape(size, size).to(self.matrix.device)

    def _check(self, name: str, labels: Tensor, highest: int) -> None:
        lowest, largest = (int(value) for value in torch.aminmax(labels))
        if lowest < 0 or largest > highest:
            found = lowest if lowest < 0 else int(labels[labels > highest].max())
            ignored = f", or {self.ignore_index} to ignore" if name == "target" else ""
            raise ValueError(f"{name} holds label {found}; expected 0..{self.num_classes - 1}{ignored}")

    def iou(self) -> Tensor:
        """Intersection over union of each class, (C,) float64; NaN where a class is neither true nor predicted
        anywhere."""
        matrix = self.matrix.double()
        hits = matrix.diagonal()
        return hits / (matrix.sum(0) + matrix.sum(1) - hits)

    def miou(self) -> float:
        """Mean of the classes' IoU, classes that occur nowhere left out; 0..1."""
        return float(self.iou().nanmean())

    def accuracy(self) -> float:
        """Share of the counted pixels that are right, 0..1; NaN before any pixel was counted."""
        return float(self.matrix.diagonal().sum() / self.matrix.sum().double())

    def merge(self) -> "ConfusionMatrix":
        """Add up the counts of all processes that work together, in place; exact, since counts are integers.

        All of them must call it, also one that has counted nothing.
        """
        self.matrix = distributed.add_up(self.matrix)
        return self
