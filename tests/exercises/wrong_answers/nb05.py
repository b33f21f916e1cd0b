"""Wrong answers to the exercises of notebook 05."""

_W = "def without_a_classifier(given, free, scale):\n    return "


def _timing(early, late, decides):
    return f"timing = {{'early': {early}, 'late': {late}, 'decides': {decides!r}}}"


WRONG = {
    "gradient_in_the_middle": {0: "cancel", 8: "1 - p", 2: "variance", -4: "wrong direction", 0.5: "probability itself",
                            1: "variance is missing", 7: "By Bayes"},
    "timing": {
        0.9: "a dictionary",
        "timing = {'early': 0.9, 'late': 0.2}": "three entries",
        _timing("'much'", 0.2, "early"): "as numbers",
        _timing(87, 18, "early"): "between 0 and 1",
        _timing(0.9, 0.2, "both"): "one of two words",
        _timing(0.87, 0.88, "early"): "nearly equal",
        _timing(0.18, 0.87, "late"): "swapped",
        _timing(0.3, 0.1, "early"): "most images",
        _timing(0.9, 0.6, "early"): "too good",
        _timing(0.87, 0.18, "late"): "your own two numbers",
    },
    "times_too_small": {0.1: "what is left", 1: "nothing would change", 1024: "over the pixels", 100: "Squared",
                        8: "scale", 20: "number of steps", 3.1623: "square root", 5: "size of the batch"},
    "without_a_classifier": {
        _W + "given + scale * (given - free)": "counts like you",
        _W + "given + scale * (free - given)": "swapped",
        _W + "free - scale * (given - free)": "away from the class",
        _W + "free + scale * given": "not a difference",
        _W + "scale * (given - free)": "nothing would be left",
        _W + "scale * given": "no prediction at all",
        _W + "given + free": "two scores",
    },
}
