"""Independent random streams from one seed."""

import hashlib


def derived_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed of its own for each purpose, so that the draws for one never shift those for another.

    >>> derived_seed(0, "shuffling") == derived_seed(0, "initial weights")
    False
    """
    return int.from_bytes(hashlib.sha256(f"{purpose}:{seed}".encode()).digest()[:8], "big") >> 1
