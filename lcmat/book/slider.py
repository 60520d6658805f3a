"""One of several prepared pictures, chosen by hand without a library or a network: one HTML element holds them all."""

import base64
import io
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lcmat.report.figures import svg_bytes

MAX_BYTES = 300_000  # a page stays light

_BOX = "padding:0.7em;margin:1em 0;max-width:42em"
_FRAME = "width:100%;height:auto"

# Shows the frame of the slider and the choice, and says its label to those who see it and to those who hear it.
_SHOW = (
    "const range=this.querySelector('[type=range]'),choice=this.querySelector(':checked'),"
    "at=(choice?+choice.value:0)*(+range.max+1)+ +range.value;"
    "this.querySelectorAll('img[title]').forEach((frame,i)=>"
    "{frame.style.display=i==at?'block':'none';"
    "if(i==at){this.querySelector('output').value=frame.title;"
    "range.setAttribute('aria-valuetext',frame.title)}})"
)


def image_slider(
    frames: Sequence[np.ndarray | Axes],
    labels: Sequence[str],
    *,
    alt: str,
    caption: str,
    name: str = "Frame",
    choices: Sequence[str] = (),
    ground: Axes | None = None,
) -> HTML:
    """Show one of several pictures, chosen by a range input, which the arrow keys move, and by radio buttons if wanted.

    It starts at the last frame, which is also what a reader without scripts sees, or on paper. Text and ground are
    the page's; figures are transparent.

    Args:
        frames: images, uint8, ``(height, width)`` or ``(height, width, 3)`` each, enlarged to the width of the page; or
            the axes of figures, see `layer`. Those of the first choice come first, then of the next.
        labels: one for each frame, for instance "step 10"; escaped.
        alt: what the pictures show, for those who do not see them; the label is added.
        caption: below the slider.
        name: what the slider moves through.
        choices: names of the radio buttons, each with the same number of frames.
        ground: lies behind all frames, which then draw only what differs; of the same size.

    Raises:
        ValueError: there is no frame, a frame has no label, is not uint8, the choices do not share the frames evenly,
            or all together are too large for a page.

    >>> image_slider([np.zeros((1, 1), np.uint8)] * 2, ["a", "b"], alt="black", caption="n = 1").data.count("<img")
    2
    """
    per_choice, left_over = divmod(len(frames), len(choices) or 1)
    if not frames or len(frames) != len(labels) or left_over:
        raise ValueError(
            f"{len(frames)} frames, {len(labels)} labels and {len(choices)} choices: give one or more frames, a label "
            "for each, and as many frames to each choice"
        )
    final = escape(labels[-1])
    html = (
        f'<figure class="slider" style="{_BOX}" oninput="{escape(_SHOW)}">'
        f'<div style="position:relative">{_pictures(frames, labels, alt, ground)}</div>{_buttons(choices, labels)}'
        f'<label>{escape(name)} <input type="range" min="0" max="{per_choice - 1}" value="{per_choice - 1}" '
        f'autocomplete="off" aria-valuetext="{final}"></label> <output>{final}</output>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
    if len(html) > MAX_BYTES:
        raise ValueError(f"the slider has {len(html)} bytes, above {MAX_BYTES}: show fewer or smaller frames")
    return HTML(html)


def layer(
    width: float,
    height: float,
    *,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    box: tuple[float, float, float, float] = (0, 0, 1, 1),
    axis: bool = True,
) -> Axes:
    """Axes of a figure that fit on others made the same way: a frame of a slider, or its ground.

    Args:
        width: of the figure, inches.
        height: of the figure, inches.
        xlim: first and last value of the x axis.
        ylim: first and last value of the y axis.
        box: left, bottom, width and height of the axes as parts of the figure.
        axis: whether the axes are drawn, once is enough.

    >>> layer(3.0, 2.0, xlim=(0, 1), ylim=(0, 1), axis=False).axison
    False
    """
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    ax = figure.add_axes(box, xlim=xlim, ylim=ylim)
    (ax.set_axis_on if axis else ax.set_axis_off)()
    return ax


def _pictures(frames: Sequence[np.ndarray | Axes], labels: Sequence[str], alt: str, ground: Axes | None) -> str:
    """All frames, the last one visible, in one place above the ground."""
    html = _frame(ground, f'alt="" role="presentation" style="{_FRAME};display:block"') if ground else ""
    above = ";position:absolute;inset:0" if ground else ""
    for position, (frame, label) in enumerate(zip(frames, labels, strict=True)):
        shown = f"{_FRAME};display:{'block' if position == len(frames) - 1 else 'none'}{above}"
        html += _frame(frame, f'title="{escape(label)}" alt="{escape(f"{label}: {alt}")}" style="{shown}"')
    return html


def _buttons(choices: Sequence[str], labels: Sequence[str]) -> str:
    """Radio buttons, the last one pressed; their group has a name that no other slider of the page has."""
    group = f"choice-{zlib.crc32(repr((choices, labels)).encode()):x}"
    buttons = "".join(
        f'<label><input type="radio" name="{group}" value="{position}" autocomplete="off"'
        f"{' checked' if position == len(choices) - 1 else ''}> {escape(choice)}</label> "
        for position, choice in enumerate(choices)
    )
    return f"<div>{buttons}</div>" if choices else ""


def _frame(frame: np.ndarray | Axes, attributes: str) -> str:
    """A picture inside the page: a figure as SVG, an array as PNG whose pixels stay squares."""
    if isinstance(frame, Axes):
        assert isinstance(frame.figure, Figure)
        kind, content = "svg+xml", svg_bytes(frame.figure, transparent=True)
    else:
        kind, content = "png", _png(frame)
        attributes = attributes.replace(_FRAME, f"{_FRAME};image-rendering:pixelated")
    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" {attributes}>'


def _png(frame: np.ndarray) -> bytes:
    if frame.dtype != np.uint8:
        raise ValueError(f"a frame has dtype {frame.dtype}: give uint8, as of SyntheticSet.pixels()")
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
