// Controls that the course's own widgets share; they work by keyboard inside JupyterLab.

function element(tag, attributes, parent) {
  const made = Object.assign(document.createElement(tag), attributes);
  parent.appendChild(made);
  return made;
}

// JupyterLab's own shortcuts would swallow arrow keys and Enter
function keepKeys(control) {
  control.setAttribute("data-lm-suppress-shortcuts", "true");
  return control;
}

function slider(text, max, parent) {
  const label = element("label", { textContent: text + " " }, parent);
  const range = element("input", { type: "range", min: 0, max, step: 1 }, label);
  const value = element("output", {}, label);
  label.style.cssText = "display:flex;gap:.6em;align-items:center;margin:.2em 0";
  range.style.flex = "1";
  keepKeys(range);
  return { range, value };
}

function labelled(text, tag, attributes, parent) {
  const label = element("label", { textContent: text + " " }, parent);
  return keepKeys(element(tag, attributes, label));
}

function liveText(parent) {
  const text = element("p", {}, parent);
  text.setAttribute("aria-live", "polite");
  text.style.cssText = "margin:.4em 0;min-height:1.2em";
  return text;
}
