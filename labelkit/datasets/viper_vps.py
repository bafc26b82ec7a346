"""VIPER as source and Cityscapes-VPS as target, with the fifteen classes that they share: the video chapter's setting.

The name in a run file is ``viper_vps``. The data root holds both data sets, as `viper` and `cityscapes_vps`.
"""

from pathlib import Path

from labelkit.datasets import cityscapes_vps, viper
from labelkit.datasets.clip_files import ClipFiles


def parts(
    root: str | Path, variant: str = "", *, height: int | None = None, width: int | None = None, frames: int = 6
) -> dict[str, ClipFiles]:
    """The parts of both domains.

    Args:
        root: holds both data sets; see `viper.find` and `cityscapes_vps.find`.
        variant: must be empty.
        height, width: delivered size in pixels, for both domains; None delivers the size of the files.
        frames: frames in a clip, at most 6.

    Returns:
        Clips: ``source_train``, ``source_val`` (the first clip of each sequence), ``target_train``, ``target_val``,
        ``target_test``, a third of a second or so from frame to frame, and ``clip``, at 17 Hz and without labels. The
        target's masks are there to measure with: methods learn from its frames alone, and choose nothing by its masks.

    Raises:
        FileNotFoundError, ValueError: see `viper.parts` and `cityscapes_vps.parts`.
    """
    if variant:
        raise ValueError(f"viper_vps has no variant {variant!r}: the name viper_vps was expected")
    source = viper.parts(root, "", height, width, frames)
    target = cityscapes_vps.parts(root, "15", height, width, frames)
    return {
        "source_train": source["train"],
        "source_val": _first_of_each(source["val"]),
        "target_train": target["train"],
        "target_val": target["val"],
        "target_test": target["test"],
        "clip": cityscapes_vps.dense(root, "15", height, width, frames),
    }


def _first_of_each(clips: ClipFiles) -> ClipFiles:
    """The first clip of each sequence: validation must not cost more than training."""
    firsts: dict[str, int] = {}
    for index, names in enumerate(clips.frame_names):
        firsts.setdefault(viper.moment(names[0])[0], index)
    clips.windows = tuple(clips.windows[index] for index in firsts.values())
    return clips
