// Start, cancel and follow a computation of the kernel step by step; its error message.

function button(text, parent, action) {
  const made = keepKeys(element("button", { type: "button", textContent: text }, parent));
  made.addEventListener("click", action);
  return made;
}

function problemText(model, parent) {
  const problem = element("p", {}, parent);
  problem.setAttribute("role", "alert");
  problem.style.cssText = "color:#8c1d18;background:#fdecea;padding:.3em .6em;margin:.3em 0;overflow-wrap:anywhere";
  const report = () => {
    problem.textContent = model.get("problem");
    problem.hidden = !problem.textContent;
  };
  model.on("change:problem", report);
  report();
}

// Buttons, the first of which starts the computation, then its progress; the status stands below. Returns what is of
// use only when the kernel tells its steps
function runBar(model, parent, buttons) {
  const bar = element("div", {}, parent);
  bar.style.cssText = "display:flex;flex-wrap:wrap;gap:.6em;align-items:center";
  const [begin, ...others] = Object.entries(buttons);
  button(begin[0], bar, begin[1]);
  const cancel = button("Cancel", bar, () => model.send({ do: "cancel" }));
  for (const [text, action] of others) button(text, bar, action);
  const progress = element("progress", {}, bar);
  progress.setAttribute("aria-label", "Steps");
  const count = element("span", {}, bar);
  const status = liveText(parent);

  function report() {
    const busy = model.get("busy");
    progress.max = model.get("steps");
    progress.value = model.get("step");
    count.textContent = `step ${model.get("step")} of ${model.get("steps")}`;
    progress.hidden = count.hidden = !busy;
    // Not `disabled`: a button that is disabled while it has the focus loses it
    cancel.setAttribute("aria-disabled", String(!busy));
    cancel.style.opacity = busy ? 1 : 0.5;
    status.textContent = model.get("status");
  }

  model.on("change:busy change:step change:steps change:status", report);
  report();
  return [cancel, progress, count];
}
