#!/usr/bin/env python3
"""Compares Lockstep's training throughput with PyTorch's, side by side.

Model: the MLP of examples/fashion_mnist, 784-512-256-10. Same data, optimizer
and batch size on both sides, on this machine, in turn (A B A B ...), medians.

  1 worker x 2 threads   against   one PyTorch process with two threads
  2 workers x 1 thread   against   DistributedDataParallel over gloo, two
                                   processes of one thread, each half the batch

PyTorch gets its best case: all images are one float tensor that is scaled
beforehand, a batch is one index_select, optimizers are fused, no loss is read.
Lockstep runs as its users run it: `lockstep train` with the real binaries, gRPC
and all. Both are measured over whole epochs; the first ones are not counted.

--steps compares one process's training steps instead: the engine without
server and network, beside PyTorch eager, torch.compile and JAX; those are the
measurements of bench/report.py --rows "step of *".

Needs PyTorch 2.13 (pip install torch==2.13.0 numpy), Fashion-MNIST
($LOCKSTEP_DATA_DIR/fashion-mnist or examples/fashion_mnist/data) and the
binaries (tools/build.sh).
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import numpy
    import torch
except ImportError as error:
    sys.exit(f"compare_pytorch.py: {error}; want: pip install torch==2.13.0 numpy (bench/README.md)")

from rows.engine_steps import PEER_NAMES, STEPS, measure_step, milliseconds
from rows.programs import Programs, add_timing_options
from rows.row import NotMeasured

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [784, 512, 256, 10]
MODEL = "mlp " + "-".join(map(str, LAYERS))
IMAGES = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte.gz"

# Two processors, shared out in both ways.
SETUPS = {
    "1 x 2 threads": {"workers": 1, "threads": 2},
    "2 x 1 thread": {"workers": 2, "threads": 1},
}
OPTIMIZERS = {
    "sgd": {"learning_rate": 0.05, "momentum": 0.9},
    "adam": {"learning_rate": 0.001},
}
BATCH_SIZES = [128, 512]

JOB = """\
name: compare-pytorch
seed: 1
data:
  train:
    idx:
      images: {images}
      labels: {labels}
  scaling:
    divide_by: 255
model:
  - flatten
{layers}
loss: cross_entropy
optimizer:
  {optimizer}: {options}
batch_size: {batch_size}
epochs: {epochs}
"""


def read_idx(path):
    """Returns an IDX file of unsigned bytes as an array."""
    data = gzip.open(path, "rb").read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * rank).reshape(shape)


# PyTorch


def torch_model():
    layers = []
    for inputs, outputs in zip(LAYERS, LAYERS[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def torch_optimizer(name, parameters):
    options = OPTIMIZERS[name]
    if name == "sgd":
        return torch.optim.SGD(
            parameters, lr=options["learning_rate"], momentum=options["momentum"], fused=True
        )
    return torch.optim.Adam(parameters, lr=options["learning_rate"], fused=True)


def torch_process(rank, task):
    """One of task["workers"] PyTorch processes; rank 0 writes examples per second of each epoch."""
    torch.set_num_threads(task["threads"])
    torch.manual_seed(0)
    images = torch.from_numpy(read_idx(Path(task["data"]) / IMAGES).reshape(-1, LAYERS[0]).copy())
    images = images.float().div_(255)
    labels = torch.from_numpy(read_idx(Path(task["data"]) / LABELS).copy()).long()

    model = torch_model()
    workers = task["workers"]
    if workers > 1:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{task['rendezvous']}", rank=rank, world_size=workers
        )
        model = torch.nn.parallel.DistributedDataParallel(
            model, gradient_as_bucket_view=True, static_graph=True
        )
    optimizer = torch_optimizer(task["optimizer"], model.parameters())
    loss_of = torch.nn.CrossEntropyLoss()

    share = task["batch_size"] // workers
    whole_batches = len(images) // task["batch_size"]
    rates = []
    for epoch in range(task["epochs"]):
        # All processes draw the same order, and each takes its part of every batch.
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(epoch))
        if workers > 1:
            torch.distributed.barrier()
        started = time.perf_counter()
        for batch in range(whole_batches):
            first = batch * task["batch_size"] + rank * share
            rows = order[first : first + share]
            loss = loss_of(model(images.index_select(0, rows)), labels.index_select(0, rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if workers > 1:
            torch.distributed.barrier()
        rates.append(whole_batches * task["batch_size"] / (time.perf_counter() - started))
    if rank == 0:
        Path(task["result"]).write_text(json.dumps({"rates": rates, "loss": loss.item()}))
    if workers > 1:
        torch.distributed.destroy_process_group()


def measure_torch(task):
    """Returns PyTorch's examples per second: the median over the later epochs."""
    with tempfile.TemporaryDirectory() as folder:
        task = dict(task, result=f"{folder}/result", rendezvous=f"{folder}/rendezvous")
        torch.multiprocessing.spawn(torch_process, args=(task,), nprocs=task["workers"])
        result = json.loads(Path(task["result"]).read_text())
    if not result["loss"] < 2:
        raise NotMeasured(f"PyTorch did not learn: last loss {result['loss']}")
    return later_median(result["rates"], task)


# Lockstep


def write_job(folder, task):
    """Writes a job file beside links to the data; returns its path."""
    for name in (IMAGES, LABELS):
        (folder / name).symlink_to(Path(task["data"]) / name)
    layers = []
    for outputs in LAYERS[1:]:
        layers += [f"  - linear: {{out_features: {outputs}}}", "  - relu"]
    options = ", ".join(f"{k}: {v}" for k, v in OPTIMIZERS[task["optimizer"]].items())
    job = folder / "job.yaml"
    job.write_text(
        JOB.format(
            images=IMAGES,
            labels=LABELS,
            layers="\n".join(layers[:-1]),
            optimizer=task["optimizer"],
            options="{" + options + "}",
            batch_size=task["batch_size"],
            epochs=task["epochs"],
        )
    )
    return job


def epoch_rates(metrics):
    """Returns examples per second of each epoch from a metrics.jsonl (docs/metrics.md)."""
    entries = [json.loads(line) for line in metrics.read_text().splitlines()]
    return [entry["examples_per_second"] for entry in entries if entry["kind"] == "epoch"]


def measure_lockstep(task, bin_dir):
    """Returns Lockstep's examples per second: the median over the later epochs."""
    binary = bin_dir / "lockstep"
    if not binary.exists():
        raise NotMeasured(f"no {binary}; build it with tools/build.sh")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [str(binary), "train", str(write_job(folder, task))]
        command += ["--workers", str(task["workers"]), "--threads", str(task["threads"])]
        command += ["--output", str(folder / "output"), "--overwrite", "--format", "json"]
        run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            raise NotMeasured(f"lockstep train exited with {run.returncode}: {run.stderr.strip()}")
        return later_median(epoch_rates(folder / "output" / "metrics.jsonl"), task)


# Both


def later_median(rates, task):
    """The median over the epochs after the first: that one warms caches and connections up."""
    if len(rates) != task["epochs"]:
        raise NotMeasured(f"got {len(rates)} epochs' rates, want {task['epochs']}")
    return statistics.median(rates[1:])


def measure_row(optimizer, batch_size, setup, options):
    """Measures both sides in turn; returns the row."""
    task = dict(
        SETUPS[setup],
        optimizer=optimizer,
        batch_size=batch_size,
        epochs=options.epochs,
        data=str(options.data),
    )
    lockstep, pytorch = [], []
    for _ in range(options.rounds):
        if not options.only_torch:
            lockstep.append(measure_lockstep(task, options.bin_dir))
        pytorch.append(measure_torch(task))
    row = {
        "model": MODEL,
        "optimizer": optimizer,
        "batch_size": batch_size,
        "setup": setup,
        "lockstep_samples_per_second": round(statistics.median(lockstep)) if lockstep else None,
        "torch_samples_per_second": round(statistics.median(pytorch)),
        "ratio": None,
    }
    if lockstep:
        row["ratio"] = round(statistics.median(lockstep) / statistics.median(pytorch), 3)
    return row


HEADINGS = ["model", "optimizer", "batch", "setup", "lockstep ex/s", "torch ex/s", "ratio"]
WIDTHS = [16, 9, 5, 13, 13, 11, 6]


def table_line(cells):
    texts = ["-" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)
             for cell in cells]
    return "  ".join(
        text.ljust(width) if i in (0, 1, 3) else text.rjust(width)
        for i, (text, width) in enumerate(zip(texts, WIDTHS))
    ).rstrip()


# Steps


def step_row(programs, name, step):
    """Milliseconds of a step by side; None for what is not installed."""
    times, missing = milliseconds(measure_step(programs, step))
    for gap in missing:
        programs.say(gap)
    row = {"step": name, "engine_ms": times["engine"]}
    row.update({f"{peer}_ms": times.get(peer) for peer in PEER_NAMES})
    peers = [times[peer] for peer in PEER_NAMES if peer in times]
    row["ratio"] = round(min(peers) / times["engine"], 3) if peers else None
    return row


def compare_steps(options):
    programs = Programs(options)
    headings = ["step", "engine ms", *(f"{name} ms" for name in PEER_NAMES.values()), "ratio"]
    if options.format == "table":
        print("  ".join(f"{h:>16}" if i else f"{h:<36}" for i, h in enumerate(headings)))
    rows = []
    for name, step in STEPS:
        rows.append(step_row(programs, name, step))
        cells = ["-" if v is None else f"{v:.2f}" if i else v
                 for i, v in enumerate(rows[-1].values())]
        if options.format == "table":
            print("  ".join(f"{c:>16}" if i else f"{c:<36}" for i, c in enumerate(cells)),
                  flush=True)
    return rows


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bin-dir", type=Path, default=ROOT / "build" / "bin",
                        help="where lockstep and its server and worker are (default build/bin)")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--rounds", type=int, default=3, help="measurements per side (default 3)")
    parser.add_argument("--epochs", type=int, default=4,
                        help="epochs per measurement, the first not counted (default 4)")
    parser.add_argument("--quick", action="store_true",
                        help="one round of two epochs, batch 512 alone: whether it works")
    parser.add_argument("--steps", action="store_true",
                        help="compare single training steps of one process")
    add_timing_options(parser)
    parser.add_argument("--only-torch", action="store_true", help="leave Lockstep's half out")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.epochs = 1, 2
    if options.rounds < 1 or options.epochs < 2:
        parser.error("want at least 1 round and 2 epochs")
    if options.steps:
        return options
    folders = [ROOT / "examples" / "fashion_mnist" / "data"]
    if os.environ.get("LOCKSTEP_DATA_DIR"):
        folders.insert(0, Path(os.environ["LOCKSTEP_DATA_DIR"]).resolve() / "fashion-mnist")
    options.data = next((folder for folder in folders if (folder / IMAGES).exists()), None)
    if options.data is None:
        parser.error(f"no {IMAGES} in {' or '.join(map(str, folders))}; set LOCKSTEP_DATA_DIR")
    return options


def main():
    options = parse_options()
    if options.steps:
        try:
            rows = compare_steps(options)
        except NotMeasured as problem:
            sys.exit(f"compare_pytorch.py: {problem}")
        if options.format == "json":
            print(json.dumps(rows, indent=2))
        return
    rows = []
    if options.format == "table":
        print(table_line(HEADINGS), flush=True)
    for optimizer in OPTIMIZERS:
        for batch_size in BATCH_SIZES[1:] if options.quick else BATCH_SIZES:
            for setup in SETUPS:
                try:
                    row = measure_row(optimizer, batch_size, setup, options)
                except NotMeasured as problem:
                    sys.exit(f"compare_pytorch.py: {problem}")
                rows.append(row)
                if options.format == "table":
                    print(table_line(row.values()), flush=True)
    if options.format == "json":
        print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
