"""Pictures that move, and numbers as heat: for chapters about video."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labelkit.figures.images import as_picture, colourise
from labelkit.figures.page import Html

TITLE = 18  # pixels above a panel
GAP = 4


def heat(values: Any, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """A map of numbers as colours, dark for low and bright for high; nan is white.

    Args:
        values: (H, W), array or tensor.
        low, high: what the ends of the colours stand for.

    Returns:
        (H, W, 3) uint8.
    """
    import matplotlib

    values = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
    share = np.clip((values - low) / (high - low), 0, 1)
    colours = matplotlib.colormaps["inferno"](np.nan_to_num(share))[..., :3]
    colours[np.isnan(values)] = 1
    return np.rint(255 * colours).astype(np.uint8)


def film(
    panels: Mapping[str, Sequence[Any]], palette: np.ndarray | None = None, columns: int = 2, width: int = 300
) -> list[np.ndarray]:
    """The frames of panels that run side by side.

    Args:
        panels: title to frames, all of one length and size: images, or masks (integers (H, W)), coloured.
        palette: (C, 3) uint8.
        columns: panels beside each other.
        width: of a panel in pixels; frames are enlarged by repeating pixels.

    Returns:
        Pictures (H, W, 3) uint8, one a moment.

    Raises:
        ValueError: the panels differ in length, or there is none.
    """
    from PIL import Image, ImageDraw, ImageFont

    lengths = {len(frames) for frames in panels.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"panels have {sorted(lengths)} frames; expected as many in each, and at least one")
    font, films = ImageFont.load_default(size=13), []
    for moment in range(lengths.pop()):
        pictures = [_enlarged(frames[moment], palette, width) for frames in panels.values()]
        height = pictures[0].shape[0]
        rows = -(-len(pictures) // columns)
        size = (columns * (width + GAP) - GAP, rows * (height + TITLE + GAP) - GAP)
        canvas = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(canvas)
        for place, (title, picture) in enumerate(zip(panels, pictures)):
            left, top = place % columns * (width + GAP), place // columns * (height + TITLE + GAP)
            draw.text((left + 1, top), title, fill="#222222", font=font)
            canvas.paste(Image.fromarray(picture), (left, top + TITLE))
        films.append(np.asarray(canvas))
    return films


def _enlarged(frame: Any, palette: np.ndarray | None, width: int) -> np.ndarray:
    from PIL import Image

    array = np.asarray(frame.detach().cpu() if hasattr(frame, "detach") else frame)
    is_mask = palette is not None and array.ndim == 2 and array.dtype.kind in "iu"
    picture = np.ascontiguousarray(colourise(array, palette) if is_mask else as_picture(array))
    height = round(width * picture.shape[0] / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST))


def animation(
    frames: Sequence[np.ndarray], seconds: float, caption: str, alt: str, number: int | str | None = None
) -> Html:
    """A film as an HTML ``<figure>``: a GIF inside the page, and a still for paper and for whom motion troubles.

    Args:
        frames: pictures (H, W, 3) uint8, as :func:`film` makes them.
        seconds: that each is shown.
        caption, alt, number: as for :func:`labelkit.figures.figure_html`.

    Raises:
        ValueError: caption or alt is empty, or there is no frame.
    """
    if not caption.strip() or not alt.strip() or not len(frames):
        raise ValueError("an animation needs frames, a caption and an alternative text")
    from PIL import Image

    # One palette for all frames, or colours would flicker; no dithering, which flickers too and does not compress.
    first = Image.fromarray(np.concatenate([frames[0], frames[len(frames) // 2], frames[-1]])).quantize(128)
    pages = [Image.fromarray(frame).quantize(palette=first, dither=Image.Dither.NONE) for frame in frames]
    film, still = io.BytesIO(), io.BytesIO()
    pages[0].save(film, "GIF", save_all=True, append_images=pages[1:], duration=round(1000 * seconds), loop=0)
    pages[0].save(still, "PNG", optimize=True)
    moving, calm = (base64.b64encode(each.getvalue()).decode("ascii") for each in (film, still))
    label = f"<strong>Figure {html.escape(str(number))}.</strong> " if number is not None else ""
    return Html(
        '<figure class="labelkit-figure" style="margin:1.2em 0"><picture>'
        f'<source media="print, (prefers-reduced-motion: reduce)" srcset="data:image/png;base64,{calm}"/>'
        f'<img src="data:image/gif;base64,{moving}" alt="{html.escape(alt, quote=True)}" '
        'style="max-width:100%;height:auto;background:white;padding:4px;border-radius:4px"/></picture>'
        f'<figcaption style="font-size:0.92em;margin-top:0.4em">{label}{html.escape(caption)}</figcaption></figure>'
    )
