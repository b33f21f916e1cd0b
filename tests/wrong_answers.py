"""Plausible wrong answers: {notebook: {exercise: {answer or its source: a word its verdict must contain}}}."""

_F3 = "def expected_kick(x, start, D, t, dt):\n    return "
_F4 = ("def two_bump_score(x, a, b, s):\n"
       "    pa, pb = torch.exp(-(x-a)**2/(2*s*s)), torch.exp(-(x-b)**2/(2*s*s))\n    return ")
_F5 = "def step_back(x, score, beta, fresh):\n    return "
_U = "def unjump(xt, t, eps, abar):\n    a = abar[t].view(-1, 1, 1, 1)\n    return "
_J = "def jump_on(xs, s, t, eps, abar):\n    return "
_P = "def expected_picture(xt, abar_t, pictures):\n    z = abar_t**.5 * pictures\n    return "
_S = "def my_schedule():\n    return "

WRONG = {
    "01": {
        "seconds_to_3_mm": {30: "flew straight", 17.3: "other way round", 270: "dimensions", 60: "square root of time"},
        "spread_after_80": {0.8: "variance", 0.447: "factor of the start", 1.0: "where it ends", 1.34: "mean",
                            1.265: "free kicks", 1.6: "free kicks", 0.1: "Only one of the two terms"},
        "expected_kick": {
            _F3 + "2 * D * dt * start.spread(2 * D * t).score(x)": "sign",
            _F3 + "-D * dt * start.spread(2 * D * t).score(x)": "factor 2",
            _F3 + "-2 * D * dt * start.score(x)": "time 0",
            _F3 + "-2 * D * dt * start.spread(t).score(x)": "variance that is added",
            _F3 + "-2 * D * t * start.spread(2 * D * t).score(x)": "lasted dt",
            _F3 + "-4 * D * dt * start.spread(2 * D * t).score(x)": "once",
            _F3 + "-2 * dt * start.spread(2 * D * t).score(x)": "D is missing",
            _F3 + "-2 * D * dt * start.spread((2 * D * t) ** 0.5).score(x)": "not its root",
            _F3 + "-2 * D * dt * start.spread(2 * D * dt).score(x)": "one kick only",
            _F3 + "-2 * D * dt * start.spread(2 * D * (t - dt)).score(x)": "before the kick",
            _F3 + "0 * x": "minus the score at time t",
        },
        "two_bump_score": {
            _F4 + "torch.where((x-a).abs() < (x-b).abs(), a - x, b - x) / s**2": "nearer bump",
            _F4 + "((a - x) + (b - x)) / (2 * s**2)": "equally",
            _F4 + "-(pa * (a - x) + pb * (b - x)) / (pa + pb) / s**2": "uphill",
            _F4 + "(pa * (a - x) + pb * (b - x)) / (pa + pb) / s": "squared",
            _F4 + "(pa * (a - x) + pb * (b - x)) / (pa + pb)": "missing",
            _F4 + "(pb * (a - x) + pa * (b - x)) / (pa + pb) / s**2": "swapped",
            _F4 + "(pa**2 * (a - x) + pb**2 * (b - x)) / (pa**2 + pb**2) / s**2": "the 2 is missing",
            _F4 + "(pa * (a - x) + pb * (b - x)) / s**2": "sum to 1",
            _F4 + "x": "a = b",
            _F4 + "(pa * (a - x) + pb * (b - x)) / 2 / s**3 / (2 * torch.pi) ** 0.5": "slope of the density",
        },
        "step_back": {
            _F5 + "(x - beta * score) / (1 - beta) ** 0.5 + beta**0.5 * fresh": "wrong sign",
            _F5 + "x + beta * score + beta**0.5 * fresh": "Undo the shrinking",
            _F5 + "(x + beta * score) * (1 - beta) ** 0.5 + beta**0.5 * fresh": "shrank once more",
            _F5 + "(x + beta * score) / (1 - beta) ** 0.5": "fresh noise is missing",
            _F5 + "(x + beta * score) / (1 - beta) ** 0.5 + beta * fresh": "square root",
            _F5 + "(x + beta * score + beta**0.5 * fresh) / (1 - beta) ** 0.5": "not divided",
            _F5 + "(x + beta * score) / (1 - beta) + beta**0.5 * fresh": "divide by the root",
            _F5 + "(x + 2 * beta * score) / (1 - beta) ** 0.5 + beta**0.5 * fresh": "once",
            _F5 + "(x + 0.5 * beta * score) / (1 - beta) ** 0.5 + beta**0.5 * fresh": "Half of the score",
            _F5 + "x / (1 - beta) ** 0.5 + beta * score + beta**0.5 * fresh": "divides the score too",
        },
    },
    "02": {
        "factor_at_snr_1": {0.5: "share of the variance", 1: "nothing of the picture", 0.25: "squared", 0.9: "SNR ="},
        "unjump": {
            _U + "(xt - (1 - a).sqrt() * eps) / a": "wrong for large t",
            _U + "(xt - (1 - a) * eps) / a.sqrt()": "sqrt(1 - abar_t)",
            _U + "xt - (1 - a).sqrt() * eps": "still shrunk",
            _U + "(xt - eps) / a.sqrt()": "eps itself",
            _U + "(xt - (1 - abar[t[0]]).sqrt() * eps) / abar[t[0]].sqrt()": "its own t",
            _U.replace("abar[t]", "abar[t - 1]") + "(xt - (1 - a).sqrt() * eps) / a.sqrt()": "counts from 0",
            _U + "(xt - a.sqrt() * eps) / (1 - a).sqrt()": "swapped",
            _U.replace(".view(-1, 1, 1, 1)", "") + "(xt - (1 - a).sqrt() * eps) / a.sqrt()": "RuntimeError",
            _U + "xt": "Solve",
        },
        "jump_on": {
            _J + "abar[t].sqrt() * xs + (1 - abar[t]).sqrt() * eps": "as if xs were clean",
            _J + "(1 - abar[s] + abar[t]).sqrt() * xs + (abar[s] - abar[t]).sqrt() * eps": "difference",
            _J + "abar[t] / abar[s] * xs + (1 - abar[t] / abar[s]) * eps": "square roots",
            _J + "(abar[t] / abar[s]).sqrt() * xs + (1 - abar[t]).sqrt() * eps": "share that the picture lost",
            _J + "(abar[t] / abar[s]).sqrt() * xs + (1 - abar[t] / abar[s]) * eps": "Noise comes with a root",
            _J + "(abar[t] / abar[s]).sqrt() * xs + (abar[s] - abar[t]).sqrt() * eps": "shrunk already",
            _J + "xs": "keeps the share",
        },
        "expected_picture": {
            _P + "(-torch.cdist(xt, pictures)**2 / (2 - 2 * abar_t)).softmax(1) @ pictures": "shrunk",
            _P + "(-torch.cdist(xt, z)**2 / (1 - abar_t)).softmax(1) @ pictures": "2 is missing",
            _P + "(-torch.cdist(xt, z)**2 / 2).softmax(1) @ pictures": "depends on the noise",
            _P + "pictures[torch.cdist(xt, z).argmin(1)]": "nearest",
            _P + "torch.nn.functional.normalize(torch.exp(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)), p=1, eps=0) @ "
                 "pictures": "underflows",
            _P + "(-torch.cdist(xt, z) / (2 - 2 * abar_t)).softmax(1) @ pictures": "Squared",
            _P + "(torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ pictures": "minus",
            _P + "(-torch.cdist(xt, z)**2 / (2 * (1 - abar_t)**.5)).softmax(1) @ pictures": "without a root",
            _P + "(-torch.cdist(xt, abar_t * pictures)**2 / (2 - 2 * abar_t)).softmax(1) @ pictures": "square root",
            _P + "(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(0) @ pictures": "dimension 1",
            _P + "(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ z": "shrunk pictures",
            _P + "pictures.mean(0).expand_as(xt)": "softmax",
        },
        "my_schedule": {
            _S + "torch.linspace(1e-4, 0.02, 1000)": "below 0.01",
            _S + "torch.linspace(0.999, 1e-5, 1000)": "falls from near 1",
            _S + "torch.linspace(1e-5, 1e-3, 1000)": "Add noise",
            _S + "torch.linspace(0, 1, 1000)": "above 0 and below 1",
            _S + "torch.full((1001,), 0.01)": "1,000 numbers",
            _S + "torch.cat([torch.full((970,), 1e-5), torch.full((30,), 0.5)])": "above 10",
        },
    },
}
