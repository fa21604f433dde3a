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
import os
import signal
import subprocess
import tempfile
import time

JOB = """
name: recovery
data:
  train: {{csv: {{path: {data}, header: true, label_column: label}}}}
  validation_fraction: 0.2
  scaling: {{divide_by: 16}}
model:
  - linear: {{out_features: 512}}
  - relu
  - linear: {{out_features: 10}}
loss: cross_entropy
optimizer: {{adam: {{learning_rate: 0.001}}}}
epochs: 1000000
batch_size: 256
checkpoint: {{interval_seconds: 1}}
"""


class Cluster:
    def __init__(self, programs, folder, workers):
        self.programs, self.folder = programs, folder
        self.socket = "unix:" + os.path.join(folder, "socket")
        self.workers = {}
        self.start_server()
        for i in range(workers):
            self.start_worker(i)

    def run(self, program, *arguments, **options):
        log = open(os.path.join(self.folder, program + ".log"), "a")
        return subprocess.Popen(
            [os.path.join(self.programs, program), *arguments], stderr=log, **options)

    def start_server(self):
        self.server = self.run("lockstep-server", "--listen", self.socket, "--state-dir",
                               os.path.join(self.folder, "state"), stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline().startswith("listening")

    def start_worker(self, i):
        self.workers[i] = self.run("lockstep-worker", "--server", self.socket, "--threads", "1",
                                   "--name", f"w{i}")

    def lockstep(self, *arguments):
        return subprocess.run([os.path.join(self.programs, "lockstep"), *arguments, "--server",
                               self.socket, "--format", "json"], capture_output=True, text=True)

    def submit(self):
        data = os.path.abspath("examples/digits/digits.csv")
        path = os.path.join(self.folder, "recovery.yaml")
        with open(path, "w") as file:
            file.write(JOB.format(data=data))
        return json.loads(self.lockstep("submit", path).stdout)["jobId"]

    def progress(self, job):
        answer = self.lockstep("status", job)
        return json.loads(answer.stdout)["progress"] if answer.returncode == 0 else None

    def wait_for_step(self, job, step):
        while True:
            progress = self.progress(job)
            if progress and int(progress["step"]) > step:
                return int(progress["step"])

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in [*self.workers.values(), self.server]:
            process.kill()
            process.wait()


def steps_per_second(cluster, job, seconds, kill_every=None):
    begin = int(cluster.progress(job)["step"])
    started = time.monotonic()
    killed = 0
    while time.monotonic() - started < seconds:
        time.sleep(0.05)
        if kill_every and time.monotonic() - started > kill_every * (killed + 0.5):
            victim = killed % 4
            cluster.kill(cluster.workers[victim])
            cluster.start_worker(victim)
            killed += 1
    return (int(cluster.progress(job)["step"]) - begin) / (time.monotonic() - started)


def worker_killed(cluster, seconds):
    job = cluster.submit()
    cluster.wait_for_step(job, 100)
    rate = steps_per_second(cluster, job, seconds / 2)
    cluster.kill(cluster.workers[0])
    steps_per_second(cluster, job, seconds / 2)
    pause = cluster.progress(job)["longestPauseSeconds"]
    return pause - 1 / rate, 1.0, "s", lambda measured, bar: measured <= bar


def server_killed(cluster, seconds):
    job = cluster.submit()
    cluster.wait_for_step(job, 100)
    time.sleep(seconds / 2)
    cluster.kill(cluster.server)
    killed = time.monotonic()
    cluster.start_server()
    checkpoint = None
    while True:
        answer = cluster.lockstep("status", job)
        if answer.returncode != 0:
            continue
        status = json.loads(answer.stdout)
        if checkpoint is None:
            checkpoint = int(status["checkpointStep"])
        if int(status["progress"]["step"]) > checkpoint:
            break
    return time.monotonic() - killed, 2.0, "s", lambda measured, bar: measured <= bar


def goodput(cluster, seconds):
    job = cluster.submit()
    cluster.wait_for_step(job, 100)
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
        with tempfile.TemporaryDirectory() as folder:
            cluster = Cluster(options.bin, folder, workers)
            try:
                measured, bar, unit, holds = measure(cluster, options.seconds)
            finally:
                cluster.stop()
        print(json.dumps({"row": row, "measured": round(measured, 3), "bar": bar, "unit": unit,
                          "holds": holds(measured, bar)}), flush=True)


if __name__ == "__main__":
    main()
