#!/usr/bin/env python3
"""How long failures hold up training: one row each, measured beside its bar.

    python3 bench/recovery.py [--bin build/bin] [--seconds 10] [--row NAME]

worker_killed   the longest pause between two committed steps when one of two
                workers is killed, beyond the median step
server_killed   from the kill of the server, started again at once, to the first
                step that was not there before
goodput         steps per second with one of four workers killed every 5 s and
                started again, as part of those of undisturbed workers

Each row is one line of JSON: row, measured, bar, unit, holds.
"""

import argparse
import json
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


def step_of(cluster, job):
    status = cluster.status(job)
    return int(status["progress"]["step"]) if status else None


def wait_for_step(cluster, job, step):
    while (step_of(cluster, job) or 0) <= step:
        pass


def steps_per_second(cluster, job, seconds, kill_every=None):
    begin = step_of(cluster, job)
    started = time.monotonic()
    killed = 0
    while time.monotonic() - started < seconds:
        time.sleep(0.05)
        if kill_every and time.monotonic() - started > kill_every * (killed + 0.5):
            victim = killed % 4
            cluster.kill(cluster.workers[victim])
            cluster.start_worker(victim)
            killed += 1
    return (step_of(cluster, job) - begin) / (time.monotonic() - started)


def worker_killed(cluster, seconds):
    job = cluster.submit(JOB)
    wait_for_step(cluster, job, 100)
    rate = steps_per_second(cluster, job, seconds / 2)
    cluster.kill(cluster.workers[0])
    steps_per_second(cluster, job, seconds / 2)
    pause = cluster.status(job)["progress"]["longestPauseSeconds"]
    return pause - 1 / rate, 1.0, "s", lambda measured, bar: measured <= bar


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
    return time.monotonic() - killed, 2.0, "s", lambda measured, bar: measured <= bar


def goodput(cluster, seconds):
    job = cluster.submit(JOB)
    wait_for_step(cluster, job, 100)
    calm = steps_per_second(cluster, job, seconds)
    shaken = steps_per_second(cluster, job, seconds, kill_every=5)
    return 100 * shaken / calm, 90.0, "%", lambda measured, bar: measured >= bar


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
            measured, bar, unit, holds = measure(cluster, options.seconds)
        print(json.dumps({"row": row, "measured": round(measured, 3), "bar": bar, "unit": unit,
                          "holds": holds(measured, bar)}), flush=True)


if __name__ == "__main__":
    main()
