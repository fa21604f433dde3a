#!/usr/bin/env python3
"""How long failures hold up training: one row each, measured beside its bar.

    python3 bench/recovery.py [--bin build/bin] [--seconds 10] [--row NAME]

worker_killed   the longest pause between two committed steps when one of two
                workers is killed, beyond the median step
server_killed   from the kill of the server, started again at once, to the first
                step that was not there before
goodput         steps per second with one of four workers killed every 5 s and
                started again, as part of those of undisturbed workers: the median over
                pairs of neighbouring stretches of 5 s of one job, one of them with a
                kill in its middle, so that what else changes the pace meets both alike;
                --seconds of each kind

Each row is one line of JSON: row, measured, bar, unit, holds, detail (for people).
"""

import argparse
import json
import statistics
import time

from local_cluster import LocalCluster

JOB = """
name: recovery
data:
  train: {csv: {path: {data}, header: true, label_column: label}}
  validation_fraction: 0.2
  scaling: {divide_by: 16}
model:
  - linear: {out_features: 512}
  - relu
  - linear: {out_features: 10}
loss: cross_entropy
optimizer: {adam: {learning_rate: 0.001}}
epochs: 1000000
batch_size: 256
checkpoint: {interval_seconds: 1}
"""


KILL_EVERY = 5  # seconds


def wait_for_step(cluster, job, step):
    while (cluster.step(job) or 0) <= step:
        pass


def steps_per_second(cluster, job, seconds, victim=None):
    """Over so many seconds, in the middle of which this worker is killed and started again."""
    begin, started = cluster.step(job), time.monotonic()
    if victim is not None:
        time.sleep(seconds / 2)
        cluster.kill(cluster.workers[victim])
        cluster.start_worker(victim)
    time.sleep(max(0, started + seconds - time.monotonic()))
    return (cluster.step(job) - begin) / (time.monotonic() - started)


def worker_killed(cluster, seconds):
    job = cluster.submit(JOB)
    wait_for_step(cluster, job, 100)
    rate = steps_per_second(cluster, job, seconds / 2)
    cluster.kill(cluster.workers[0])
    time.sleep(seconds / 2)
    pause = cluster.status(job)["progress"]["longestPauseSeconds"]
    return pause - 1 / rate, 1.0, "s", lambda measured, bar: measured <= bar, ""


def server_killed(cluster, seconds):
    job = cluster.submit(JOB)
    wait_for_step(cluster, job, 100)
    time.sleep(seconds / 2)
    cluster.kill(cluster.server)
    killed = time.monotonic()
    cluster.start_server()
    cluster.await_server()
    checkpoint = None
    while True:
        status = cluster.status(job)
        if status is None:
            continue
        if checkpoint is None:
            checkpoint = int(status["checkpointStep"])
        if int(status["progress"]["step"]) > checkpoint:
            break
    return time.monotonic() - killed, 2.0, "s", lambda measured, bar: measured <= bar, ""


def goodput(cluster, seconds):
    job = cluster.submit(JOB)
    wait_for_step(cluster, job, 100)
    pairs = []
    for i in range(max(1, round(seconds / KILL_EVERY))):
        # Calm first, then last, then first again: neither is always the later one.
        victims = (None, i % 4) if i % 2 == 0 else (i % 4, None)
        rates = {victim: steps_per_second(cluster, job, KILL_EVERY, victim) for victim in victims}
        pairs.append((rates[None], rates[i % 4]))
    detail = "steps/s calm and with a kill: " + ", ".join(
        f"{calm:.0f} {shaken:.0f}" for calm, shaken in pairs)
    together = sum(shaken for _, shaken in pairs) / sum(calm for calm, _ in pairs)
    return (100 * statistics.median(shaken / calm for calm, shaken in pairs), 90.0, "%",
            lambda measured, bar: measured >= bar,
            f"{detail}; of all together {100 * together:.1f} %")


ROWS = {"worker_killed": (worker_killed, 2), "server_killed": (server_killed, 2),
        "goodput": (goodput, 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin", help="folder of the programs")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--row", choices=ROWS, action="append", help="only these")
    options = parser.parse_args()
    for row in options.row or ROWS:
        measure, workers = ROWS[row]
        with LocalCluster(options.bin, workers) as cluster:
            measured, bar, unit, holds, detail = measure(cluster, options.seconds)
        print(json.dumps({"row": row, "measured": round(measured, 3), "bar": bar, "unit": unit,
                          "holds": holds(measured, bar), "detail": detail}), flush=True)


if __name__ == "__main__":
    main()
