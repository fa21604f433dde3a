#!/usr/bin/env python3
"""One training set-up as its users run it, timed; prints one JSON object.

  cluster_step.py lockstep '{"model": "mlp", "batch": 128, "workers": 2, "threads": 1}'
  cluster_step.py torch    '{"model": "mlp", "batch": 128, "workers": 2, "threads": 1}'

lockstep: a server and workers as processes, real job files, nothing left out;
a step's time is that of the epochs after the first. torch: DistributedDataParallel
over gloo, one process a worker (one worker: a plain process), with a fused
optimizer, all examples in memory, nothing read back.

Fields: model (logistic, tiny, mlp, wide_mlp, cnn, thirty_million,
hundred_million), batch, workers,
threads (of each worker), optimizer (sgd, adam; default sgd), steps (of an epoch;
default 100), epochs (default 4); for lockstep also shards, shared_memory (auto,
off), checkpoint_steps, more (lines of the job file), bin_dir, and worker, a program to
run instead of lockstep-worker, with worker_arguments, in so many processes (default:
one a worker). The data are random: their values do not matter here.

Prints step_ms (median), least_ms, and for lockstep server_bytes, the most memory that
the server needed (memory_of), longest_pause_ms between two steps,
training_seconds, shards_speculated and model_sha256; of gradient_source also
sent_bytes, all gradients that the workers sent.
"""

import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Outputs of the linear layers; the input is a picture of 28 x 28, of the two smallest 8 x 8.
MLPS = {
    "logistic": [10],
    "tiny": [128, 10],
    "mlp": [512, 256, 10],
    "wide_mlp": [2048, 2048, 10],
    "thirty_million": [5000, 5000, 10],
    "hundred_million": [10000, 9200, 10],
}
CNN = """\
  - conv2d: {out_channels: 16, kernel_size: 3, padding: 1}
  - relu
  - max_pool: {kernel_size: 2}
  - conv2d: {out_channels: 32, kernel_size: 3, padding: 1}
  - relu
  - max_pool: {kernel_size: 2}
  - flatten
  - linear: {out_features: 128}
  - relu
  - linear: {out_features: 10}
"""
OPTIMIZERS = {
    "sgd": "{learning_rate: 0.001, momentum: 0.9}",
    "plain_sgd": "{learning_rate: 0.001}",
    "adam": "{learning_rate: 0.0001}",
}


def side_of(model):
    return 8 if model in ("logistic", "tiny") else 28


# Lockstep


def write_job(folder, task):
    side, examples = side_of(task["model"]), task["batch"] * task["steps"]
    pixels = random.Random(1)
    with open(folder / "images", "wb") as images:
        images.write(struct.pack(">IIII", 0x803, examples, side, side))
        images.write(pixels.randbytes(examples * side * side))
    with open(folder / "labels", "wb") as labels:
        labels.write(struct.pack(">II", 0x801, examples))
        labels.write(bytes(pixels.randrange(10) for _ in range(examples)))
    layers = CNN
    if task["model"] in MLPS:
        lines = [f"  - linear: {{out_features: {n}}}\n" for n in MLPS[task["model"]]]
        layers = "  - flatten\n" + "  - relu\n".join(lines)
    elif task["model"] == "cnn":
        layers = f"  - reshape: {{shape: [1, {side}, {side}]}}\n" + CNN
    name = task["optimizer"].replace("plain_", "")
    checkpoint = task.get("checkpoint_steps")
    (folder / "job.yaml").write_text(
        "seed: 1\ndata:\n  train:\n    idx: {images: images, labels: labels}\n"
        "  scaling: {divide_by: 255}\n"
        f"model:\n{layers}loss: cross_entropy\noptimizer:\n"
        f"  {name}: {OPTIMIZERS[task['optimizer']]}\n"
        f"batch_size: {task['batch']}\nepochs: {task['epochs']}\nshards: {task.get('shards', 8)}\n"
        f"workers: {{min: {task['workers']}}}\n"
        + (f"checkpoint: {{interval_steps: {checkpoint}}}\n" if checkpoint else "")
        + task.get("more", ""))


def memory_of(pid):
    """Bytes of memory that a process needs: its own, and regions that it shares out.

    Not counted: regions that other processes share with it, and pages of files, which the
    system can drop.
    """
    total, region = 0, ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first = line.split(" ", 1)[0]
        if not first.endswith(":"):
            region = ""
            if "/memfd:lockstep" in line:
                region = "own" if line.split()[1].startswith("rw") else "foreign"
        elif first == ("Rss:" if region == "own" else "Anonymous:") and region != "foreign":
            total += 1024 * int(line.split()[1])
    return total


def run_lockstep(task):
    bin_dir = Path(task.get("bin_dir", ROOT / "build" / "bin"))
    memory = ["--shared-memory", task.get("shared_memory", "auto")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_job(folder, task)
        processes, sources = [], []

        def start(program, *arguments, **options):
            process = subprocess.Popen([str(bin_dir / program), *arguments, *memory], text=True,
                                       stdin=subprocess.DEVNULL, **options)
            processes.append(process)
            return process

        def lockstep(*arguments):
            run = subprocess.run([str(bin_dir / "lockstep"), *arguments, "--server", address,
                                  "--format", "json"], text=True, capture_output=True)
            if run.returncode != 0:
                sys.exit(f"cluster_step.py: {run.stderr.strip()}")
            return json.loads(run.stdout)

        try:
            server = start("lockstep-server", "--listen", "127.0.0.1:0", "--state-dir",
                           str(folder / "state"), stdout=subprocess.PIPE)
            address = server.stdout.readline().split()[-1]
            program = task.get("worker", "lockstep-worker")
            counts = Path(program).name == "gradient_source"
            for i in range(task.get("processes", task["workers"])):
                worker = start(program, "--server", address, "--name", f"worker-{i}",
                               "--threads", str(task["threads"]),
                               *task.get("worker_arguments", []), stderr=subprocess.DEVNULL,
                               stdout=subprocess.PIPE if counts else None)
                if counts:
                    sources.append(worker)
            job = lockstep("submit", str(folder / "job.yaml"))["jobId"]
            most_bytes = pause = 0
            while True:
                most_bytes = max(most_bytes, memory_of(server.pid))
                # Seldom: the client is a process too, and takes its share of the machine.
                time.sleep(0.5)
                status = lockstep("status", job)
                # Known while it runs alone.
                pause = max(pause, status["progress"].get("longestPauseSeconds", 0))
                if status["state"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                    break
            if status["state"] != "SUCCEEDED":
                sys.exit(f"cluster_step.py: the job {status['state']}: {status.get('stateReason')}")
            times = [1000 * task["batch"] / epoch["examplesPerSecond"]
                     for epoch in status["progress"]["epochs"]]
            # Each says it when the job is released.
            sent = {"sent_bytes": sum(int(source.stdout.readline().split()[0])
                                      for source in sources)} if sources else {}
            return {"step_ms": statistics.median(times[1:]), "least_ms": min(times[1:]),
                    "server_bytes": most_bytes, **sent,
                    "longest_pause_ms": 1000 * pause,
                    "training_seconds": status["progress"]["trainingSeconds"],
                    "shards_speculated": int(status["progress"].get("shardsSpeculated", 0)),
                    "model_sha256": status.get("modelSha256")}
        finally:
            for process in reversed(processes):
                process.kill()  # they keep nothing that is needed
                process.wait()


# PyTorch


def torch_model(torch, name):
    nn = torch.nn
    if name in MLPS:
        widths = [side_of(name) ** 2, *MLPS[name]]
        layers = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))


def torch_process(rank, task, folder):
    import torch

    torch.set_num_threads(task["threads"])
    torch.manual_seed(0)
    side, share = side_of(task["model"]), task["batch"] // task["workers"]
    examples = task["batch"] * task["steps"]
    shape = (examples, 1, side, side) if task["model"] == "cnn" else (examples, side * side)
    images, labels = torch.rand(shape), torch.randint(10, (examples,))
    model = torch_model(torch, task["model"])
    if task["workers"] > 1:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous",
                                             rank=rank, world_size=task["workers"])
        model = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True,
                                                          static_graph=True)
    if task["optimizer"] == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=0.0001, fused=True)
    else:
        momentum = 0.9 if task["optimizer"] == "sgd" else 0
        optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=momentum, fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    times = []
    for epoch in range(task["epochs"]):
        order = torch.randperm(examples, generator=torch.Generator().manual_seed(epoch))
        if task["workers"] > 1:
            torch.distributed.barrier()
        started = time.perf_counter()
        for step in range(task["steps"]):
            first = step * task["batch"] + rank * share
            rows = order[first : first + share]
            loss = loss_of(model(images.index_select(0, rows)), labels.index_select(0, rows))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if task["workers"] > 1:
            torch.distributed.barrier()
        times.append(1000 * (time.perf_counter() - started) / task["steps"])
    if rank == 0:
        Path(folder, "times").write_text(json.dumps(times))
    if task["workers"] > 1:
        torch.distributed.destroy_process_group()


def run_torch(task):
    import torch

    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(torch_process, args=(task, folder), nprocs=task["workers"])
        times = json.loads(Path(folder, "times").read_text())
    return {"step_ms": statistics.median(times[1:]), "least_ms": min(times[1:])}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("lockstep", "torch"):
        sys.exit(__doc__)
    task = {"optimizer": "sgd", "steps": 100, "epochs": 4, **json.loads(sys.argv[2])}
    print(json.dumps(run_lockstep(task) if sys.argv[1] == "lockstep" else run_torch(task)))


if __name__ == "__main__":
    main()
