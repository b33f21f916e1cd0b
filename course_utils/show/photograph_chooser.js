// Choose a photograph or upload one, choose a seed.

const MEGABYTE = 2 ** 20;
const LARGEST = 20; // megabytes

function chooser(model, parent) {
  const bar = element("div", {}, parent);
  bar.style.cssText = "display:flex;flex-wrap:wrap;gap:.4em 1.2em;align-items:center;margin:.3em 0";
  const choice = labelled(model.get("noun"), "select", {}, bar);
  choice.style.maxWidth = "16em";
  const file = labelled("or your own", "input", { type: "file", accept: "image/*" }, bar);
  // The browser's "No file chosen" would contradict the list, which names the upload
  file.style.cssText = "width:7.5em;color:transparent";
  file.parentElement.hidden = !model.get("uploads");
  const seed = labelled("Seed", "input", { type: "number", min: 0, max: 9999, step: 1 }, bar);
  seed.style.width = "5em";
  problemText(model, parent);

  function set(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function draw() {
    choice.replaceChildren(...model.get("choices").map((name) => new Option(name, name)));
    choice.value = model.get("choice");
    seed.value = model.get("seed");
  }

  async function send(chosen) {
    const size = (chosen.size / MEGABYTE).toFixed(0);
    if (chosen.size > LARGEST * MEGABYTE) {
      throw Error(`${chosen.name} has ${size} MB; the maximum is ${LARGEST} MB. Downscale the image first.`);
    }
    const bytes = await chosen.arrayBuffer();
    // In parts, because Jupyter's server closes the connection at a message of 10 MB
    let start = 0;
    do {
      const part = bytes.slice(start, start + MEGABYTE);
      model.send({ upload: chosen.name, start, size: bytes.byteLength }, undefined, [part]);
      start += MEGABYTE;
    } while (start < bytes.byteLength);
  }

  choice.addEventListener("change", () => set("choice", choice.value));
  seed.addEventListener("change", () => {
    seed.value = Math.min(9999, Math.max(0, Math.round(Number(seed.value)) || 0));
    set("seed", Number(seed.value));
  });
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    if (chosen) send(chosen).catch((error) => set("problem", error.message));
    // Otherwise the same file could not be chosen twice
    file.value = "";
  });
  model.on("change:choices change:choice change:seed", draw);
  draw();
}
