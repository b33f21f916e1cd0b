"""Wrong answers to the exercises of notebook 03."""

_A = ("def joint_attention(q, k, v, words_k, words_v):\n    K = torch.cat([words_k, k], 1)\n"
      "    V = torch.cat([words_v, v], 1)\n    d = q.shape[-1]\n    return ")

WRONG = {
    "tokens_in_the_middle": {576: "once more", 144: "*two* halvings", 9: "one too many", 6: "side of the feature map",
                             9216: "pixels go in", 2304: "sixteenth", 192: "numbers each token", 16: "shipped network",
                             100: "then square"},
    "joint_attention": {
        _A + "(q @ K.mT / d).softmax(-1) @ V": "not by d",
        _A + "(q @ K.mT).softmax(-1) @ V": "long vectors",
        _A + "(q @ K.mT / d**.5).softmax(1) @ V": "last dimension",
        _A + "(q @ k.mT / d**.5).softmax(-1) @ v + (q @ words_k.mT / d**.5).softmax(-1) @ words_v": "compete",
        _A + "(q @ k.mT / d**.5).softmax(-1) @ v": "words are not used",
        _A + "(q @ words_k.mT / d**.5).softmax(-1) @ words_v": "Only the words",
        _A + "(q @ torch.cat([k, words_k], 1).mT / d**.5).softmax(-1) @ V": "different orders",
        _A + "(q @ K.mT / d**.5) @ V": "Join keys",
        _A + "(q @ K / d**.5).softmax(-1) @ V": "k.transpose",
    },
    "finding": {
        (1.6, 550, "A"): "factor of about two",
        (1.6, 550, "C"): "Measure at t = 500",
        (1.6, 550, "D"): "one letter",
        (550, 1.6, "B"): "other order",
        (550, 550, "B"): "you silenced both",
        (0.001, 0.37, "B"): "errors themselves",
        (1.3, 4.1, "B"): "errors are those at t = 20",
        (1.6, 550): "Three things",
    },
    "mistakes": {f"mistakes = {letters!r}": word for letters, word in {
        "CB": "wrong order", "AC": "told ...?", "CC": "cannot keep the noise", "DC": "hardly used",
        "BA": "only their edges", "BB": "How wide", "BD": "one pixel wide", "B": "two letters",
        "XY": "two letters"}.items()},
}
