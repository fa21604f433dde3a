"""Makes tests/golden/models: small models of every kind, as PyTorch trains them.

For each: initial parameters, the mean loss of each of 100 steps and the final
parameters, in float64 by torch's own layers and optimizers; golden_models_test.cc
builds the same model from Lockstep's. Data: the 256 digits of mlp/digits_256.csv,
pixels divided by 16, batches of 32 in file order; for gpt a digit's first 17
pixels are tokens, each to be told from those before.
"""

import torch
from torch import nn

STEPS = 100
BATCH = 32
CONTEXT = 16
# The test allows 1e-4; float32 itself must come this close to float64.
FLOAT32_TOLERANCE = 2e-5


class Positions(nn.Module):
    def __init__(self, context, width):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(context, width))

    def forward(self, x):
        return x + self.weight[: x.shape[1]]


class Block(nn.Module):
    """GPT-2's layer: normalisation before attention and before the mlp."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        y = self.ln_1(x)
        hidden = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        x = x + self.attn(y, y, y, attn_mask=hidden, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Recurrent(nn.Module):
    """A recurrent layer whose last output counts, under the layer's own names."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0][:, -1]


class Residual(nn.Module):
    def __init__(self, layers, shortcut=None):
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut if shortcut is not None else nn.Sequential()

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


def conv_norm(inputs, outputs, kernel=3, stride=1):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def basic_block(inputs, outputs, stride):
    layers = conv_norm(inputs, outputs, stride=stride) + [nn.ReLU()] + conv_norm(outputs, outputs)
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(*conv_norm(inputs, outputs, kernel=1, stride=stride))
    return [Residual(nn.Sequential(*layers), shortcut), nn.ReLU()]


def sgd(rate):
    return lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9, weight_decay=1e-3)


# name: (model, shape of an example, optimizer). The ResNet is small enough that in
# 100 steps no relu's argument comes so close to 0 that rounding decides its sign,
# which would send float32 another way: forty runs from parameters that differ by
# 3e-7 all stay within 5e-7 of these losses. An epsilon above rounding, as
# Adam turns gradients that are 0 but for rounding (attention's key bias) into steps.
MODELS = {
    "mlp": (
        lambda: nn.Sequential(nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10)), (64,),
        lambda p: torch.optim.Adam(p, lr=0.005, eps=1e-6),
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1),
            nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 10),
        ),
        (1, 8, 8), sgd(0.05),
    ),
    "resnet": (
        lambda: nn.Sequential(
            *conv_norm(1, 4, stride=2), nn.ReLU(), *basic_block(4, 4, 1), *basic_block(4, 8, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
        ),
        (1, 8, 8), sgd(0.008),
    ),
    "lstm": (
        lambda: nn.Sequential(Recurrent(nn.LSTM(8, 12, num_layers=2, batch_first=True)), nn.Linear(12, 10)),
        (8, 8), lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-6),
    ),
    "gru": (
        lambda: nn.Sequential(Recurrent(nn.GRU(8, 12, batch_first=True)), nn.Linear(12, 10)),
        (8, 8), lambda p: torch.optim.RMSprop(p, lr=0.002, eps=1e-5),
    ),
    "gpt": (
        lambda: nn.Sequential(
            nn.Embedding(17, 16), Positions(CONTEXT, 16), Block(16, 2), Block(16, 2),
            nn.LayerNorm(16), nn.Linear(16, 17),
        ),
        (CONTEXT,), lambda p: torch.optim.AdamW(p, lr=0.003, eps=1e-5, weight_decay=0.01),
    ),
}


def named(model):
    """Parameters and running statistics under Lockstep's names."""
    state = model.state_dict()
    return {
        name.replace(".layer.", "."): value for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }


def batch_of(name, pixels, labels, step, dtype):
    begin = step * BATCH % len(pixels)
    rows = pixels[begin : begin + BATCH]
    if name == "gpt":
        return rows[:, :CONTEXT].long(), rows[:, 1 : CONTEXT + 1].long()
    shape = MODELS[name][1]
    return (rows / 16).to(dtype).reshape(-1, *shape), labels[begin : begin + BATCH]


def train(name, pixels, labels, dtype):
    """(initial state, losses, final state)."""
    make, _, make_optimizer = MODELS[name]
    torch.manual_seed(30)
    model = make()
    initial = {key: value.clone() for key, value in named(model).items()}
    model = model.to(dtype).train()
    optimizer = make_optimizer(model.parameters())
    losses = []
    for step in range(STEPS):
        inputs, targets = batch_of(name, pixels, labels, step, dtype)
        outputs = model(inputs)
        loss = nn.functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return initial, losses, named(model)


def distance(got, want):
    """Of two tensors, relative to the length of the one wanted."""
    return ((got.double() - want.double()).norm() / want.double().norm()).item()


def make_files(pixels, labels, safetensors):
    """Contents by name. pixels [256, 64] and labels [256] are whole numbers."""
    files = {}
    for name in MODELS:
        initial, losses, final = train(name, pixels, labels, torch.float64)
        _, single_losses, single_final = train(name, pixels, labels, torch.float32)
        worst_loss = max(abs(a - b) / abs(b) for a, b in zip(single_losses, losses))
        worst_parameter = max(distance(single_final[key], final[key]) for key in final)
        print(f"{name:18} loss {losses[0]:9.6f} to {losses[-1]:9.6f}, float32 off by "
              f"{worst_loss:.1e}, its parameters by {worst_parameter:.1e}")
        if max(worst_loss, worst_parameter) >= FLOAT32_TOLERANCE:
            raise SystemExit(f"{name}: float32 differs too much from float64")
        files[f"{name}.losses"] = "".join(f"{loss:.9f}\n" for loss in losses).encode()
        for which, state in ("initial", initial), ("final", final):
            single = {key: value.float().contiguous() for key, value in state.items()}
            files[f"{name}_{which}.safetensors"] = safetensors(single)
    return files
