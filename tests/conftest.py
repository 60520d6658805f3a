"""What every test shares: one thread, and folders of its own for everything that `lcmat` writes."""

import os

# Before anything imports torch or numpy: the thread pools read these only once.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["MPLBACKEND"] = "Agg"

import hypothesis
import pytest
import torch

torch.set_num_threads(1)

# The same examples on every machine, and no verdict that depends on its speed.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """A cache of this session, shared by its tests because entries are keyed by content."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LCMAT_CACHE", str(folder))
        patch.delenv("LCMAT_THREADS", raising=False)
        yield folder


@pytest.fixture(autouse=True)
def own_records(tmp_path, monkeypatch):
    """Records and executed notebooks of one test, which no other test sees, and nothing said of the cache yet."""
    monkeypatch.setattr("lcmat.files.degrading._WARNED", set())
    monkeypatch.setenv("LCMAT_RECORDS", str(tmp_path / "records"))
    monkeypatch.setenv("LCMAT_RUNS", str(tmp_path / "runs"))
