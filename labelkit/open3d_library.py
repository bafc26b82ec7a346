"""The library open3d, loaded where a cloud is read, written or drawn, and the sentence where it cannot be."""

from __future__ import annotations

import os
from typing import Any

MISSING = "point clouds in PLY files need open3d: install it with pip install 'labelkit[points]'"
SYSTEM = "libgl1 libegl1 libx11-6 libusb-1.0-0 libidn2-0 libudev1"
"""Debian's packages of what open3d 0.20 is linked with."""


def open3d_library() -> Any:
    """The module ``open3d``; the first call of a process takes seconds.

    Raises:
        ImportError: it is not installed, or a system library that it needs is not; one sentence says what to install.
    """
    # Read when it is imported; without it a notebook's output holds messages of a viewer that nobody asked for.
    os.environ.setdefault("OPEN3D_DISABLE_WEB_VISUALIZER", "true")
    try:
        import open3d
    except ModuleNotFoundError as error:
        if error.name == "open3d":
            raise ImportError(MISSING) from error
        raise ImportError(
            f"open3d cannot be loaded ({error}): install it with all it needs, labelkit[points]"
        ) from error
    except (ImportError, OSError) as error:  # a shared library that is not there is one or the other
        raise ImportError(
            f"open3d is installed and cannot be loaded ({error}): on Debian or Ubuntu, apt-get install {SYSTEM}"
        ) from error
    return open3d
