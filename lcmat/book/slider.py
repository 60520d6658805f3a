"""A slider through small images that needs no library and no network: one HTML element with all frames inside."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML
from PIL import Image

MAX_BYTES = 300_000  # a page stays light

_BOX = "padding:0.7em;margin:1em 0;max-width:42em"
_FRAME = "width:100%;height:auto;image-rendering:pixelated;background:#fff"

# Shows the frame of the slider's position, and says its label to those who see it and to those who hear it.
_SHOW = (
    "const box=this.closest('figure');"
    "box.querySelectorAll('img').forEach((frame,i)=>"
    "{frame.style.display=i==this.value?'block':'none';"
    "if(i==this.value){box.querySelector('output').value=frame.title;"
    "this.setAttribute('aria-valuetext',frame.title)}})"
)


def image_slider(frames: Sequence[np.ndarray], labels: Sequence[str], *, alt: str, caption: str) -> HTML:
    """Show one of several images, chosen by a range input, which the arrow keys move.

    It starts at the last frame, which is also what a reader without scripts sees. Text and ground are the page's; the
    frames' ground is white on dark pages, too.

    Args:
        frames: uint8, ``(height, width)`` or ``(height, width, 3)`` each, enlarged to the width of the page.
        labels: one for each frame, for instance "step 10"; escaped.
        alt: what the images show, for those who do not see them; the label is added.
        caption: below the slider.

    Raises:
        ValueError: there is no frame, a frame has no label, is not uint8, or all together are too large for a page.

    >>> image_slider([np.zeros((1, 1), np.uint8)] * 2, ["a", "b"], alt="black", caption="n = 1").data.count("<img")
    2
    """
    if not frames or len(frames) != len(labels):
        raise ValueError(f"{len(frames)} frames and {len(labels)} labels: give one or more frames, a label for each")
    last = len(frames) - 1
    images = "".join(
        f'<img src="data:image/png;base64,{_png(frame)}" title="{escape(label)}" alt="{escape(f"{label}: {alt}")}" '
        f'style="{_FRAME};display:{"block" if position == last else "none"}">'
        for position, (frame, label) in enumerate(zip(frames, labels, strict=True))
    )
    final = escape(labels[last])
    html = (
        f'<figure style="{_BOX}">{images}<label>Frame <input type="range" min="0" max="{last}" value="{last}" '
        f'autocomplete="off" aria-valuetext="{final}" oninput="{escape(_SHOW)}"></label> <output>{final}</output>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
    if len(html) > MAX_BYTES:
        raise ValueError(f"the slider has {len(html)} bytes, above {MAX_BYTES}: show fewer or smaller frames")
    return HTML(html)


def _png(frame: np.ndarray) -> str:
    """A frame as PNG in base64."""
    if frame.dtype != np.uint8:
        raise ValueError(f"a frame has dtype {frame.dtype}: give uint8, as of SyntheticSet.pixels()")
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
