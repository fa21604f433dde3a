"""The row of what the consistency modes learn: bench/mode_accuracy.py in a short form."""

import json
import os

from rows.programs import ROOT, last_line
from rows.row import Measurement, NotMeasured, Row

EPOCHS = 1
WORKERS = 2


def mode_accuracy(programs):
    """Percentage points of accuracy that the worst of the modes lies below sync."""
    programs.build_programs()
    data = os.environ.get("LOCKSTEP_DATA_DIR", str(ROOT / "data"))
    if not os.path.isdir(os.path.join(data, "fashion-mnist")):
        raise NotMeasured("needs Fashion-MNIST (tools/get_fashion_mnist.sh; LOCKSTEP_DATA_DIR)")
    run = programs.script("bench/mode_accuracy.py", "--bin", ROOT / "build" / "bin", "--data", data,
                          "--workers", WORKERS, "--epochs", EPOCHS, "--comparable", "--format",
                          "json")
    try:
        modes = [json.loads(line) for line in run.stdout.splitlines()]
    except json.JSONDecodeError:
        modes = []
    if run.returncode != 0 or not modes or modes[0].get("mode") != "sync":
        raise NotMeasured(f"bench/mode_accuracy.py: {last_line(run.stderr)}")
    failed = [f"{mode['mode']}: {mode['failed']}" for mode in modes if "failed" in mode]
    if failed:
        raise NotMeasured("; ".join(failed))
    for mode in modes:
        programs.say("{mode}: rate {learning_rate:.4g}, training loss {training_loss:.4f}, "
                     "validation loss {validation_loss:.4f}".format(**mode))
    percents = {mode["mode"]: 100 * mode["validation_accuracy"] for mode in modes}
    detail = ", ".join(f"{name} {percent:.2f} %" for name, percent in percents.items())
    losses = ", ".join(f"{mode['validation_loss']:.3f}" for mode in modes)
    return Measurement(percents["sync"] - min(percents.values()),
                       f"after {EPOCHS} epoch with {WORKERS} workers: {detail}; "
                       f"validation losses {losses}")


def rows(options):
    del options
    # The project sets no bar for it; that a mode learns at all is within ten points of sync.
    return [Row("Fashion-MNIST: worst mode's accuracy below sync's (a short form)", "points", 10,
                mode_accuracy, at_most=True)]
