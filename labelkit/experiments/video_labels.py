"""How right pseudo labels are, from single frames and pooled over frames: measured, nothing is trained.

The truth of the target's training clips enters here and nowhere else, and nothing is chosen by it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from labelkit.experiments.video_data import Clips
from labelkit.experiments.video_evaluation import Predict, scores_of
from labelkit.methods.video_flow import agreeing, carried
from labelkit.metrics.confusion import ConfusionMatrix
from labelkit.models.flow_noise import disturbed
from labelkit.pseudo_labels.flow_aggregation import class_thresholds, pool, select, select_share

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NOISE = (0.0, 1.0, 2.0, 4.0, 8.0)
CLIPS = 20  # that are measured, at most, evenly spread
AT = 0.8  # share of the pixels that is kept where one number stands for the curve
IGNORE = 255


@dataclass
class _Tally:
    """Right and wrong labels at several kept shares."""

    classes: int
    matrices: dict[float, ConfusionMatrix] = field(default_factory=dict)

    def add(self, probabilities: Tensor, truth: Tensor, thresholds: Tensor, shares: Iterable[float]) -> None:
        for share in shares:
            self.count(share, select_share(probabilities, thresholds, share), truth)

    def count(self, key: float, labels: Tensor, truth: Tensor) -> None:
        matrix = self.matrices.setdefault(key, ConfusionMatrix(self.classes))
        kept = labels != IGNORE
        matrix.update(labels.masked_fill(~kept, 0), truth.masked_fill(~kept, IGNORE))

    def accuracy(self) -> dict[float, float]:
        return {key: matrix.accuracy() for key, matrix in self.matrices.items()}

    def miou(self) -> dict[float, float]:
        return {key: matrix.miou() for key, matrix in self.matrices.items()}


@torch.no_grad()
def measure(predict: Predict, clips: Clips, device: str, quantile: float, cap: float, seed: int) -> dict[str, Any]:
    """Accuracy of pseudo labels at equal kept shares, and what is left of the gain as the flow gets worse.

    Args:
        predict: the first phase's network, in evaluation mode.
        clips: of the target's training part, with flow.
        device: where to predict.
        quantile, cap: of the class thresholds.
        seed: of the flow's errors.

    Returns:
        ``single`` and ``pooled``: accuracy by kept percentage, pixels ranked by confidence over the threshold of their
        class; ``single_miou`` and ``pooled_miou`` likewise; ``single_surest`` and ``pooled_surest``: accuracy if pixels
        are ranked by confidence alone; ``gain`` and ``gain_miou``: pooled minus single. ``kept``: share that the rule
        itself keeps, and ``right``: accuracy of those; ``right_single`` at the same share; ``kept_consensus`` and
        ``right_consensus`` if frames must agree. For errors of the flow in pixels, at 80 % kept: ``gain_by_noise``,
        ``gain_by_noise_unchecked`` (without the forward-backward check), ``votes_by_noise`` (share of carried votes
        that pass it) and ``gain_lost`` (gain without error minus gain with it). ``by_reach``: gain at 80 % kept by
        number of earlier frames.
    """
    classes = len(clips.classes)
    single, pooled, natural = _Tally(classes), _Tally(classes), _Tally(classes)
    surest = {"single": _Tally(classes), "pooled": _Tally(classes)}
    even = torch.ones(classes)
    noisy = {(noise, check): _Tally(classes) for noise in NOISE for check in (True, False)}
    reaches: dict[int, _Tally] = {}
    passed: dict[float, list[float]] = {noise: [] for noise in NOISE}
    kept: dict[str, list[float]] = {"kept": [], "kept_consensus": []}
    for index in range(0, len(clips), -(-len(clips) // CLIPS)):
        clip = clips[index]
        truth = clip["masks"]
        own = scores_of(predict, clip["frames"].to(device)).float().softmax(1).cpu()
        own_thresholds = class_thresholds(own, quantile, cap)
        single.add(own, truth, own_thresholds, SHARES)
        generator = torch.Generator().manual_seed(1_000_003 * seed + index)
        for noise in NOISE:
            back, forth = (_disturb(clip[key], noise, generator) for key in ("back", "forth"))
            votes, inside = carried(own, back, forth, check=False)
            checked = inside & agreeing(back, forth)
            passed[noise].append(_share_of_votes(checked))
            for check, valid in ((True, checked), (False, inside)):
                found = pool(votes, valid).probabilities
                noisy[noise, check].add(found, truth, class_thresholds(found, quantile, cap), [AT])
        votes, valid = carried(own, clip["back"], clip["forth"])
        for reach in range(1, len(votes)):
            found = pool(votes[: reach + 1], valid[: reach + 1])
            thresholds = class_thresholds(found.probabilities, quantile, cap)
            reaches.setdefault(reach, _Tally(classes)).add(found.probabilities, truth, thresholds, [AT])
        pooled.add(found.probabilities, truth, thresholds, SHARES)
        for name, probabilities in (("single", own), ("pooled", found.probabilities)):
            surest[name].add(probabilities, truth, even, SHARES)
        for name, agreed in (("kept", None), ("kept_consensus", found.agreed)):
            labels = select(found.probabilities, thresholds, agreed)
            natural.count(name, labels, truth)
            kept[name].append(float((labels != IGNORE).double().mean()))
        natural.count("single", select_share(own, own_thresholds, kept["kept"][-1]), truth)

    def gains(tallies: Mapping[Any, _Tally]) -> dict[str, float]:
        return {_name(key): tally.accuracy()[AT] - single.accuracy()[AT] for key, tally in tallies.items()}

    by_noise = gains({noise: tally for (noise, check), tally in noisy.items() if check})
    right = natural.accuracy()
    return {
        "single": _percent(single.accuracy()),
        "pooled": _percent(pooled.accuracy()),
        "single_miou": _percent(single.miou()),
        "pooled_miou": _percent(pooled.miou()),
        **{f"{name}_surest": _percent(tally.accuracy()) for name, tally in surest.items()},
        "gain": _percent(_minus(pooled.accuracy(), single.accuracy())),
        "gain_miou": _percent(_minus(pooled.miou(), single.miou())),
        **{name: sum(values) / len(values) for name, values in kept.items()},
        "right": right["kept"],
        "right_single": right["single"],
        "right_consensus": right["kept_consensus"],
        "gain_by_noise": by_noise,
        "gain_by_noise_unchecked": gains({noise: tally for (noise, check), tally in noisy.items() if not check}),
        "votes_by_noise": {_name(noise): sum(shares) / len(shares) for noise, shares in passed.items()},
        "gain_lost": {name: by_noise["0"] - gain for name, gain in by_noise.items()},
        "by_reach": gains(reaches),
    }


def _disturb(flows: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    return disturbed(flows.flatten(0, 1), noise, generator).view_as(flows)


def _share_of_votes(valid: Tensor) -> float:
    """Of the votes that other frames could cast: frame t has t of them before it, at most M."""
    possible = [valid[m, m:] for m in range(1, min(len(valid), valid.shape[1]))]
    return float(torch.cat([votes.flatten() for votes in possible]).double().mean())


def _name(number: float) -> str:
    """2.0 becomes "2", as a metric's name in a claim."""
    return f"{number:g}"


def _percent(values: Mapping[float, float]) -> dict[str, float]:
    return {f"{round(100 * share)}": value for share, value in values.items()}


def _minus(a: Mapping[float, float], b: Mapping[float, float]) -> dict[float, float]:
    return {key: a[key] - b[key] for key in a}
