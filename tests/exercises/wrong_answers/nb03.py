"""Wrong answers to the exercises of notebook 03."""

_W = "def waves(t, width):\n    h = width // 2\n    i = torch.arange(h)\n    "
_WR = "a = t[:, None] * r\n    return torch.cat([a.cos(), a.sin()], 1)"
_B = ("def bend(h, scale, shift, groups):\n    a, b = scale[:, :, None, None], shift[:, :, None, None]\n"
      "    n = torch.nn.functional.group_norm\n    return ")
_N = "def unshuffle(x):\n    B, C, H, W = x.shape\n    return x.reshape(B, C, H//2, 2, W//2, 2)"
_NR = ".reshape(B, 4 * C, H//2, W//2)"
_A = ("def attend_with_words(q, k, v, words_k, words_v):\n    K = torch.cat([words_k, k], 1)\n"
      "    V = torch.cat([words_v, v], 1)\n    d = q.shape[-1]\n    return ")
_T = "def forget_time(network, said):\n    "

WRONG = {
    "tokens_in_the_middle": {576: "once more", 144: "*two* halvings", 9: "one too many", 6: "side of the feature map",
                             9216: "pixels go in", 2304: "sixteenth", 192: "numbers each token", 16: "shipped network",
                             100: "then square"},
    "waves": {
        _W + "r = 10000.0 ** (-i / h)\n    a = t[:, None] * r\n    return torch.cat([a.sin(), a.cos()], 1)": "swapped",
        _W + "r = 10000.0 ** (-i / h)\n    a = t[:, None] * r\n    return torch.stack([a.cos(), a.sin()], 2)"
        ".flatten(1)":
            "alternate",
        _W + "r = 10000.0 ** (i / h)\n    " + _WR: "minus",
        _W + "r = 10000.0 ** (-i / width)\n    " + _WR: "width / 2",
        _W + "r = 10000.0 ** (-i / (h - 1))\n    " + _WR: "No `- 1`",
        _W + "r = 10000.0 ** (-(i + 1) / h)\n    " + _WR: "counts from 0",
        _W + "r = 10000.0 ** (-i / h) / 1000\n    " + _WR: "1,000",
        _W + "r = 10000.0 ** (-i / h) * 2 * torch.pi\n    " + _WR: "2 pi",
        _W + "r = 1 / 2.0 ** i\n    " + _WR: "cosines beside",
        _W + "return t[:, None] * 10000.0 ** (-i / h)": "shape",
        _W + "a = t * 10000.0 ** (-i / h)\n    return torch.cat([a.cos(), a.sin()])": "t[:, None]",
    },
    "bend": {
        _B + "n(h, groups) * a + b": "1 is missing",
        _B + "h * (1 + a) + b": "norm is missing",
        _B + "n(h * (1 + a) + b, groups)": "removes scale and shift",
        _B + "(n(h, groups) + b) * (1 + a)": "scaled too",
        _B + "n(h, groups) * (1 + b) + a": "swapped",
        _B + "n(h, groups) * (1 + a)": "shift is missing",
        _B + "n(h, h.shape[1]) * (1 + a) + b": "by itself",
        _B + "n(h, 1) * (1 + a) + b": "together",
        _B + "n(h, groups) * (1 + a.mean(0)) + b.mean(0)": "own scale",
        _B + "n(h, groups) * (1 + scale) + shift": "None, None",
        _B + "n(h, groups)": "1 + scale",
    },
    "unshuffle": {
        "def unshuffle(x):\n    B, C, H, W = x.shape\n    return x.reshape(B, 4 * C, H//2, W//2)": "another order",
        "def unshuffle(x):\n    B, C, H, W = x.shape\n"
        "    return x.reshape(B, C, 2, H//2, 2, W//2).permute(0, 1, 2, 4, 3, 5).reshape(B, 4 * C, H//2, W//2)":
            "corners",
        _N + ".permute(0, 3, 5, 1, 2, 4)" + _NR: "C first",
        _N + ".permute(0, 1, 5, 3, 2, 4)" + _NR: "rows before columns",
        "def unshuffle(x):\n    return torch.nn.functional.avg_pool2d(x, 2).repeat_interleave(4, 1)": "averaged",
        "def unshuffle(x):\n    return x[:, :, ::2, ::2].repeat_interleave(4, 1)": "Four copies",
        "def unshuffle(x):\n    return x[:, :, ::2, ::2]": "shape",
        _N + ".permute(0, 1, 3, 5, 2, 4)" + _NR + ".flip(1)": "join the channels",
    },
    "attend_with_words": {
        _A + "(q @ K.mT / d).softmax(-1) @ V": "not by d",
        _A + "(q @ K.mT).softmax(-1) @ V": "long vectors",
        _A + "(q @ K.mT / d**.5).softmax(1) @ V": "last dimension",
        _A + "(q @ k.mT / d**.5).softmax(-1) @ v + (q @ words_k.mT / d**.5).softmax(-1) @ words_v": "compete",
        _A + "(q @ k.mT / d**.5).softmax(-1) @ v": "words are not used",
        _A + "(q @ words_k.mT / d**.5).softmax(-1) @ words_v": "Only the words",
        _A + "(q @ torch.cat([k, words_k], 1).mT / d**.5).softmax(-1) @ V": "different orders",
        _A + "(q @ K.mT / d**.5) @ V": "Join keys",
        _A + "(q @ K / d**.5).softmax(-1) @ V": "k.transpose",
    },
    "forget_time": {
        _T + "return network": "still depends",
        _T + "return lambda xt, t: network(xt, t)": "different times",
        _T + "return network(torch.zeros(3, 1, 4, 4), torch.full((3,), said))": "called the network already",
        _T + "return lambda xt, t: network(xt, 0 * t)": "t = 0",
        _T + "return lambda xt, t: network(xt, said)": "full_like",
        _T + "return lambda xt, t: network(xt, torch.full((len(t),), 100))": "always passes 100",
        _T + "return lambda xt, t: network(xt, torch.full_like(t, said // 2))": "as at t = 100",
        _T + "return said": "function of (xt, t)",
        _T + "def new(xt, t):\n        t[:] = said\n        return network(xt, t)\n    return new": "t in place",
        _T + "def new(xt, t):\n        network(xt, torch.full_like(t, said))\n    return new": "returns nothing",
    },
}
