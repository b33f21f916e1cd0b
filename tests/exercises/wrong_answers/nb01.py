"""Wrong answers to the exercises of notebook 01."""

_F3 = "def expected_kick(x, start, D, t, dt):\n    return "
_F4 = ("def two_bump_score(x, a, b, s):\n"
       "    pa, pb = torch.exp(-(x-a)**2/(2*s*s)), torch.exp(-(x-b)**2/(2*s*s))\n    return ")
_F5 = "def step_back(x, score, beta, fresh):\n    return "

WRONG = {
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
        _F4 + "(pa * (a - x) + pb * (b - x)) / 2 / s**3 / (2 * torch.pi) ** 0.5": "gradient of the density",
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
}
