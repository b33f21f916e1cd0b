"""Wrong answers to the exercises of notebook 06."""

_F = "def forget_some(label, u, p_uncond, none):\n    return "
_W = "def guided_by_w(eps_with, eps_without, w):\n    a, b = eps_with, eps_without\n    return "
_S = "def classifier_gradient(eps_with, eps_without, abar_t):\n    a, b, s = eps_with, eps_without, abar_t\n    return "
_T = ("def dynamic_threshold(x0, share):\n    q = x0.abs().flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1)\n"
      "    one = q.clamp(min=1)\n    cut = torch.maximum(torch.minimum(x0, one), -one)\n    return ")
_N = ("def steer(eps_without, eps_wanted, eps_unwanted, scale, away):\n"
      "    o, a, b = eps_without, eps_wanted, eps_unwanted\n    return ")

WRONG = {
    "images_seen": {1280: "without guidance", 2560: "every step", 28: "64 images", 1024: "8 guided steps alone",
                      512: "need two predictions", 768: "12 steps", 20: "number of calls", 2048: "12 are left",
                      1000: "Count predictions"},
    "forget_some": {
        _F + "torch.where(u < p_uncond, label, none)": "reversed",
        _F + "torch.where(u > p_uncond, none, label)": "reversed",
        _F + "torch.where(u < p_uncond, 0, label)": "t-shirt",
        _F + "label * (u >= p_uncond)": "t-shirt",
        _F + "label": "No label is dropped",
        _F + "torch.full_like(label, none)": "All labels are dropped",
        _F + "torch.where(u < 0.5, none, label)": "fixed half",
        _F + "torch.where(u < p_uncond, -1, label)": "no row",
        _F + "label + 1": "elsewhere the label",
        _F + "label[u >= p_uncond]": "shape",
    },
    "guided_by_w": {
        _W + "b + w * (a - b)": "s = 1 + w",
        _W + "w * a + (1 - w) * b": "s = 1 + w",
        _W + "(1 + w) * b - w * a": "changed places",
        _W + "(1 + w) * a + w * b": "sum to 1",
        _W + "w * (a - b)": "sum to 1",
        _W + "b + (1 - w) * (a - b)": "not 1 - w",
        _W + "b + (w - 1) * (a - b)": "not w - 1",
        _W + "b + (2 + w) * (a - b)": "not 1 + w times",
        _W + "a": "each unit of w",
    },
    "classifier_gradient": {
        _S + "(a - b) / (1 - s).sqrt()": "sign is wrong",
        _S + "b - a": "division is missing",
        _S + "(b - a) / (1 - s)": "root is missing",
        _S + "(b - a) / s.sqrt()": "not sqrt(abar)",
        _S + "(b - a) * (1 - s).sqrt()": "the other way: divide",
        _S + "-a / (1 - s).sqrt()": "Bayes' rule subtracts",
        _S + "-(a + b) / (1 - s).sqrt()": "quotient",
        _S + "a - b": "Take the gradients",
    },
    "dynamic_threshold": {
        _T + "x0.clamp(-1, 1)": "static",
        _T + "cut": "not divided",
        _T + "torch.maximum(torch.minimum(x0, q), -q) / q": "at least 1",
        _T + "(x0 / x0.abs().quantile(share).clamp(min=1)).clamp(-1, 1)": "whole batch",
        _T + "x0 / one": "not clipped",
        _T.replace(".abs()", "") + "cut / one": "absolute",
        _T.replace("quantile(share, dim=1)", "amax(1)") + "cut / one": "largest value",
        _T + "x0": "Three steps",
        _T + "cut.flatten(1) / one": "shape",
    },
    "steer": {
        _N + "o + scale * (a - o) + away * (b - o)": "towards",
        _N + "o + scale * (a - o)": "not used",
        _N + "o + scale * (a - o) - away * b": "subtracted itself",
        _N + "b + scale * (a - b)": "negative prompt",
        _N + "o + scale * (b - o) - away * (a - o)": "changed places",
        _N + "o + scale * (a - o) - away * (b - a)": "starts at the wanted",
        _N + "a": "Start at eps_without",
    },
}
