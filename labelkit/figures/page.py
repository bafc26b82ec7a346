"""Puts a figure on a page with its caption and its alternative text."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

from labelkit.figures.style import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Html(str):
    """A piece of HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        # A notebook stores this beside the HTML; the page is not to be stored twice.
        return f"<HTML of {len(self)} characters>"


def figure_html(figure: Figure, caption: str, alt: str, number: int | str | None = None) -> Html:
    """The figure as an HTML ``<figure>`` with the picture inside.

    Args:
        figure: what to show.
        caption: one or two sentences under the picture, plain text.
        alt: what a reader who cannot see the picture needs to know, plain text.
        number: written before the caption, e.g. ``3`` gives "Figure 3.".

    Raises:
        ValueError: caption or alt is empty.
    """
    for name, text in {"caption": caption, "alt": alt}.items():
        if not text.strip():
            raise ValueError(f"the {name} of a figure is empty; expected a sentence.")
    picture = base64.b64encode(png(figure)).decode("ascii")
    label = f"<strong>Figure {html.escape(str(number))}.</strong> " if number is not None else ""
    # The padding keeps the white card around the picture visible in dark mode.
    return Html(
        '<figure class="labelkit-figure" style="margin:1.2em 0">'
        f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt, quote=True)}" '
        'style="max-width:100%;height:auto;background:white;padding:4px;border-radius:4px"/>'
        f'<figcaption style="font-size:0.92em;margin-top:0.4em">{label}{html.escape(caption)}</figcaption>'
        "</figure>"
    )


def show(figure: Figure, caption: str, alt: str, number: int | str | None = None) -> Figure | None:
    """Displays a figure in a notebook, with caption and alternative text.

    Args:
        figure, caption, alt, number: see `figure_html`.

    Returns:
        Nothing in a notebook; outside one the figure itself, so that a script can save it.
    """
    page = figure_html(figure, caption, alt, number)
    if not _in_notebook():
        return figure
    from IPython.display import display

    display({"text/html": str(page), "text/plain": f"[{alt}] {caption}"}, raw=True)
    return None


def source(thing: Any) -> Any:
    """The code of a function, method or class of the library, for a page: highlighted, with its file named.

    Returns:
        A Markdown object that a notebook shows.
    """
    import inspect
    import textwrap

    from IPython.display import Markdown

    code = textwrap.dedent(inspect.getsource(thing)).rstrip()
    return Markdown(f"From `{thing.__module__.replace('.', '/')}.py`:\n\n```python\n{code}\n```")


def table(frame: Any, caption: str) -> Html:
    """A pandas table with a caption, inside a box that scrolls sideways."""
    body = frame.to_html(border=0, escape=True, classes="labelkit-table")
    head, tail = body.split(">", 1)
    return Html(
        f'<div class="labelkit-scroll" role="region" aria-label="{html.escape(caption, quote=True)}" tabindex="0" '
        f'style="overflow-x:auto">{head}><caption>{html.escape(caption)}</caption>{tail}</div>'
    )


def _in_notebook() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
