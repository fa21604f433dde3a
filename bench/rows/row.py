"""A row of the report: what is measured, and the bar that it should meet."""

import dataclasses
from typing import Callable, Optional


class NotMeasured(Exception):
    """What a row needs is not here; the message says what, as in "needs torch"."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A row's figure, in the row's unit, and what it was made of, for people."""

    value: float
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the report.

    measure(programs) returns a Measurement or raises NotMeasured. `reach` is
    what the project would like beyond the bar. A slow row, of many minutes, is
    measured with --slow alone.
    """

    name: str
    unit: str
    bar: float
    measure: Callable
    reach: Optional[float] = None
    at_most: bool = False
    slow: bool = False

    def holds(self, value):
        return value <= self.bar if self.at_most else value >= self.bar
