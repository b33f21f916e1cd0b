"""Wrong answers to the exercises of notebook 11."""

_T = ("def turned(z, old, new, share):\n"
      "    d = (new - old) / (new - old).norm()\n"
      "    def slerp(a, b):\n"
      "        w = (a @ b / (a.norm() * b.norm())).acos()\n"
      "        return (((1 - share) * w).sin() * a + (share * w).sin() * b) / w.sin()\n"
      "    def unit(x):\n        return x / x.norm()\n    return ")
_D = "decided_by = dict(thing={!r}, background={!r}, pattern={!r})"

WRONG = {
    "midpoint_cosine": {
        0.6: "times its length", 0.1: "Half of the angle", 0.2: "with each other", 0.5: "60 degrees",
        39.23: "in degrees", 0.6847: "in radians", 0.9: "halves the angle", "midpoint_cosine = 'near'": "number",
    },
    "turned": {
        _T + "slerp(z, new)": "towards `new` itself",
        _T + "slerp(z, -d)": "old - new",
        _T + "slerp(z, new - old)": "Normalise it",
        _T + "(1 - share) * z + share * d": "straight line: the result is shorter",
        _T + "unit(z + share * d)": "add the direction",
        _T + "unit((1 - share) * z + share * d)": "walks the angle unevenly",
        _T + "slerp(d, z)": "the other way",
        _T + "unit(z + new - old)": "share is missing",
        _T + "d": "then slerp",
    },
    "decided_by": {
        _D.format("noise", "embedding", "noise"): "Does the thing change",
        _D.format("embedding", "noise", "noise"): "Does the background change",
        _D.format("embedding", "embedding", "embedding"): "Look along a row",
        _D.format("embedding", "both", "noise"): "Each value",
        "decided_by = 'noise'": "dict",
        "decided_by = {'thing': 'noise'}": "dict",
    },
    "faults": {
        "faults = 'abcd'": "Run 1 is not (a)",
        "faults = 'cabd'": "Run 2 is not (a)",
        "faults = 'cbad'": "Run 3 is not (a)",
        "faults = 'bcda'": "Run 1 is not (b)",
        "faults = 'dbca'": "Run 1 is not (d)",
        "faults = 'cb'": "four different letters",
        "faults = 4": "must be a text",
    },
}
