// A prompt, three numbers, and the image that is sampled from them.

function render({ model, el }) {
  const side = model.get("side"), wide = side * Math.max(1, Math.round(320 / side));
  const root = element("div", {}, el);
  root.style.cssText = "max-width:656px;font-family:sans-serif;font-size:14px";
  const field = promptField(model, root, begin);
  const bar = element("div", {}, root);
  bar.style.cssText = "display:flex;flex-wrap:wrap;gap:.4em 1.2em;align-items:center;margin:.3em 0";
  const numbers = { seed: ["Seed", 1], scale: ["Guidance scale", 0.5], wanted: ["Steps", 1] };
  for (const [name, [text, step]] of Object.entries(numbers)) {
    const [min, max] = model.get("limits")[name];
    const number = labelled(text, "input", { type: "number", min, max, step }, bar);
    number.style.width = "5em";
    const follow = () => number.matches(":focus") || (number.value = model.get(name));
    number.addEventListener("change", () => {
      const typed = number.valueAsNumber, taken = Number.isNaN(typed) ? model.get(name)
        : Math.min(max, Math.max(min, step === 1 ? Math.round(typed) : typed));
      number.value = taken;
      limit.textContent = taken === typed ? "" : `${text}: from ${min} to ${max}; ${taken} is used.`;
    });
    number.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      // A typed number is read when the field loses the focus
      number.blur();
      number.focus();
      begin();
    });
    model.on(`change:${name}`, follow);
    follow();
    numbers[name] = number;
  }
  const limit = liveText(root);
  limit.style.minHeight = 0;
  problemText(model, root);
  runBar(model, root, { Draw: begin });
  const image = element("img", {}, root);
  image.style.cssText = `display:block;width:${wide}px;max-width:100%;aspect-ratio:1;margin:.3em 0;background:#ddd;
    image-rendering:pixelated`;
  notesText(model, root);

  function begin() {
    const values = Object.entries(numbers).map(([name, number]) => [name, number.valueAsNumber]);
    model.send({ do: "draw", prompt: field.value, ...Object.fromEntries(values) });
  }

  function report() {
    const source = model.get("drawn"), asked = `seed ${model.get("seed")}, guidance scale ${model.get("scale")}`;
    image.src = source || "data:,";
    image.style.visibility = source ? "visible" : "hidden";
    image.alt = `\u201c${model.get("prompt")}\u201d: `
      + (model.get("busy") ? "the current prediction" : `the image, ${asked}, ${model.get("wanted")} steps`);
  }

  model.on("change:drawn change:busy", report);
  report();
}

export default { render };
