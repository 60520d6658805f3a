"""What the pages on bounds, curvature and speed say first: whole sentences, written by hand for made-up rows."""

import pandas as pd
import pytest

from lcmat.measurements import kinds
from lcmat.report import findings, measured
from lcmat.report.stand_ins import STAND_INS, beside_norm, rank_correlations


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


def surfaces(errors):
    rows = [(name, plane, error) for name, planes in errors.items() for plane, error in enumerate(planes)]
    return pd.DataFrame(rows, columns=["set", "plane", "error"])


def test_the_answer_on_the_surface_compares_plane_by_plane_and_with_each_draw():
    sets = {"LCMat-S, ρ = 0": [0.5, 0.5], "LCMat-S, ρ = 0.1": [0.4, 0.6], "LCMat-S, ρ = 0.1, weighted": [0.2, 0.1]}
    errors = pd.concat([surfaces({**sets, "Uniform": [0.1, 0.1]}), surfaces({"Uniform": [0.3, 0.7]})])
    assert findings.nearer(errors, "LCMat-S, ρ = 0.1", "Uniform") == (1, 4)
    assert findings.surface_answer(errors, "A", 0.01) == (
        "**Around a network trained on A, the loss of LCMat-S's coresets of 1 % is not reliably nearer to that of all "
        "images than the loss of gradient matching's (1 of 2 comparisons), and not nearer than that of most random "
        "draws (1 of 4).** On average over a plane through the network's parameters it is off by 50 %, that of "
        "gradient matching by 50 % and that of a random draw by 30 %. With each chosen image weighted by the size of "
        "its cluster, which the paper's training leaves out, it is off by 15 %."
    )


def test_the_answer_on_the_surface_can_be_yes():
    errors = surfaces(
        {"LCMat-S, ρ = 0": [0.5], "LCMat-S, ρ = 0.5": [0.1], "Uniform": [0.2], "LCMat-S, weighted": [0.1]}
    )
    said = findings.surface_answer(errors, "A", 0.01)
    assert "is nearer to that of all images" in said and "and nearer than that of most random draws (1 of 1)" in said


def test_the_answer_on_the_radius_compares_the_ten_best_and_the_ranks():
    growing = pd.Series(range(12), dtype=float)
    gaps = pd.DataFrame({0.001: growing, 0.01: growing, 0.5: -growing, 10.0: growing**2})
    assert findings.radius_answer(gaps, growing, "A") == (
        "**On A the radius changes which of 12 random subsets match best**: of the 10 with the smallest gap at ρ = "
        "0.01, 8 are among the 10 at ρ = 0.5, the other end of the paper's grid, and the rank correlation between the "
        "two is -1.00. At the smallest radius the gap orders the subsets as the difference of the gradients alone does "
        "(rank correlation 1.000); at ρ = 0.5 that correlation is -1.00, and at ρ = 10 it is 1.00. The *gap* is how "
        "far the loss of a subset can move away from that of all images, per unit length, when the last layer moves by "
        "at most ρ."
    )
    assert "does not change which" in findings.radius_answer(gaps.abs(), growing, "A")


def norms(**columns):
    """Four random subsets in two sizes and one that was selected; the norms grow, the stand-ins as given."""
    return pd.DataFrame(
        {
            "origin": ["random"] * 4 + ["lcmat-s, rho = 0"],
            "size": [5, 5, 9, 9, 5],
            "norm": [1.0, 2.0, 4.0, 5.0, 8.0],
            **{name: [1.0, 2.0, 4.0, 5.0, 8.0] for name in STAND_INS},
            **columns,
        }
    )


def test_rank_correlations_are_taken_size_by_size_and_over_all():
    ranks = rank_correlations(norms(top_k_sum=[5.0, 4.0, 1.0, 2.0, 8.0]))
    assert list(ranks.loc["top_k_sum"]) == pytest.approx([0.0, 0.1])  # -1 and 1; 1 - 6 * 18 / 120
    assert list(ranks.loc["frobenius"]) == pytest.approx([1.0, 1.0])


def test_stand_ins_stand_beside_the_norm_by_kind_in_the_order_of_the_table():
    table = norms(top_k_sum=[2.0, 2.0, 2.0, 20.0, 8.0]).assign(kind=["b", "b", "b", "b", "a"])
    rows = beside_norm(table)
    assert list(rows["kind"]) == ["b", "a"] and list(rows["n"]) == [4, 1]
    assert list(rows["sum over K (the method)"]) == ["1.5 (0.5 to 4)", "1 (1 to 1)"]  # 2, 1, 1/2 and 4 times the norm
    assert list(rows["sum exceeds norm"]) == [2, 0]


def test_the_answer_on_the_curvature_term_names_the_best_and_the_worst_stand_in():
    backwards = {name: [2.0, 1.0, 5.0, 4.0, 8.0] for name in STAND_INS if name != "frobenius"}
    table = norms(**{**backwards, "top_k_sum": [0.2, 0.1, 0.4, 0.5, 0.8]})
    assert findings.terms_answer({"A": table, "B": table}, 100) == (
        "**The sum of 100 diagonal entries, which LCMat-S computes in place of the spectral norm of a difference of "
        "Hessians, follows the order of that norm with a rank correlation of 0.00 and 0.00** among random subsets of "
        "one size (on A and B, in this order). Of 5 cheap stand-ins the one that follows it best is the Frobenius "
        "norm, with 1.00 and 1.00; the worst is the largest diagonal entry, with -1.00 and -1.00. In size, the sum is "
        "0.10 and 0.10 times the norm in the median and the largest diagonal entry 1.00 and 1.00 times."
    )


def test_the_answer_on_the_variance_tells_angle_length_and_order_in_the_last_epoch():
    columns = ["epoch", "label", "variance_cosine", "variance_ratio", "variance_rank_sum_10", "gradient_rank_10"]
    rows = [(0, 0, 0.1, 9.0, 0.2, 0.4), (0, 1, 0.1, 9.0, 0.2, 0.4), (0, -1, 1.0, 1.0, 0.0, 0.0)]
    rows += [(1, 0, 0.8, 0.5, 0.4, 0.6), (1, 1, 0.9, 1.5, 0.4, 0.8), (1, -1, 0.95, 1.2, 0.0, 0.0)]
    assert findings.variance_answer({"A": pd.DataFrame(rows, columns=columns)}) == (
        "**Within a class the variance of the gradients is not similar to the Hessian diagonal, for which LCMat-C "
        "matches it.** In networks trained on A, in this order, the cosine of the two is 0.85 within a class and 0.95 "
        "over all classes together; the 99.99 % for which the paper cites earlier work is reached in 1 of 6 "
        "measurements. Within a class the variance is 1.00 times as long as the diagonal, from 0.50 to 1.50 over the "
        "classes, and 1.20 times over all classes. Among random subsets of ten images of a class, its gap follows that "
        "of the Hessian diagonals with a rank correlation of 0.30; the gap of the mean gradients, which is matched "
        "anyway, with 0.55."
    )
    rows = [(1, 0, 0.99995, 1.0, 1.0, 1.0), (1, -1, 0.5, 1.0, 1.0, 1.0)]
    said = findings.variance_answer({"A": pd.DataFrame(rows, columns=columns)})
    assert said.startswith("**Within a class the variance of the gradients is similar to the Hessian diagonal, ")


def test_the_answer_on_speed_tells_factors_and_shares_of_common_picks():
    rows = [("apricot", 10, True, 4.0, 0.975), ("apricot", 50, False, 5.6, 1.0), ("naive", 10, True, 90.0, 1.0)]
    choices = pd.DataFrame(rows, columns=["way", "budget", "ties", "faster by", "common picks"])
    assert findings.speed_answer(choices, 0.5, 20.0) == (
        "**Picking 10 to 50 samples from given distances is 4 to 6 times as fast as with apricot and 90 times as fast "
        "as with naive**, in processor time of one thread. Where no two candidates are equally good, all of the "
        "samples picked are the same; where some are, and each program takes what it finds first, at least 97.5 %. "
        "Computing the distances and picking takes 0.5 s for a class; written down naively it takes 40 times as long, "
        "for the same choice."
    )


def test_the_answer_on_a_step_tells_its_gain_its_direction_and_the_cost_of_the_curvature_term():
    base, fastest = {"seconds": 12.0}, {"seconds": 4.0, "cosine": 0.99951}
    said = findings.step_answer(base, fastest, {"seconds": 3.2})
    assert said == (
        "**A step that changes the condensed images takes 4.0 s of one processor thread instead of 12.0 s, 3.0 times "
        "as fast as one class after another**, with a compiled network and bfloat16 products for the real images. The "
        "gradient keeps its direction: its cosine with that of the slow way is 0.9995. The curvature term of LCMat-C, "
        "which matches the variance of the gradients, adds 25.0 % to its time."
    )
    noise = findings.step_answer(base, fastest, {"seconds": 4.1})
    assert noise.endswith("adds nothing that can be told from the noise.")


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
        "*Measured before the last change of the code: Fashion-MNIST. What renews it stands at the end of this page.*"
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


def test_the_machine_of_a_timing_is_told_with_its_first_day_and_the_whole_range_of_loads():
    machine = {"threads": 1, "device": "A CPU", "instructions": "AVX512"}
    first = {"machine": machine, "measured": "2026-01-02T10:00", "versions": {"torch": "2.0", "numba": None}}
    loads = [{"load_average_at_start": 0.25, "load_average_at_end": 0.5}, {"load_average_at_start": 1.5}]
    environments = [{**first, **load} for load in loads]
    environments[1]["measured"] = "2026-01-01T23:00"
    assert measured.timed_on(*environments) == (
        "Timed from 2026-01-01 on 1 thread of A CPU (AVX512), load average 0.2 to 1.5; torch 2.0, numba missing."
    )
