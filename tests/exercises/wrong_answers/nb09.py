"""Wrong answers to the exercises of notebook 09."""

_C = ("import math\n\ndef clip_loss(f, g, scale):\n"
      "    ce, own = torch.nn.functional.cross_entropy, torch.arange(len(f))\n"
      "    a, b = (x / x.norm(dim=1, keepdim=True) for x in (f, g))\n    s = scale * a @ b.T\n    return ")
_D = "decided_by = dict(thing={!r}, background={!r}, style={!r})"

WRONG = {
    "right_share": {
        0.6083: "at s = 1", 0.6923: "two lumps", 0.9998: "47 of them", 0.37: "squared", 0.978: "before you add",
        17.76: "proportional", 1.2167: "above 1", 0.5: "cancels", 0.8: "cancels", 99.1: "in percent",
        0.85: "read from the plot", "right_share = '99%'": "number",
    },
    "clip_loss": {
        _C + "(ce(scale * f @ g.T, own) + ce(scale * g @ f.T, own)) / 2": "not normalised",
        _C + "ce(s, own)": "Only the loss from images",
        _C + "ce(s.T, own)": "Only the loss from captions",
        _C + "ce(s, own) + ce(s.T, own)": "half of it",
        _C + "(ce(s, own, reduction='none') + ce(s.T, own, reduction='none')) / 2": "take the mean",
        _C + "(ce(a @ b.T, own) + ce(b @ a.T, own)) / 2": "scale is missing",
        _C + "(ce(a @ b.T * math.exp(scale), own) + ce(b @ a.T * math.exp(scale), own)) / 2": "e^tau already",
        _C + "-s.diagonal().mean()": "nothing pushes",
        _C + "(ce(s / scale**2, own) + ce(s.T / scale**2, own)) / 2": "divide by the scale",
        _C + "ce(scale * (f / f.norm(dim=0)) @ (g / g.norm(dim=0)).T, own)": "Normalise all rows",
        _C + "(ce(scale * (f / f.norm(dim=0)) @ (g / g.norm(dim=0)).T, own)"
             " + ce(scale * (g / g.norm(dim=0)) @ (f / f.norm(dim=0)).T, own)) / 2": "wrong axis",
        _C + "s": "shape",
    },
    "decided_by": {
        _D.format("tokens", "pooled", "pooled"): "Look at the thing",
        _D.format("pooled", "tokens", "pooled"): "Look at the background",
        _D.format("pooled", "pooled", "tokens"): "Look at the style in column 3",
        _D.format("tokens", "tokens", "tokens"): "Look at the thing",
        _D.format("pooled", "both", "pooled"): "Each value",
        "decided_by = 'pooled'": "dict",
        "decided_by = {'thing': 'pooled'}": "dict",
    },
    "faults": {
        "faults = 'abcd'": "Run 1 is not (a)",
        "faults = 'dbac'": "Run 2 is not (b)",
        "faults = 'dcba'": "Run 3 is not (b)",
        "faults = 'cdab'": "Run 1 is not (c)",
        "faults = 'dca'": "four different letters",
        "faults = 'ddab'": "four different letters",
        "faults = 4": "must be a text",
    },
}
