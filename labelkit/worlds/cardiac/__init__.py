"""Short-axis cardiac slices drawn from a seed: MR-like pictures with exact masks of both ventricles and the muscle.

A patient (`patient`) is drawn once (`build`): pose, contrast, heart and what lies around it. A slice is a cut through
that patient between base and apex in one of two phases (`cuts`), painted (`plane`) and imaged (`scanner`).

Every number that decides a pixel comes from integers, from `Generator.random` of a seeded PCG64, or from single
IEEE operations (+ - * / sqrt, comparisons) in a fixed order, so the samples are the same on every machine.
"""

from labelkit.worlds.cardiac.dataset import CLASSES, PALETTE, SLICES_PER_PATIENT, WORLD_VERSION, Cardiac, parts

__all__ = ["CLASSES", "PALETTE", "SLICES_PER_PATIENT", "WORLD_VERSION", "Cardiac", "parts"]
