"""Wrong answers to the exercises of notebook 06."""

_N = ("def steer(eps_without, eps_wanted, eps_unwanted, scale, away):\n"
      "    o, a, b = eps_without, eps_wanted, eps_unwanted\n    return ")

WRONG = {
    "predictions": {1280: "without guidance", 2560: "every step", 28: "64 images", 1024: "8 guided steps alone",
                    512: "need two predictions", 768: "12 steps", 20: "number of calls", 2048: "12 are left",
                    1000: "Count predictions"},
    "steer": {
        _N + "o + scale * (a - o) + away * (b - o)": "towards",
        _N + "o + scale * (a - o)": "not used",
        _N + "o + scale * (a - o) - away * b": "subtracted itself",
        _N + "b + scale * (a - b)": "negative prompt",
        _N + "o + scale * (b - o) - away * (a - o)": "changed places",
        _N + "o + scale * (a - o) - away * (b - a)": "starts at the wanted",
        _N + "a": "Start at eps_without",
    },
    "thirds": {
        'thirds = ("low", "high")': "already shows what it is",
        'thirds = ("middle", "low")': "Compare told_in(333, 667)",
        'thirds = ("high", "middle")': "still changes the class",
        'thirds = ("high", "high")': "cannot be the one",
        'thirds = "high"': "pair of words",
        'thirds = (667, 333)': "pair of words",
    },
    "diagnosis": {'diagnosis = "a"': "shifted by one", 'diagnosis = "c"': "alike",
                  'diagnosis = "d"': "in every column", "diagnosis = 2": "one letter"},
}
