"""Wrong answers to the exercises of notebook 12."""

_B = ("def box_iou(one, other):\n"
      "    sides = torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])\n"
      "    shared = sides.clamp(min=0).prod()\n"
      "    a, b = ((box[2:] - box[:2]).prod() for box in (one, other))\n"
      "    return ")

WRONG = {
    "times_fewer_pairs": {
        64: "fewer *positions*", 8: "8 times shorter", 512: "power of 3", 24: "Channels do not count",
        48: "Stable Diffusion 1", 100: "the square of that", "times_fewer_pairs = 'many'": "number",
    },
    "box_iou": {
        _B + "sides.prod() / (a + b - sides.prod())": "may not overlap",
        _B + "shared / (a + b)": "counted twice",
        _B + "shared": "shared area alone",
        _B + "shared / a": "share of the first box",
        _B + "shared / b": "share of the second box",
        _B + "shared / torch.minimum(a, b)": "the smaller of the two",
        _B + "shared / torch.maximum(a, b)": "the larger of the two",
        _B + "a / b": "The sides of the shared box",
    },
    "mirrored_latents": {"mirrored_latents = 'a'": "lower row", "mirrored_latents = 'c'": "which way",
                         "mirrored_latents = 'd'": "Answer with one of"},
    "faults": {
        "faults = 'abcd'": "Run 1 is not (a)",
        "faults = 'badc'": "Run 2 is not (a)",
        "faults = 'bdca'": "Run 3 is not (c)",
        "faults = 'cdab'": "Run 1 is not (c)",
        "faults = 'dbac'": "Run 1 is not (d)",
        "faults = 'bd'": "four different letters",
        "faults = 4": "must be a text",
    },
}
