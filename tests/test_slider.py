"""The slider: its frames are the images given, it reacts to keys without a network, and it says what is wrong."""

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcmat.book import slider
from lcmat.book.slider import image_slider, layer

BROWSER = Path("/usr/bin/chromium")
FRAMES = [np.full((2, 3), shade, dtype=np.uint8) for shade in (0, 100, 255)]
LABELS = ["step 0", "step <1>", 'step "2" & last']


def shown(frames=FRAMES, labels=LABELS, caption="n = 1"):
    return image_slider(frames, labels, alt="grey <b>", caption=caption).data


class Elements(HTMLParser):
    """All elements with their attributes, unescaped."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def test_frames_are_the_images_given_with_labels_and_alternative_text():
    images = Elements(shown()).named("img")
    for frame, label, image in zip(FRAMES, LABELS, images, strict=True):
        header, content = image["src"].split(",")
        assert header == "data:image/png;base64"
        np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(base64.b64decode(content)))), frame)
        assert image["title"] == label
        assert image["alt"] == f"{label}: grey <b>"


def test_colours_survive():
    frame = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    content = Elements(shown([frame], ["one"])).named("img")[0]["src"].split(",")[1]
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(base64.b64decode(content)))), frame)


def test_text_is_escaped():
    names = {name for name, _ in Elements(shown(caption="<script>alert(1)</script>")).found}
    assert names == {"figure", "div", "img", "label", "input", "output", "figcaption"}


def test_the_last_frame_is_shown_first():
    parsed = Elements(shown())
    assert ["none" not in image["style"] for image in parsed.named("img")] == [False, False, True]
    assert parsed.named("input")[0]["value"] == "2"


@pytest.mark.parametrize(
    ("frames", "labels", "message"),
    [
        ([], [], "0 frames, 0 labels"),
        (FRAMES, LABELS[:2], "3 frames, 2 labels"),
        ([FRAMES[0].astype(float)], ["one"], "dtype float64: give uint8"),
    ],
)
def test_bad_input_is_named(frames, labels, message):
    with pytest.raises(ValueError, match=message):
        shown(frames, labels)


def test_choices_share_the_frames_evenly():
    with pytest.raises(ValueError, match="3 frames, 3 labels and 2 choices"):
        image_slider(FRAMES, LABELS, alt="", caption="", choices=["one", "two"])


def drawn(height, axis=False):
    ax = layer(3.0, 2.0, xlim=(0, 1), ylim=(0, 1), box=(0.2, 0.2, 0.7, 0.7), axis=axis)
    ax.plot([0, 1], [height, height], color="red", linewidth=6)
    return ax


def test_frames_fit_on_their_ground_and_let_it_through():
    pictures = []
    for axis in (True, False):
        buffer = io.BytesIO()
        drawn(0.5, axis).figure.savefig(buffer, format="png", transparent=True)
        pictures.append(np.array(Image.open(buffer))[:, 100:230])  # between the spines
    red = [(picture[..., :3] == [255, 0, 0]).all(axis=2) & (picture[..., 3] == 255) for picture in pictures]
    np.testing.assert_array_equal(*red)
    assert red[0].any() and (pictures[1][~red[1]][:, 3] < 255).all()


def test_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(slider, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="above 1000: show fewer or smaller frames"):
        shown()


@pytest.mark.skipif(not BROWSER.exists(), reason=f"no browser at {BROWSER}")
def test_arrow_keys_move_it_from_a_file_and_in_dark_mode(tmp_path):
    from playwright.sync_api import sync_playwright

    both = {"alt": "a line", "caption": "", "choices": ["low", "high"], "ground": drawn(0, axis=True)}
    chosen = image_slider([drawn(n / 10) for n in range(6)], list("012345"), **both).data
    path = tmp_path / "page.html"
    path.write_text(f"<body style='background:#000;color:#fff'>{shown()}{shown(labels=['a', 'b', 'c'])}{chosen}</body>")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(BROWSER), args=["--no-sandbox"])
        tab = browser.new_page(color_scheme="dark")
        requests = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(path.as_uri())
        first, second, third = tab.locator("figure").all()
        first.locator("input").press("ArrowLeft")
        assert [image.is_visible() for image in first.locator("img").all()] == [False, True, False]
        assert first.locator("output").inner_text() == LABELS[1]
        assert first.locator("input").get_attribute("aria-valuetext") == LABELS[1]
        assert [image.is_visible() for image in second.locator("img").all()] == [False, False, True]
        ground = "element => getComputedStyle(element).backgroundColor"
        assert first.evaluate(ground) == "rgba(0, 0, 0, 0)"  # transparent, so that the page's text can be read on it
        assert first.locator("figcaption").evaluate("text => getComputedStyle(text).color") == "rgb(255, 255, 255)"
        seen = lambda: [image.is_visible() for image in third.locator("img[title]").all()].index(True)  # noqa: E731
        assert seen() == 5
        third.get_by_label("low").click()
        assert (seen(), third.locator("output").inner_text()) == (2, "2")
        third.locator("[type=range]").press("Home")
        third.get_by_label("low").press("ArrowRight")
        assert (seen(), third.locator("output").inner_text()) == (3, "3")
        assert third.locator("img").first.is_visible()  # the ground
        assert all(url.startswith(("file:", "data:")) for url in requests)
        browser.close()
