"""Data and numbers of the demos under examples/, as NumPy and PyTorch give them.

moons.csv: the points of examples/two_moons, which are scikit-learn's
make_moons(100, noise=0.1) after numpy.random.seed(1337), written out here.
demos/image_classifier.losses: the loss of each of 300 steps of
examples/image_classifier, float64; its data and weights come from a recipe that
is exact in whole numbers, so that the program can make them by itself.
"""

import math

import numpy
import torch

POINTS = 100
PIXELS = 64 * 64 * 3
IMAGES = 16
WIDTHS = [PIXELS, 20, 7, 5, 1]
STEPS = 300
RATE = 0.0075


def moons():
    numpy.random.seed(1337)
    generator = numpy.random.mtrand._rand
    half = numpy.linspace(0, numpy.pi, POINTS // 2)
    x = numpy.append(numpy.cos(half), 1 - numpy.cos(half))
    y = numpy.append(numpy.sin(half), 1 - numpy.sin(half) - 0.5)
    points = numpy.vstack([x, y]).T
    labels = numpy.repeat([-1, 1], POINTS // 2)
    order = numpy.arange(POINTS)
    generator.shuffle(order)
    points = points[order] + generator.normal(scale=0.1, size=points.shape)
    return points, labels[order]


def moons_csv():
    points, labels = moons()
    return "".join(
        f"{float(x)!r},{float(y)!r},{label}\n" for (x, y), label in zip(points, labels)
    ).encode()


def whole_numbers(count, seed):
    """Numerical Recipes' generator, 32 bits, the upper 24 of each state."""
    state, numbers = seed, numpy.empty(count, dtype=numpy.int64)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        numbers[i] = state >> 8
    return numbers


def images():
    """[IMAGES, PIXELS] in [0, 1] and labels: noise, on stripes that tell the classes apart."""
    noise = whole_numbers(IMAGES * PIXELS, 1).reshape(IMAGES, PIXELS) % 256
    labels = numpy.arange(IMAGES) % 2
    stripe = (numpy.arange(PIXELS) // 64 % 8 < 4)[None, :] == (labels[:, None] == 1)
    return (7 * noise + 765 * stripe) / 2550.0, labels.astype(float)


def image_classifier_losses():
    features, labels = images()
    x, y = torch.from_numpy(features), torch.from_numpy(labels)[:, None]
    parameters = []
    for layer, (fan_in, fan_out) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        numbers = whole_numbers(fan_in * fan_out, 100 + layer).reshape(fan_out, fan_in)
        weight = (numbers / 2.0**23 - 1) / math.sqrt(fan_in)
        parameters.append(torch.from_numpy(weight).requires_grad_())
        parameters.append(torch.zeros(fan_out, dtype=torch.float64, requires_grad=True))
    losses = []
    for _ in range(STEPS):
        hidden = x
        for layer in range(len(WIDTHS) - 1):
            hidden = torch.nn.functional.linear(hidden, parameters[2 * layer], parameters[2 * layer + 1])
            hidden = torch.relu(hidden) if layer < len(WIDTHS) - 2 else torch.sigmoid(hidden)
        loss = torch.nn.functional.binary_cross_entropy(hidden, y)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients):
                parameter -= RATE * gradient
    print(f"image classifier   loss {losses[0]:9.6f} to {losses[-1]:9.6f}")
    return "".join(f"{loss!r}\n" for loss in losses).encode()


def make_files():
    """Contents by path from the repository's root."""
    return {
        "examples/two_moons/moons.csv": moons_csv(),
        "tests/golden/demos/image_classifier.losses": image_classifier_losses(),
    }
