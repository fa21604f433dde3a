"""What must be right rather than fast: determinism, correctness, accuracy."""

import json
import os
import tempfile
from pathlib import Path

from rows.programs import ROOT, last_line
from rows.row import Measurement, NotMeasured, Row

KERNEL_TESTS = ["//engine/kernels/..."]
TRAINING_HASHES = ["//tests/determinism/..."]
GRADIENT_CHECKS = ["//engine/autograd/...", "//engine/nn/...", "//engine/optim/..."]
GOLDEN_VALUES = ["//tests/golden/..."]


def tests_row(name, targets):
    def measure(programs):
        passed, count = programs.test(*targets)
        return Measurement(100 * passed / count, f"{passed} of {count} test programs")

    return Row(name, "% of tests pass", 100, measure)


def cross_check(programs):
    """The trainings of tests/determinism on this machine's sets and on ARM's in an emulator."""
    programs.require("qemu-aarch64", "tools/install_dependencies.sh --cross")
    programs.require("aarch64-linux-gnu-g++", "tools/install_dependencies.sh --cross")
    run = programs.script("tools/cross_check.sh")
    if run.returncode not in (0, 1):
        raise NotMeasured(f"tools/cross_check.sh: {last_line(run.stderr)}")
    agreeing = [line for line in run.stdout.splitlines() if line.count(":") == 2]
    return Measurement(100 * (run.returncode == 0),
                       "; ".join(line.rsplit(":", 1)[0] for line in agreeing))


def train(programs, job):
    """Trains an example; returns the entries of its metrics.jsonl (docs/metrics.md)."""
    if not (ROOT / job).exists():
        raise NotMeasured(f"needs {job}")
    if not os.environ.get("LOCKSTEP_DATA_DIR"):
        programs.say(f"LOCKSTEP_DATA_DIR is not set: {job} looks for its data beside it")
    if programs.script("tools/build.sh").returncode != 0:
        raise NotMeasured("needs a build; run tools/build.sh")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        run = programs.script("build/bin/lockstep", "train", ROOT / job, "--threads",
                              programs.options.threads, "--output", output, "--format", "json")
        if run.returncode != 0:
            raise NotMeasured(f"lockstep train {job}: {last_line(run.stderr)}")
        lines = (output / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def image_accuracy(programs):
    summary = train(programs, "examples/fashion_mnist/cnn.yaml")[-1]
    return Measurement(100 * summary["validation_accuracy"],
                       f"{summary['epoch']} epochs in {summary['seconds']:.0f} s")


def text_loss(programs):
    entries = train(programs, "examples/char_gpt/job.yaml")
    losses = [e["validation_loss"] for e in entries if e["kind"] == "epoch"]
    return Measurement(min(loss for loss in losses if loss is not None),
                       f"{entries[-1]['step']} steps in {entries[-1]['seconds']:.0f} s")


def rows(options):
    del options
    return [
        tests_row("determinism: every kernel equals its scalar twin", KERNEL_TESTS),
        tests_row("determinism: hashes of trainings over threads and instruction sets",
                  TRAINING_HASHES),
        Row("determinism: hashes equal on ARM, NEON and SVE (tools/cross_check.sh)", "% agree",
            100, cross_check),
        tests_row("correctness: gradients checked by differences", GRADIENT_CHECKS),
        tests_row("correctness: losses follow PyTorch's (tests/golden)", GOLDEN_VALUES),
        Row("accuracy: examples/fashion_mnist/cnn.yaml", "% right", 91, image_accuracy, slow=True),
        Row("accuracy: examples/char_gpt/job.yaml", "nats of validation loss", 1.75, text_loss,
            at_most=True, slow=True),
    ]
