"""Rows of how long failures hold up training: bench/recovery.py's."""

from rows.programs import ROOT
from rows.row import Measurement, Row

# Name for people, bench/recovery.py's, bar, reach, whether the bar is a ceiling, seconds.
FIGURES = [
    ("worker killed: longest gap between two steps beyond the median step", "worker_killed", "s",
     1.0, 0.1, True, 10),
    ("server killed and started again: until the first new step", "server_killed", "s", 2.0, 0.5,
     True, 10),
    ("goodput with a worker of 4 killed every 5 s", "goodput", "%", 90.0, 98.0, False, 40),
]


def recovery(name, seconds):
    def measure(programs):
        programs.build_programs()
        result = programs.peer("recovery.py", "--bin", ROOT / "build" / "bin", "--row", name,
                               "--seconds", seconds, needs="json")
        return Measurement(result["measured"], result.get("detail", ""))

    return measure


def rows(options):
    del options
    return [Row(title, unit, bar, recovery(name, seconds), reach=reach, at_most=ceiling)
            for title, name, unit, bar, reach, ceiling, seconds in FIGURES]
