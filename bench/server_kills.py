#!/usr/bin/env python3
"""Kills the server with SIGKILL at random instants and looks whether anything shows.

    python3 bench/server_kills.py [--kills 100] [--seed 1] [--bin build/bin]

One server and two workers train the same job again and again. The server lives
up to 2 s each time, from its start on (also while it reads its state), is killed,
and is started again on the same state folder. Every job must end with the
model of a calm run, and with each of its examples consumed once.

Prints a line per job, last one JSON object: kills, jobs, right (jobs that were).
Exit code 0: all were.
"""

import argparse
import json
import random
import sys
import time

from local_cluster import LocalCluster

JOB = """
name: server-kills
seed: 1
data:
  train: {csv: {path: {data}, header: true, label_column: label}}
  validation_fraction: 0.2
  scaling: {divide_by: 16}
model:
  - linear: {out_features: 256}
  - relu
  - linear: {out_features: 10}
loss: cross_entropy
optimizer: {adam: {learning_rate: 0.005}}
learning_rate_schedule: cosine
epochs: 600
batch_size: 64
checkpoint: {interval_steps: 100}
"""
LONGEST_LIFE_SECONDS = 2.0
# A job that is not done so long after the last kill never will be.
LIMIT_SECONDS = 300
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


def outcome_of(status):
    ledger = status["progress"]["ledger"]
    return {"state": status["state"], "model": status.get("modelSha256"),
            "ledger": {name: int(ledger.get(name, 0)) for name in sorted(ledger)}}


def await_end(cluster, job):
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        status = cluster.status(job)
        if status and status["state"] in ENDED:
            return outcome_of(status)
        time.sleep(0.2)
    raise RuntimeError(f"{job} has not ended:\n" + cluster.log("lockstep-server"))


def life_of_job(cluster, chance, kills_left):
    """Trains one job under kills, at most so many; returns the outcome and how many there were."""
    job = cluster.submit(JOB)
    kills = 0
    while kills < kills_left:
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        cluster.kill(cluster.server)
        kills += 1
        cluster.start_server()
        # One server of four is killed before it answers.
        if chance.random() < 0.25 and kills < kills_left:
            continue
        cluster.await_server()
        status = cluster.status(job)
        if status and status["state"] in ENDED:
            break
    return await_end(cluster, job), kills


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bin", default="build/bin", help="folder of the programs")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with LocalCluster(options.bin, workers=2) as cluster:
        calm = await_end(cluster, cluster.submit(JOB))
    print(f"calm: {calm}", flush=True)
    if calm["state"] != "SUCCEEDED":
        return 1
    kills = jobs = right = 0
    with LocalCluster(options.bin, workers=2) as cluster:
        while kills < options.kills:
            outcome, here = life_of_job(cluster, chance, options.kills - kills)
            kills += here
            jobs += 1
            right += outcome == calm
            print(f"job {jobs}: {here} kills: " + ("equal" if outcome == calm else str(outcome)),
                  flush=True)
    print(json.dumps({"kills": kills, "jobs": jobs, "right": right}))
    return 0 if right == jobs else 1


if __name__ == "__main__":
    sys.exit(main())
