"""Wrong answers to the exercises of notebook 01."""

_BUMPS = ("def two_bump_score(x, a, b, s):\n"
       "    pa, pb = torch.exp(-(x-a)**2/(2*s*s)), torch.exp(-(x-b)**2/(2*s*s))\n    return ")

WRONG = {
    "seconds_to_3_mm": {30: "flew straight", 17.3: "other way round", 270: "dimensions", 60: "square root of time"},
    "two_bump_score": {
        _BUMPS + "torch.where((x-a).abs() < (x-b).abs(), a - x, b - x) / s**2": "nearer bump",
        _BUMPS + "((a - x) + (b - x)) / (2 * s**2)": "equally",
        _BUMPS + "-(pa * (a - x) + pb * (b - x)) / (pa + pb) / s**2": "uphill",
        _BUMPS + "(pa * (a - x) + pb * (b - x)) / (pa + pb) / s": "squared",
        _BUMPS + "(pa * (a - x) + pb * (b - x)) / (pa + pb)": "missing",
        _BUMPS + "(pb * (a - x) + pa * (b - x)) / (pa + pb) / s**2": "swapped",
        _BUMPS + "(pa**2 * (a - x) + pb**2 * (b - x)) / (pa**2 + pb**2) / s**2": "the 2 is missing",
        _BUMPS + "(pa * (a - x) + pb * (b - x)) / s**2": "sum to 1",
        _BUMPS + "x": "a = b",
        _BUMPS + "(pa * (a - x) + pb * (b - x)) / 2 / s**3 / (2 * torch.pi) ** 0.5": "gradient of the density",
    },
    "decided": {
        (0.01, "A"): "nothing steers there yet", (0.01, "C"): "decides nothing", (0.01, "E"): "choose A, B or C",
        (0.003, "B"): "a later time", (0.03, "B"): "fewer than 9 in 10", (1, "B"): "fewer than 9 in 10",
        0.01: "Give a pair", (0.01, "B", 1): "Give a pair",
    },
    "mistake": {
        'mistake = "A"': "to the floor", 'mistake = "B"': "shrink to spots", 'mistake = "C"': "forgets its start",
        'mistake = "E"': "Choose A, B, C or D", 4: "Choose A, B, C or D",
    },
}
