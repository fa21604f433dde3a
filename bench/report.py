#!/usr/bin/env python3
"""Measures what the project promises and prints each figure beside its bar.

Builds what it needs with Bazel, runs both sides of a comparison in turn (A B A
B ...) and takes medians; two rounds do where they agree, and a peer that is far
from the fastest is run once. A row whose peer is not installed says so ("not
measured: needs torch"), one that goes wrong says how ("failed: ..."), and the
others go on. Ctrl-C ends it with what has been measured. Which row is measured,
and what for, goes to standard error. Run it on an idle machine.

  bench/report.py --only engine
  bench/report.py --only engine --rows 'step of *' --python venv/bin/python --format json

The peers are PyTorch 2.13 and JAX (pip install torch==2.13.0 jax optax numpy);
--python names the interpreter that has them. --format json prints an array with
one object per row: row, measured (null: not), bar, unit, holds (null: not
measured), reach (what the project would like, or null), detail (for people).

Exits with 0 when every measured row holds, 1 when one does not or fails, 2 for a
wrong argument, 130 after Ctrl-C.
"""

import argparse
import fnmatch
import json
import signal
import sys
import time

from rows.programs import Programs, add_timing_options
from rows.registry import GROUPS
from rows.row import NotMeasured


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(GROUPS), action="append",
                        help="a group of rows; may be given again (default: all)")
    parser.add_argument("--rows", "--row", action="append", metavar="GLOB",
                        help="only rows whose name matches GLOB or holds it; may be given again")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--list", action="store_true", help="print the rows' names, measure nothing")
    parser.add_argument("--slow", action="store_true",
                        help="also the rows that train for many minutes")
    parser.add_argument("--rounds", type=int, default=3, help="most times that each side is run (default 3)")
    add_timing_options(parser)
    options = parser.parse_args()
    if options.rounds < 1 or options.threads < 1 or not options.seconds > 0:
        parser.error("want --rounds and --threads from 1, --seconds above 0")
    return options


def chosen_rows(options):
    groups = options.only or sorted(GROUPS)
    rows = [row for group in groups for row in GROUPS[group](options)]
    return [row for row in rows
            if not options.rows or any(matches(row.name, glob) for glob in options.rows)]


def matches(name, glob):
    return glob in name or fnmatch.fnmatchcase(name, glob)


def result_of(row, options, programs):
    result = {"row": row.name, "measured": None, "bar": row.bar, "unit": row.unit, "holds": None,
              "reach": row.reach, "detail": ""}
    try:
        if row.slow and not options.slow:
            raise NotMeasured("takes minutes; --slow measures it")
        measurement = row.measure(programs)
    except NotMeasured as missing:
        return dict(result, detail=f"not measured: {missing}")
    except Exception as error:  # whatever it is, the other rows can be measured
        return dict(result, detail=f"failed: {type(error).__name__}: {error}")
    return dict(result, measured=round(measurement.value, 3), holds=row.holds(measurement.value),
                detail=measurement.detail)


def table_line(row, result):
    sign = "<=" if row.at_most else ">="
    verdict = {True: "holds", False: "MISSED", None: "-"}[result["holds"]]
    measured = "-" if result["measured"] is None else f"{result['measured']:.2f}"
    return (f"{row.name:<58} {measured:>8} {sign} {row.bar:<6g} {row.unit:<24} {verdict:<7}"
            f" {result['detail']}").rstrip()


def has_failed(result):
    return result["detail"].startswith("failed: ")


def summary(results):
    counts = [sum(r["holds"] is verdict for r in results) for verdict in (True, False, None)]
    text = "{} rows hold, {} are missed, {} were not measured".format(*counts)
    failed = sum(map(has_failed, results))
    return text + (f", {failed} of them failed" if failed else "")


def measure_all(rows, options, programs):
    """The results, and whether Ctrl-C (or SIGTERM) ended it before all rows were measured."""
    results = []
    begin = time.monotonic()
    try:
        for i, row in enumerate(rows):
            minutes, seconds = divmod(int(time.monotonic() - begin), 60)
            programs.say(f"{minutes}:{seconds:02} [{i + 1}/{len(rows)}] {row.name}")
            results.append(result_of(row, options, programs))
            if options.format == "table":
                print(table_line(row, results[-1]), flush=True)
    except KeyboardInterrupt:
        programs.say(f"interrupted: {len(rows) - len(results)} rows are missing")
        return results, True
    return results, False


def main():
    options = parse_options()
    rows = chosen_rows(options)
    if not rows:
        print("report.py: no row's name matches that; --list prints them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, interrupted = measure_all(rows, options, Programs(options))
    if options.format == "json":
        print("[\n" + ",\n".join(map(json.dumps, results)) + "\n]")
    else:
        print(summary(results))
    if interrupted:
        return 130
    return 1 if any(r["holds"] is False or has_failed(r) for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
