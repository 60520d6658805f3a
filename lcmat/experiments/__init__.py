"""The experiments: what a run computes, and which code that involves. Importing this package does not import torch."""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lcmat.config import Experiment, parse
from lcmat.config.datasets import DATASETS
from lcmat.config.registry import METHODS
from lcmat.records import adoptions
from lcmat.records.fingerprint import ROOT, Sources
from lcmat.records.record import Record

# Rooms of words and files, whose every module is left out: a record states parameters by their values and images by the
# hash of their content, and what only carries results to and fro leaves them as they are.
WORDS_AND_FILES = (
    *("lcmat.config*", "lcmat.files*", "lcmat.records*", "lcmat.sweep*"),
    *("lcmat.experiments", "lcmat.experiments.session"),
    *("lcmat.data.canonical", "lcmat.data.digits", "lcmat.data.errors", "lcmat.data.parquet", "lcmat.data.source"),
)
_REGISTRY = "lcmat.config.registry"
_TARGET = re.compile(r"[\w.]+:\w+")
_NO_FUNCTION = "lcmat.condensation.matching:"
_WORSE = ("label_noise", "imbalance")  # parameters that change the training images


class Code(NamedTuple):
    """The code behind a number.

    Attributes:
        module: where it begins.
        methods: names of the methods of selection or condensation that it uses.
        networks: of the networks.
    """

    module: str
    methods: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def fingerprint(self, root: Path = ROOT) -> str:
        """16 hexadecimal digits for this code, or for the same in another copy of the package, whose folder is `root`.

        Raises:
            LookupError: that copy has no such module or registry.
        """
        sources = Sources(WORDS_AND_FILES, root)
        lines = [f"{facts} {sources.fingerprint(module)}" for module, facts in self._parts(sources)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def modules(self, root: Path = ROOT, without: tuple[str, ...] = ()) -> dict[str, str]:
        """What counts of each module, as a hash, by its name, and of the registries; fewer patterns on demand."""
        sources = Sources((*WORDS_AND_FILES, *without), root)
        parts = list(self._parts(sources))
        found = {name: sources.linked(name) for name in sources.closure(*(module for module, _ in parts))}
        return found | {f"{_REGISTRY}, {facts}": facts for module, facts in parts[1:] if module in found}

    def _parts(self, sources: Sources) -> Iterator[tuple[str, str]]:
        """Where the code begins, and the function behind each name; with what else a registry says that can matter."""
        yield self.module, ""
        evidence = [name for method in self.methods if method in METHODS for name in METHODS[method].evidence]
        tables = {"METHODS": self.methods, "OBJECTIVES": self.methods, "EVIDENCE": evidence, "MODELS": self.networks}
        for table, names in tables.items():
            for line in (sources.entry(_REGISTRY, table, name) for name in names):
                if line is not None:
                    yield _taken_apart(line)


def _taken_apart(line: ast.expr) -> tuple[str, str]:
    """The module that a line of a registry names, and the rest without title and reference."""
    constants = [node for node in ast.walk(line) if isinstance(node, ast.Constant)]
    texts: dict[ast.AST, str] = {node: node.value for node in constants if isinstance(node.value, str)}
    targets = ((node, text) for node, text in texts.items() if _TARGET.fullmatch(text))
    target, named = next(targets, (None, _NO_FUNCTION))
    if isinstance(line, ast.Call):
        line.args = [each for each in line.args if each is target or each not in texts]
    return named.partition(":")[0], ast.unparse(line).replace(named, named.partition(":")[2])


def code_of(run: Experiment) -> Code:
    """The code behind a run; in the registries, names of other kinds are passed over."""
    values = run.canonical()
    networks = {values[name] for name in ("network", "learner", "test_network") if name in values}
    return Code(f"lcmat.experiments.{run.experiment}", (values["method"],), tuple(sorted(networks)))


def code_fingerprint(parameters: Experiment) -> str:
    """Fingerprint of the code behind a run with these parameters; see `stale_keys`."""
    return code_of(parameters).fingerprint()


def code_fingerprints(runs: Iterable[Experiment]) -> dict[str, str]:
    """`code_fingerprint` of each run by its key; what runs have in common is read once."""
    fingerprint_of = cache(Code.fingerprint)
    return {run.key: fingerprint_of(code_of(run)) for run in runs}


def stale_keys(records: Iterable[Record]) -> set[str]:
    """Keys of the records that a run today need not agree with: its code is other, or its images.

    Code that was shown to give the same numbers counts as the same, see `lcmat.records.adoptions`.
    """
    found, known, fingerprint_of = list(records), adoptions.read(), cache(Code.fingerprint)
    codes = (fingerprint_of(code_of(parse(record.experiment, record.parameters))) for record in found)
    return {
        record.key
        for record, code in zip(found, codes, strict=True)
        if record.fingerprint not in adoptions.lineage(code, known) or has_other_images(record)
    }


@cache  # a process computes with the code that it has imported, and asks for this at every stage
def training_fingerprint(network: str, module: str) -> str:
    """Fingerprint of the code that trains this network and applies it, from the module on that does."""
    return Code(module, networks=(network,)).fingerprint()


def measurement_fingerprint(module: str, *methods: str, networks: Iterable[str]) -> str:
    """Fingerprint of the code behind what is measured for a run.

    Args:
        module: dotted name of the module that measures.
        methods: selection methods that it calls.
        networks: the networks that it trains.
    """
    return Code(module, methods, tuple(sorted(networks))).fingerprint()


def has_other_images(record: Record) -> bool:
    """Whether the images were others than the data set has, as far as their hash is known.

    Those made worse on purpose have none to compare, nor has a release of which not every image is proven.
    """
    spec = DATASETS[record.parameters["dataset"]]
    known = {} if spec.unproven else spec.content
    worse = any(name in record.parameters for name in _WORSE)
    compared = {split: used for split, used in record.data.items() if not (worse and split == "train")}
    return any(known.get(split, used.content_hash) != used.content_hash for split, used in compared.items())
