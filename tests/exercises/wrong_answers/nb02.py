"""Wrong answers to the exercises of notebook 02."""

_P = "def expected_image(xt, abar_t, images, prior):\n    z, q = abar_t**.5 * images, prior.log()\n    return "
_S = "def my_schedule():\n    return "

WRONG = {
    "factor_at_snr_1": {0.5: "share of the variance", 1: "would be unchanged", 0.25: "squared", 0.9: "SNR ="},
    "expected_image": {
        _P + "(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "not used",
        _P + "(prior - torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "prior.log()",
        _P + "((-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) * prior) @ images": "sum to 1",
        _P + "(q - torch.cdist(xt, images)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "shrunk",
        _P + "(q - torch.cdist(xt, z)**2 / (1 - abar_t)).softmax(1) @ images": "2 is missing",
        _P + "images[torch.cdist(xt, z).argmin(1)]": "nearest",
        _P + "torch.nn.functional.normalize(prior * torch.exp(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)), p=1, eps=0) "
             "@ images": "underflows",
        _P + "(q - torch.cdist(xt, z) / (2 - 2 * abar_t)).softmax(1) @ images": "Squared",
        _P + "(q + torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "minus",
        _P + "(q - torch.cdist(xt, z)**2 / (2 * (1 - abar_t)**.5)).softmax(1) @ images": "without a root",
        _P + "(q - torch.cdist(xt, abar_t * images)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "square root",
        _P + "(q - torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(0) @ images": "dimension 1",
        _P + "(q - torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ z": "shrunk images",
        _P + "images.mean(0).expand_as(xt)": "softmax",
    },
    "half_way": {(300, "a"): "later time", (900, "a"): "earlier time", (800, "b"): "no mistakes", (800, "c"): "snr",
                 (800, "x"): "letters", 800: "a pair", ("800", "a"): "number"},
    "mistake": {'mistake = "a"': "makes up for it", 'mistake = "c"': "a trace of noise", 'mistake = "d"': "Close",
                'mistake = "e"': "one of the letters", 2: "one of the letters"},
    "my_schedule": {
        _S + "torch.linspace(1e-4, 0.02, 1000)": "below 0.01",
        _S + "torch.linspace(0.999, 1e-5, 1000)": "fall from near 1",
        _S + "torch.linspace(1e-5, 1e-3, 1000)": "Add noise",
        _S + "torch.linspace(0, 1, 1000)": "above 0 and below 1",
        _S + "torch.full((1001,), 0.01)": "1,000 numbers",
        _S + "torch.cat([torch.full((970,), 1e-5), torch.full((30,), 0.5)])": "above 10",
    },
}
