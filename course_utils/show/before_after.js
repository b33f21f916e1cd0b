// Two versions of an image, one over the other, with a divider: the first is shown left of it, the second right.

function render({ model, el }) {
  const [before, after] = model.get("names");
  const root = element("div", {}, el);
  root.style.cssText = "max-width:656px;font-family:sans-serif;font-size:14px";
  chooser(model, root);
  // Integer magnification with crisp pixels: smoothing would be a second, blurry super-resolution
  const wide = model.get("side") * Math.max(1, Math.round(384 / model.get("side")));
  const stage = element("div", {}, root);
  stage.style.cssText = `position:relative;width:${wide}px;max-width:100%;aspect-ratio:1;background:#ddd;overflow:hidden;
    cursor:ew-resize;touch-action:none;user-select:none`;

  const cover = "position:absolute;inset:0;width:100%;height:100%;margin:0;";
  const layers = [after, before].map((name) => {
    const layer = element("div", {}, stage);
    layer.style.cssText = cover;
    const image = element("img", { draggable: false }, layer);
    image.style.cssText = cover + "max-width:none;image-rendering:pixelated";
    const tag = element("span", { textContent: name }, layer);
    tag.setAttribute("aria-hidden", "true");
    tag.style.cssText = `position:absolute;top:6px;${name === after ? "right" : "left"}:6px;padding:1px 6px;
      background:rgba(0,0,0,.65);color:#fff;border-radius:3px`;
    return { layer, image, name };
  });
  const line = element("div", {}, stage);
  line.style.cssText = `position:absolute;top:0;bottom:0;width:3px;margin-left:-1.5px;background:#fff;
    box-shadow:0 0 0 1px #000;pointer-events:none`;
  const grip = element("span", { textContent: "\u2194" }, line);
  grip.setAttribute("aria-hidden", "true");
  grip.style.cssText = `position:absolute;top:50%;left:50%;transform:translate(-50%,-50%);width:26px;line-height:26px;
    text-align:center;background:#fff;color:#000;border-radius:50%;box-shadow:0 0 0 1px #000`;
  const range = keepKeys(element("input", { type: "range", min: 0, max: 100, step: 1, value: 50 }, root));
  range.setAttribute("aria-label", `Divider: left of it ${before}, right of it ${after}`);
  range.style.cssText = `display:block;width:${wide}px;max-width:100%;margin:.5em 0;box-sizing:border-box`;
  const status = liveText(root);

  function divide() {
    const share = Number(range.value);
    range.setAttribute("aria-valuetext", `${share}% ${before}, ${100 - share}% ${after}`);
    line.style.left = `${share}%`;
    layers[1].layer.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
  }

  function draw() {
    const what = `${model.get("choice")}, seed ${model.get("seed")}`, busy = model.get("busy");
    stage.style.opacity = busy ? 0.4 : 1;
    status.textContent = busy ? `Computing ${what} ...` : model.get("before") ? what : "";
    if (busy) return;
    for (const { layer, image, name } of layers) {
      const source = model.get(name === after ? "after" : "before");
      layer.hidden = !source;
      image.src = source || "data:,";
      image.alt = `${what}: ${name}`;
    }
    line.hidden = !model.get("before");
  }

  function follow(event) {
    range.value = 100 * (event.clientX - stage.getBoundingClientRect().left) / stage.clientWidth;
    divide();
  }

  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  range.addEventListener("input", divide);
  // Not on changes of choice and seed: until the kernel answers, the previous image is still shown
  model.on("change:before change:after change:busy", draw);
  divide();
  draw();
}

export default { render };
