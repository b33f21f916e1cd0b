"""Wrong answers to the exercises of notebook 08."""

_K = "def known_at(x0, abar_s, eps):\n    a = abar_s\n    return "
_B = "def noised_again(xs, abar_s, abar_t, eps):\n    s, t = abar_s, abar_t\n    return "
_C = ("def chances(x, first, std, weights):\n    w, far = weights, x - first\n"
      "    bell = torch.exp(-far**2 / (2 * std**2))\n    one = lambda p: p / p.sum()\n    return ")
_E = ("def even_error(guess, x0, mask):\n    e, hole = (guess - x0) ** 2, 1 - mask\n"
      "    sum = lambda v: v.flatten(1).sum(1)\n    return ")
_S = "def sd_input(noisy, latents, mask):\n    n, x, m = noisy, latents, mask\n    return "

WRONG = {
    "network_calls": {1920: "one batch", 40: "walked 6 times", 400: "length of a stretch", 2400: "however it is cut",
                      200: "first walk", 280: "in all", 24: "has 10 steps", 264: "no network", 260: "no network",
                      100: "Every one of the 40"},
    "known_at": {
        _K + "a.sqrt() * x0 + (1 - a) * eps": "As printed",
        _K + "a * x0 + (1 - a) * eps": "Both roots",
        _K + "a * x0 + (1 - a).sqrt() * eps": "by its root",
        _K + "x0": "clean image",
        _K + "x0 + (1 - a).sqrt() * eps": "must shrink",
        _K + "(1 - a).sqrt() * x0 + a.sqrt() * eps": "changed places",
        _K + "a.sqrt() * x0": "mean only",
        _K + "eps": "jump of notebook 02",
        _K + "x0[:1]": "shape",
    },
    "noised_again": {
        _B + "t.sqrt() * xs + (1 - t).sqrt() * eps": "clean image",
        _B + "(s / t).sqrt() * xs + (1 - s / t).sqrt() * eps": "inverted",
        _B + "t / s * xs + (1 - t / s) * eps": "roots are missing",
        _B + "(t / s).sqrt() * xs + (1 - t / s) * eps": "needs a root",
        _B + "xs + (1 - t / s).sqrt() * eps": "must shrink",
        _B + "(t / s).sqrt() * xs + (s - t).sqrt() * eps": "noise of t minus",
        _B + "(t / s).sqrt() * xs": "nothing is forgotten",
        _B + "xs": "Let share",
    },
    "chances": {
        _C + "w * bell / (std * (2 * torch.pi) ** 0.5)": "sum to 1",
        _C + "one(bell / std)": "rare",
        _C + "one(w * bell)": "narrow bump",
        _C + "one(w * bell / std**2)": "not 1 / std^2",
        _C + "one(w / std * torch.exp(-far.abs() / (2 * std)))": "has a square",
        _C + "one(w / std * bell**2)": "*twice*",
        _C + "w": "before x",
        _C + "torch.softmax(far, 0)": "Bayes",
        _C + "one(w * bell / std)[:1]": "shape",
    },
    "even_error": {
        _E + "sum(e * mask) / sum(mask.expand_as(x0))": "around the hole",
        _E + "e.flatten(1).mean(1)": "whole image",
        _E + "(e * hole).flatten(1).mean(1)": "divided by all numbers",
        _E + "sum(e * hole)": "not divided yet",
        _E + "sum(e * hole) / sum(hole)": "has C numbers",
        _E + "sum(e.sqrt() * hole) / sum(hole.expand_as(x0))": "absolute error",
        _E + "((e * hole).sum() / hole.expand_as(x0).sum()).expand(3)": "whole batch",
        _E + "sum(x0)": "Sum the squared",
        _E + "(e * hole).mean()": "shape",
    },
    "sd_input": {
        _S + "torch.cat([n, m, x * m], 1)": "Give it 1 - mask",
        _S + "torch.cat([n, 1 - m, x * (1 - m)], 1)": "emptied in the wrong place",
        _S + "torch.cat([n, m, x * (1 - m)], 1)": "Both are",
        _S + "torch.cat([n, x * m, 1 - m], 1)": "order",
        _S + "torch.cat([n, 1 - m, x], 1)": "not emptied",
        _S + "torch.cat([n * (1 - m), 1 - m, x * m], 1)": "noisy everywhere",
        _S + "torch.cat([x * m, 1 - m, n], 1)": "Nine channels",
        _S + "torch.cat([n, x * m], 1)": "shape",
    },
}
