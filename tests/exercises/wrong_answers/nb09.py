"""Wrong answers to the exercises of notebook 09."""

_T = ("def to_tokens(parts, numbers, length):\n    row = [numbers.get(w, {}) for w in parts]{}\n"
      "    return torch.tensor({})")
_END, _FRONT = "row + [{}] * (length - len(row))", "[0] * (length - len(row)) + row"
_J = ("def joint_answer(q, k, v, k_text, v_text):\n    keys = torch.cat([k_text, k], 1)\n"
      "    values = torch.cat([v_text, v], 1)\n"
      "    weights = (q @ keys.mT / q.shape[-1] ** 0.5).softmax(-1)\n    return ")
_M = "def word_map(weights, word, side):\n    return "
_C = ("import math\n\ndef clip_loss(f, g, scale):\n"
      "    ce, own = torch.nn.functional.cross_entropy, torch.arange(len(f))\n"
      "    a, b = (x / x.norm(dim=1, keepdim=True) for x in (f, g))\n    s = scale * a @ b.T\n    return ")
_S = "def spoil(enlarged, level, eps):\n    l = level.view(-1, 1, 1, 1)\n    return "
_X = "(q @ k_text.mT / q.shape[-1] ** 0.5).softmax(-1) @ v_text"
_Y = "(q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v"

WRONG = {
    "attention_weights_in_a_layer": {
        72_704: "one head", 645_248: "Words have no queries here: 28", 524_288: "among themselves",
        57_344: "weights of words", 65_536: "other heads", 80_656: "8 heads", 7_168: "words only",
        23_552: "section 4", 5_632: "the side", 11_776: "2 heads", 47_104: "256", 284: "number of keys",
        2_272: "how many queries", 100: "Count the queries",
    },
    "to_tokens": {
        _T.format(0, "[:length]", _END.format(0)): "An unknown word is 1",
        _T.format(1, "[:length]", _FRONT): "in front",
        _T.format(0, "[:length]", _END.format(1)): "other way round",
        _T.format(1, "[:length]", _END.format(1)): "The padding is 1",
        _T.format(1, "[-length:]", _END.format(0)): "the beginning",
        _T.format(2, "[:length]", _END.format(0)): "Look up each word",
        _T.format(1, "", _END.format(0)): "stays too long",
        _T.format(1, "", "row"): "shape",
        _T.format(1, "[:length]", _END.format(0) + ", dtype=torch.float32"): "dtype is torch.float32",
        "def to_tokens(parts, numbers, length):\n    row = [numbers[w] for w in parts if w in numbers][:length]\n"
        "    return torch.tensor(row + [0] * (length - len(row)))": "left out",
        "def to_tokens(parts, numbers, length):\n    return torch.tensor([numbers[w] for w in parts])": "KeyError",
        "def to_tokens(parts, numbers, length):\n    return [numbers.get(w, 1) for w in parts]": "shape",
    },
    "joint_answer": {
        _J + "(q @ keys.mT).softmax(-1) @ values": "root is missing",
        _J + "(q @ keys.mT / q.shape[-1]).softmax(-1) @ values": "divide by the width",
        _J + _X: "cross-attention",
        _J + _Y: "image only",
        _J + f"{_X} + {_Y}": "Two softmaxes",
        _J + f"({_X} + {_Y}) / 2": "mean of two attentions",
        _J + "(q @ keys.mT / q.shape[-1] ** 0.5).softmax(-2) @ values": "along the queries",
        _J + "weights @ torch.cat([v, v_text], 1)": "different orders",
        _J + "(q @ values.mT / q.shape[-1] ** 0.5).softmax(-1) @ keys": "exchanged",
        _J + "weights": "shape",
        _J + "weights @ values + v": "Join keys and values",
    },
    "word_map": {
        _M + "weights.mean(1)[:, :, weights.shape[-1] - side * side + word].unflatten(1, (side, side))": "in *front*",
        _M + "weights.mean(1)[:, :, side * side + word].unflatten(1, (side, side))": "from behind the positions",
        _M + "weights.mean(1)[:, :, -1 - word].unflatten(1, (side, side))": "from the end",
        _M + "weights.mean(1)[:, :, word].unflatten(1, (side, side)).mT": "rows are columns",
        _M + "weights.mean(1)[:, word, -side * side:].unflatten(1, (side, side))": "Take the column: which",
        _M + "weights.sum(1)[:, :, word].unflatten(1, (side, side))": "sum over the heads",
        _M + "weights[:, 0, :, word].unflatten(1, (side, side))": "first head",
        _M + "weights.amax(1)[:, :, word].unflatten(1, (side, side))": "maximum over the heads",
        _M + "weights.mean(1)[:, :, word]": "shape",
        _M + "weights[:, :, :, word].unflatten(2, (side, side))": "shape",
        _M + "weights.mean(1)[:, :, word + 1].unflatten(1, (side, side))": "Take the column",
    },
    "clip_loss": {
        _C + "(ce(scale * f @ g.T, own) + ce(scale * g @ f.T, own)) / 2": "not normalised",
        _C + "ce(s, own)": "Only the loss from images",
        _C + "ce(s.T, own)": "Only the loss from captions",
        _C + "ce(s, own) + ce(s.T, own)": "half of it",
        _C + "(ce(a @ b.T, own) + ce(b @ a.T, own)) / 2": "scale is missing",
        _C + "(ce(a @ b.T * math.exp(scale), own) + ce(b @ a.T * math.exp(scale), own)) / 2": "e^tau already",
        _C + "-s.diagonal().mean()": "nothing pushes",
        _C + "(ce(s / scale**2, own) + ce(s.T / scale**2, own)) / 2": "divide by the scale",
        _C + "ce(scale * (f / f.norm(dim=0)) @ (g / g.norm(dim=0)).T, own)": "Normalise all rows",
        _C + "(ce(scale * (f / f.norm(dim=0)) @ (g / g.norm(dim=0)).T, own)"
             " + ce(scale * (g / g.norm(dim=0)) @ (f / f.norm(dim=0)).T, own)) / 2": "wrong axis",
        _C + "s": "shape",
    },
    "spoil": {
        _S + "enlarged + l * eps": "must shrink",
        _S + "(1 - l) * enlarged + l * eps": "not 1 - level",
        _S + "(1 - l**2) * enlarged + l * eps": "by its root",
        _S + "(1 - l).sqrt() * enlarged + l.sqrt() * eps": "not its variance",
        _S + "(1 - l**2).sqrt() * enlarged + l**2 * eps": "the level itself",
        _S + "(1 - l**2).sqrt() * eps + l * enlarged": "exchanged",
        _S + "(1 - level**2).sqrt() * enlarged + level * eps": "along the width",
        _S + "(1 - level[0]**2).sqrt() * enlarged + level[0] * eps": "same level",
        _S + "eps * l": "with the level of each image",
    },
}
