"""Video panoptic quality from its definition, segment by segment with boolean masks: slow, short, and the oracle."""

import numpy as np


def loop_counts(truth, truth_tables, guess, guess_tables, num_classes, crowds, window, void=0):
    """Counts over all windows of a clip.

    Args:
        truth, guess: (T, H, W) ids.
        truth_tables, guess_tables: for each frame a dict of id to class.
        num_classes: C.
        crowds: for each frame a set of crowd ids.
        window: frames in a tube.
        void: id of no segment.

    Returns:
        iou, tp, fp, fn: lists over the classes.
    """
    iou, tp, fp, fn = ([0] * num_classes for _ in range(4))
    for start in range(len(truth) - window + 1):
        frames = range(start, start + window)
        true, predicted = truth[start : start + window], guess[start : start + window]
        classes, crowd, labels = {}, {}, {}  # of the tubes: the first frame decides
        for t in frames:
            for each, label in truth_tables[t].items():
                if (truth[t] == each).any() and each not in classes:
                    classes[each], crowd[each] = label, each in crowds[t]
            for each, label in guess_tables[t].items():
                if (guess[t] == each).any():
                    labels.setdefault(each, label)
        matched = set()
        for each, label in classes.items():
            if crowd[each]:
                continue
            mask, hit = true == each, False
            for other, overlap in zip(*np.unique(predicted[mask], return_counts=True)):
                if other == void or labels[other] != label:
                    continue
                other_mask = predicted == other
                union = (mask | (other_mask & (true != void))).sum()
                if overlap / union > 0.5:
                    iou[label] += overlap / union
                    tp[label] += 1
                    matched.add(other)
                    hit = True
            fn[label] += not hit
        forgiving = {label: each for each, label in classes.items() if crowd[each]}  # the last of a class stays
        for other, label in labels.items():
            if other not in matched:
                below = true[predicted == other]
                fp[label] += ((below == void) | (below == forgiving.get(label, void))).mean() <= 0.5
    return iou, tp, fp, fn
