"""Rows of what must hold whatever happens: one hash, under faults and over bad networks."""

import json

from rows.engine_tests import tests_row
from rows.programs import ROOT, last_line
from rows.row import Measurement, NotMeasured, Row

HASHES = ["//tests/equivalence/..."]
NETWORKS = ["//tests/e2e:network_cut_test"]


def chaos(runs):
    """So many random schedules of all five faults, each compared with a calm run."""
    def measure(programs):
        programs.build_programs()
        run = programs.script("tools/chaos_schedules.sh", "-n", runs)
        lines = run.stdout.splitlines()
        if not lines or not lines[-1].endswith(" equal"):
            raise NotMeasured(f"tools/chaos_schedules.sh: {last_line(run.stderr)}")
        for line in lines[:-1]:
            programs.say(line)
        return Measurement(100 * int(lines[-1].split()[0]) / runs, lines[-1] + ", seeds from 1")

    return measure


def server_kills(kills):
    def measure(programs):
        programs.build_programs()
        run = programs.script("bench/server_kills.py", "--kills", kills, "--bin",
                              ROOT / "build" / "bin")
        try:
            result = json.loads(last_line(run.stdout))
        except json.JSONDecodeError:
            raise NotMeasured(f"bench/server_kills.py: {last_line(run.stderr)}")
        return Measurement(100 * result["right"] / result["jobs"],
                           "{kills} kills in {jobs} jobs, {right} right".format(**result))

    return measure


def rows(options):
    few, many = (100, 100) if options.slow else (5, 10)
    return [
        tests_row("one hash over models, workers, shards, threads, transports (tests/equivalence)",
                  HASHES),
        Row(f"chaos: {few} random schedules of all five faults", "% equal and exact", 100,
            chaos(few)),
        Row(f"chaos: kill -9 of the server, {many} times at random instants",
            "% equal and exact", 100, server_kills(many)),
        tests_row("network cut between hosts, and a link of 100 Mbit/s (skipped without rights)",
                  NETWORKS),
    ]
