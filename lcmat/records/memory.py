"""How much memory a process has used, in megabytes of 10^6 bytes."""

import contextlib
import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")  # Linux


def peak_megabytes() -> float:
    """Largest resident memory of this process, in 10^6 bytes, since its start or the last `reset_peak`."""
    if _STATUS.exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def resident_megabytes() -> float:
    """Resident memory of this process now, in 10^6 bytes; its peak so far where the system does not say."""
    return _status("VmRSS") if _STATUS.exists() else peak_megabytes()


def reset_peak() -> None:
    """Forget the peak so far, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def _status(field: str) -> float:
    kibibytes = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return int(kibibytes.group(1)) * 2**10 / 1e6 if kibibytes else 0.0
