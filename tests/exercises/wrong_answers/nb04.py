"""Wrong answers to the exercises of notebook 04."""

_M = "def min_snr_weight(snr, gamma):\n    return "
_D = "def ddim_step(xt, v, a, b):\n    "
_X, _E = "x0 = a.sqrt() * xt - (1 - a).sqrt() * v\n    ", "eps = (1 - a).sqrt() * xt + a.sqrt() * v\n    "
_R = "return b.sqrt() * x0 + (1 - b).sqrt() * eps"
_F = "def frechet_1d(mean_a, std_a, mean_b, std_b):\n    return "

WRONG = {
    "min_snr_weight": {
        _M + "snr.clamp(max=gamma)": "weight on the error of x0",
        _M + "snr.clamp(max=gamma) / (snr + 1)": "predicts v",
        _M + "gamma / snr": "take the minimum",
        _M + "snr.clamp(min=gamma) / snr": "larger of the two",
        _M + "torch.ones_like(snr)": "unweighted error of eps",
        _M + "(1 / snr).clamp(max=1)": "clamp at 1",
        _M + "snr.clamp(max=gamma) * snr": "divide",
        _M + "snr": "Divide",
    },
    "ddim_step": {
        _D + _X + "return x0": "That is the predicted x0",
        _D + "x0, eps = (xt - (1 - a).sqrt() * v) / a.sqrt(), v\n    " + _R: "whose output is eps",
        _D + _X.replace(" - (1", " + (1") + _E + _R: "wrong in x0",
        _D + _X + _E.replace("+", "-") + _R: "wrong in eps",
        _D + _X + _E + "return b.sqrt() * eps + (1 - b).sqrt() * x0": "swapped",
        _D + _X + _E + "b = a\n    " + _R: "With one abar",
        _D + "a, b = b, a\n    " + _X + _E + _R: "t and s are exchanged",
        _D + "a = b\n    " + _X + _E + _R: "you get xt again",
        _D + (_X + _E + _R).replace(".sqrt()", ""): "square roots",
        _D + _X + _E + "return x0 + eps": "Three lines",
    },
    "without_noise": {
        (0.0, "a"): "No grain", (0.02, "c"): "almost nothing", (0.0, "d"): "good images", (1.0, "b"): "near 1",
        (0.89, "b"): "*with* fresh noise", (0.5, "b"): "Neither",
        (0.3, "b"): "Neither", (265.0, "b"): "between 0 and 1", ("b", 0.0): "one of the letters",
        0.0: "Give both",
    },
    "diagnosis": {
        ("t ignored", 500): "to the right", ("t ignored", 100): "to the left", ("t ignored", 2000): "in 0..999",
        ("t ignored", True): "in 0..999", ("eps rounded", 325): "near t = 999", ("3 steps", 325): "no sampler",
        ("schedule", 325): "at the ends", ("noise", 325): "one of t ignored", 325: "Give both",
    },
    "frechet_1d": {
        _F + "(mean_a - mean_b)**2 + abs(std_a**2 - std_b**2)": "not var_a",
        _F + "(mean_a - mean_b)**2": "Only the means",
        _F + "(std_a - std_b)**2": "Only the standard deviations",
        _F + "((mean_a - mean_b)**2 + (std_a - std_b)**2)**0.5": "no root",
        _F + "(mean_a - mean_b)**2 + std_a**2 + std_b**2": "cross term",
        _F + "abs(mean_a - mean_b) + abs(std_a - std_b)": "Squares are missing",
        _F + "(mean_a - mean_b)**2 + (std_a**2 - std_b**2)**2": "squared the variances",
        _F + "std_a / std_b": "1 x 1 matrices",
    },
}
