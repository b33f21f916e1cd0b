"""Wrong answers to the exercises of notebook 07."""

_P = ("from torch.nn.functional import avg_pool2d, interpolate\n\n\n")
_I = _P + "def network_input(xt, low):\n    big = interpolate(low, scale_factor=4)\n    return "
_K = _P + ("def corrected(made, low):\n    lack = interpolate(low - avg_pool2d(made, 4), scale_factor=4)\n"
           "    big = interpolate(low, scale_factor=4)\n    return ")

WRONG = {
    "network_input": {
        _I + "torch.cat([big, xt], 1)": "first",
        _I + "torch.cat([xt, low.repeat(1, 1, 4, 4)], 1)": "tiled",
        _I + "xt + big": "shape",
        _I + "torch.cat([xt, big], 2)": "shape",
        _I + "torch.cat([xt, big], 0)": "shape",
        _I + "torch.cat([xt, xt], 1)": "missing",
        _I + "torch.cat([xt, interpolate(low, scale_factor=4, mode='bicubic')], 1)": "Enlarge low",
    },
    "corrected": {
        _K + "made - lack": "sign",
        _K + "made": "Nothing",
        _K + "big": "detail is lost",
        _K + "made + lack / 2": "Half",
        _K + "made + big": "not what `made` lacks",
        _K + "made - interpolate(avg_pool2d(made, 4), scale_factor=4)": "not put back",
        _K + "made + 2 * lack": "four by four",
        _K + "made + interpolate(low - avg_pool2d(made, 4), scale_factor=4, mode='bicubic')": "Use squares",
        _K + "(made + lack).clamp(-1, 1)": "no longer consistent",
    },
    "more_steps": {'more_steps = "a"': "does it fall or rise", 'more_steps = "c"': "the weakest",
                   'more_steps = "d"': "nearly the same image", 'more_steps = "b or c"': "one of", 3: "one of"},
    "fault": {'fault = "noise level"': "soft", 'fault = "too few steps"': "soft",
              'fault = "order of channels"': "exchanged", 'fault = "seed"': "one of"},
}
