"""Training steps in one process beside PyTorch eager, torch.compile and JAX: time and memory.

bench/compare_pytorch.py --steps prints the same measurements side by side.
"""

from rows.programs import median
from rows.row import Measurement, NotMeasured, Row

# Name, and what engine_step and peer_steps.py call model, batch and optimizer.
STEPS = [
    ("MLP b128, SGD momentum", ("mlp", 128, "sgd")),
    ("MLP b128, Adam", ("mlp", 128, "adam")),
    ("MLP b512, SGD momentum", ("mlp", 512, "sgd")),
    ("784-2048-2048-10 b128, SGD momentum", ("wide_mlp", 128, "sgd")),
    ("CNN b128, SGD momentum", ("cnn", 128, "sgd")),
    ("gpt b16, AdamW", ("gpt", 16, "adamw")),
]
# What peer_steps.py calls them, and the packages that they need.
PEERS = {"eager": "torch", "compile": "torch", "jax": "optax"}
PEER_NAMES = {"eager": "PyTorch eager", "compile": "torch.compile", "jax": "JAX"}


# A peer that takes so much longer than the fastest one is not run a second time.
FAR_FROM_THE_FASTEST = 1.25


def worth_another(results, i):
    """Whether side i may still decide a row: the engine, and the peers near the fastest."""
    firsts = [side[0]["median_ms"] for side in results[1:] if isinstance(side, list) and side]
    return i == 0 or results[i][0]["median_ms"] <= FAR_FROM_THE_FASTEST * min(firsts)


def measure_step(programs, step):
    """The engine and each peer in turn; returns {side: results or NotMeasured}."""
    arguments = (*step, programs.options.threads, max(1.0, programs.options.seconds))

    def peer(name):
        return lambda: programs.peer("peer_steps.py", name, *arguments, needs=PEERS[name])

    results = programs.in_turn(("step", step), lambda: programs.engine("engine_step", *arguments),
                               *map(peer, PEERS), goes_on=worth_another)
    return dict(zip(["engine", *PEERS], results))


def milliseconds(sides):
    """{side: median milliseconds} of those that were measured, and the peers' gaps as text."""
    times, missing = {}, []
    for side, results in sides.items():
        try:
            times[side] = median(results, "median_ms")
        except NotMeasured as gap:
            if side == "engine":
                raise
            missing.append(f"{PEER_NAMES[side]} not measured: {gap}")
    return times, missing


def speed_row(name, step):
    def measure(programs):
        times, missing = milliseconds(measure_step(programs, step))
        ours = times.pop("engine")
        if not times:
            raise NotMeasured("; ".join(missing))
        parts = [f"engine {ours:.2f} ms"]
        parts += [f"{PEER_NAMES[peer]} {ms:.2f} ms" for peer, ms in times.items()]
        return Measurement(min(times.values()) / ours, ", ".join(parts + missing))

    return Row(f"step of {name}", "x of the fastest peer", 1.0, measure, 1.5)


def memory_row(name, step):
    def measure(programs):
        sides = measure_step(programs, step)
        ours = median(sides["engine"], "memory_bytes")
        theirs = median(sides["eager"], "memory_bytes")
        return Measurement(ours / theirs, f"engine {ours / 2**20:.1f} MiB, "
                                          f"PyTorch eager {theirs / 2**20:.1f} MiB")

    return Row(f"peak memory of {name}", "x of PyTorch's", 1.0, measure, 0.5, at_most=True)


def rows(options):
    del options
    return [make(name, step) for make in (speed_row, memory_row) for name, step in STEPS]
