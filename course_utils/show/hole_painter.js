// Left a photograph to paint a hole into, right the same with the hole filled.
// `mask` holds a character for each pixel, row by row: "1" kept, "0" hole.

function render({ model, el }) {
  const side = model.get("side"), scale = Math.max(1, Math.round(320 / side)), wide = side * scale;
  const root = element("div", {}, el);
  root.style.cssText = `max-width:${2 * wide + 16}px;font-family:sans-serif;font-size:14px`;
  chooser(model, root);
  const prompted = model.get("prompt") !== null;
  const field = prompted && promptField(model, root, begin);
  const panels = element("div", {}, root);
  panels.style.cssText = "display:flex;flex-wrap:wrap;gap:.3em 16px";
  const [left, right] = ["Paint the hole here", ""].map((text) => {
    const panel = element("div", {}, panels);
    panel.style.cssText = `width:${wide}px;max-width:100%`;
    const title = element("div", { textContent: text }, panel);
    title.style.cssText = "margin:.2em 0;min-height:1.2em";
    return { panel, title };
  });
  const square = "display:block;width:100%;aspect-ratio:1;margin:0;background:#ddd;image-rendering:pixelated;";
  const canvas = keepKeys(element("canvas", { width: wide, height: wide, tabIndex: 0 }, left.panel));
  canvas.style.cssText = square + "touch-action:none;cursor:crosshair";
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "The photograph and its hole: arrow keys move the brush, with Shift by one pixel; "
    + "the space bar paints");
  const filled = element("img", {}, right.panel);
  filled.style.cssText = square;

  const brush = slider("Brush", Math.floor(side / 2), root);
  brush.range.min = 1;
  brush.range.value = Math.max(1, Math.round(side / 8));
  const place = liveText(root);
  runBar(model, root, {
    Fill: begin,
    Clear() {
      model.send({ do: "cancel" });
      model.set("filled", "");
      model.set("status", "");
      dig(() => false, true);
      describe();
    },
  });
  if (prompted) notesText(model, root);

  const details = element("details", {}, root);
  keepKeys(element("summary", { textContent: "A box as the hole, without painting" }, details));
  const edges = ["Left", "Top", "Right", "Bottom"].map((text, i) => {
    const edge = slider(text, side, details);
    edge.range.value = edge.value.textContent = model.get("box")[i];
    return edge;
  });

  const pen = canvas.getContext("2d"), photo = new Image();
  let at = { x: side / 2, y: side / 2 }, near = false;

  function begin() {
    const prompt = prompted ? { prompt: field.value } : {};
    model.send({ do: "fill", mask: model.get("mask"), seed: model.get("seed"), ...prompt });
  }

  function draw() {
    const mask = model.get("mask");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(photo, 0, 0, wide, wide);
    for (let i = 0; i < mask.length; i++) {
      const x = i % side, y = Math.floor(i / side);
      if (mask[i] === "1") continue;
      pen.fillStyle = ((x >> 2) + (y >> 2)) % 2 ? "#bfbfbf" : "#a6a6a6";
      pen.fillRect(x * scale, y * scale, scale, scale);
    }
    if (!near) return;
    for (const [colour, width] of [["#fff", 4], ["#000", 2]]) {
      pen.beginPath();
      pen.arc(at.x * scale, at.y * scale, brush.range.value / 2 * scale, 0, 6.3);
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  function describe() {
    const mask = model.get("mask"), holes = mask.split("0").length - 1;
    const [column, row] = [at.x, at.y].map((value) => Math.min(side, Math.floor(value) + 1));
    place.textContent = `Brush at column ${column}, row ${row} of ${side}. `
      + `The hole covers ${Math.round(100 * holes / mask.length)}% of the image.`;
  }

  // Pixels (x, y) that are `inside` join the hole; with `replace`, all others are kept again. Saved at each move of
  // the brush: the kernel's answer to an older mask would undo the strokes since
  function dig(inside, replace) {
    const mask = Array.from(model.get("mask"), (kept, i) =>
      inside(i % side + 0.5, Math.floor(i / side) + 0.5) ? "0" : replace ? "1" : kept);
    model.set("mask", mask.join(""));
    model.save_changes();
  }

  // A stroke from `at` to `to`; with a radius below 0.71 it could miss the centres of all pixels
  function paint(to) {
    const radius = Math.max(brush.range.value / 2, 0.71), dx = to.x - at.x, dy = to.y - at.y;
    const length = dx * dx + dy * dy || 1, from = at;
    dig((x, y) => {
      const along = Math.min(1, Math.max(0, ((x - from.x) * dx + (y - from.y) * dy) / length));
      return Math.hypot(x - from.x - along * dx, y - from.y - along * dy) <= radius;
    });
  }

  function pointed(event) {
    return { x: event.offsetX / canvas.clientWidth * side, y: event.offsetY / canvas.clientHeight * side };
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    at = pointed(event);
    paint(at);
  });
  canvas.addEventListener("pointermove", (event) => {
    const to = pointed(event);
    near = true;
    if (canvas.hasPointerCapture(event.pointerId)) paint(to);
    at = to;
    draw();
  });
  canvas.addEventListener("pointerup", describe);
  for (const [name, value] of [["pointerleave", false], ["blur", false], ["focus", true]]) {
    canvas.addEventListener(name, () => {
      near = value;
      draw();
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key];
    if (!way) return;
    event.preventDefault();
    near = true;
    const far = event.shiftKey ? 1 : Math.max(1, Math.round(brush.range.value / 2));
    const [x, y] = [at.x + far * way[0], at.y + far * way[1]].map((value) => Math.min(side, Math.max(0, value)));
    at = { x, y };
    if (event.key === " ") paint(at);
    draw();
    describe();
  });
  brush.range.addEventListener("input", () => {
    brush.value.textContent = brush.range.value;
    draw();
  });
  for (const edge of edges) {
    edge.range.addEventListener("input", () => {
      edge.value.textContent = edge.range.value;
      const [x0, y0, x1, y1] = edges.map(({ range }) => Number(range.value));
      dig((x, y) => x > x0 && x < x1 && y > y0 && y < y1, true);
      describe();
    });
  }

  function report() {
    const busy = model.get("busy"), source = model.get("filled");
    right.title.textContent = busy ? "Current prediction" : source ? "Filled" : "Press Fill";
    filled.src = source || "data:,";
    filled.style.visibility = source ? "visible" : "hidden";
    filled.alt = `${model.get("choice")}: ${busy ? "the current prediction" : "its hole filled"}`;
  }

  photo.onload = draw;
  const load = () => (photo.src = model.get("photograph"));
  model.on("change:photograph", load);
  model.on("change:mask", draw);
  model.on("change:filled change:busy", report);
  brush.value.textContent = brush.range.value;
  load();
  report();
  describe();
}

export default { render };
