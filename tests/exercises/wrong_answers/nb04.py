"""Wrong answers to the exercises of notebook 04."""

_V = "def x0_from_v(xt, v, abar_t):\n    a = abar_t\n    return "
_M = "def min_snr_weight(snr, gamma):\n    return "
_D = ("def ddim_step(xt, x0, abar_t, abar_s, eta, fresh):\n    eps = (xt - abar_t.sqrt() * x0) / (1 - abar_t).sqrt()\n"
      "    sigma = eta * ((1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)).sqrt()\n    return ")
_E = "def follow(average, now, decay):\n    return "
_F = "def frechet_1d(mean_a, std_a, mean_b, std_b):\n    return "

WRONG = {
    "network_calls": {20: "four batches", 1280: "noisy images", 4: "number of batches", 4000: "skips",
                      64000: "skips", 84: "before the first", 16: "batches", 21: "batches"},
    "x0_from_v": {
        _V + "(1 - a).sqrt() * xt + a.sqrt() * v": "That is eps",
        _V + "a.sqrt() * xt + (1 - a).sqrt() * v": "sign of v",
        _V + "(1 - a).sqrt() * xt - a.sqrt() * v": "swapped",
        _V + "a * xt - (1 - a) * v": "square roots",
        _V + "(xt - (1 - a).sqrt() * v) / a.sqrt()": "in place of v",
        _V + "-v / (1 - a).sqrt()": "eps were zero",
        _V + "xt - v": "eliminate eps",
    },
    "min_snr_weight": {
        _M + "snr.clamp(max=gamma)": "weight on the error of x0",
        _M + "snr.clamp(max=gamma) / (snr + 1)": "predicts v",
        _M + "gamma / snr": "take the minimum",
        _M + "snr.clamp(min=gamma) / snr": "larger of the two",
        _M + "torch.ones_like(snr)": "plain error of eps",
        _M + "(1 / snr).clamp(max=1)": "clamp at 1",
        _M + "snr.clamp(max=gamma) * snr": "divide",
        _M + "snr": "Divide",
    },
    "ddim_step": {
        _D + "abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * eps": "does not use eta",
        _D + "abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * eps + sigma * fresh": "without removing old noise",
        _D + "abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * fresh": "All noise is fresh",
        _D.replace(" / (1 - abar_t).sqrt()\n", "\n")
        + "abar_s.sqrt() * x0 + (1 - abar_s - sigma**2).sqrt() * eps + sigma * fresh": "forgot to divide",
        _D.replace("eps = (xt - abar_t.sqrt() * x0) / (1 - abar_t)", "eps = (xt - abar_s.sqrt() * x0) / (1 - abar_s)")
        + "abar_s.sqrt() * x0 + (1 - abar_s - sigma**2).sqrt() * eps + sigma * fresh": "you used abar_s",
        _D + "abar_t.sqrt() * x0 + (1 - abar_t - sigma**2).sqrt() * eps + sigma * fresh": "swapped",
        _D.replace("(1 - abar_t / abar_s)).sqrt()", "(1 - abar_t / abar_s))")
        + "abar_s.sqrt() * x0 + (1 - abar_s - sigma**2).sqrt() * eps + sigma * fresh": "over both factors",
        _D.replace(" * (1 - abar_t / abar_s)).sqrt()", ").sqrt()")
        + "abar_s.sqrt() * x0 + (1 - abar_s - sigma**2).sqrt() * eps + sigma * fresh": "last factor",
        _D + "x0": "Three parts",
    },
    "follow": {
        _E + "(1 - decay) * average + decay * now": "swapped",
        _E + "average + (1 - decay) * now": "sum to 1",
        _E + "decay * average + now": "`now` must be multiplied",
        _E + "(average + now) / 2": "plain mean",
        _E + "decay * average": "shrinks to 0",
        _E + "average + (1 - decay) * (average - now)": "move away",
        _E + "now": "1 - decay times the weights now",
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
