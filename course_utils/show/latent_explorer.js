// Two rows of images to choose the ends from, a slider between them, the decoded latents beside mixed pixels, and a
// table of the latents' channels, each of which may come from one end alone or be zero.

function render({ model, el }) {
  const root = element("div", { className: "latent-explorer" }, el);
  root.style.cssText = "max-width:860px;padding:0 4px;font-family:sans-serif;font-size:14px";
  const id = Math.random().toString(36).slice(2);

  function go(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function row(parent, text) {
    const group = element("fieldset", {}, parent);
    group.style.cssText = "border:0;margin:.3em 0;padding:0;display:flex;flex-wrap:wrap;gap:8px;align-items:center";
    element("legend", { textContent: text }, group).style.cssText = "padding:0 0 .45em";
    return group;
  }

  function radio(group, name, value, checked) {
    const label = element("label", {}, group);
    const input = keepKeys(element("input", { type: "radio", name: `${name}-${id}`, value, checked }, label));
    input.addEventListener("change", () => go(name, value));
    return { label, input };
  }

  const radios = {};
  for (const [name, text] of [["first", "First image"], ["second", "Second image"]]) {
    const group = row(root, text);
    radios[name] = model.get("names").map((image, i) => {
      const { label, input } = radio(group, name, image);
      label.style.cssText = "position:relative;cursor:pointer";
      // Seen through its image; it keeps its place, so that focus and clicks find it
      input.style.cssText = "position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:pointer";
      const picture = element("img", { src: model.get("thumbnails")[i], alt: image, title: image }, label);
      picture.style.cssText = "display:block;width:64px;margin:0";
      return input;
    });
  }
  const way = element("div", {}, root);
  way.style.cssText = "display:flex;flex-wrap:wrap;gap:0 2em;align-items:center;margin-top:.6em";
  const path = row(way, "Path");
  // Beside its choices, not above them
  path.firstChild.style.cssText = "float:left;padding:0 .6em 0 0";
  radios.path = ["lerp", "slerp"].map((name) => {
    const { label, input } = radio(path, "path", name);
    label.append(` ${name}`);
    return input;
  });
  const share = slider("Share of the second", 100, way);
  share.range.parentElement.style.flex = "1 1 320px";
  share.value.style.minWidth = "3em";
  share.range.addEventListener("input", () => {
    share.value.textContent = `${share.range.value}%`;
    go("share", share.range.value / 100);
  });
  problemText(model, root);

  const panels = element("div", {}, root);
  panels.style.cssText = "display:flex;flex-wrap:wrap;gap:.3em 16px";
  const shown = {};
  for (const [name, text] of [["decoded", "Latents mixed, then decoded"], ["mixed", "Pixels mixed"]]) {
    const panel = element("figure", {}, panels);
    panel.style.cssText = "margin:.3em 0;width:256px;max-width:100%";
    element("figcaption", { textContent: text }, panel).style.margin = "0 0 .3em";
    shown[name] = element("img", { alt: text }, panel);
    shown[name].style.cssText = "display:block;width:100%;aspect-ratio:1;margin:0;background:#ddd";
    shown[name].style.imageRendering = "pixelated";
  }
  const note = liveText(root);

  const size = model.get("size");
  const scroll = element("div", {}, root);
  scroll.style.cssText = "overflow-x:auto";
  const table = element("table", {}, scroll);
  table.style.cssText = "border-collapse:collapse;font-size:13px";
  element("caption", { textContent: "Channels of the latents, from \u22123 (dark) to 3 (bright) standard deviations" }, table)
    .style.cssText = "text-align:left;padding:.3em 0;caption-side:top";

  function line(text) {
    const tr = element("tr", {}, table);
    const head = element("th", { textContent: text, scope: "row" }, tr);
    head.style.cssText = "text-align:left;font-weight:normal;padding:0 .6em 0 0;white-space:nowrap";
    return tr;
  }

  function cell(tr) {
    const td = element("td", {}, tr);
    td.style.padding = "2px 3px";
    return td;
  }

  const heads = line("");
  heads.firstChild.textContent = "Channel";
  for (let i = 0; i < size; i++) {
    element("th", { textContent: i + 1, scope: "col" }, heads).style.fontWeight = "normal";
  }
  const pictures = ["First", "Second", "Result"].map((text) => {
    const tr = line(text);
    return Array.from({ length: size }, (_, i) => {
      const picture = element("img", { alt: `${text}: channel ${i + 1}` }, cell(tr));
      picture.style.cssText = "display:block;width:64px;height:64px;margin:0 auto;image-rendering:pixelated";
      return picture;
    });
  });
  const takes = line("Take");
  const options = () => ["mix", "first", "second", "zero"].map((take) => new Option(take, take));
  const selects = Array.from({ length: size }, (_, i) => {
    const select = keepKeys(element("select", {}, cell(takes)));
    select.setAttribute("aria-label", `Channel ${i + 1}: take`);
    select.style.cssText = "width:70px;font-size:13px";
    select.append(...options());
    select.addEventListener("change", () => go("channels", selects.map(({ value }) => value)));
    return select;
  });
  const all = labelled("All channels", "select", {}, root);
  all.parentElement.style.cssText = "display:inline-block;margin:.4em 0";
  all.append(new Option("\u2013", ""), ...options());
  all.addEventListener("change", () => all.value && go("channels", selects.map(() => all.value)));

  function follow() {
    for (const [name, inputs] of Object.entries(radios)) {
      for (const input of inputs) input.checked = input.value === model.get(name);
    }
    const now = Math.round(100 * model.get("share"));
    // What is being dragged is newer than the kernel's answer
    if (!share.range.matches(":active")) share.range.value = now;
    share.value.textContent = `${share.range.value}%`;
    const channels = model.get("channels");
    selects.forEach((select, i) => (select.value = channels[i]));
    all.value = channels.every((take) => take === channels[0]) ? channels[0] : "";
  }

  function draw() {
    for (const [name, image] of Object.entries(shown)) {
      const source = model.get(name);
      image.src = source || "data:,";
      image.style.visibility = source ? "visible" : "hidden";
    }
    note.textContent = model.get("note");
    shown.decoded.alt = `Latents mixed, then decoded: ${note.textContent}`;
    model.get("pictures").forEach((sources, i) => sources.forEach((source, j) => (pictures[i][j].src = source)));
  }

  model.on("change:first change:second change:share change:path change:channels", follow);
  model.on("change:decoded change:mixed change:pictures change:note", draw);
  follow();
  draw();
}

export default { render };
