"""A data set with other labels than its own."""

from typing import Any

from torch import Tensor


class Relabelled:
    """The images of a data set with pseudo labels; everything else that tells the truth is left out.

    Args:
        dataset: samples with ``image``.
        labels: the label of each sample along the first axis: masks (n, H, W) or classes (n,).
        key: under which a sample holds its label, ``mask`` or ``label``.

    Raises:
        ValueError: there is not one label for each sample.
    """

    def __init__(self, dataset: Any, labels: Tensor, key: str = "mask"):
        if len(labels) != len(dataset):
            raise ValueError(f"{len(labels)} labels were given for {len(dataset)} samples: one each was expected")
        self.dataset, self.labels, self.key = dataset, labels, key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": self.dataset[index]["image"], self.key: self.labels[index].long()}
