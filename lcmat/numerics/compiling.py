"""Compiling loops by numba, whose result is kept on disk where that can be."""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache

from lcmat.files.degrading import optional, warn_once
from lcmat.files.paths import cache_folder


def njit(*, cache: bool, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile without Python objects, as `numba.njit`, and keep the machine code for other processes.

    It is kept beside the module, or else where numba keeps what is the user's, or else in `numba` of the cache folder.
    Where none of these can be used every process compiles for itself, after one warning.

    Args:
        cache: whether to keep it.
        options: further ones of `numba.njit`.

    >>> njit(cache=False)(lambda x: 2 * x)(3)
    6
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache and (kept := _cache_of(function)):
            dispatcher._cache = kept  # as its method `enable_caching` does
        return dispatcher

    return compiled


class _Cache(FunctionCache):
    """Numba's own, but what the disk refuses is compiled again."""

    @optional()
    def load_overload(self, *arguments: Any) -> Any:
        return super().load_overload(*arguments)  # type: ignore[no-untyped-call]

    @optional()
    def save_overload(self, *arguments: Any) -> None:
        super().save_overload(*arguments)  # type: ignore[no-untyped-call]


def _cache_of(function: Callable[..., Any]) -> _Cache | None:
    config: Any = numba.config
    given = config.CACHE_DIR
    for folder in (given, str(cache_folder() / "numba")):
        config.CACHE_DIR = folder
        try:
            return _Cache(function)  # type: ignore[no-untyped-call]
        except (RuntimeError, OSError) as error:  # numba's word for no folder where it may write
            problem = str(error)
        finally:
            config.CACHE_DIR = given
    warn_once(problem)
    return None
