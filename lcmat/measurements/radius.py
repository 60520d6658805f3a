"""The curvature gap of one subset at growing radii, searched from starts that follow the best perturbation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lcmat import bound
from lcmat.records.measurements import Row


def directions(difference: bound.LossDifference, ends: bound.Extremes) -> Tensor:
    """Unit perturbations along the gradient difference and the two extreme eigenvectors, (3, c, d+1)."""
    gradient = bound.gradient_gap(difference)
    vectors = (vector.view(difference.shape) for vector in (ends.top, ends.bottom))
    return torch.stack([gradient / gradient.norm(), *vectors])


def search(
    difference: bound.LossDifference,
    ends: bound.Extremes,
    radii: Sequence[float],
    *,
    generator: torch.Generator,
    random: int = 0,
    steps: int = 12,
) -> dict[float, bound.AttainedGap]:
    """The largest gap found at each radius: ascents from `directions`, both ways, and from the best so far.

    Args:
        difference: of the losses.
        ends: of its Hessian.
        radii: ascending; the best perturbation of one is a start at the next, as it is and lengthened.
        generator: of the random starts.
        random: how many of these.
        steps: of each ascent.
    """
    units = directions(difference, ends)
    units = torch.cat([units, -units, bound.random_starts(difference, 1.0, random, generator)])
    best, found = torch.zeros(1, *difference.shape, dtype=torch.float64), {}
    for rho in radii:
        longer = best * (rho / best.norm().clamp_min(1e-30))
        found[rho] = bound.ascend(difference, torch.cat([units * rho, best, longer]), rho, steps=steps)
        best = found[rho].step[None]
    return found


def attained_row(difference: bound.LossDifference, ends: bound.Extremes, rho: float, found: bound.AttainedGap) -> Row:
    """A gap that was found, and where its perturbation points: squared cosines with `directions`."""
    unit = found.step / found.step.norm()
    cosines = (directions(difference, ends) * unit).sum(dim=(1, 2))
    segment = torch.stack([torch.zeros_like(unit), found.step])
    return {
        "rho": rho,
        "gap": found.value,
        "length": float(found.step.norm()) / rho,
        "gradient": float(cosines[0] ** 2),
        "eigenvectors": float((cosines[1:] ** 2).sum()),
        "sign changed": bool(bound.difference_at(difference, segment).prod() < 0),
    }
