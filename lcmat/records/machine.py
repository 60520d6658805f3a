"""What, beside code and data, decides the last bits of a number: the processor, what it can do, and the libraries."""

import hashlib
import os
import platform
import re
from pathlib import Path

import numpy as np
import torch

import lcmat
from lcmat.files.paths import PACKAGE
from lcmat.records.circumstances import UNKNOWN, Environment, Machine

_CPUINFO = Path("/proc/cpuinfo")
_LOCK = PACKAGE.parent / "requirements.lock"
_MODEL = ("vendor_id", "cpu family", "model", "model name", "stepping")
_MODEL_OF_ARM = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
_ARITHMETIC = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve", "sme", "bf16", "i8mm")
_BLAS = r"Math Kernel Library Version \S+|OpenBLAS \S+|BLAS_INFO=\w+"
_ONEDNN = r"(MKL-|one)DNN v\S+"


def this_machine(device: str = "cpu", cpuinfo: Path = _CPUINFO) -> Machine:
    """Look at this machine; what the system does not tell is `UNKNOWN`.

    Args:
        device: what computes, as torch names it.
        cpuinfo: where Linux describes the processor.
    """
    facts = _facts(cpuinfo)
    names = _MODEL if _MODEL[0] in facts else _MODEL_OF_ARM
    model = ", ".join(f"{name} {facts[name]}" for name in names if name in facts)
    extensions = sorted(word for word in facts.get("flags", facts.get("Features", "")).split() if _computes(word))
    digest = hashlib.sha256(" ".join(extensions).encode()).hexdigest()[:8]
    return Machine(
        device=describe(device),
        processor=model or UNKNOWN,
        instructions=f"{torch.backends.cpu.get_cpu_capability()} {digest}" if extensions else UNKNOWN,
        threads=torch.get_num_threads(),
        system=" ".join([platform.system(), *filter(None, platform.libc_ver())]) or UNKNOWN,
        blas=_in_build(_BLAS),
        onednn=_in_build(_ONEDNN),
    )


def this_environment() -> Environment:
    """The versions of what computes here."""
    return Environment(
        python=platform.python_version(),
        lcmat=lcmat.__version__,
        numpy=np.__version__,
        torch=str(torch.__version__),
        lock=hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16] if _LOCK.exists() else None,
    )


def chosen_device() -> str:
    """The device as torch names it: `LCMAT_DEVICE`, else CUDA where there is any, else the CPU."""
    return os.environ.get("LCMAT_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")


def describe(device: str) -> str:
    """What computes, in words: the model of the GPU or of the processor."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return _facts(_CPUINFO).get("model name") or platform.processor() or platform.machine()


def _facts(cpuinfo: Path) -> dict[str, str]:
    """Of the first processor; all are taken to be alike."""
    try:
        first = cpuinfo.read_text(encoding="utf-8").strip().partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _computes(extension: str) -> bool:
    return extension.startswith(_ARITHMETIC)


def _in_build(pattern: str) -> str:
    """What torch's description of its own build says."""
    found = re.search(pattern, torch.__config__.show())
    return found.group() if found else UNKNOWN
