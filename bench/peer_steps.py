#!/usr/bin/env python3
"""One peer's training step: PyTorch eager, torch.compile, or JAX; in a process of its own.

Prints one JSON object: median and least milliseconds of a step, and how much
memory the process took beyond what importing the library takes. Each peer gets
its best case: inputs in memory before the clock starts, fused optimizers,
gradients set to None, nothing read back within the timed steps; JAX is one
jitted function with donated buffers. bench/engine_step.cc has the same models and
prints the same figures of Lockstep's engine; run both in turn on an idle machine.

Usage: peer_steps.py PEER MODEL BATCH OPTIMIZER THREADS SECONDS
"""

import json
import os
import sys
import time

MLPS = {"mlp": [784, 512, 256, 10], "wide_mlp": [784, 2048, 2048, 10]}
# A gpt: layers, heads, width, context, characters.
LAYERS, HEADS, WIDTH, CONTEXT, VOCABULARY = 4, 4, 128, 128, 65


def memory_bytes(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def timed(step, wait, seconds):
    """Milliseconds of each step after a warm-up; wait() returns when all work is done."""
    for _ in range(5):
        step()
    wait()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 10:
        started = time.perf_counter()
        step()
        wait()
        times.append(1000 * (time.perf_counter() - started))
    return sorted(times)


# PyTorch


def torch_model(torch, name):
    nn = torch.nn
    if name in MLPS:
        layers = []
        for inputs, outputs in zip(MLPS[name], MLPS[name][1:]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    if name == "cnn":
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
        )

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            n, t, width = x.shape
            heads = self.qkv(self.norm1(x)).view(n, t, 3, HEADS, width // HEADS)
            q, k, v = heads.permute(2, 0, 3, 1, 4)
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
            return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(VOCABULARY, WIDTH)
            self.places = nn.Parameter(torch.randn(CONTEXT, WIDTH) * 0.02)
            self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

        def forward(self, tokens):
            x = self.blocks(self.tokens(tokens) + self.places)
            return self.head(self.norm(x)).flatten(0, 1)

    return Gpt()


def torch_inputs(torch, name, batch):
    if name == "gpt":
        tokens = torch.randint(VOCABULARY, (batch, CONTEXT + 1))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1).contiguous()
    shape = (batch, 1, 28, 28) if name == "cnn" else (batch, 784)
    return torch.rand(shape), torch.randint(10, (batch,))


def run_torch(compiled, name, batch, optimizer_name, threads, seconds):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    (torch.rand(64, 64) @ torch.rand(64, 64)).sum().item()
    before = memory_bytes("VmRSS")
    model = torch_model(torch, name)
    features, labels = torch_inputs(torch, name, batch)
    makers = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, fused=True),
        "adam": lambda p: torch.optim.Adam(p, lr=0.001, fused=True),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.001, fused=True),
    }
    optimizer = makers[optimizer_name](model.parameters())

    def loss_of(x, y):
        return torch.nn.functional.cross_entropy(model(x), y)

    if compiled:
        loss_of = torch.compile(loss_of)

    def step():
        loss = loss_of(features, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    times = timed(step, lambda: None, seconds)
    return times, memory_bytes("VmHWM") - before


# JAX


def jax_forward(jax, name):
    jnp, lax = jax.numpy, jax.lax

    def dense(p, x):
        return x @ p["w"] + p["b"]

    if name in MLPS:
        def forward(params, x):
            for p in params[:-1]:
                x = jax.nn.relu(dense(p, x))
            return dense(params[-1], x)
    elif name == "cnn":
        def pool(x):
            return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

        def convolve(p, x):
            out = lax.conv_general_dilated(
                x, p["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return jax.nn.relu(out + p["b"])

        def forward(params, x):
            x = pool(convolve(params[1], pool(convolve(params[0], x))))
            x = jax.nn.relu(dense(params[2], x.reshape(x.shape[0], -1)))
            return dense(params[3], x)
    else:
        def normalise(p, x):
            mean = x.mean(-1, keepdims=True)
            variance = ((x - mean) ** 2).mean(-1, keepdims=True)
            return (x - mean) * lax.rsqrt(variance + 1e-5) * p["w"] + p["b"]

        def block(p, x):
            n, t, width = x.shape
            qkv = dense(p["qkv"], normalise(p["norm1"], x)).reshape(n, t, 3, HEADS, width // HEADS)
            mixed = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2],
                                                 is_causal=True)
            x = x + dense(p["out"], mixed.reshape(n, t, width))
            hidden = jax.nn.gelu(dense(p["up"], normalise(p["norm2"], x)), approximate=False)
            return x + dense(p["down"], hidden)

        def forward(params, tokens):
            x = params["tokens"][tokens] + params["places"]
            for p in params["blocks"]:
                x = block(p, x)
            return dense(params["head"], normalise(params["norm"], x)).reshape(-1, VOCABULARY)
    return forward


def jax_parameters(numpy, name):
    rng = numpy.random.default_rng(0)

    def random(*shape):
        return rng.standard_normal(shape).astype("float32") * 0.05

    def layer(inputs, outputs):
        return {"w": random(inputs, outputs), "b": random(outputs)}

    if name in MLPS:
        return [layer(i, o) for i, o in zip(MLPS[name], MLPS[name][1:])]
    if name == "cnn":
        return [{"w": random(3, 3, 1, 16), "b": random(16)},
                {"w": random(3, 3, 16, 32), "b": random(32)}, layer(1568, 128), layer(128, 10)]

    def norm():
        return {"w": numpy.ones(WIDTH, "float32"), "b": numpy.zeros(WIDTH, "float32")}

    blocks = [{"norm1": norm(), "norm2": norm(), "qkv": layer(WIDTH, 3 * WIDTH),
               "out": layer(WIDTH, WIDTH), "up": layer(WIDTH, 4 * WIDTH),
               "down": layer(4 * WIDTH, WIDTH)} for _ in range(LAYERS)]
    return {"tokens": random(VOCABULARY, WIDTH), "places": random(CONTEXT, WIDTH),
            "blocks": blocks, "norm": norm(), "head": layer(WIDTH, VOCABULARY)}


def run_jax(name, batch, optimizer_name, threads, seconds):
    # XLA takes a thread for each processor that the process may use.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax
    import numpy
    import optax

    jax.block_until_ready(jax.numpy.ones((64, 64)) @ jax.numpy.ones((64, 64)))
    before = memory_bytes("VmRSS")
    forward = jax_forward(jax, name)
    rng = numpy.random.default_rng(1)
    if name == "gpt":
        tokens = rng.integers(0, VOCABULARY, (batch, CONTEXT + 1))
        features, labels = tokens[:, :-1], tokens[:, 1:].reshape(-1)
    else:
        shape = (batch, 28, 28, 1) if name == "cnn" else (batch, 784)
        features, labels = rng.random(shape, "float32"), rng.integers(0, 10, batch)
    features, labels = jax.device_put(features), jax.device_put(labels)
    optimizer = {"sgd": lambda: optax.sgd(0.01, momentum=0.9), "adam": lambda: optax.adam(0.001),
                 "adamw": lambda: optax.adamw(0.001, weight_decay=0.01)}[optimizer_name]()
    params = jax.device_put(jax_parameters(numpy, name))
    state = optimizer.init(params)

    def loss_of(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(forward(params, x), y).mean()

    def update(params, state, x, y):
        gradient = jax.grad(loss_of)(params, x, y)
        changes, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, changes), state

    update = jax.jit(update, donate_argnums=(0, 1))
    held = [params, state]

    def step():
        held[0], held[1] = update(held[0], held[1], features, labels)

    times = timed(step, lambda: jax.block_until_ready(held), seconds)
    return times, memory_bytes("VmHWM") - before


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    peer, name, batch, optimizer, threads, seconds = sys.argv[1:]
    arguments = (name, int(batch), optimizer, int(threads), float(seconds))
    if peer == "jax":
        times, memory = run_jax(*arguments)
    else:
        times, memory = run_torch(peer == "compile", *arguments)
    print(json.dumps({"median_ms": times[len(times) // 2], "least_ms": times[0],
                      "memory_bytes": memory}))


if __name__ == "__main__":
    main()
