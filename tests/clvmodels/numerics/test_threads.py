"""One thread for linear algebra: the same digits however many a machine has."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from clvmodels.numerics.threads import one_blas_thread, one_openmp_thread

SUPPORT = Path(__file__).parents[2] / "support"


def threads(kind):
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == kind}


def battery(blas_threads):
    """Lines of ``name: digits`` from a process with so many BLAS threads."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, SUPPORT / "thread_battery.py"],
        env={**os.environ, **dict.fromkeys(names, str(blas_threads))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ") for line in done.stdout.splitlines())


def test_answers_do_not_depend_on_the_number_of_threads():
    one, two = battery(1), battery(2)
    assert len(one) > 20
    assert {name for name in one if one[name] != two[name]} == set()


@pytest.fixture
def two_threads():
    """Two threads at most, so that a limit of one can be told from none."""
    import sklearn.ensemble  # noqa: F401 (loads OpenMP)

    with threadpool_limits(2):
        yield


@pytest.mark.parametrize(
    ("limit", "kind"), [(one_blas_thread, "blas"), (one_openmp_thread, "openmp")]
)
def test_the_first_entry_limits_and_the_last_restores(limit, kind, two_threads):
    before = threads(kind)
    with limit:
        assert threads(kind) == {1}
        with limit:
            assert threads(kind) == {1}
        assert threads(kind) == {1}
    assert threads(kind) == before


def test_threads_that_overlap_restore_what_was_there(two_threads):
    before = threads("blas")
    entered, leave = threading.Event(), threading.Event()

    def other():
        with one_blas_thread:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with one_blas_thread:
        thread.start()
        assert entered.wait(10)
    assert threads("blas") == {1}
    leave.set()
    thread.join()
    assert threads("blas") == before


def test_an_error_restores_the_threads_as_well(two_threads):
    before = threads("blas")

    @one_blas_thread
    def fails():
        raise ValueError("as it must")

    with pytest.raises(ValueError, match="as it must"):
        fails()
    assert threads("blas") == before
