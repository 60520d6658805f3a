"""Where the stored numbers of a page come from: a note beside its answer, and a drawer at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from IPython.display import Markdown

from lcmat.config.datasets import DATASETS
from lcmat.measurements import kinds
from lcmat.report.markup import prose

Stored = Mapping[str, Mapping[str, Any]]
"""Data set -> its measurement, as `lcmat.measurements.kinds.stored` gives them."""


def listed(parts: Iterable[str]) -> str:
    """Join parts of a sentence.

    >>> listed(["A"]), listed(["A", "B", "C"])
    ('A', 'A, B and C')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def command(kind: str, dataset: str, content: Mapping[str, Any]) -> str:
    """The command that makes a measurement anew, with every option that is not the default.

    >>> command("gradient-variance", "cifar10", {"width": 32, "epochs": 8, "seeds": [0]})
    'lcmat measure gradient-variance cifar10 -p epochs=8 -p seeds=0'
    """
    given = {name: (_plain(content.get(name)), _plain(default)) for name, default in kinds.options_of(kind).items()}
    changed = (f"-p {name}={value}" for name, (value, default) in given.items() if value not in ("", default))
    return " ".join([f"lcmat measure {kind} {dataset}", *changed])


def caution(kind: str, stored: Stored) -> str:
    """What a reader must know of the measurements beside the answer: older code, images that are not the originals.

    Returns:
        Markdown, empty if there is nothing to know.
    """
    outdated = [DATASETS[name].title for name, content in stored.items() if not kinds.is_current(kind, content)]
    notes = [compression({name: content["data"] for name, content in stored.items()})]
    if outdated:
        notes.append(f"Measured before the last change of the code: {listed(outdated)}.")
        notes.append("What renews it stands at the end of this page.")
    said = " ".join(filter(None, notes))
    return f"*{said}*" if said else ""


def compression(provenance: Mapping[str, str]) -> str:
    """Name the data sets, by name with their provenance, whose images are not the originals; empty if there is none.

    >>> compression({"cifar10": "JPEG copy of CIFAR-10", "mnist": "MNIST, a bit-exact copy"})
    'CIFAR-10 was measured on JPEG-compressed copies of its images.'
    """
    lossy = [DATASETS[name].title for name, words in provenance.items() if "JPEG" in words]
    return f"{listed(lossy)} was measured on JPEG-compressed copies of its images." if lossy else ""


def how_measured(kind: str, stored: Stored, *others: str) -> Markdown:
    """A drawer for the end of a page: network, images, time and command of each stored measurement.

    Args:
        kind: of the measurements.
        stored: the measurements.
        others: further items, in Markdown.
    """
    return drawer(*others, *(_account(kind, name, content) for name, content in stored.items()))


def drawer(*items: str) -> Markdown:
    """A list that is closed at first, of how the numbers of a page were measured."""
    body = "\n".join(f"- {item}" for item in items)
    return Markdown(f"<details>\n<summary>How these were measured</summary>\n\n{body}\n\n</details>")


def timed_on(*environments: Mapping[str, Any]) -> str:
    """The day, machine, load and versions with which seconds were measured, from the environments stored with them."""
    first = environments[0]
    machine = first["machine"]
    loads = [each[name] for each in environments for name in each if name.startswith("load_average")]
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in first["versions"].items())
    day = min(each["measured"] for each in environments)[:10]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    return prose(
        f"Timed from {day} on {threads} of {machine['device']} ({machine['instructions']}), load "
        f"average {min(loads):.1f} to {max(loads):.1f}; {versions}."
    )


def _account(kind: str, name: str, content: Mapping[str, Any]) -> str:
    words = [content["network"]]
    if "test_accuracy_percent" in content:
        words.append(f"test accuracy {content['test_accuracy_percent']:.2f} %")
    if "seeds" in content:
        words.append(f"seed{'s' * (len(content['seeds']) > 1)} {listed(map(str, content['seeds']))}")
    count = content["samples"] if "samples" in content else content["measured"]
    code = "the present code" if kinds.is_current(kind, content) else "an earlier version of the code"
    minutes = content["wall_seconds"] / 60
    return (
        f"**{DATASETS[name].title}:** {', '.join(words)}; {count:,} training images are measured. "
        f"{prose(content['data'])} Measured in {minutes:.0f} minutes, by {code}: `{command(kind, name, content)}`."
    )


def _plain(value: Any) -> str:
    """An option as the command line takes it; empty if it is none, as where a result bears an option's name."""
    values = value if isinstance(value, list | tuple) else [value]
    return ",".join(map(str, values)) if all(isinstance(each, int | float | str) for each in values) else ""
