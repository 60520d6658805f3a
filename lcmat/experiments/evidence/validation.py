"""Training images held out for validation: the selecting network does not learn from them, no method selects them."""

from lcmat.config import SelectionParameters
from lcmat.curvature.last_layer import LastLayer
from lcmat.data import Splits
from lcmat.experiments.embedding import selector_view
from lcmat.experiments.evidence.networks import Gathered, Progresses
from lcmat.experiments.held_out import held_out_rows


def validation(
    parameters: SelectionParameters, splits: Splits, device: str, progress: Progresses | None = None
) -> Gathered:
    """The selecting network's view of the held-out images; it took no time beyond that view's own."""
    rows = held_out_rows(splits.train.labels, parameters.seed)
    view = selector_view(parameters, splits, device, progress and progress("selector"), held_out=rows)
    return Gathered(LastLayer(view.features[rows], view.logits[rows], splits.train.labels[rows]), 0.0)
