"""A job file's model in PyTorch: build_model(job, tensors).

Written from docs/layers.md alone. A job's layers become modules of torch.nn, or
of classes below where torch.nn has none, with the parameter names that Lockstep
writes; sizes of inputs are read off the tensors. Ready models are written out as
the layers that they stand for.
"""

import torch
from torch import nn


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Residual(nn.Module):
    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut

    def forward(self, x):
        return self.layers(x) + (x if self.shortcut is None else self.shortcut(x))


class LearnedPositions(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))

    def forward(self, x):
        return x + self.weight[: x.shape[1]]


class SinusoidalPositions(nn.Module):
    """Position p, columns 2c and 2c + 1: sine and cosine of p * 10000^(-2c / width)."""

    def forward(self, x):
        length, width = x.shape[1:]
        angles = torch.arange(length, dtype=torch.float64)[:, None] * 10000.0 ** (
            -torch.arange(0, width, 2, dtype=torch.float64) / width)
        table = torch.stack([angles.sin(), angles.cos()], dim=2).reshape(length, width)
        return x + table.to(x.dtype)


def rotate(x, base):
    """Rotary embedding of [n, heads, positions, head_dim]: pairs are c and c + head_dim / 2."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * float(base) ** (
        -torch.arange(half, dtype=torch.float64) / half)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], dim=-1)


class Attention(nn.Module):
    """torch.nn.MultiheadAttention's parameters; causal and rotary as the job file has them."""

    def __init__(self, width, heads, causal, bias, rotary_base, dropout):
        super().__init__()
        self.heads, self.causal, self.rotary_base = heads, causal, rotary_base
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width)) if bias else None
        self.out_proj = nn.Linear(width, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        n, positions, width = x.shape
        qkv = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.reshape(n, positions, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        if self.rotary_base:
            q, k = rotate(q, self.rotary_base), rotate(k, self.rotary_base)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.dropout(self.out_proj(y.transpose(1, 2).reshape(n, positions, width)))


class TransformerBlock(nn.Module):
    def __init__(self, width, options):
        super().__init__()
        hidden = options.get("mlp_ratio", 4) * width
        norm = nn.RMSNorm if options.get("norm") == "rms" else nn.LayerNorm
        dropout = options.get("dropout", 0)
        self.ln_1 = norm(width)
        self.attn = Attention(width, options["heads"], options.get("causal", True),
                              options.get("attention_bias", True), options.get("rotary_base", 0), dropout)
        self.ln_2 = norm(width)
        activation = ACTIVATIONS[options.get("activation", "gelu")]({})
        self.mlp = nn.Sequential(nn.Linear(width, hidden), activation, nn.Linear(hidden, width),
                                 nn.Dropout(dropout))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Recurrent(nn.Module):
    """The outputs of nn.LSTM or nn.GRU, whose parameters it takes as its own."""

    def __init__(self, recurrent, last_only):
        super().__init__()
        self._parameters = recurrent._parameters
        self.__dict__["recurrent"] = recurrent
        self.last_only = last_only

    def forward(self, x):
        y = self.recurrent(x)[0]
        return y[:, -1] if self.last_only else y


ACTIVATIONS = {
    "relu": lambda o: nn.ReLU(),
    "tanh": lambda o: nn.Tanh(),
    "sigmoid": lambda o: nn.Sigmoid(),
    "leaky_relu": lambda o: nn.LeakyReLU(o.get("negative_slope", 0.01)),
    "elu": lambda o: nn.ELU(o.get("alpha", 1.0)),
    "gelu": lambda o: nn.GELU(o.get("approximate", "none")),
    "gelu_tanh": lambda o: nn.GELU("tanh"),  # of a transformer_block
    "silu": lambda o: nn.SiLU(),
    "softplus": lambda o: nn.Softplus(o.get("beta", 1.0), o.get("threshold", 20.0)),
    "hardtanh": lambda o: nn.Hardtanh(o.get("least", -1.0), o.get("most", 1.0)),
    "relu6": lambda o: nn.ReLU6(),
    "softmax": lambda o: nn.Softmax(o.get("axis", -1)),
    "log_softmax": lambda o: nn.LogSoftmax(o.get("axis", -1)),
}


def linear(o, tensors, prefix):
    outputs, inputs = tensors[prefix + "weight"].shape
    return nn.Linear(inputs, outputs, bias=o.get("bias", True))


def convolution(make):
    def build(o, tensors, prefix):
        inputs = tensors[prefix + "weight"].shape[1] * o.get("groups", 1)
        pair = {name: as_pair(o.get(name, default), make) for name, default in (
            ("kernel_size", None), ("stride", 1), ("padding", 0), ("dilation", 1))}
        return make(inputs, o["out_channels"], groups=o.get("groups", 1), bias=o.get("bias", True), **pair)
    return build


def as_pair(number, make):
    if make is nn.Conv1d:
        return number
    return tuple(number) * (2 if len(number) == 1 else 1) if isinstance(number, list) else (number, number)


def pool(one, two, count_padding=False):
    """`one` for examples [channels, length], `two` for [channels, height, width]."""
    def build(o, tensors, prefix):
        options = {"kernel_size": o["kernel_size"], "stride": o.get("stride"), "padding": o.get("padding", 0)}
        if count_padding:
            options["count_include_pad"] = o.get("count_padding", True)
        return Lambda(lambda x: (one if x.dim() == 3 else two)(x, **options))
    return build


def adaptive_pool(o, tensors, prefix):
    size = o["output_size"]
    functions = {3: nn.functional.adaptive_avg_pool1d, 4: nn.functional.adaptive_avg_pool2d}
    return Lambda(lambda x: functions[x.dim()](x, size))


def batch_norm(o, tensors, prefix):
    features = tensors[prefix + "running_mean"].shape[0]
    options = {"eps": o.get("epsilon", 1e-5), "momentum": o.get("momentum", 0.1), "affine": o.get("affine", True)}

    class BatchNorm(nn.modules.batchnorm._BatchNorm):  # of any rank
        def _check_input_dim(self, x):
            pass

    return BatchNorm(features, **options)


def layer_norm(o, tensors, prefix):
    if not o.get("affine", True):
        return Lambda(lambda x: nn.functional.layer_norm(x, x.shape[-o.get("axes", 1):], eps=o.get("epsilon", 1e-5)))
    shape = tensors[prefix + "weight"].shape
    return nn.LayerNorm(shape, eps=o.get("epsilon", 1e-5), bias=o.get("bias", True))


def rms_norm(o, tensors, prefix):
    if not o.get("affine", True):
        return Lambda(lambda x: nn.functional.rms_norm(x, x.shape[-o.get("axes", 1):], eps=o.get("epsilon")))
    return nn.RMSNorm(tensors[prefix + "weight"].shape, eps=o.get("epsilon"))


def group_norm(o, tensors, prefix):
    if not o.get("affine", True):
        return Lambda(lambda x: nn.functional.group_norm(x, o["groups"], eps=o.get("epsilon", 1e-5)))
    return nn.GroupNorm(o["groups"], tensors[prefix + "weight"].shape[0], eps=o.get("epsilon", 1e-5))


def embedding(o, tensors, prefix):
    return nn.Embedding(*tensors[prefix + "weight"].shape, padding_idx=o.get("padding_index"))


def attention(o, tensors, prefix):
    width = tensors[prefix + "out_proj.weight"].shape[0]
    return Attention(width, o["heads"], o.get("causal", False), o.get("bias", True), o.get("rotary_base", 0),
                     o.get("dropout", 0))


def recurrent(make):
    def build(o, tensors, prefix):
        inputs = tensors[prefix + "weight_ih_l0"].shape[1]
        layer = make(inputs, o["hidden_size"], num_layers=o.get("num_layers", 1), bias=o.get("bias", True),
                     batch_first=True)
        return Recurrent(layer, o.get("last_only", False))
    return build


def residual(o, tensors, prefix):
    shortcut = o.get("shortcut")
    return Residual(sequential(o["layers"], tensors, prefix + "layers."),
                    sequential(shortcut, tensors, prefix + "shortcut.") if shortcut else None)


def repeat(o, tensors, prefix):
    return nn.Sequential(*[sequential(o["layers"], tensors, f"{prefix}{i}.") for i in range(o["times"])])


LAYERS = {
    "linear": linear,
    "flatten": lambda o, t, p: nn.Flatten(),
    "reshape": lambda o, t, p: Lambda(lambda x: x.reshape(x.shape[0], *as_list(o["shape"]))),
    "dropout": lambda o, t, p: nn.Dropout(o.get("probability", 0.5)),
    "conv1d": convolution(nn.Conv1d),
    "conv2d": convolution(nn.Conv2d),
    "max_pool": pool(nn.functional.max_pool1d, nn.functional.max_pool2d),
    "avg_pool": pool(nn.functional.avg_pool1d, nn.functional.avg_pool2d, count_padding=True),
    "adaptive_avg_pool": adaptive_pool,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "embedding": embedding,
    "learned_positions": lambda o, t, p: LearnedPositions(t[p + "weight"].shape),
    "sinusoidal_positions": lambda o, t, p: SinusoidalPositions(),
    "multihead_attention": attention,
    "transformer_block": lambda o, t, p: TransformerBlock(t[p + "ln_1.weight"].shape[0], o),
    "lstm": recurrent(nn.LSTM),
    "gru": recurrent(nn.GRU),
    "residual": residual,
    "sequential": lambda o, t, p: sequential(o["layers"], t, p),
    "repeat": repeat,
    "image": lambda o, t, p: Lambda(lambda x: x[:, None]),  # of ready models: a channel's axis
}


def as_list(value):
    return value if isinstance(value, list) else [value]


# Ready models, as the layers that they stand for. What is read off the tensors
# (widths of outputs) may be left out.


def mlp(o):
    layers = ["flatten"]
    for width in as_list(o.get("hidden", [])):
        layers += [{"linear": {"out_features": width}}, o.get("activation", "relu")]
    return layers + ["linear"]


def lenet5(o):
    activation = o.get("activation", "tanh")
    layers = []
    for channels in (6, 16):
        layers += [{"conv2d": {"out_channels": channels, "kernel_size": 5}}, activation,
                   {"avg_pool": {"kernel_size": 2}}]
    return layers + ["flatten", "linear", activation, "linear", activation, "linear"]


def normalized(channels, kernel, stride):
    return [{"conv2d": {"out_channels": channels, "kernel_size": kernel, "stride": stride, "padding": kernel // 2,
                        "bias": False}}, "batch_norm"]


def resnet(o):
    width = o.get("width", 16)
    layers = normalized(width, 3, 1) + ["relu"]
    for stage in range(3):
        for block in range((o.get("depth", 20) - 2) // 6):
            stride, channels = (2 if stage and not block else 1), width << stage
            inner = normalized(channels, 3, stride) + ["relu"] + normalized(channels, 3, 1)
            shortcut = normalized(channels, 1, stride) if stride > 1 else []
            layers += [{"residual": {"layers": inner, "shortcut": shortcut}}, "relu"]
    return layers + [{"adaptive_avg_pool": {"output_size": 1}}, "flatten", "linear"]


def gpt(o):
    positions = o.get("positions", "learned")
    block = {name: o[name] for name in ("heads", "mlp_ratio", "norm", "activation", "dropout") if name in o}
    if positions == "rotary":
        block["rotary_base"] = 10000
    return (["embedding"] + ([positions + "_positions"] if positions != "rotary" else []) +
            [{"dropout": {"probability": o.get("dropout", 0)}},
             {"repeat": {"times": o["layers"], "layers": [{"transformer_block": block}]}},
             o.get("norm", "layer") + "_norm", {"linear": {"bias": False}}])


def lstm_lm(o):
    dropout = {"dropout": {"probability": o.get("dropout", 0)}}
    lstm = {"lstm": {"hidden_size": o["hidden_size"]}}
    return ["embedding", dropout, {"repeat": {"times": o.get("layers", 1), "layers": [lstm, dropout]}}, "linear"]


READY_MODELS = {"mlp": mlp, "lenet5": lenet5, "resnet": resnet, "gpt": gpt, "lstm_lm": lstm_lm}


class Lenet5(nn.Sequential):
    """Pictures smaller than 32 are padded by 2 for the first convolution."""

    def forward(self, x):
        return super().forward(nn.functional.pad(x, (2, 2, 2, 2)) if x.shape[-1] < 32 else x)


def build_ready_model(name, options, tensors, prefix):
    layers = READY_MODELS[name](options)
    if name in ("lenet5", "resnet") and prefix + "0.weight" not in tensors:
        layers = ["image"] + layers  # in the place of the reshape
    model = sequential(layers, tensors, prefix)
    return Lenet5(*model) if name == "lenet5" else model


def build_layer(choice, tensors, prefix):
    name, options = (choice, {}) if isinstance(choice, str) else next(iter(choice.items()))
    options = options or {}
    if name in ACTIVATIONS:
        return ACTIVATIONS[name](options)
    if name in READY_MODELS:
        return build_ready_model(name, options, tensors, prefix)
    return LAYERS[name](options, tensors, prefix)


def sequential(choices, tensors, prefix):
    return nn.Sequential(*[build_layer(choice, tensors, f"{prefix}{i}.") for i, choice in enumerate(choices)])


def build_model(job, tensors):
    """The job's layers with the trained parameters, in evaluation mode."""
    model = sequential(job["model"], tensors, "")
    # Refuses missing and unknown names and wrong shapes. (A file without torch's
    # count of batches, which it needs for no result, gets one of 0.)
    model.load_state_dict(tensors)
    return model.eval()
