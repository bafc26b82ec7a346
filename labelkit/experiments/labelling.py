"""Pseudo labels for one round of self-training: predicted, chosen, written, and held against the truth."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from labelkit.datasets.splits import Split
from labelkit.experiments.segmentation import Data
from labelkit.experiments.settings import Context
from labelkit.methods.dars import confident_classes, window_scores
from labelkit.pseudo_labels.folder import PseudoLabelFolder
from labelkit.pseudo_labels.histograms import Float32Bank
from labelkit.pseudo_labels.quality import Judged, overshoot
from labelkit.pseudo_labels.relabel import CachedMaps, relabel
from labelkit.pseudo_labels.selection import SCHEMES, Selection, select

SURVEY = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Labelling ratios at which a survey describes every scheme."""
IN_MEMORY = 1 << 26
"""Pixels up to which all confidences are held as float32 for a comparison."""


@dataclass(frozen=True)
class Labelling:
    """How pseudo labels are chosen before a round.

    Attributes:
        ratio: share of all unlabelled pixels that is to get a label.
        scheme: "single", "cbst" or "alignment".
        random_sampling: drop by chance what ties keep above the target.
        prior: (C,) class shares that alignment aims at.
        teacher: the round whose last weights predict; the one before if None.
        survey: describe all schemes at many ratios in the record, not only what was chosen.
    """

    ratio: float
    scheme: str
    random_sampling: bool
    prior: tuple[float, ...]
    teacher: int | None = None
    survey: bool = False


def label_folder(
    number: int,
    labelling: Labelling,
    teacher: Mapping[str, torch.Tensor],
    data: Data,
    split: Split,
    context: Context,
    seed: int,
) -> PseudoLabelFolder:
    """The folder of a round's pseudo labels in the cell's workspace.

    Raises:
        ValueError: the folder there is that of another round, split, data set, selection or of other weights.
    """
    identity = {
        "round": number,
        "split": split.hash,
        "data": data.train.fingerprint,
        "weights": digest_of(teacher),
        "scheme": labelling.scheme,
        "ratio": labelling.ratio,
        "random_sampling": labelling.random_sampling,
        "prior": list(labelling.prior),
        "seed": seed,
    }
    path = context.workspace / f"pseudo-labels-{number}"
    return PseudoLabelFolder(path, identity, getattr(data.train, "palette", None))


def make_labels(
    number: int, labelling: Labelling, teacher: Mapping[str, torch.Tensor], method: nn.Module, *, data: Data,
    split: Split, crop: tuple[int, int], context: Context, seed: int, label: str, long_side: int | None = None,
    cache_maps: bool = True, judge: bool = True, workers: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Fill the round's folder with the labels that the teacher's weights give to all unlabelled images.

    Args:
        number: of the round that will train on the labels.
        labelling: how they are chosen.
        teacher: state dict of the method; the method gets its own weights back at the end.
        method: with ``predict``.
        data, split: the unlabelled images.
        crop: window of the predictions.
        context, seed, label: of the cell.
        long_side, cache_maps, judge: see :func:`labelkit.experiments.rounds.train_rounds`.
        workers: threads beside the one that predicts.

    Returns:
        Protocol name to metrics of the labels, empty without ``judge``.
    """
    started = time.perf_counter()
    predict = _predictor(method, data, crop, context, long_side)
    maps = CachedMaps(predict, _maps_folder(context, number) if cache_maps else None)
    folder = label_folder(number, labelling, teacher, data, split, context, seed)
    report = context.on_step
    values: dict[str, Any] = {}
    with _weights(method, teacher):
        relabel(
            maps,
            split.unlabelled,
            folder,
            lambda bank, again: _chosen(bank, labelling, again),
            len(data.classes),
            seed=1_000 * seed + number,
            workers=workers,
            progress=(lambda what, done, total: report(f"{label}, {what}", done, total)) if report else None,
        )
        values["seconds"] = time.perf_counter() - started
        if judge:
            judged = Judged(len(data.classes))
            for index in split.unlabelled:
                judged.add(*maps(index), data.train[index]["mask"])
            values |= worth(judged, folder, labelling, data.classes)
            if labelling.survey:
                values |= survey(judged, labelling, data.classes)
                if judged.all.pixels <= IN_MEMORY:
                    values["float32"] = _in_float32(labelling, lambda index: predict(index, torch.float32), split, data)
    return {f"{data.train.name}/unlabelled/pseudo-labels-round-{number}": values} if judge else {}


def predict_share(
    number: int, teacher: Mapping[str, torch.Tensor], method: nn.Module, *, data: Data, split: Split,
    crop: tuple[int, int], context: Context, long_side: int | None = None,
) -> None:  # fmt: skip
    """This process's share of the predictions, kept on disk where :func:`make_labels` of the first process finds them.

    Args:
        number, teacher, method, data, split, crop, context, long_side: as for :func:`make_labels`.
    """
    maps = CachedMaps(_predictor(method, data, crop, context, long_side), _maps_folder(context, number))
    with _weights(method, teacher):
        for index in split.unlabelled[context.rank :: context.world_size]:
            maps(index)


def worth(judged: Judged, folder: PseudoLabelFolder, labelling: Labelling, classes: tuple[str, ...]) -> dict[str, Any]:
    """Quality of the labels of a folder, and of the same scheme with exactly as many labels as alignment makes.

    At equal ratios alignment can make fewer labels, where a class is predicted less often than its share says.

    Returns:
        ``kl``, ``coverage``, ``precision`` (see :class:`labelkit.pseudo_labels.quality.Judged`), ``kl_equal_total`` and
        ``precision_equal_total``; ``target``, ``thresholded``, ``kept`` in pixels and the two overshoots as shares of
        the target; ``saturated``, the share of confidences that are 1; ``accuracy`` of all predictions; ``by_class``.
    """
    selection = folder.selection
    made = judged.describe(selection)
    equal = made
    if labelling.scheme != "alignment":
        equal = judged.describe(select(judged.all, _reach(judged, labelling.ratio, labelling), labelling.scheme))
    return {
        **{key: made[key] for key in ("kl", "coverage", "precision")},
        "kl_equal_total": equal["kl"],
        "precision_equal_total": equal["precision"],
        "target": float(selection.within_reach),
        "thresholded": float(selection.kept.sum()),
        "kept": float(folder.kept.sum()),
        "overshoot_thresholded": overshoot(selection),
        "overshoot_kept": overshoot(selection, folder.kept),
        "saturated": float(judged.all.counts[:, -1].sum() / judged.all.pixels),
        "accuracy": float(judged.right.sizes.sum() / max(judged.known.sizes.sum(), 1)),
        "by_class": {
            name: {key: float(n) for key, n in zip(classes, counts)}
            for name, counts in {
                "true": judged.truth,
                "predicted": judged.all.sizes,
                "thresholded": selection.kept,
                "kept": folder.kept,
            }.items()
        },
    }


def survey(judged: Judged, labelling: Labelling, classes: tuple[str, ...]) -> dict[str, Any]:
    """All schemes on the same predictions, each with as many labels as alignment can make at the ratio.

    Returns:
        ``ratios``: scheme -> ratio -> kl, coverage, precision; ``precision_fall`` and ``coverage_rise`` of alignment
        from the smallest to the largest ratio; ``schemes_by_class``: scheme -> labels of each class at the ratio of the
        labelling; ``kl_single_minus_cbst`` and ``kl_cbst_minus_alignment`` there.
    """
    ratios: dict[str, Any] = {scheme: {} for scheme in SCHEMES}
    for ratio in SURVEY:
        for scheme in SCHEMES:
            described = _described(judged, ratio, scheme, labelling)
            ratios[scheme][f"{ratio:g}"] = {key: described[key] for key in ("kl", "coverage", "precision")}
    here = {scheme: _described(judged, labelling.ratio, scheme, labelling) for scheme in SCHEMES}
    low, high = (ratios["alignment"][f"{ratio:g}"] for ratio in (SURVEY[0], SURVEY[-1]))
    return {
        "ratios": ratios,
        "precision_fall": low["precision"] - high["precision"],
        "coverage_rise": high["coverage"] - low["coverage"],
        "schemes_by_class": {scheme: dict(zip(classes, here[scheme]["kept_by_class"])) for scheme in SCHEMES},
    }


def digest_of(weights: Mapping[str, torch.Tensor]) -> str:
    """16 hex digits over names and values of a state dict."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _maps_folder(context: Context, number: int) -> Path:
    return context.workspace / f"maps-{number}"


def _predictor(
    method: nn.Module, data: Data, crop: tuple[int, int], context: Context, long_side: int | None
) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Index of a training image to confidence and class of its pixels, by the weights that the method has then."""

    def predict(index: int, dtype: torch.dtype = torch.float16) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            image = data.train[index]["image"][None].to(context.device)
            logits = window_scores(method.predict, image, crop, long_side=long_side)
            confidence, classes = confident_classes(logits, dtype)
        return confidence[0].cpu().numpy(), classes[0].cpu().numpy()

    return predict


@contextlib.contextmanager
def _weights(method: nn.Module, teacher: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Within the block the method has the teacher's weights and is in evaluation mode; then its own again."""
    own = {name: value.detach().clone() for name, value in method.state_dict().items()}
    method.load_state_dict(teacher)
    method.eval()
    try:
        yield
    finally:
        method.load_state_dict(own)


def _chosen(bank: Any, labelling: Labelling, again: Any = None) -> Selection:
    return select(bank, labelling.ratio, labelling.scheme, labelling.prior, labelling.random_sampling, again=again)


def _described(judged: Judged, ratio: float, scheme: str, labelling: Labelling) -> dict[str, Any]:
    share = ratio if scheme == "alignment" else _reach(judged, ratio, labelling)
    return judged.describe(select(judged.all, share, scheme, labelling.prior))


def _reach(judged: Judged, ratio: float, labelling: Labelling) -> float:
    """Share of all pixels that alignment labels at a ratio."""
    reach = select(judged.all, ratio, "alignment", labelling.prior).within_reach
    return max(reach, 1) / judged.all.pixels


def _in_float32(labelling: Labelling, predict: Callable[[int], tuple], split: Split, data: Data) -> dict[str, float]:
    """The same thresholds without the ties of float16: how much do they let through?"""
    maps = [predict(index) for index in split.unlabelled]
    bank = Float32Bank(len(data.classes))
    for confidence, classes in maps:
        bank.add(confidence, classes)
    selection = _chosen(bank, labelling, maps)
    return {"overshoot_thresholded": overshoot(selection), "thresholded": float(selection.kept.sum())}
