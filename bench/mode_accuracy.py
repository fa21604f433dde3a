#!/usr/bin/env python3
"""What each consistency mode learns: final loss and accuracy on Fashion-MNIST.

    python3 bench/mode_accuracy.py [--bin build/bin] [--data FOLDER] [--workers 4]
                                   [--epochs 6] [--format text|json]
                                   [--mode NAME] [--comparable]

The model and optimizer of examples/fashion_mnist/job.yaml, one server and some
workers of one thread each as processes of this machine. The modes that do not
wait take one step of the optimizer for each shard: 8 for a batch, so that they
are also run at an eighth of the learning rate, and with --comparable only so.
`--format json`: one object a
row with row, mode, learning_rate, training_loss, validation_loss,
validation_accuracy, most_updates_behind, mean_updates_behind, seconds; of a job
that failed only the first three and `failed`, the server's reason.

FOLDER holds fashion-mnist/ with the four files; $LOCKSTEP_DATA_DIR without it.
"""

import argparse
import json
import os
import sys
import time

from local_cluster import LocalCluster, ROOT

LEARNING_RATE = 0.03
SHARDS = 8
RATE_OF_SYNC = "async, rate of sync"
# Name, `consistency` of the job file, learning rate.
MODES = [
    ("sync", "sync", LEARNING_RATE),
    ("bounded_staleness 1", "{bounded_staleness: 1}", LEARNING_RATE / SHARDS),
    ("bounded_staleness 4", "{bounded_staleness: 4}", LEARNING_RATE / SHARDS),
    ("async", "async", LEARNING_RATE / SHARDS),
    (RATE_OF_SYNC, "async", LEARNING_RATE),
    ("local_sgd 8", "{local_sgd: {steps: 8}}", LEARNING_RATE),
]

JOB = """
name: modes
seed: 1
data:
  train: {{idx: {{images: {data}/train-images-idx3-ubyte.gz, labels: {data}/train-labels-idx1-ubyte.gz}}}}
  validation: {{idx: {{images: {data}/t10k-images-idx3-ubyte.gz, labels: {data}/t10k-labels-idx1-ubyte.gz}}}}
  scaling: {{divide_by: 255, mean: 0.2860, standard_deviation: 0.3530}}
model:
  - flatten
  - linear: {{out_features: 512}}
  - relu
  - linear: {{out_features: 256}}
  - relu
  - linear: {{out_features: 10}}
loss: cross_entropy
optimizer:
  sgd: {{learning_rate: {rate}, momentum: 0.9}}
learning_rate_schedule: cosine
epochs: {epochs}
batch_size: 128
shards: {shards}
workers: {{min: {workers}}}
consistency: {mode}
"""


def measure(cluster, name, mode, rate, options):
    job = cluster.submit(JOB.format(data=options.data, rate=rate, epochs=options.epochs,
                                    shards=SHARDS, workers=options.workers, mode=mode))
    started = time.monotonic()
    status = cluster.status(job)
    while status is None or status["state"] in ("QUEUED", "RUNNING"):
        time.sleep(0.2)
        status = cluster.status(job)
    begin = {"row": "mode_accuracy", "mode": name, "learning_rate": rate}
    if status["state"] != "SUCCEEDED":
        return dict(begin, failed=status.get("stateReason") or status["state"])
    progress = status["progress"]
    staleness = progress.get("staleness", {})
    return {
        **begin,
        "training_loss": progress["epochs"][-1]["trainingLoss"],
        "validation_loss": progress["validationLoss"],
        "validation_accuracy": progress["validationAccuracy"],
        "most_updates_behind": int(staleness.get("mostUpdates", 0)),
        "mean_updates_behind": staleness.get("meanUpdates", 0),
        "seconds": round(time.monotonic() - started, 1),
    }


def text_of(row):
    if "failed" in row:
        reason = row["failed"].split(",")[0]  # the rest says which shard and layer
        return f"| {row['mode']} | {row['learning_rate']:.5g} | failed: {reason} | | | | |"
    return ("| %(mode)s | %(learning_rate).5g | %(training_loss).4f | %(validation_loss).4f | "
            "%(percent).2f %% | %(most_updates_behind)d | %(mean_updates_behind).1f |"
            % dict(row, percent=100 * row["validation_accuracy"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=ROOT / "build/bin")
    parser.add_argument("--data", default=os.environ.get("LOCKSTEP_DATA_DIR", ROOT / "data"))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--mode", choices=[name for name, _, _ in MODES])
    parser.add_argument("--comparable", action="store_true",
                        help="leave out what is not expected to learn: async at sync's rate")
    options = parser.parse_args()
    options.data = os.path.join(options.data, "fashion-mnist")
    if not os.path.isdir(options.data):
        sys.exit(f"{options.data}: no such folder, want the four files of Fashion-MNIST there")
    if options.format == "text":
        print("| mode | learning rate | training loss | validation loss | accuracy | "
              "updates behind, most | mean |\n|---|---|---|---|---|---|---|")
    with LocalCluster(options.bin, options.workers) as cluster:
        for name, mode, rate in MODES:
            if options.mode and name != options.mode:
                continue
            if options.comparable and name == RATE_OF_SYNC:
                continue
            row = measure(cluster, name, mode, rate, options)
            print(json.dumps(row) if options.format == "json" else text_of(row), flush=True)


if __name__ == "__main__":
    main()
