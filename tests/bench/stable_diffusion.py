"""Why diffuse latents and not pixels? Measures Stable Diffusion and writes data/recorded/stable_diffusion.json.

    python -m tests.bench.stable_diffusion [--pictures 256] [--parts reconstruction captions order terminal ...]

Notebook 12 draws the file. Each row is written as soon as it is measured, and kept as long as the networks it is about
stay the same. About an hour on one thread; with `--pictures 8` a few minutes, for trying it out. The part `budget`
trains as well, half an hour more.

The recogniser of 09 sees images of 128 x 128 made small to 64 x 64. NAME_error is the standard error of a share or a
mean. Wherever images were drawn from captions a row holds, as in tests/bench/glide.py, concept, style, ground,
relation, count (null: none to judge), distance and its error ("error"), and beside them
    concept_one, concept_two: the share of things that are found, by the number of things that were asked for
    texture: the texture distance at 128 x 128 to other real scenes, and texture_error
"real" and "chance" hold the same of real scenes by split, and of captions shuffled among them.

    reconstruction: one row for each autoencoder, by its name: factor (f), channels, numbers (in the latents of an
    image), compression (numbers of the image for one of these), parameters, images (trained on), recorded (false: it
    is in data/checkpoints), and what its training.json measured on 256 test scenes: psnr, ssim, texture,
    texture_of_originals, concept_again, style_again, ground_again, relation_again.
    budget: the same U-Net on pixels (factor 1) and on latents, each trained for `minutes` of one core: a row for each
    quarter of the training (quarter: 1, 2, 4), with factor, autoencoder, seed, parameters, images (seen so far),
    minutes (of a core, so far). Half as many pictures as elsewhere, at BUDGET_SCALE and BUDGET_STEPS.
    captions: of the captions of the splits, at guidance scales and numbers of steps: scale, steps, split. The same
    captions, as 64 x 64: by 09 in glide.json, "cascade"; by 10 in imagen.json, "augmentation".
    order: the error of x0 under a caption with the things exchanged ("exchanged") or the opposite relation
    ("opposite"), over that under the true caption, for real scenes at t: 1 means that the network does not read it.
    seconds: of one core, for one image of 128 x 128 in a batch of `batch`: by 09 with the upsamplers of 09 and 10
    ("glide"), by 10 ("imagen"), by 12 ("stable-diffusion"): the least of three rounds, all in turn; parts: of each
    network, in order.
    terminal: what a schedule that does not end in noise does. The network sees the noise level that it was trained on,
    whatever the schedule: start "cosine" (the course's), "scaled-linear" (Stable Diffusion's, whose last signal to
    noise ratio is not zero) from pure noise, "scaled-linear, true" from noised real scenes, "rescaled" (the same with
    a last ratio of zero; Lin et al. 2024) from pure noise. asked: the colour of the ground, or "" for no caption.
    brightness: the mean of the images in 0..255 and its error; brightness_std: between images; real, real_std: of real
    scenes that were asked for; signal: sqrt(abar) at the first step.
    layout: boxes kept, by what was asked for: by "count" (1, 2, 3) or by "size" (the larger side of the box, least and
    most): n boxes, iou and its error, chance (the boxes of another layout), originals (real scenes).
"""
