#!/usr/bin/env python3
"""How long Lockstep and PyTorch take to an accuracy, on the same job.

Reads a job file, trains it with `lockstep train` (one worker), then trains the
same model in PyTorch eager: the same initial parameters, examples, batches'
size, optimizer, schedule, clipping and weight decay; the order of the examples
and the random numbers of dropout are each its own. Both are measured from the
first step on, the evaluations after each epoch included.

PyTorch gets its best case: all examples are tensors in memory, a batch is one
index_select, the optimizer is fused, no loss is read while it trains.

Usage: time_to_accuracy.py JOB.yaml --accuracy 0.91 | --loss 1.75 [--threads 2]

Needs: pip install torch==2.13.0 numpy pyyaml, and the binaries (tools/build.sh).
"""

import argparse
import fnmatch
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "golden"))

import torch  # noqa: E402
import yaml  # noqa: E402
from check_model_in_pytorch import read_safetensors, read_source, scaled  # noqa: E402
from torch_models import build_model  # noqa: E402

EVALUATION_ROWS = 256


def train_with_lockstep(job_file, threads, folder):
    """[(seconds since the first step, validation loss, accuracy)] of each epoch."""
    output = folder / "lockstep"
    started = time.perf_counter()
    process = subprocess.Popen(
        [ROOT / "build/bin/lockstep", "train", job_file, "--workers", "1", "--threads", str(threads),
         "--output", output], stdout=subprocess.PIPE, text=True)
    epochs = []
    for line in process.stdout:
        if line.endswith(" running\n"):
            started = time.perf_counter()
        if line.startswith("epoch "):
            epochs.append(time.perf_counter() - started)
    if process.wait() != 0:
        sys.exit("lockstep train failed")
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    rows = [(seconds, line["validation_loss"], line["validation_accuracy"])
            for seconds, line in zip(epochs, lines)]
    print(f"Lockstep's model sha256: {lines[-1]['model_sha256']}")
    return rows


def initial_tensors(job_file, job, folder):
    """What the job starts from: what one step of it leaves that is too small to be seen."""
    still = dict(job, steps=1, optimizer={"sgd": {"learning_rate": 1e-30}})
    for name in ("epochs", "ema", "gradient_clipping", "learning_rate_schedule", "parameter_groups"):
        still.pop(name, None)
    text = yaml.safe_dump(still, sort_keys=False)
    path = job_file.resolve().parent / ".time_to_accuracy.yaml"  # beside the data's relative paths
    try:
        path.write_text(text)
        subprocess.run([ROOT / "build/bin/lockstep", "train", path, "--workers", "1", "--output",
                        folder / "initial"], check=True, stdout=subprocess.DEVNULL)
    finally:
        path.unlink(missing_ok=True)
    tensors = read_safetensors(folder / "initial" / "model.safetensors")
    for name in tensors:  # which no learning rate stops
        if name.endswith("running_mean"):
            tensors[name].zero_()
        elif name.endswith("running_var"):
            tensors[name].fill_(1)
    return tensors


def choice(value):
    """('adamw', {...}) of `adamw: {...}` or `adamw`."""
    name, options = (value, {}) if isinstance(value, str) else next(iter(value.items()))
    return name, options or {}


def make_optimizer(job, model):
    name, options = choice(job["optimizer"])
    groups = [{"params": [], "weight_decay": group["weight_decay"]} for group in job.get("parameter_groups", [])]
    groups.append({"params": []})
    for parameter_name, parameter in model.named_parameters():
        fits = [any(fnmatch.fnmatchcase(parameter_name, pattern) for pattern in group["parameters"])
                for group in job.get("parameter_groups", [])] + [True]
        groups[fits.index(True)]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    rate = options.get("learning_rate", 0.001)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=options.get("momentum", 0),
                               nesterov=options.get("nesterov", False),
                               weight_decay=options.get("weight_decay", 0), fused=True)
    if name not in ("adam", "adamw"):
        sys.exit(f"optimizer {name}: want sgd, adam or adamw")
    make = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return make(groups, lr=rate, betas=(options.get("beta1", 0.9), options.get("beta2", 0.999)),
                eps=options.get("epsilon", 1e-8), fused=True,
                weight_decay=options.get("weight_decay", 0 if name == "adam" else 0.01))


def make_factor(job, total):
    """The learning rate's factor by step (docs/arithmetic.md, schedules)."""
    name, options = choice(job.get("learning_rate_schedule", "constant"))
    if name == "constant":
        return lambda step: 1.0
    if name == "cosine":
        warmup, final = options.get("warmup_steps", 0), options.get("final_factor", 0)

        def cosine(step):
            if step < warmup:
                return (step + 1) / warmup
            t = (step - warmup) / (total - warmup)
            return final + (1 - final) * (1 + math.cos(math.pi * t)) / 2
        return cosine
    if name == "one_cycle":
        start = 1 / options.get("initial_divisor", 25)
        end = start / options.get("final_divisor", 10000)
        peak = options.get("warmup_fraction", 0.3) * total - 1

        def one_cycle(step):
            if step <= peak:
                return 1 + (start - 1) * (1 + math.cos(math.pi * step / peak)) / 2
            t = (step - peak) / (total - 1 - peak)
            return end + (1 - end) * (1 + math.cos(math.pi * t)) / 2
        return one_cycle
    sys.exit(f"schedule {name}: want constant, cosine or one_cycle")


def load(job, folder, part):
    features, labels = read_source(folder, job["data"][part])
    return scaled(job, torch.from_numpy(features)), torch.from_numpy(labels)


def evaluate(model, features, labels):
    """Mean loss and accuracy over all labels."""
    model.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for i in range(0, len(labels), EVALUATION_ROWS):
            outputs = model(features[i:i + EVALUATION_ROWS]).flatten(0, -2)
            wanted = labels[i:i + EVALUATION_ROWS].flatten()
            loss += torch.nn.functional.cross_entropy(outputs, wanted, reduction="sum").item()
            right += int((outputs.argmax(dim=-1) == wanted).sum())
    model.train()
    return loss / labels.numel(), right / labels.numel()


def train_with_pytorch(job_file, job, tensors, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(job.get("seed", 0))
    folder = job_file.resolve().parent
    features, labels = load(job, folder, "train")
    validation = load(job, folder, "validation")
    model = build_model(job, tensors).train()
    batch = job["batch_size"]
    per_epoch = math.ceil(len(labels) / batch)
    total = job["steps"] if "steps" in job else job["epochs"] * per_epoch
    optimizer = make_optimizer(job, model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, make_factor(job, total))
    longest = job.get("gradient_clipping", {}).get("max_norm")
    rows, started = [], time.perf_counter()
    for step in range(total):
        if step % per_epoch == 0:
            order = torch.randperm(len(labels))
        at = step % per_epoch * batch
        rows_of_batch = order[at:at + batch]
        outputs = model(features.index_select(0, rows_of_batch)).flatten(0, -2)
        wanted = labels.index_select(0, rows_of_batch).flatten()
        loss = torch.nn.functional.cross_entropy(outputs, wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if longest is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), longest)
        optimizer.step()
        schedule.step()
        if (step + 1) % per_epoch == 0 or step + 1 == total:
            result = evaluate(model, *validation)
            rows.append((time.perf_counter() - started, *result))
            print(f"PyTorch: {rows[-1][0]:.1f} s, loss {result[0]:.4f}, accuracy {result[1]:.4f}", flush=True)
    return rows


def seconds_to(rows, options):
    for seconds, loss, accuracy in rows:
        if options.loss is not None and loss <= options.loss or options.accuracy is not None and accuracy >= options.accuracy:
            return f"{seconds:.1f} s"
    return "not reached"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("job", type=Path)
    parser.add_argument("--accuracy", type=float, help="validation accuracy to reach, 0 to 1")
    parser.add_argument("--loss", type=float, help="validation loss to reach")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("lockstep", "pytorch"), help="one side alone")
    options = parser.parse_args()
    if (options.accuracy is None) == (options.loss is None):
        parser.error("want --accuracy or --loss")
    job = yaml.safe_load(options.job.read_text())
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "pytorch":
            runs["Lockstep"] = train_with_lockstep(options.job, options.threads, Path(folder))
            for seconds, loss, accuracy in runs["Lockstep"]:
                print(f"Lockstep: {seconds:.1f} s, loss {loss:.4f}, accuracy {accuracy:.4f}")
        if options.only != "lockstep":
            tensors = initial_tensors(options.job, job, Path(folder))
            runs[f"PyTorch {torch.__version__}"] = train_with_pytorch(options.job, job, tensors, options.threads)
    wanted = f"accuracy {options.accuracy}" if options.loss is None else f"loss {options.loss}"
    print(f"| {options.job} | to {wanted} | all of it | validation loss | accuracy |")
    print("|---|---|---|---|---|")
    for name, rows in runs.items():
        seconds, loss, accuracy = rows[-1]
        print(f"| {name} | {seconds_to(rows, options)} | {seconds:.1f} s | {loss:.4f} | {100 * accuracy:.2f} % |")


if __name__ == "__main__":
    main()
