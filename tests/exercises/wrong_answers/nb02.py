"""Wrong answers to the exercises of notebook 02."""

_U = "def unjump(xt, t, eps, abar):\n    a = abar[t].view(-1, 1, 1, 1)\n    return "
_J = "def jump_on(xs, s, t, eps, abar):\n    return "
_P = "def expected_image(xt, abar_t, images):\n    z = abar_t**.5 * images\n    return "
_S = "def my_schedule():\n    return "

WRONG = {
    "factor_at_snr_1": {0.5: "share of the variance", 1: "would be unchanged", 0.25: "squared", 0.9: "SNR ="},
    "unjump": {
        _U + "(xt - (1 - a).sqrt() * eps) / a": "wrong for large t",
        _U + "(xt - (1 - a) * eps) / a.sqrt()": "sqrt(1 - abar_t)",
        _U + "xt - (1 - a).sqrt() * eps": "still shrunk",
        _U + "(xt - eps) / a.sqrt()": "eps itself",
        _U + "(xt - (1 - abar[t[0]]).sqrt() * eps) / abar[t[0]].sqrt()": "its own t",
        _U.replace("abar[t]", "abar[t - 1]") + "(xt - (1 - a).sqrt() * eps) / a.sqrt()": "counts from 0",
        _U + "(xt - a.sqrt() * eps) / (1 - a).sqrt()": "swapped",
        _U.replace(".view(-1, 1, 1, 1)", "") + "(xt - (1 - a).sqrt() * eps) / a.sqrt()": "RuntimeError",
        _U + "xt": "Solve",
    },
    "jump_on": {
        _J + "abar[t].sqrt() * xs + (1 - abar[t]).sqrt() * eps": "as if xs were clean",
        _J + "(1 - abar[s] + abar[t]).sqrt() * xs + (abar[s] - abar[t]).sqrt() * eps": "difference",
        _J + "abar[t] / abar[s] * xs + (1 - abar[t] / abar[s]) * eps": "square roots",
        _J + "(abar[t] / abar[s]).sqrt() * xs + (1 - abar[t]).sqrt() * eps": "share that the image lost",
        _J + "(abar[t] / abar[s]).sqrt() * xs + (1 - abar[t] / abar[s]) * eps": "Noise comes with a root",
        _J + "(abar[t] / abar[s]).sqrt() * xs + (abar[s] - abar[t]).sqrt() * eps": "shrunk already",
        _J + "xs": "keeps the share",
    },
    "expected_image": {
        _P + "(-torch.cdist(xt, images)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "shrunk",
        _P + "(-torch.cdist(xt, z)**2 / (1 - abar_t)).softmax(1) @ images": "2 is missing",
        _P + "(-torch.cdist(xt, z)**2 / 2).softmax(1) @ images": "depends on the noise",
        _P + "images[torch.cdist(xt, z).argmin(1)]": "nearest",
        _P + "torch.nn.functional.normalize(torch.exp(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)), p=1, eps=0) @ "
             "images": "underflows",
        _P + "(-torch.cdist(xt, z) / (2 - 2 * abar_t)).softmax(1) @ images": "Squared",
        _P + "(torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "minus",
        _P + "(-torch.cdist(xt, z)**2 / (2 * (1 - abar_t)**.5)).softmax(1) @ images": "without a root",
        _P + "(-torch.cdist(xt, abar_t * images)**2 / (2 - 2 * abar_t)).softmax(1) @ images": "square root",
        _P + "(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(0) @ images": "dimension 1",
        _P + "(-torch.cdist(xt, z)**2 / (2 - 2 * abar_t)).softmax(1) @ z": "shrunk images",
        _P + "images.mean(0).expand_as(xt)": "softmax",
    },
    "my_schedule": {
        _S + "torch.linspace(1e-4, 0.02, 1000)": "below 0.01",
        _S + "torch.linspace(0.999, 1e-5, 1000)": "fall from near 1",
        _S + "torch.linspace(1e-5, 1e-3, 1000)": "Add noise",
        _S + "torch.linspace(0, 1, 1000)": "above 0 and below 1",
        _S + "torch.full((1001,), 0.01)": "1,000 numbers",
        _S + "torch.cat([torch.full((970,), 1e-5), torch.full((30,), 0.5)])": "above 10",
    },
}
