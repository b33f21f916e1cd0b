"""Wrong answers to the exercises of notebook 05."""

_B = "def bend(eps, gradient, abar_t, scale):\n    a = abar_t\n    return "
_M = "def moved_image(x0, gradient, abar_t, scale):\n    a = abar_t\n    return "
_L = "def log_prob_of_label(logits, label):\n    pick = lambda rows: rows.gather(1, label[:, None])[:, 0]\n    return "
_J = "def discriminator_loss(real, fake):\n    return "
_W = "def without_a_classifier(given, free, scale):\n    return "

WRONG = {
    "gradient_in_the_middle": {0: "cancel", 8: "1 - p", 2: "variance", -4: "wrong direction", 0.5: "probability itself",
                            1: "variance is missing", 7: "By Bayes"},
    "bend": {
        _B + "eps + (1 - a).sqrt() * scale * gradient": "The sign",
        _B + "eps - scale * gradient": "is missing",
        _B + "eps - a.sqrt() * scale * gradient": "image's share",
        _B + "eps - (1 - a) * scale * gradient": "square root",
        _B + "eps - scale * gradient / (1 - a).sqrt()": "You divided",
        _B + "eps - (1 - a).sqrt() * gradient": "scale does nothing",
        _B + "scale * (eps - (1 - a).sqrt() * gradient)": "scaled the prediction",
        _B + "gradient": "solve for eps",
    },
    "moved_image": {
        _M + "x0 - (1 - a).sqrt() * scale * gradient": "the *noise* is bent",
        _M + "x0 + (1 - a).sqrt() * scale * gradient": "size is that of the bent noise",
        _M + "x0 - (1 - a) / a.sqrt() * scale * gradient": "The sign",
        _M + "x0 + (1 - a) / a * scale * gradient": "divided by abar",
        _M + "x0 + ((1 - a) / a).sqrt() * scale * gradient": "a second from the jump",
        _M + "x0 + (1 - a) * scale * gradient": "is missing",
        _M + "x0 + (1 - a) / a.sqrt() * gradient": "scale does nothing",
        _M + "x0 + gradient": "exercise 2",
    },
    "log_prob_of_label": {
        _L + "pick(logits)": "That is the logit",
        _L + "pick(logits.softmax(1))": "wants its logarithm",
        _L + "-pick(logits.log_softmax(1))": "The sign",
        _L + "pick(logits.log_softmax(0))": "over the batch",
        _L + "logits.log_softmax(1).amax(1)": "likeliest class",
        _L + "logits.log_softmax(1)": "The shape",
        _L + "logits[:, 0]": "log_softmax over dimension 1",
    },
    "discriminator_loss": {
        _J + "(1 + real).relu() + (1 - fake).relu()": "swapped",
        _J + "1 - real + 1 + fake": "Without the relu",
        _J + "(-real).relu() + fake.relu()": "margin is missing",
        _J + "-fake": "generator's loss",
        _J + "(1 - real).relu()": "Only real",
        _J + "(1 + fake).relu()": "Only fake",
        _J + "torch.nn.functional.softplus(-real) + torch.nn.functional.softplus(fake)": "logarithms",
        _J + "(2 - real + fake).relu()": "each half",
        _J + "real * fake": "nothing below 0",
    },
    "without_a_classifier": {
        _W + "given + scale * (given - free)": "counts like you",
        _W + "given + scale * (free - given)": "swapped",
        _W + "free - scale * (given - free)": "away from the class",
        _W + "free + scale * given": "not a difference",
        _W + "scale * (given - free)": "nothing would be left",
        _W + "scale * given": "no prediction at all",
        _W + "given + free": "two scores",
    },
}
