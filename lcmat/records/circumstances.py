"""On what a number was computed, as records, references and benchmarks state it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

UNKNOWN = "unknown"
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Part(BaseModel):
    """A model that is strict about what it holds, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Machine(Part):
    """What, beside code and data, decides the last bits of a number; `lcmat.records.machine` looks at it.

    Attributes:
        device: what computed, in words: the model of the GPU or of the processor.
        processor: vendor, family, model, its name and stepping; a name such as "Xeon Processor" leaves much open.
        instructions: the level at which torch computes, and a hash of the processor's extensions for arithmetic, of
            which a virtual machine may hide some.
        threads: number of threads.
        system: the operating system and its C library.
        blas: library for products of matrices that torch was built with.
        onednn: library for convolutions that torch was built with.
    """

    device: str
    processor: str
    instructions: str
    threads: int = Field(ge=1)
    system: str
    blas: str
    onednn: str

    @property
    def known(self) -> bool:
        """Whether all of it is known."""
        return UNKNOWN not in self.model_dump().values()


class Environment(Part):
    """Versions, and the SHA-256 of requirements.lock (16 hexadecimal digits), None outside a checkout."""

    python: str
    lcmat: str
    numpy: str
    torch: str
    lock: Hex | None


class Determinism(Part):
    """What else the bits of a result depend on: the number of threads, and torch's deterministic mode."""

    threads: int
    deterministic_algorithms: bool
