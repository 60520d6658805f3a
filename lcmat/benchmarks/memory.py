"""How much memory a process has used."""

import resource
import sys


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, in megabytes (2^20 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes on macOS, kilobytes elsewhere
