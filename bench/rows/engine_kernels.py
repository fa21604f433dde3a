"""Single kernels: of the multiply-add peak, of memory bandwidth, and beside PyTorch."""

from rows.programs import median, median_ratio
from rows.row import Measurement, Row

# Layers of the models in engine_steps.py: batch x in x out.
LINEAR = [
    "128x784x512", "128x512x256", "512x784x512", "512x512x256",
    "128x784x2048", "128x2048x2048", "128x1568x128",
    "2048x128x384", "2048x128x128", "2048x128x512", "2048x512x128", "2048x128x65",
]
PRODUCTS = ["forward", "input_gradient", "weight_gradient"]

# Examples x in-channels x out-channels x size.
CONVOLUTIONS = ["64x16x32x28", "64x64x64x28", "64x16x32x14", "64x64x64x14"]

# Beyond every cache: 128 MiB an array.
ROWS_BY_COLUMNS = "32768x1024"
MEMORY_BOUND = [
    ("elementwise", ["add", "add_row", "relu", "exp", "tanh", "gelu", "relu_backward",
                     "gelu_backward"]),
    ("", ["softmax", "softmax_backward", "layer_norm", "layer_norm_backward"]),
    ("optimizer", ["adamw", "sgd_momentum"]),
]


def peak_row(threads, bar, reach):
    shape = "1024x1024x1024"

    def measure(programs):
        sides = programs.in_turn(
            ("matmul", shape, threads),
            lambda: programs.engine("engine_kernels", "matmul", shape, threads,
                                    programs.options.seconds))
        name = f"matmul/{shape}/product/threads:{threads}"
        flops, peak = (median(sides[0], name, field) for field in ("flops", "peak_flops"))
        return Measurement(100 * median_ratio(sides[0], name, "flops", "peak_flops"),
                           f"{flops / 1e9:.1f} of {peak / 1e9:.1f} GFLOP/s")

    return Row(f"matmul {shape}, {count(threads)}", "% of the fma peak", bar, measure, reach)


def kernel_sides(programs, kind, shapes, threads):
    """All shapes of a kind at once, the engine and PyTorch in turn."""
    arguments = (kind, *shapes, threads, programs.options.seconds)
    return programs.in_turn(
        (kind, threads),
        lambda: programs.engine("engine_kernels", *arguments),
        lambda: programs.peer("peer_kernels.py", *arguments, needs="torch"))


def linear_row(shape, part, threads, reach):
    def measure(programs):
        engine, torch = kernel_sides(programs, "linear", LINEAR, threads)
        name = f"linear/{shape}/{part}/threads:{threads}"
        theirs, ours = median(torch, name, "median_us"), median(engine, name, "median_us")
        peak = 100 * median_ratio(engine, name, "flops", "peak_flops")
        return Measurement(theirs / ours, f"engine {ours:.0f} us ({peak:.0f} % of the peak), "
                                          f"torch.mm {theirs:.0f} us")

    return Row(f"linear {shape} {part}, {count(threads)}", "x of torch.mm", 1.0, measure, reach)


def convolution_row(shape, threads):
    def measure(programs):
        engine, torch = kernel_sides(programs, "convolution", CONVOLUTIONS, threads)
        name = f"convolution/{shape}/training{{}}/threads:{threads}"
        ours = median(engine, name.format(""), "median_us")
        forms = {form: median(torch, name.format(suffix), "median_us")
                 for form, suffix in (("planes", ""), ("channels last", "_channels_last"))}
        theirs = min(forms.values())
        detail = ", ".join(f"torch, {form} {us:.0f} us" for form, us in forms.items())
        return Measurement(theirs / ours, f"engine {ours:.0f} us, {detail}")

    return Row(f"conv2d {shape} forward + backward, {count(threads)}", "x of torch", 1.0, measure,
               1.5)


def memory_row(prefix, kernel, threads):
    def measure(programs):
        sides = programs.in_turn(
            ("memory", threads),
            lambda: programs.engine("engine_kernels", "memory", ROWS_BY_COLUMNS, threads,
                                    programs.options.seconds))
        name = f"memory/{ROWS_BY_COLUMNS}/{kernel}/threads:{threads}"
        rate, bandwidth = (median(sides[0], name, field)
                           for field in ("bytes_per_second", "bandwidth"))
        return Measurement(100 * median_ratio(sides[0], name, "bytes_per_second", "bandwidth"),
                           f"{rate / 1e9:.1f} of {bandwidth / 1e9:.1f} GB/s")

    name = f"{prefix} {kernel}".strip().replace("_", " ")
    return Row(f"{name}, {count(threads)}", "% of memory bandwidth", 80, measure, 95)


def count(threads):
    return f"{threads} thread" + ("s" if threads > 1 else "")


def rows(options):
    one_and_all = sorted({1, options.threads})
    made = [peak_row(threads, *((88, 95) if threads == 1 else (80, 90)))
            for threads in one_and_all]
    made += [linear_row(shape, part, threads, 1.15 if threads == 1 else 1.3)
             for threads in one_and_all for shape in LINEAR for part in PRODUCTS]
    made += [convolution_row(shape, options.threads) for shape in CONVOLUTIONS]
    made += [memory_row(prefix, kernel, threads)
             for threads in one_and_all for prefix, kernels in MEMORY_BOUND for kernel in kernels]
    return made
