#!/usr/bin/env python3
"""Measures what the project promises and prints each figure beside its bar.

Builds what it needs with Bazel, runs both sides of a comparison in turn (A B A
B ...) and takes medians. A row whose peer is not installed says so ("not
measured: needs torch"), and the others go on. Run it on an idle machine.

  bench/report.py --only engine
  bench/report.py --only engine --row step --python venv/bin/python --format json

The peers are PyTorch 2.13 and JAX (pip install torch==2.13.0 jax optax numpy);
--python names the interpreter that has them. --format json prints an array with
one object per row: row, measured (null: not), bar, unit, holds (null: not
measured), reach (what the project would like, or null), detail (for people).

Exits with 0 when every measured row holds, 1 when one does not, 2 for a wrong
argument.
"""

import argparse
import fnmatch
import json
import sys

from rows.programs import Programs, add_timing_options
from rows.registry import GROUPS
from rows.row import NotMeasured


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(GROUPS), action="append",
                        help="a group of rows; may be given again (default: all)")
    parser.add_argument("--row", action="append", metavar="TEXT",
                        help="only rows whose name holds TEXT; may be given again")
    parser.add_argument("--rows", action="append", metavar="GLOB",
                        help="only rows whose whole name matches GLOB (as '*CNN*'); may be given again")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--list", action="store_true", help="print the rows' names, measure nothing")
    parser.add_argument("--slow", action="store_true",
                        help="also the rows that train for many minutes")
    parser.add_argument("--rounds", type=int, default=3, help="times each side is run (default 3)")
    add_timing_options(parser)
    options = parser.parse_args()
    if options.rounds < 1 or options.threads < 1 or not options.seconds > 0:
        parser.error("want --rounds and --threads from 1, --seconds above 0")
    return options


def chosen_rows(options):
    groups = options.only or sorted(GROUPS)
    rows = [row for group in groups for row in GROUPS[group](options)]
    if not options.row and not options.rows:
        return rows
    return [row for row in rows
            if any(text in row.name for text in options.row or [])
            or any(fnmatch.fnmatchcase(row.name, glob) for glob in options.rows or [])]


def result_of(row, options, programs):
    result = {"row": row.name, "measured": None, "bar": row.bar, "unit": row.unit, "holds": None,
              "reach": row.reach, "detail": ""}
    try:
        if row.slow and not options.slow:
            raise NotMeasured("takes minutes; --slow measures it")
        measurement = row.measure(programs)
    except NotMeasured as missing:
        return dict(result, detail=f"not measured: {missing}")
    return dict(result, measured=round(measurement.value, 3), holds=row.holds(measurement.value),
                detail=measurement.detail)


def table_line(row, result):
    sign = "<=" if row.at_most else ">="
    verdict = {True: "holds", False: "MISSED", None: "-"}[result["holds"]]
    measured = "-" if result["measured"] is None else f"{result['measured']:.2f}"
    return (f"{row.name:<58} {measured:>8} {sign} {row.bar:<6g} {row.unit:<24} {verdict:<7}"
            f" {result['detail']}").rstrip()


def summary(results):
    counts = [sum(r["holds"] is verdict for r in results) for verdict in (True, False, None)]
    return "{} rows hold, {} are missed, {} were not measured".format(*counts)


def main():
    options = parse_options()
    rows = chosen_rows(options)
    if not rows:
        print("report.py: no row's name holds that; --list prints them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    programs = Programs(options)
    results = []
    for row in rows:
        results.append(result_of(row, options, programs))
        if options.format == "table":
            print(table_line(row, results[-1]), flush=True)
    if options.format == "json":
        print("[\n" + ",\n".join(map(json.dumps, results)) + "\n]")
    else:
        print(summary(results))
    return 1 if any(result["holds"] is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
