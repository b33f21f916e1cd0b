"""Wrong answers to the exercises of notebook 07."""

_P = ("from torch.nn.functional import avg_pool2d, interpolate\n\n\n")
_I = _P + "def network_input(xt, low):\n    big = interpolate(low, scale_factor=4)\n    return "
_L = "def abar_between(abar, t, u):\n    return "
_C = _P + "def my_consistency(made, low):\n    off = avg_pool2d(made, 4) - low\n    return "
_M = "def invented_map(draws):\n    return "
_K = _P + ("def corrected(made, low):\n    lack = interpolate(low - avg_pool2d(made, 4), scale_factor=4)\n"
           "    big = interpolate(low, scale_factor=4)\n    return ")

WRONG = {
    "psnr_of_draws": {28.0: "regression's own", 14.0: "Half of the decibels", 31.0: "lower", 26.5: "square root",
                      22.0: "factor of four", 26.0: "two decibels", 5.0: "factor of two"},
    "network_input": {
        _I + "torch.cat([big, xt], 1)": "first",
        _I + "torch.cat([xt, low.repeat(1, 1, 4, 4)], 1)": "tiled",
        _I + "xt + big": "shape",
        _I + "torch.cat([xt, big], 2)": "shape",
        _I + "torch.cat([xt, big], 0)": "shape",
        _I + "torch.cat([xt, xt], 1)": "missing",
        _I + "torch.cat([xt, interpolate(low, scale_factor=4, mode='bicubic')], 1)": "Enlarge low",
    },
    "abar_between": {
        _L + "abar[t] + u * (abar[t - 1] - abar[t])": "other way round",
        _L + "abar[t]": "not used",
        _L + "abar[t - 1]": "missing",
        _L + "abar[t] + u * (abar[(t + 1).clamp(max=len(abar) - 1)] - abar[t])": "step before",
        _L + "(abar[t] + abar[t - 1]) / 2": "mean",
        _L + "u * abar[t]": "multiply",
        _L + "abar[t] ** u": "Interpolate linearly",
        _L + "((1 - u) * abar[t - 1].sqrt() + u * abar[t].sqrt()) ** 2": "root to root",
        _L + "(abar[t - 1] + u * (abar[t] - abar[t - 1])).sqrt()": "Those are roots",
    },
    "my_consistency": {
        _C + "off.square().flatten(1).mean(1)": "a quarter",
        _C + "off.square().flatten(1).mean(1) / 2": "divide by 4",
        _C + "off.square().mean() / 4": "shape",
        _C + "off.square().flatten(1).sum(1) / 4": "sum",
        _C + "off.abs().flatten(1).mean(1)": "absolute",
        _C + "off.abs().flatten(1).mean(1) / 2": "Square first",
        _C + "(made - interpolate(low, scale_factor=4)).square().flatten(1).mean(1) / 4": "blurred",
        _C + "off.flatten(1).mean(1)": "mind the range",
        _C + "(off.square().flatten(1).mean(1) / 4).sqrt()": "leaves out the root",
        _C + "1e5 * off.square().flatten(1).mean(1) / 4": "plain number",
        _C + "(made[..., ::4, ::4] - low).square().flatten(1).mean(1) / 4": "skipping",
    },
    "invented_map": {
        _M + "draws.std(1).mean(1)": "batch",
        _M + "draws.std(2).mean(0)": "colourful",
        _M + "draws.var(0).mean(1)": "That is the variance",
        _M + "draws.std(0)": "shape",
        _M + "draws.mean(2).std(0)": "after the deviation",
        _M + "draws.mean(0).mean(1)": "agree on",
        _M + "draws.std(0).amax(1)": "largest",
        _M + "draws.std(0, correction=0).mean(1)": "correction",
        _M + "draws.std(0).sum(1)": "the sum over channels",
        _M + "draws.var(0).mean(1).sqrt()": "take the root first",
        _M + "draws.std((0, 2))": "together",
        _M + "2 * draws.std(0).mean(1)": "First the standard deviation",
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
}
