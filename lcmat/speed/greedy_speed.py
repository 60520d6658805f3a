"""Time and memory of greedy facility location, beside the peers' lazy greedy and the direct formulation."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor

from lcmat.numerics.submodular import facility_location
from lcmat.selection.lcmat_s import lcmat_distances
from lcmat.speed import peers
from lcmat.speed.inputs import RHO, TOP_K, structured_class
from lcmat.speed.measuring import Costs, cost
from lcmat.speed.naive import naive_greedy


def greedy_choices(
    samples: int, budgets: Iterable[int], naive_budgets: Iterable[int], *, ties: bool = True
) -> list[Costs]:
    """Facility location on given distances (peers: similarities), ours, the peers' lazy greedy, the naive one.

    Two samples that are each other's nearest tie whenever both are still far from all chosen ones.  A distance of each
    sample to itself, random and below all others, tells them apart.
    """
    distances = lcmat_distances(*structured_class(samples, 512, 10, seed=0), rho=RHO, top_k=TOP_K)
    if not ties:
        generator = torch.Generator().manual_seed(0)
        smallest = (distances + distances.max() * torch.eye(samples)).min()
        distances.diagonal().copy_(smallest * torch.rand(samples, generator=generator, dtype=distances.dtype))
    similarities = (distances.max() - distances).numpy()
    present = {name: function for name, function in peers.FACILITY_LOCATION.items() if peers.installed(name)}
    for function in present.values():
        function(similarities[:50, :50].copy(), 2)  # imports
    entries = []
    for budget in budgets:
        ranking, ours = cost(partial(facility_location, distances, budget))
        entry: Costs = {"samples": samples, "budget": budget, "ties": ties, "ours": ours, "others": {}}
        ways = {name: partial(function, similarities, budget) for name, function in present.items()}
        if budget in naive_budgets:
            ways["naive"] = partial(naive_greedy, distances, budget)
        for name, way in ways.items():
            indices, theirs = cost(way)
            entry["others"][name] = theirs | _agreement(distances, ranking.indices.tolist(), indices)
        entries.append(entry)
    return entries


def _agreement(distances: Tensor, ours: list[int], theirs: list[int]) -> Costs:
    """Common picks; how much less, relative to ours, theirs gains where they first differ (0: a tie); objectives."""
    farthest = distances.max()

    def reached(chosen: list[int]) -> float:
        return float((farthest - distances[:, chosen]).max(dim=1).values.sum())

    first = next((k for k, pair in enumerate(zip(ours, theirs, strict=True)) if len(set(pair)) == 2), None)
    loss = 0.0
    if first is not None:
        start = reached(ours[:first]) if first else 0.0
        own, other = (reached([*ours[:first], chosen[first]]) - start for chosen in (ours, theirs))
        loss = (own - other) / own
    return {
        "same_picks": len(set(ours) & set(theirs)) / len(ours),
        "first_difference": first,
        "loss_at_first_difference": loss,
        "relative_difference_of_objectives": reached(theirs) / reached(ours) - 1,
    }
