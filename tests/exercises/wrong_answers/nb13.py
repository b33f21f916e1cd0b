"""Wrong answers to the exercises of notebook 13."""

_F = "import torch\n\n\ndef falling(done, a, b):\n    "
_D = "decided_by = dict(place={!r}, thing={!r}, background={!r})"

WRONG = {
    "pixels": {
        14.3: "whole period", 0.0559: "share of the image's side", 402.1: "slowest wave", 4.02: "to the power of 7/8",
        2.276: "no 2 pi", 1.138: "no 2 pi", 50: "How far is it to pi", "pixels = 'seven'": "number",
    },
    "falling": {
        _F + "return torch.where(done < a, 1.0, ((a + b - done) / torch.tensor(b)).clamp(0, 1))": "With b = 0",
        _F + "return torch.where(done < a, 1.0, 1 - (done - a) / b) if b else (done < a).float()": "below 0",
        _F + "return (done < a).float()": "a step at a",
        _F + "return (done < a + b).float()": "step at a + b",
        _F + "return (1 - done / max(a + b, 1e-9)).clamp(0, 1)": "from the start",
        _F + "return torch.where(done < a, 1.0, (1 - done) / max(1 - a, 1e-9))": "end of all steps",
        _F + "return torch.where(done < a, 1.0, ((done - a) / max(b, 1e-9)).clamp(0, 1) * (done < a + b))": "must fall",
        _F + "return (a + b - done)": "also when b = 0",
        _F + "return ((a + b - done) / max(b, 1e-9)).clamp(0, 1).sum()": "shape",
    },
    "decided_by": {
        _D.format("sentence", "boxes", "sentence"): "Where is it",
        _D.format("boxes", "sentence", "sentence"): "Which things are drawn",
        _D.format("boxes", "boxes", "boxes"): "Who says pink",
        _D.format("boxes", "both", "sentence"): "Each value",
        "decided_by = 'boxes'": "dict",
        "decided_by = {'place': 'boxes'}": "dict",
    },
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
