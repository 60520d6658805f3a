"""The experiments: what a run computes, and which code that involves. Importing this package does not import torch."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lcmat.config import Experiment, parse
from lcmat.config.defaults import METHOD_EVIDENCE
from lcmat.data.catalogue import DATASETS
from lcmat.records import adoptions as ledger
from lcmat.records.fingerprint import ROOT, fingerprint, texts
from lcmat.records.record import Record

# Rooms of words and files, whose every module is left out: a record states parameters by their values and images by the
# hash of their content, and what only carries results to and fro leaves them as they are.
WORDS_AND_FILES = (
    *("lcmat.config*", "lcmat.files*", "lcmat.records*", "lcmat.sweep*"),
    *("lcmat.experiments", "lcmat.experiments.session"),
    *("lcmat.data.canonical", "lcmat.data.catalogue", "lcmat.data.digits", "lcmat.data.errors"),
    *("lcmat.data.parquet", "lcmat.data.source"),
)
_METHODS, _NETWORKS = "lcmat.selection.registry.METHODS", "lcmat.models.MODELS"
_EVIDENCE = "lcmat.experiments.evidence.PROVIDERS"
_WORSE = ("label_noise", "imbalance")  # parameters that change the training images


class Code(NamedTuple):
    """The code behind a number.

    Attributes:
        module: where it begins.
        methods: names of the selection methods that it uses.
        networks: of the networks.
    """

    module: str
    methods: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    def fingerprint(self, root: Path = ROOT) -> str:
        """Of this code, or of the same in another copy of the package, whose folder is `root`."""
        return fingerprint(self.module, without=WORDS_AND_FILES, entries=self._entries, root=root)

    def texts(self, root: Path = ROOT, without: tuple[str, ...] = ()) -> dict[str, str]:
        """What counts of each module, by its name; fewer patterns of modules on demand."""
        return texts(self.module, without=(*WORDS_AND_FILES, *without), entries=self._entries, root=root)

    @property
    def _entries(self) -> dict[str, tuple[str, ...]]:
        evidence = tuple(name for method in self.methods for name in METHOD_EVIDENCE.get(method, ()))
        return {_METHODS: self.methods, _NETWORKS: self.networks, _EVIDENCE: evidence}


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

    Code that was shown to give the same numbers counts as the same, see `lcmat.sweep.adoption`.
    """
    found, adoptions, fingerprint_of = list(records), ledger.read(), cache(Code.fingerprint)
    codes = (fingerprint_of(code_of(parse(record.experiment, record.parameters))) for record in found)
    return {
        record.key
        for record, code in zip(found, codes, strict=True)
        if record.fingerprint not in ledger.lineage(code, adoptions) or has_other_images(record)
    }


@cache  # a process computes with the code that it has imported, and asks for this at every stage
def training_fingerprint(network: str, module: str) -> str:
    """Fingerprint of the code that trains this network and applies it, from the module on that does."""
    return Code(module, networks=(network,)).fingerprint()


def measurement_fingerprint(module: str, *methods: str, networks: Iterable[str] = ("convnet", "digits-net")) -> str:
    """Fingerprint of the code behind a stored measurement.

    Args:
        module: dotted name of the module that makes it.
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
