"""Calls of the public functions with some strange arguments, made from what the functions say they take."""

import importlib
import inspect
import itertools
import math
import random
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import torch
from torch import nn

import lcmat
from lcmat.bound import LossDifference
from lcmat.condensation import CondensationRecipe, EvaluationRecipe, SyntheticSet
from lcmat.condensation.observation import Observation
from lcmat.config.annotations import alternatives
from lcmat.config.arguments import FORMS
from lcmat.config.registry import METHODS, OBJECTIVES
from lcmat.curvature import LastLayer
from lcmat.data import ImageDataset
from lcmat.data.augmentation import Transformation, draw_transformation
from lcmat.data.augmentation.cutmix import Mixed
from lcmat.models import build
from lcmat.training import Recipe

SIZES = {"_": 2, "n": 6, "d": 3, "c": 3, "m": 4, "k": 3, "e": 4, "b": 2, "s": 2, "channels": 1, "height": 8, "width": 8}
SLOW = {
    "train": 40,
    "condense": 80,
    "train_on_set": 40,
    "certified_gap": 8,
    "build": 10,
    "load": 20,
    "dominating_bound": 3,
}
"""Functions whose call takes long: of so many draws one is made."""


def modules():
    """Every module of the rooms that compute, so that all their functions are known."""
    rooms = ("selection", "numerics", "curvature", "bound", "condensation", "data", "models", "training", "files")
    root = Path(lcmat.__file__).parent
    files = itertools.chain.from_iterable(sorted((root / room).rglob("*.py")) for room in rooms)
    names = (".".join(("lcmat", *file.relative_to(root).with_suffix("").parts)) for file in files)
    return [importlib.import_module(name.removesuffix(".__init__")) for name in names]


class Fuzzer:
    """A stream of calls; the same for the same seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random, self.folder = random.Random(seed), folder
        self.generator = torch.Generator().manual_seed(seed)
        # Not all of FORMS: what else a process has imported must not change the stream.
        rooms = {module.__name__ for module in modules()}
        own = {(f.__module__, f.__qualname__): f for f in FORMS if f.__module__ in rooms}
        self.functions = [own[name] for name in sorted(own)]
        images = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8, generator=self.generator)
        self.data = ImageDataset.from_torch(images, torch.arange(12) % 3)
        self.network = build("digits-net", num_classes=3, in_channels=1, image_size=8, width=4)
        self.parameter = torch.ones(2, requires_grad=True)
        self.results = 0
        self.made: Counter[str] = Counter()

    def call(self) -> str | None:
        """Make one call; what is wrong with its outcome, if anything."""
        function = self.random.choice(self.functions)
        if self.random.random() * SLOW.get(function.__name__, 1) > 1:
            return None
        arguments = self.valid(function)
        strange = [name for name in arguments if name not in ("progress",)]
        changed = self.random.sample(strange, min(len(strange), self.random.choice((0, 1, 1, 1, 2))))
        for name in changed:
            arguments[name] = self.strange(arguments[name])
        if function.__name__ == "load":
            arguments["download"] = False
        self.made[function.__name__] += 1
        return self.outcome(function, arguments, changed)

    def outcome(self, function: Any, arguments: dict[str, Any], changed: list[str]) -> str | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function(**arguments)
            self.results += 1
        except Exception as error:  # which is what this is about
            last = traceback.extract_tb(error.__traceback__)[-1]
            if last.filename == __file__ or any(callable(arguments[name]) for name in changed):
                return None  # another's function may raise what it likes
            problem = unexplained(error, [*arguments, *LastLayer._fields, *(repr(arguments[name]) for name in changed)])
            if problem:
                shown = {name: arguments[name] for name in changed}
                return f"{function.__module__}.{function.__name__}({shown!r:.300}): {problem}: {error!r:.300} {last}"
        return None

    def valid(self, function: Any) -> dict[str, Any]:
        hints, forms = get_type_hints_of(function), FORMS[function]
        arguments = {}
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if parameter.default is not parameter.empty and self.random.random() < 0.7:
                if name not in ("network", "width"):
                    arguments[name] = parameter.default
                continue
            arguments[name] = self.value(name, hints.get(name, Any), forms.get(name), function)
        return arguments

    def value(self, name: str, hint: Any, form: str | None, function: Any) -> Any:
        special = self.special(name, function.__name__)
        if special is not None:
            return special
        kind = alternatives(hint)[0]
        if kind is torch.Tensor:
            return self.tensor(form or "n", SIZES)
        if kind in (int, float):
            return self.number(kind, form or "[0, inf)")
        if kind is LastLayer:
            sizes = {**SIZES, "n": SIZES[form or "n"]}
            return LastLayer(*(self.tensor(part, sizes) for part in ("n d", "n c", "int<c n")))
        if kind is LossDifference:
            return LossDifference(
                *(self.tensor(part, SIZES) for part in ("double n e", "double n c", "int<c n", "double n"))
            )
        made = {
            bool: lambda: self.random.random() < 0.5,
            torch.Generator: lambda: torch.Generator().manual_seed(3),
            nn.Module: lambda: self.network,
            ImageDataset: lambda: self.data,
            Recipe: lambda: Recipe(epochs=1, batch_size=4, crop_padding=1),
            CondensationRecipe: lambda: CondensationRecipe(
                ipc=2, outer_iterations=1, inner_steps=1, network="digits-net", width=4, network_images=4
            ),
            EvaluationRecipe: lambda: EvaluationRecipe("digits-net", width=4, epochs=1),
            SyntheticSet: lambda: SyntheticSet(
                torch.randn(6, 1, 8, 8), torch.arange(3).repeat_interleave(2), ("a", "b", "c"), (0.5,), (0.5,)
            ),
            Mixed: lambda: Mixed(torch.randn(6, 1, 8, 8), torch.arange(6) % 3, torch.arange(6) % 3, 0.5),
            Transformation: lambda: draw_transformation("crop_flip", generator=torch.Generator()),
            Observation: lambda: Observation((torch.randn(2, 3, 4),), *(torch.randn(2, 4, 3) for _ in "ab"),
                                             torch.arange(8).reshape(2, 4) % 3),
            Path: lambda: self.folder / "file.safetensors",
            str: lambda: "cpu",
        }  # fmt: skip
        return made[kind]() if kind in made else None

    def special(self, name: str, function: str) -> Any:
        """Arguments of which the annotation says too little."""
        points = torch.randn(8, 3, dtype=torch.float64, generator=self.generator)
        matrix = points @ points.T

        def block(rows: Any, columns: Any) -> torch.Tensor:
            return (points[rows][:, None] - points[columns]).norm(dim=2)

        table = {
            "block": block,
            "products": lambda some, others: matrix[some][:, others][:6],
            "product": lambda vector: 2 * vector,
            "classifier": lambda inputs: inputs.flatten(1).sum(1, keepdim=True) * torch.tensor([1.0, -1.0]),
            "divergences_to": lambda index: torch.arange(8.0).sub(index).abs(),
            "similarity_row": lambda index: torch.full((6,), 0.5, dtype=torch.float64),
            "parts": [lcmat.Coreset(torch.tensor([0]), torch.ones(1).double(), torch.ones(1).double())],
            "first": (torch.randn(6, 3), torch.randn(6, 3), torch.arange(6) % 3),
            "second": (torch.randn(4, 3), torch.randn(4, 3), torch.arange(4) % 3),
            "objective": "lcmat-c" if function in ("published", "find_objective") else OBJECTIVES["lcmat-c"],
            "strategy": "color_crop",
            "init": "real",
            "combine": "idc",
            "norm": "l2",
            "layers": "weights",
            "dataset": self.data,
            "like": torch.zeros(1, dtype=torch.float64),
            "path": str(self.folder / "file.safetensors"),
            "tensors": {"indices": torch.arange(3)},
            "method": self.random.choice([name for name, m in METHODS.items() if not m.evidence]),
            "parameters": [self.parameter],
            "gradients": [torch.randn(2, 3, 4), torch.randn(2, 3)],
        }
        names = {
            "load": {"name": "digits"},
            "find_objective": {"name": "dc"},
            "build": {"name": "digits-net", "image_size": 8, "in_channels": 1},
            "craig": {"gradients": "last-layer"},
            "layerwise_distance": {"real": [torch.ones(2, 3, 4)], "synthetic": [torch.ones(2, 3, 4)]},
            "squared_distance": {"real": [torch.ones(2, 3, 4)], "synthetic": [torch.ones(2, 3, 4)]},
            "cosine_distance": {"real": [torch.ones(2, 3, 4)], "synthetic": [torch.ones(2, 3, 4)]},
            "cluster_sizes": {"distances": torch.rand(6, 4)},
            "facility_location": {"distances": torch.rand(6, 4)},
            "facility_location_of_blocks": {"size": 8, "budget": 3},
            "symmetric_matrix": {"size": 8},
            "farthest_first": {"size": 8},
            "subset_difference": {"weights": None, "indices": torch.tensor([0, 2])},
            "set_difference": {"weights": None},
            "select": {"features": torch.randn(6, 3), "logits": torch.randn(6, 3), "labels": torch.arange(6) % 3},
            "top_diagonal": {"dimensions": torch.tensor([0, 1])},
            "look": {"images": torch.randn(2, 1, 8, 8)},
            "growth_factor": {"ranges": torch.randn(3), "until": torch.rand(3)},
            "orthogonal_matching_pursuit": {"squares": matrix.diagonal()[:6].clone(), "budget": 2},
            "deepfool_distances": {"inputs": torch.randn(3, 1)},
            "maximise_in_ball": {"largest": 2.0, "gradient": torch.ones(4).double(), "top": torch.eye(4).double()[0]},
            "random_crop_flip": {"padding": 2},
            "tiles": {"start": 0, "stop": 300},
            "network_hessian_product": {"loss": None},
        }
        if (function, name) == ("network_hessian_product", "loss"):
            return self.parameter.square().sum()
        own = names.get(function, {})
        if name in own:
            return own[name]
        return table.get(name)

    def tensor(self, form: str, sizes: dict[str, int]) -> torch.Tensor:
        words = form.split()
        kind, _, bound = words[0].partition("<")
        known = ("float", "full", "double", "real", "any", "all", "int", "bool")
        dimensions = words[1:] if kind in known else words
        kind = kind if kind in known else "float"
        letters = [letter.rstrip("+") for letter in dimensions if letter != "..."]
        shape = [int(letter) if letter.isdigit() else sizes[letter] for letter in letters]
        if kind == "int":
            high = sizes.get(bound) or (int(bound) if bound else 3)
            return torch.randint(0, high, shape, generator=self.generator)
        if kind == "bool":
            return torch.ones(shape, dtype=torch.bool)
        return torch.randn(shape or [3], generator=self.generator).to(
            torch.float64 if kind == "double" else torch.float32
        )

    def number(self, kind: type, form: str) -> Any:
        low, high = form[1:-1].split(", ")
        ends = [SIZES[end] if end in SIZES else float(end) if end[0] in "-0123456789i" else 5 for end in (low, high)]
        low, high = max(ends[0], -3), min(ends[1], 4)
        return self.random.randint(math.ceil(low), math.floor(high)) if kind is int else low + (high - low) * 0.5

    def strange(self, value: Any) -> Any:
        """Something else in the place of a value."""
        if isinstance(value, torch.Tensor) and self.random.random() < 0.6:
            return self.random.choice(_CHANGES)(value)
        if isinstance(value, LastLayer) and self.random.random() < 0.7:
            part = self.random.choice(LastLayer._fields)
            return value._replace(**{part: self.random.choice(_CHANGES)(getattr(value, part))})
        if (
            isinstance(value, tuple | list)
            and value
            and all(isinstance(each, torch.Tensor) for each in value)
            and self.random.random() < 0.7
        ):
            position = self.random.randrange(len(value))
            changed = list(value)
            changed[position] = self.random.choice(_CHANGES)(changed[position])
            return type(value)(*changed) if hasattr(value, "_fields") else type(value)(changed)
        return self.random.choice(_VALUES)()


def get_type_hints_of(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError:
        return {}


def unexplained(error: Exception, changed: list[str]) -> str | None:
    """Why an exception is not one that explains itself."""
    own = type(error).__module__.startswith("lcmat")
    if not own and not isinstance(error, ValueError | TypeError | OSError):
        return "wrong type of exception"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if "/lcmat/" not in frame.filename and not isinstance(error, OSError):
        return "not raised by lcmat"
    if isinstance(error, OSError):
        return None
    if isinstance(error, TypeError):
        return "not a ValueError"
    if changed and not any(name in str(error) for name in changed) and not own:
        return "no argument named"
    return None


def _spoilt(value: torch.Tensor, number: float) -> torch.Tensor:
    value = value.clone()
    if value.numel():
        value.view(-1)[value.numel() // 2] = number
    return value


_CHANGES = [
    lambda t: t[:-1] if t.ndim else t[None],
    lambda t: t[:0] if t.ndim else t,
    lambda t: t[None],
    lambda t: t.flatten(),
    lambda t: t.T if t.ndim == 2 else t,
    lambda t: torch.cat([t, t]) if t.ndim else t,
    lambda t: t.double(),
    lambda t: t.float(),
    lambda t: t.half(),
    lambda t: t.bfloat16(),
    lambda t: t.long(),
    lambda t: t.int(),
    lambda t: t.bool(),
    lambda t: t.to(torch.complex64),
    lambda t: t.to(torch.uint8),
    lambda t: t.to_sparse() if t.ndim else t,
    lambda t: t.to("meta"),
    lambda t: t.numpy() if not t.requires_grad else t,
    lambda t: t.tolist(),
    lambda t: list(t) if t.ndim else t,
    lambda t: _spoilt(t.float(), math.nan),
    lambda t: _spoilt(t.float(), math.inf),
    lambda t: t * 0,
    lambda t: -t.float(),
    lambda t: t.float() * 1e30,
    lambda t: t.float().requires_grad_(),
    lambda t: t.flip(0) if t.ndim else t,
    lambda t: t[..., :0] if t.ndim else t,
    lambda t: t + 1 if t.dtype != torch.bool else t,
]

_VALUES = [
    *(
        lambda value=value: value
        for value in (None, True, False, 0, 1, -1, 2, 3, 7, 10**6, -(10**30), 10**30, 0.0, 0.5)
    ),
    *(lambda value=value: value for value in (-0.5, 1.0, 2.5, math.nan, math.inf, -math.inf, 1e300, 1e-300, 3 + 4j)),
    *(lambda value=value: value for value in ("", "x", "lcmat-s", "none", "cuda", "cpu", b"x", (), (1, 2), {1: 2})),
    *(lambda value=value: value for value in (object(), int, np.float64(0.5), np.int64(2), np.bool_(True))),
    list,
    dict,
    lambda: [1, 2],
    lambda: ["a"],
    lambda: [torch.zeros(2), torch.zeros(3)],
    lambda: [torch.zeros(2)],
    lambda: np.arange(3),
    lambda: np.array(["a", "b"]),
    lambda: np.array([None, 1]),
    lambda: torch.zeros(()),
    lambda: torch.tensor(2),
    lambda: torch.zeros(0),
    lambda: torch.zeros(6),
    lambda: torch.zeros(6, 3),
    lambda: torch.zeros(6, 0),
    lambda: torch.arange(6),
    lambda: torch.randn(2, 3, 4),
    lambda: lambda *arguments: None,
    lambda: nn.Linear(2, 2),
    lambda: Path("missing/x"),
    lambda: torch.Generator(),
]
