"""Training by the paper's protocol: no data loader, every draw explicit, resumable bit for bit."""

from lcmat.files.checkpoints import CheckpointMismatchError
from lcmat.models.last_layer import Embedding
from lcmat.training.evaluation import accuracy_percent, embed
from lcmat.training.loop import DivergedError, TrainingResult, train
from lcmat.training.recipe import Recipe, learning_rates

__all__ = [
    "CheckpointMismatchError",
    "DivergedError",
    "Embedding",
    "Recipe",
    "TrainingResult",
    "accuracy_percent",
    "embed",
    "learning_rates",
    "train",
]
