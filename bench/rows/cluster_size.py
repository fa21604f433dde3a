"""Rows of a cluster's size: a thousand workers on one server."""

from rows.cluster_steps import lockstep
from rows.programs import median
from rows.row import Measurement, Row

WORKERS = 1000


def many_workers(programs):
    """A step of so many workers that compute next to nothing, on this one machine."""
    task = {"model": "logistic", "batch": 2 * WORKERS, "shards": WORKERS, "workers": WORKERS,
            "processes": 1, "threads": 1, "steps": 20, "epochs": 3,
            "worker": str(programs.built("fake_workers")),
            "worker_arguments": ["--count", str(WORKERS)]}
    runs, = programs.in_turn("many workers", lambda: lockstep(programs, task))
    return Measurement(median(runs, "step_ms"),
                       "650 parameters; the workers are on the same processors")


def rows(options):
    del options
    # The bar is that it works; a second for a step of such a cluster would not be work.
    return [Row(f"{WORKERS} connected workers, a step's hand-out and collection", "ms", 1000,
                many_workers, reach=50, at_most=True)]
