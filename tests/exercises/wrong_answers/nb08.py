"""Wrong answers to the exercises of notebook 08."""

_E = ("def even_error(guess, x0, mask):\n    e, hole = (guess - x0) ** 2, 1 - mask\n"
      "    sum = lambda v: v.flatten(1).sum(1)\n    return ")
_S = "def sd_input(noisy, latents, mask):\n    n, x, m = noisy, latents, mask\n    return "

WRONG = {
    "network_calls": {1920: "one batch", 40: "walked 6 times", 400: "length of a stretch", 2400: "however it is cut",
                      200: "first walk", 280: "in all", 24: "has 10 steps", 264: "no network", 260: "no network",
                      100: "Every one of the 40"},
    "even_error": {
        _E + "sum(e * mask) / sum(mask.expand_as(x0))": "error of the known part",
        _E + "e.flatten(1).mean(1)": "whole image",
        _E + "(e * hole).flatten(1).mean(1)": "divided by all numbers",
        _E + "sum(e * hole)": "not divided yet",
        _E + "sum(e * hole) / sum(hole)": "has C numbers",
        _E + "sum(e.sqrt() * hole) / sum(hole.expand_as(x0))": "absolute error",
        _E + "((e * hole).sum() / hole.expand_as(x0).sum()).expand(3)": "whole batch",
        _E + "sum(x0)": "Sum the squared",
        _E + "(e * hole).mean()": "shape",
    },
    "sd_input": {
        _S + "torch.cat([n, m, x * m], 1)": "Give it 1 - mask",
        _S + "torch.cat([n, 1 - m, x * (1 - m)], 1)": "emptied in the wrong place",
        _S + "torch.cat([n, m, x * (1 - m)], 1)": "Both are",
        _S + "torch.cat([n, x * m, 1 - m], 1)": "order",
        _S + "torch.cat([n, 1 - m, x], 1)": "not emptied",
        _S + "torch.cat([n * (1 - m), 1 - m, x * m], 1)": "noisy everywhere",
        _S + "torch.cat([x * m, 1 - m, n], 1)": "Nine channels",
        _S + "torch.cat([n, x * m], 1)": "shape",
    },
    "where_sure": {'where_sure = "a"': "all 32 means", 'where_sure = "b"': "The other way round",
                   'where_sure = "d"': "agree most", 'where_sure = "e"': "one of", 3: "one of"},
    "cause": {'cause = "memory"': "held out", 'cause = "no mask"': "copies a grey box",
              'cause = "pasting"': "so they were pasted", 'cause = "magic"': "one of"},
}
