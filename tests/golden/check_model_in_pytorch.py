#!/usr/bin/env python3
"""Loads a trained model into PyTorch and compares its accuracy with Lockstep's.

Reads the job file, the data, the validation split and the safetensors file with
code of its own, written from docs/ alone: so it also checks that what the
documents say of Philox, the keyed permutation and the file layout is so.

Usage: check_model_in_pytorch.py JOB.yaml OUTPUT_FOLDER
  OUTPUT_FOLDER: what `lockstep train JOB.yaml --output OUTPUT_FOLDER` wrote;
  holds model.safetensors and metrics.jsonl.
Exits with 1 where the accuracies differ.

Needs: pip install torch==2.13.0 numpy pyyaml
"""

import argparse
import csv
import gzip
import json
import math
import struct
import sys
from pathlib import Path

import numpy
import torch
import yaml
from torch_models import build_model

BLOCK = 256  # examples that go through the model at once
VALIDATION_SPLIT = 3  # RandomStream::kValidationSplit
WORD = 0xFFFFFFFF
LONG = 0xFFFFFFFFFFFFFFFF


# Random numbers and the validation split (docs/arithmetic.md).


def philox4x32_10(counter, key):
    """The block function of Salmon et al., SC 2011."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


def random_word(key, stream, step, element):
    """Word `element` of a stream at a step, for example 0."""
    block = element // 4
    last = (block >> 32 & 0xFF) | (step >> 32 & 0xFFF) << 16 | stream << 28
    return philox4x32_10((block & WORD, 0, step & WORD, last), (key & WORD, key >> 32))[element % 4]


def permutation(size, key, stream, epoch):
    """The whole keyed permutation of [0, size) as a list."""
    half = 0
    while half < 32 and size > 1 << 2 * half:
        half += 1
    mask = (1 << half) - 1
    words = [random_word(key, stream, epoch, i) for i in range(16)]
    round_keys = [words[2 * r] | words[2 * r + 1] << 32 for r in range(8)]

    def mix(bits):
        bits = (bits ^ bits >> 33) * 0xFF51AFD7ED558CCD & LONG
        bits = (bits ^ bits >> 33) * 0xC4CEB9FE1A85EC53 & LONG
        return bits ^ bits >> 33

    def encrypt(value):
        left, right = value >> half, value & mask
        for round_key in round_keys:
            left, right = right, left ^ mix(right ^ round_key) & mask
        return left << half | right

    values = []
    for value in range(size):
        value = encrypt(value)
        while value >= size:
            value = encrypt(value)
        values.append(value)
    return values


def validation_rows(count, fraction, seed):
    """File positions of the validation examples, ascending."""
    training = max(1, count - math.floor(count * fraction + 0.5))
    return sorted(permutation(count, seed, VALIDATION_SPLIT, 0)[training:])


# Files.


def open_data(path):
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")


def read_idx(path):
    with open_data(path) as file:
        data = file.read()
    rank = data[3]
    shape = struct.unpack_from(f">{rank}I", data, 4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * rank).reshape(shape)


def read_csv(folder, source):
    """Features and labels of a csv source."""
    with open_data(folder / source["path"]) as file:
        rows = list(csv.reader(file.read().decode("utf-8-sig").splitlines()))
    column = source.get("label_column", -1)
    if source.get("header"):
        names = rows.pop(0)
        column = names.index(column) if column in names else int(column)
    table = numpy.array([[float(field) for field in row] for row in rows if row], numpy.float32)
    labels = table[:, int(column)]
    return numpy.delete(table, int(column), axis=1), labels.astype(numpy.int64)


def read_text(folder, source):
    """Windows of characters (or bytes), and the token after each."""
    with open_data(folder / source["path"]) as file:
        data = file.read()
    if source.get("tokens") == "bytes":
        tokens = list(data)
    else:
        text = data.decode("utf-8")
        numbers = {character: i for i, character in enumerate(sorted(set(text)))}
        tokens = [numbers[character] for character in text]
    begin, end = (math.floor(len(tokens) * source.get(name, default) + 0.5)
                  for name, default in (("from", 0.0), ("to", 1.0)))
    part = numpy.array(tokens[begin:end], numpy.int64)
    context = source["context"]
    starts = range(0, len(part) - context, source.get("stride", context))
    return (numpy.stack([part[i:i + context] for i in starts]),
            numpy.stack([part[i + 1:i + 1 + context] for i in starts]))


def read_source(folder, source):
    if "text" in source:
        return read_text(folder, source["text"])
    if "csv" in source:
        return read_csv(folder, source["csv"])
    idx = source["idx"]
    features = read_idx(folder / idx["images"]).astype(numpy.float32)
    return features, read_idx(folder / idx["labels"]).astype(numpy.int64)


def validation_data(job, folder):
    """The job's validation examples: scaled features and labels."""
    data = job["data"]
    if "validation" in data:
        features, labels = read_source(folder, data["validation"])
    else:
        features, labels = read_source(folder, data["train"])
        rows = validation_rows(len(labels), data["validation_fraction"], job.get("seed", 0))
        features, labels = features[rows], labels[rows]
    return scaled(job, torch.from_numpy(features)), torch.from_numpy(labels)


def scaled(job, features):
    scaling = job["data"].get("scaling", {})
    if "divide_by" in scaling:
        features = features / numpy.float32(scaling["divide_by"])
    if "mean" in scaling:
        features = features - numpy.float32(scaling["mean"])
    if "standard_deviation" in scaling:
        features = features / numpy.float32(scaling["standard_deviation"])
    return features


def read_safetensors(path):
    """Tensors by name."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        first, end = entry["data_offsets"]
        assert entry["dtype"] == "F32" and end <= len(data) - start, entry
        count = (end - first) // 4
        values = torch.frombuffer(data, dtype=torch.float32, count=count, offset=start + first)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def reported_accuracy(path):
    """The run's validation accuracy, in the last line of metrics.jsonl (docs/metrics.md)."""
    summary = json.loads(path.read_text().splitlines()[-1])
    if summary["kind"] != "summary" or summary["state"] != "succeeded":
        sys.exit(f"{path}: the run has not succeeded: {summary}")
    return summary["validation_accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("job", type=Path, help="the job file")
    parser.add_argument("output", type=Path, help="folder with model.safetensors and metrics.jsonl")
    options = parser.parse_args()

    job = yaml.safe_load(options.job.read_text())
    features, labels = validation_data(job, options.job.resolve().parent)
    model = build_model(job, read_safetensors(options.output / "model.safetensors"))
    right = 0
    with torch.no_grad():
        for i in range(0, len(labels), BLOCK):
            right += int((model(features[i:i + BLOCK]).argmax(dim=-1) == labels[i:i + BLOCK]).sum())
    accuracy = right / labels.numel()
    reported = reported_accuracy(options.output / "metrics.jsonl")
    if reported is None:
        sys.exit(f"{options.output}/metrics.jsonl: no validation_accuracy")
    equal = round(reported * labels.numel()) == right and abs(reported - accuracy) < 1e-6
    print(f"PyTorch {torch.__version__}: {right} of {labels.numel()} right, accuracy {accuracy:.6f}")
    print(f"Lockstep: accuracy {reported:.6f}: {'equal' if equal else 'NOT EQUAL'}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
