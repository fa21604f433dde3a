#!/usr/bin/env python3
"""Makes tests/golden/mlp: losses of small MLPs as PyTorch trains them.

Each variant is a job file, the parameters that it starts from, and the training
loss of each of its steps, one a line, as PyTorch 2.13 computes it in float64
with the optimizer of the same name. Lockstep trains the same job in float32 and
must stay within a relative 1e-4; this script first makes sure that PyTorch's own
float32 does.

The data are the first 256 digits of examples/digits.

Usage: mlp_sgd_adam_pytorch.py [--check]
  --check: writes nothing, and fails where the files differ from what it computes.

Needs: pip install torch==2.13.0 numpy
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy
import torch

FOLDER = Path(__file__).resolve().parent / "mlp"
DIGITS = FOLDER.parents[2] / "examples" / "digits" / "digits.csv"
ROWS = 256
STEPS = 100
WIDTHS = {"cross_entropy": [64, 32, 10], "mse": [64, 32, 1]}
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
TOLERANCE = 1e-4

# name: (loss, activation, batch size, optimizer, its options as in a job file).
# 256 examples in batches of 60 leave 16 for the last step of an epoch.
VARIANTS = {
    "sgd": ("cross_entropy", "relu", 64, "sgd", {"learning_rate": 0.1}),
    "sgd_weight_decay": (
        "cross_entropy", "sigmoid", 60, "sgd", {"learning_rate": 0.5, "weight_decay": 0.01},
    ),
    "sgd_momentum": (
        "cross_entropy", "tanh", 64, "sgd", {"learning_rate": 0.05, "momentum": 0.9},
    ),
    "sgd_nesterov": (
        "cross_entropy", "relu", 64, "sgd",
        {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.001, "nesterov": True},
    ),
    "adam": ("cross_entropy", "relu", 64, "adam", {"learning_rate": 0.005}),
    "adam_weight_decay": (
        "cross_entropy", "tanh", 60, "adam",
        {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.01},
    ),
    "mse_sgd_momentum": ("mse", "tanh", 64, "sgd", {"learning_rate": 0.001, "momentum": 0.9}),
    "mse_adam": ("mse", "relu", 60, "adam", {"learning_rate": 0.01}),
}

JOB = """\
# Made by mlp_sgd_adam_pytorch.py; {name}.losses holds the loss of each step.
name: golden-{name}
seed: 0
data:
  train:
    csv:
      path: digits_256.csv
  scaling:
    divide_by: 16
model:
  - linear: {{out_features: {hidden}}}
  - {activation}
  - linear: {{out_features: {outputs}}}
loss: {loss}
optimizer:
  {optimizer}: {options}
steps: {steps}
batch_size: {batch_size}
shuffle: false
init_from: initial_{loss}.safetensors
"""


def initial_parameters(loss):
    """float32 parameters by name, drawn as torch.nn.Linear does."""
    inputs, hidden, outputs = WIDTHS[loss]
    torch.manual_seed(20)
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.Identity(), torch.nn.Linear(hidden, outputs)
    )
    return {name: tensor.detach() for name, tensor in model.state_dict().items()}


def safetensors(parameters):
    """The bytes of a safetensors file."""
    header, data = {}, b""
    for name in sorted(parameters):
        values = parameters[name].numpy().astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(parameters[name].shape),
            "data_offsets": [len(data), len(data) + len(values)],
        }
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def make_optimizer(name, options, parameters):
    """The torch.optim optimizer that a job file's section means."""
    options = dict(options, lr=options["learning_rate"])
    del options["learning_rate"]
    if name == "sgd":
        return torch.optim.SGD(parameters, **options)
    betas = (options.pop("beta1", 0.9), options.pop("beta2", 0.999))
    return torch.optim.Adam(parameters, betas=betas, eps=options.pop("epsilon", 1e-8), **options)


def train(variant, features, labels, dtype):
    """The mean loss of each step's batch, before the step."""
    loss_name, activation, batch_size, optimizer_name, options = VARIANTS[variant]
    inputs, hidden, outputs = WIDTHS[loss_name]
    model = torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), ACTIVATIONS[activation](), torch.nn.Linear(hidden, outputs)
    )
    model.load_state_dict(initial_parameters(loss_name))
    model = model.to(dtype)
    features = features.to(dtype)
    if loss_name == "mse":
        loss_of, labels = torch.nn.MSELoss(), labels.to(dtype).reshape(-1, 1)
    else:
        loss_of = torch.nn.CrossEntropyLoss()
    optimizer = make_optimizer(optimizer_name, options, model.parameters())

    losses = []
    first = 0
    for _ in range(STEPS):
        rows = slice(first, first + batch_size)  # the last of an epoch is cut off at its end
        loss = loss_of(model(features[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        first = rows.stop if rows.stop < len(features) else 0
    return losses


def yaml_map(options):
    def text(value):
        # YAML's numbers want a point before the exponent.
        return str(value).lower() if isinstance(value, bool) else format(value, "f").rstrip("0")

    return "{" + ", ".join(f"{key}: {text(value)}" for key, value in options.items()) + "}"


def job_file(variant):
    loss, activation, batch_size, optimizer, options = VARIANTS[variant]
    return JOB.format(
        name=variant,
        hidden=WIDTHS[loss][1],
        outputs=WIDTHS[loss][2],
        activation=activation,
        loss=loss,
        optimizer=optimizer,
        options=yaml_map(options),
        steps=STEPS,
        batch_size=batch_size,
    )


def make_files():
    """All files of tests/golden/mlp: contents by name."""
    rows = DIGITS.read_text().splitlines()[1 : 1 + ROWS]  # the first line names the columns
    table = numpy.array([[int(field) for field in row.split(",")] for row in rows])
    features = torch.from_numpy(table[:, :-1] / 16)
    labels = torch.from_numpy(table[:, -1]).long()

    files = {"digits_256.csv": ("\n".join(rows) + "\n").encode()}
    for loss in WIDTHS:
        files[f"initial_{loss}.safetensors"] = safetensors(initial_parameters(loss))
    for variant in VARIANTS:
        losses = train(variant, features, labels, torch.float64)
        single = train(variant, features, labels, torch.float32)
        worst = max(abs(a - b) / abs(b) for a, b in zip(single, losses))
        print(f"{variant:18} loss {losses[0]:9.6f} to {losses[-1]:9.6f}, float32 off by {worst:.1e}")
        # A tenth of it: else the test would measure rounding, not the optimizer.
        if not worst < TOLERANCE / 10:
            sys.exit(f"{variant}: float32 differs by {worst:.1e}, want below {TOLERANCE / 10}")
        files[f"{variant}.yaml"] = job_file(variant).encode()
        files[f"{variant}.losses"] = "".join(f"{loss:.9f}\n" for loss in losses).encode()
    return files


def same(name, old, new):
    """Whether a file is as computed; losses may differ in the last printed digits."""
    if not name.endswith(".losses") or len(old.split()) != len(new.split()):
        return old == new
    return all(abs(float(a) - float(b)) < 1e-8 for a, b in zip(old.split(), new.split()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)

    files = make_files()
    for name, data in files.items():
        path = FOLDER / name
        if not options.check:
            FOLDER.mkdir(exist_ok=True)
            path.write_bytes(data)
        elif not path.exists() or not same(name, path.read_bytes(), data):
            sys.exit(f"{path} is not what PyTorch {torch.__version__} gives")
    size = sum(map(len, files.values()))
    digest = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()
    print(f"{len(files)} files, {size} bytes, SHA-256 of all {digest}")


if __name__ == "__main__":
    main()
