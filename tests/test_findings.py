"""What the pages on bounds, curvature and speed say first: whole sentences, written by hand for made-up rows."""

import pandas as pd
import pytest

from lcmat.measurements import kinds
from lcmat.report import findings, measured


def gaps(attained):
    """Four trials at two radii, whose certified bound is 2 and whose printed bound is 1."""
    return pd.DataFrame({"rho": [0.05, 0.05, 0.5, 0.5], "attained": attained, "upper": 2.0, "printed": 1.0})


def test_the_answer_on_the_gap_counts_what_exceeds_each_bound_and_tells_the_median_ratio():
    said = findings.gap_answer({"A": gaps([1.0, 2.0, 0.5, 0.5]), "B": gaps([1.25, 1.25, 1.6, 0.4])})
    assert said.startswith(
        "**In 8 trials on A and B no gap was found above its certified bound**; the bound as the paper prints it was "
        "exceeded in 1 of 4 on A and 3 of 4 on B. "
    )
    assert said.endswith(
        "1.50 (A) and 1.60 (B) times the largest gap found at ρ = 0.05, and 4.00 (A) and 3.12 (B) times at ρ = 0.5."
    )
    refuted = findings.gap_answer({"A": gaps([1.0, 2.1, 0.5, 0.5])})
    assert refuted.startswith("**In 4 trials on A 1 of the gaps exceeded its certified bound**; ")


@pytest.fixture
def stored(monkeypatch):
    monkeypatch.setattr(kinds, "fingerprint_of", lambda kind: "now")
    about = {"network": "ConvNet", "wall_seconds": 120, "fingerprint": "now", "samples": 2000, "data": "Exact."}
    return {"fashion-mnist": about, "cifar10": {**about, "samples": 1000, "data": "JPEG copy."}}


def test_a_reader_is_told_of_compressed_images_and_of_older_code_but_of_nothing_else(stored):
    assert measured.caution("curvature-gap", {"fashion-mnist": stored["fashion-mnist"]}) == ""
    assert measured.caution("curvature-gap", stored) == (
        "*CIFAR-10 was measured on JPEG-compressed copies of its images.*"
    )
    stored["fashion-mnist"] |= {"fingerprint": "before"}
    assert measured.caution("curvature-gap", {"fashion-mnist": stored["fashion-mnist"]}) == (
        "*Fashion-MNIST: measured before the last change of the code; "
        "`lcmat measure curvature-gap fashion-mnist -p samples=2000` measures again.*"
    )


def test_the_drawer_tells_network_images_time_and_command(stored):
    stored["cifar10"] |= {"test_accuracy_percent": 67.491, "seeds": [0, 1], "fingerprint": "before"}
    lines = measured.how_measured("curvature-gap", stored, "**Digits:** here.").data.split("\n")
    assert lines[:2] == ["<details>", "<summary>How these were measured</summary>"]
    assert lines[3:6] == [
        "- **Digits:** here.",
        "- **Fashion-MNIST:** ConvNet; 2,000 training images are measured. Exact. Measured in 2 minutes, by the "
        "present code: `lcmat measure curvature-gap fashion-mnist -p samples=2000`.",
        "- **CIFAR-10:** ConvNet, test accuracy 67.49 %, seeds 0 and 1; 1,000 training images are measured. JPEG copy. "
        "Measured in 2 minutes, by an earlier version of the code: `lcmat measure curvature-gap cifar10`.",
    ]
