// A board to draw boxes on, the image that was drawn for them, the one before, and a table with the boxes' numbers.

function render({ model, el }) {
  const things = model.get("things"), most = model.get("most"), smallest = model.get("smallest");
  const prompted = model.get("prompt") !== null, weighted = model.get("tau") !== null;
  const sorted = things && [...things].sort((one, other) => one.localeCompare(other));
  const root = element("div", { className: "layout-canvas" }, el);
  const field = prompted && promptField(model, root, begin);

  const panels = element("div", {}, root);
  panels.style.cssText = "display:flex;flex-wrap:wrap;gap:.3em 16px;margin:.3em 0";
  const [left, right, past] = ["Draw boxes here", "", "Before"].map((text, i) => {
    const panel = element("div", {}, panels);
    const title = element("div", { textContent: text }, panel);
    title.style.cssText = "margin:.2em 0;min-height:1.2em";
    return { panel, title, stage: element("div", { className: i < 2 ? "stage" : "stage small" }, panel) };
  });
  const board = left.stage;
  board.classList.add("board");
  board.setAttribute("role", "application");
  board.setAttribute("aria-label", "Boxes: with the arrow keys a box moves, with Shift and arrow keys its right and "
    + "lower edges, Delete removes it; the table below does the same by numbers");
  element("div", { className: "hint", textContent: "Drag on the grey for a new box, a box to move it, a corner to resize "
    + "it. The Delete key removes the box that was clicked." }, left.panel);
  const pictures = [right, past].map(({ stage }) => ({ stage, image: element("img", {}, stage),
    outlines: element("div", { className: "outlines" }, stage) }));
  const toggle = keepKeys(Object.assign(document.createElement("input"), { type: "checkbox", checked: true }));
  const toggled = element("label", { textContent: " Outline the boxes" }, right.panel);
  toggled.prepend(toggle);
  toggled.style.cssText = "display:block;margin-top:.3em";

  const bar = element("div", {}, root);
  bar.style.cssText = "display:flex;flex-wrap:wrap;gap:.4em 1.2em;align-items:center;margin:.3em 0";
  const seed = labelled("Seed", "input", { type: "number", min: 0, max: 9999, step: 1 }, bar);
  seed.style.width = "5em";
  const tau = weighted && slider("tau, the share of steps with boxes", 1, bar);
  if (weighted) {
    tau.range.step = 0.05;
    tau.range.parentElement.style.flex = "0 1 460px";
    tau.range.addEventListener("input", () => (tau.value.textContent = Number(tau.range.value).toFixed(2)));
  }
  problemText(model, root);
  const steps = runBar(model, root, { Draw: begin });
  if (!model.get("follows")) steps.forEach((part) => part.remove());
  if (prompted) notesText(model, root);

  const table = element("table", {}, root);
  element("caption", { textContent: "The boxes, in percent of the image" }, table);
  const heads = element("tr", {}, element("thead", {}, table));
  for (const text of ["Box", things ? "Thing" : "Phrase", "Left", "Top", "Right", "Bottom", ""]) {
    element(text ? "th" : "td", { textContent: text }, heads);
  }
  const body = element("tbody", {}, table);
  const add = button("Add a box", root, () => {
    if (!room()) return;
    create([unused(), 30, 30, 70, 70]);
    save();
    rows.at(-1).what.focus();
  });
  const said = liveText(root);

  let boxes = [], frames = [], rows = [], chosen = -1, sent = "";

  function unused() {
    return things ? sorted.find((thing) => boxes.every(([what]) => what !== thing)) ?? sorted[0] : "";
  }

  function room() {
    if (boxes.length >= most) said.textContent = `There can be ${most} boxes at most. Remove one first.`;
    return boxes.length < most;
  }

  function save() {
    model.set("boxes", boxes.map((box) => [...box]));
    model.save_changes();
  }

  function tell() {
    const [what, ...edges] = boxes[chosen] ?? [""];
    said.textContent = chosen < 0 ? "" : `Box ${chosen + 1}, ${what || "no phrase yet"}: `
      + edges.map((value, i) => `${EDGES[i]} ${value}`).join(", ");
  }

  function choose(number) {
    chosen = number;
    frames.forEach(({ frame }, i) => frame.classList.toggle("chosen", i === chosen));
  }

  function update(number, box) {
    boxes[number] = box;
    frames[number].show(box);
    frames[number].frame.setAttribute("aria-label", `Box ${number + 1}, ${box[0] || "no phrase yet"}`);
    const { what, edges } = rows[number];
    if (what.value !== box[0]) what.value = box[0];
    edges.forEach((edge, i) => (edge.value = box[1 + i]));
  }

  function create(box) {
    boxes.push(box);
    frames.push(framed(frames.length));
    rows.push(row(rows.length));
    update(boxes.length - 1, box);
    choose(boxes.length - 1);
    full();
  }

  function remove(number) {
    boxes.splice(number, 1);
    rebuild();
    save();
    (frames[Math.min(number, frames.length - 1)]?.frame ?? add).focus();
    said.textContent = `Box ${number + 1} is removed.`;
  }

  function full() {
    // Not `disabled`, which would lose the focus
    add.setAttribute("aria-disabled", String(boxes.length >= most));
    add.style.opacity = boxes.length < most ? 1 : 0.5;
  }

  function rebuild() {
    const kept = boxes;
    frames.forEach(({ frame }) => frame.remove());
    body.replaceChildren();
    [boxes, frames, rows] = [[], [], []];
    kept.forEach(create);
    choose(-1);
    full();
  }

  function framed(number) {
    const made = outline(board, number), { frame } = made;
    keepKeys(frame).tabIndex = 0;
    frame.setAttribute("role", "group");
    for (const [corner, x, y] of [["nw", 0, 0], ["ne", 100, 0], ["sw", 0, 100], ["se", 100, 100]]) {
      const grip = element("div", { className: "grip" }, frame);
      Object.assign(grip.style, { left: `${x}%`, top: `${y}%`, cursor: `${corner}-resize` });
      Object.assign(grip.dataset, { x, y });
    }
    frame.addEventListener("focus", () => {
      choose(number);
      tell();
    });
    frame.addEventListener("keydown", (event) => {
      const box = keyed(boxes[number], event, smallest);
      if (box) update(number, box);
      else if (event.key === "Enter") return begin();
      else if (event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      if (!box) return remove(number);
      save();
      tell();
    });
    return made;
  }

  function row(number) {
    const tr = element("tr", {}, body), head = element("th", { scope: "row" }, tr);
    element("span", { className: "swatch" }, head).style.background = colourOf(number);
    head.append(number + 1);
    const cell = () => element("td", {}, tr), named = (control, name) => {
      control.setAttribute("aria-label", `Box ${number + 1}: ${name}`);
      control.addEventListener("focus", () => choose(number));
      control.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.isComposing || control.type === "button") return;
        event.preventDefault();
        control.dispatchEvent(new Event("change"));
        begin();
      });
      return keepKeys(control);
    };
    const what = named(things ? element("select", {}, cell()) : element("input", { type: "text", spellcheck: false,
      placeholder: "what is in it" }, cell()), things ? "thing" : "phrase");
    if (things) what.append(...sorted.map((thing) => new Option(thing, thing)));
    what.addEventListener("input", () => update(number, [what.value, ...boxes[number].slice(1)]));
    what.addEventListener("change", () => {
      save();
      tell();
    });
    const edges = EDGES.map((name, i) => {
      const edge = named(element("input", { type: "number", min: 0, max: 100, step: 1 }, cell()), `${name}, percent`);
      edge.addEventListener("change", () => {
        const typed = edge.valueAsNumber;
        update(number, Number.isNaN(typed) ? boxes[number] : withEdge(boxes[number], i, typed, smallest));
        save();
        tell();
      });
      return edge;
    });
    named(button("Remove", cell(), () => remove(number)), "remove");
    return { what, edges };
  }

  function pointed(event) {
    const area = board.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top].map((value, i) =>
      Math.round(Math.min(100, Math.max(0, 100 * value / (i ? area.height : area.width)))));
  }

  // What the pointer does between down and up: `drag(point)` gives the number of the box and the box
  let drag = null;
  board.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    // Before `preventDefault`, with which the phrase being typed would keep the focus
    document.activeElement?.blur();
    event.preventDefault();
    board.setPointerCapture(event.pointerId);
    const start = pointed(event), number = frames.findIndex(({ frame }) => frame.contains(event.target));
    const box = boxes[number], grip = event.target.dataset;
    drag = { fresh: number < 0, number };
    if (number < 0) {
      choose(-1);
      tell();
      drag.to = (point) => {
        if (drag.number < 0) {
          if (Math.min(...point.map((value, i) => Math.abs(value - start[i]))) < smallest) return;
          if (!room()) return void (drag.to = () => {});
          create(stretched(unused(), start, point, smallest));
          drag.number = boxes.length - 1;
        }
        update(drag.number, stretched(boxes[drag.number][0], start, point, smallest));
      };
    } else if (grip.x) {
      const fixed = [grip.x === "0" ? box[3] : box[1], grip.y === "0" ? box[4] : box[2]];
      drag.to = (point) => update(number, stretched(box[0], fixed, point, smallest));
    } else {
      drag.to = ([x, y]) => update(number, shifted(box, x - start[0], y - start[1]));
    }
    if (number >= 0) frames[number].frame.focus({ preventScroll: true });
  });
  board.addEventListener("pointermove", (event) => drag?.to(pointed(event)));
  for (const name of ["pointerup", "pointercancel"]) {
    board.addEventListener(name, () => {
      const { number, fresh } = drag ?? { number: -1 };
      drag = null;
      if (number < 0) return;
      save();
      (fresh && !things ? rows[number].what : frames[number].frame).focus({ preventScroll: true });
      tell();
    });
  }

  function begin() {
    sent = JSON.stringify(boxes);
    const typed = seed.valueAsNumber;
    if (!(typed >= 0 && typed <= 9999)) seed.value = model.get("seed");
    model.send({ do: "draw", boxes, seed: Math.round(seed.valueAsNumber), ...(prompted ? { prompt: field.value } : {}),
      ...(weighted ? { tau: Number(tau.range.value) } : {}) });
  }

  function follow() {
    const now = JSON.stringify(model.get("boxes"));
    // What was sent with the last order may come back when the boxes have moved on
    if (drag || now === sent || now === JSON.stringify(boxes)) return;
    boxes = model.get("boxes").map((box) => [...box]);
    rebuild();
  }

  function paint({ stage, image, outlines }, source, outlined, alt) {
    image.src = source || "data:,";
    image.style.visibility = source ? "visible" : "hidden";
    image.alt = alt;
    outlines.replaceChildren();
    if (source) outlined.forEach((box, i) => outline(outlines, i).show(box));
    outlines.hidden = !toggle.checked;
    stage.style.opacity = model.get("busy") ? 0.5 : 1;
  }

  // The image that is shown, with its boxes, and the one before
  let now = { source: "", outlined: [] }, before = now;
  function report() {
    const source = model.get("drawn"), outlined = model.get("outlined");
    if (source !== now.source && now.source) before = now;
    now = { source, outlined };
    right.title.textContent = model.get("busy") ? "Drawing ..." : source ? "Image" : "Press Draw";
    past.panel.style.visibility = before.source ? "visible" : "hidden";
    const list = (some) => some.map(([what, ...edges]) => `${what} at ${edges.join(", ")}`).join("; ");
    paint(pictures[0], now.source, now.outlined, `The image, seed ${model.get("seed")}: ${list(now.outlined)}`);
    paint(pictures[1], before.source, before.outlined, `The image before: ${list(before.outlined)}`);
  }

  toggle.addEventListener("change", report);
  const number = () => seed.matches(":focus") || (seed.value = model.get("seed"));
  model.on("change:seed", number);
  model.on("change:boxes", follow);
  model.on("change:drawn change:outlined change:busy", report);
  number();
  if (weighted) {
    tau.range.value = model.get("tau");
    tau.value.textContent = model.get("tau").toFixed(2);
  }
  boxes = model.get("boxes").map((box) => [...box]);
  rebuild();
  report();
}

export default { render };
