"""Rows of a cluster's speed: whole steps of server and workers beside PyTorch's."""

import json

from rows.programs import median
from rows.row import Measurement, Row

MODELS = [  # name for people, the set-up
    ("MLP b128 SGD", {"model": "mlp", "batch": 128}),
    ("MLP b128 Adam", {"model": "mlp", "batch": 128, "optimizer": "adam"}),
    ("MLP b512 SGD", {"model": "mlp", "batch": 512, "steps": 50}),
    ("784-2048-2048-10 b128 SGD", {"model": "wide_mlp", "batch": 128, "steps": 30}),
    ("CNN b128 SGD", {"model": "cnn", "batch": 128, "steps": 50}),
]
# Two processors, shared out in both ways; the bar and what to reach for.
SETUPS = [
    ("2 x 1 thread against DDP over gloo", {"workers": 2, "threads": 1}, 1.5, 3.0),
    ("1 x 2 threads against one process", {"workers": 1, "threads": 2}, 1.0, 1.5),
]
TINY = {"model": "tiny", "batch": 64, "workers": 1, "threads": 1, "optimizer": "adam", "steps": 500}
# Gradients of a size that no cache holds, from workers that compute nothing.
HUNDRED_MILLION = {"model": "hundred_million", "batch": 2, "shards": 2, "threads": 1, "workers": 2,
                   "steps": 20, "epochs": 2}
HUNDRED_MILLION_PARAMETERS = 784 * 10000 + 10000 * 9200 + 9200 * 10 + 10000 + 9200 + 10


def lockstep(programs, task):
    """The JSON object of one run of the cluster."""
    programs.build_programs()
    return programs.peer("cluster_step.py", "lockstep", json.dumps(task), needs="json")


def against_torch(setup, task):
    def measure(programs):
        whole = {**task, **setup}
        ours, theirs = programs.in_turn(
            json.dumps(whole), lambda: lockstep(programs, whole),
            lambda: programs.peer("cluster_step.py", "torch", json.dumps(whole), needs="torch"))
        our_ms, their_ms = median(ours, "step_ms"), median(theirs, "step_ms")
        return Measurement(their_ms / our_ms, f"{our_ms:.2f} ms, PyTorch {their_ms:.2f} ms")

    return measure


def tiny_step(programs):
    runs, = programs.in_turn("tiny", lambda: lockstep(programs, TINY))
    return Measurement(1000 * median(runs, "step_ms"))


def summed_per_second(shared_memory):
    def measure(programs):
        source = programs.built("gradient_source")
        task = {**HUNDRED_MILLION, "optimizer": "plain_sgd", "shared_memory": shared_memory,
                "worker": str(source)}
        # Of the second epoch's time the writing of the first one's checkpoint takes a part, which
        # many steps make small; over TCP a step is long itself, and has 400 MB to write for 30.
        task["steps"] = 60 if shared_memory == "auto" else 30
        sides = [lambda: lockstep(programs, task)]
        if shared_memory == "off":
            yardstick = programs.built("socket_exchange")
            sides.append(lambda: programs.program(yardstick, "--parameters",
                                                  HUNDRED_MILLION_PARAMETERS))
        runs, *bare = programs.in_turn(f"sum {shared_memory}", *sides)
        step_ms = median(runs, "step_ms")
        detail = f"{step_ms:.0f} ms a step, SGD and all"
        if bare:
            bare_ms = median(bare[0], "step_ms")
            detail += f"; bare sockets {bare_ms:.0f} ms, we reach {100 * bare_ms / step_ms:.0f} %"
        return Measurement(1e-6 * summed_bytes_a_step(runs, task) / step_ms, detail)

    return measure


def summed_bytes_a_step(runs, task):
    """Bytes of gradients that were sent and counted: a shard given to both was sent by both."""
    twice = median(runs, "shards_speculated") * 4 * HUNDRED_MILLION_PARAMETERS
    return (median(runs, "sent_bytes") - twice) / (task["steps"] * task["epochs"])


def adam_run(programs):
    # Real workers: a checkpoint's stall is to be seen beside a step of a training. Each epoch ends
    # with a checkpoint.
    task = {"model": "hundred_million", "batch": 128, "workers": 2, "threads": 1,
            "optimizer": "adam", "steps": 8, "epochs": 3}
    return programs.in_turn("adam", lambda: lockstep(programs, task))[0]


def server_memory(programs):
    server_bytes = median(adam_run(programs), "server_bytes")
    return Measurement(server_bytes / (4 * HUNDRED_MILLION_PARAMETERS),
                       f"{server_bytes / 1e9:.2f} GB at the most, checkpoints and all")


def checkpoint_stall(programs):
    run = adam_run(programs)
    step_ms, pause_ms = median(run, "least_ms"), median(run, "longest_pause_ms")
    return Measurement(max(0.0, pause_ms / step_ms - 1),
                       f"longest pause between two steps {pause_ms:.0f} ms, a step {step_ms:.0f} ms")


def cost_of_exactness(programs):
    def run(shards):
        task = {"model": "mlp", "batch": 128, "workers": 1, "threads": 1, "shards": shards}
        return lambda: lockstep(programs, task)

    eight, one = programs.in_turn("exactness", run(8), run(1))
    eight_ms, one_ms = median(eight, "step_ms"), median(one, "step_ms")
    return Measurement(100 * (eight_ms / one_ms - 1), f"{eight_ms:.2f} ms against {one_ms:.2f}")


def rows(options):
    result = [Row("tiny model's step, 1 worker", "us", 500, tiny_step, reach=150, at_most=True)]
    for setup_name, setup, bar, reach in SETUPS:
        for name, task in MODELS:
            result.append(Row(f"{name}, {setup_name}", "x PyTorch", bar,
                              against_torch(setup, task), reach=reach))
    result += [
        Row("100M parameters, gradients summed, TCP", "GB/s", 1.5, summed_per_second("off")),
        Row("100M parameters, gradients summed, shared memory", "GB/s", 4,
            summed_per_second("auto")),
        Row("100M parameters, server's memory, Adam", "x parameters", 5, server_memory, reach=4,
            at_most=True),
        Row("100M parameters, a checkpoint's stall", "steps", 1, checkpoint_stall, reach=0,
            at_most=True),
        Row("V = 8 on one worker against V = 1", "% longer", 5, cost_of_exactness, reach=0,
            at_most=True),
    ]
    return result
