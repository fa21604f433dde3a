#!/usr/bin/env python3
"""PyTorch's times for what the kernel benchmarks measure.

Prints one JSON object: for each measurement, named as in the benchmarks, the
median and least microseconds. Operands and results are in memory before the
clock starts, results are written where they lie (out=) where PyTorch can.

Usage: peer_kernels.py KIND SHAPE... THREADS SECONDS

KIND and SHAPE, and the benchmark with the same names:
  matmul       MxNxK                     C = A B                          matmul_benchmark
  linear       BATCHxINxOUT              the three products of a layer    matmul_benchmark
  convolution  EXAMPLESxINxOUTxSIZE      3 x 3, padding 1                 convolution_benchmark
  attention    EXAMPLESxHEADSxTIMExWIDTH causal, width of one head        attention_benchmark
  lstm, gru    EXAMPLESxTIMExINxHIDDEN   forward and backward             attention_benchmark

  peer_kernels.py linear 128x784x512 128x512x256 2 0.3
SECONDS are spent on each measurement.
"""

import json
import sys
import time

import torch


def timed(call, seconds):
    """Median and least microseconds of a call, after a warm-up of a quarter of the time."""
    warm = time.perf_counter() + seconds / 4
    while time.perf_counter() < warm:
        call()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        started = time.perf_counter()
        call()
        times.append(1e6 * (time.perf_counter() - started))
    times.sort()
    return {"median_us": times[len(times) // 2], "least_us": times[0]}


def matmul(m, n, k):
    a, b, c = torch.rand(m, k), torch.rand(k, n), torch.empty(m, n)
    return {"product": lambda: torch.mm(a, b, out=c)}


def linear(batch, inputs, outputs):
    """The products alone: bias and activation, which the engine's forward has, are left out."""
    x, w, dy = torch.rand(batch, inputs), torch.rand(outputs, inputs), torch.rand(batch, outputs)
    y, dx, dw = torch.empty_like(dy), torch.empty_like(x), torch.empty_like(w)
    return {
        "forward": lambda: torch.mm(x, w.t(), out=y),
        "input_gradient": lambda: torch.mm(dy, w, out=dx),
        "weight_gradient": lambda: torch.mm(dy.t(), x, out=dw),
    }


def convolution(examples, inputs, outputs, size):
    """Planes as they come (NCHW) and channels last: a user may choose either."""
    calls = {}
    for name, form in (("", torch.contiguous_format), ("_channels_last", torch.channels_last)):
        x = torch.rand(examples, inputs, size, size).to(memory_format=form)
        dy = torch.rand(examples, outputs, size, size).to(memory_format=form)
        w = torch.rand(outputs, inputs, 3, 3).to(memory_format=form)
        b = torch.rand(outputs)

        def forward(x=x, w=w, b=b):
            return torch.nn.functional.conv2d(x, w, b, padding=1)

        def backward(x=x, w=w, dy=dy):
            torch.ops.aten.convolution_backward(
                dy, x, w, [outputs], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, True])

        def training(forward=forward, backward=backward):
            forward()
            backward()

        calls.update({"forward" + name: forward, "backward" + name: backward,
                      "training" + name: training})
    return calls


def attention(examples, heads, positions, width):
    """On views of one qkv tensor, as after a layer's projection."""
    qkv = torch.rand(examples, positions, 3, heads, width, requires_grad=True)
    dout = torch.rand(examples, heads, positions, width)

    def forward():
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)

    def inference():
        with torch.no_grad():
            forward()

    def training():
        qkv.grad = None
        forward().backward(dout)

    return {"forward": inference, "training": training}


def recurrent(layer, examples, positions, inputs, hidden):
    module = layer(inputs, hidden, batch_first=True)
    x = torch.rand(examples, positions, inputs, requires_grad=True)
    dout = torch.rand(examples, positions, hidden)

    def training():
        module.zero_grad(set_to_none=True)
        x.grad = None
        module(x)[0].backward(dout)

    return {"training": training}


KINDS = {
    "matmul": matmul,
    "linear": linear,
    "convolution": convolution,
    "attention": attention,
    "lstm": lambda *extents: recurrent(torch.nn.LSTM, *extents),
    "gru": lambda *extents: recurrent(torch.nn.GRU, *extents),
}


def main():
    if len(sys.argv) < 5 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    kind, *shapes, threads, seconds = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    results = {}
    for shape in shapes:
        for part, call in KINDS[kind](*map(int, shape.split("x"))).items():
            results[f"{kind}/{shape}/{part}/threads:{threads}"] = timed(call, float(seconds))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
