"""What, beside code and data, decides the last bits of a number: the processor, what it can do, and the libraries."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lcmat.experiments.session import chosen_device, describe

UNKNOWN = "unknown"

_CPUINFO = Path("/proc/cpuinfo")
_MODEL = ("vendor_id", "cpu family", "model", "stepping")
_MODEL_OF_ARM = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
_ARITHMETIC = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve", "sme", "bf16", "i8mm")


@dataclass(frozen=True)
class Machine:
    """This machine.

    Attributes:
        devices: its processor and what computes here, as records name them.
        processor: vendor, family, model and stepping, which a name such as "Xeon Processor" leaves open.
        instructions: the level at which torch computes, and a hash of the processor's extensions for arithmetic, of
            which a virtual machine may hide some.
        torch: its version.
        numpy: its version.
    """

    devices: frozenset[str]
    processor: str
    instructions: str
    torch: str
    numpy: str


def this_machine(cpuinfo: Path = _CPUINFO) -> Machine:
    """Look at this machine; what the system does not tell is `UNKNOWN`.

    Args:
        cpuinfo: where Linux describes the processor.
    """
    facts = _facts(cpuinfo)
    names = _MODEL if _MODEL[0] in facts else _MODEL_OF_ARM
    model = ", ".join(f"{name} {facts[name]}" for name in names if name in facts)
    extensions = sorted(word for word in facts.get("flags", facts.get("Features", "")).split() if _computes(word))
    digest = hashlib.sha256(" ".join(extensions).encode()).hexdigest()[:8]
    return Machine(
        devices=frozenset({describe("cpu"), describe(chosen_device())}),
        processor=model or UNKNOWN,
        instructions=f"{torch.backends.cpu.get_cpu_capability()} {digest}" if extensions else UNKNOWN,
        torch=str(torch.__version__),
        numpy=np.__version__,
    )


def _facts(cpuinfo: Path) -> dict[str, str]:
    """Of the first processor; all are taken to be alike."""
    try:
        first = cpuinfo.read_text().strip().partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _computes(extension: str) -> bool:
    return extension.startswith(_ARITHMETIC)
