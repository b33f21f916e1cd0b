"""Wrong answers to the exercises of notebook 10."""

_M = "def masked_mean(states, mask):\n    there = mask[..., None]\n    return "

WRONG = {
    "terabytes": {
        271.24: "one byte", 7.05: "one token", 0.1324: "one number", 542.48e12: "in bytes", 542480.0: "gigabytes",
        1085.0: "four bytes", 493.4: "tebibytes", 3.0: "Multiply", "terabytes = 'many'": "number",
    },
    "masked_mean": {
        _M + "states.mean(1)": "padding counts",
        _M + "(states * there).mean(1)": "divided by M",
        _M + "(states * there).sum(1)": "That is the sum",
        _M + "(states * there).sum(1) / there.sum(1)": "divides by zero",
        _M + "(states * there).sum(1) / (there.sum(1) + 1)": "plus 1",
        _M + "(states * ~there).sum(1) / (~there).sum(1).clamp(min=1)": "wrong way round",
        _M + "states.max(1).values": "Multiply the states",
        _M + "states": "shape",
    },
    "changes": {
        "changes = 'a'": "Are differences equal", "changes = 'c'": "in the middle", "changes = 'd'": "'a', 'b'",
    },
    "faults": {
        "faults = 'abcd'": "Run 1 is not (a)",
        "faults = 'bcad'": "Run 2 is not (c)",
        "faults = 'adbc'": "Run 1 is not (a)",
        "faults = 'dbac'": "Run 1 is not (d)",
        "faults = 'bda'": "four different letters",
        "faults = 4": "must be a text",
    },
}
