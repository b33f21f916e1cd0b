// The molecule box: an animation of point clouds, forwards and backwards in time, drawn on a canvas.
// `films` holds bytes [strength][frame][molecule][x, y]; frames 0..F-1 run forwards, F..2F-1 backwards.

function render({ model, el }) {
  const root = element("div", {}, el);
  root.style.cssText = "max-width:420px;font-family:sans-serif;font-size:14px";
  const canvas = element("canvas", { width: 400, height: 400 }, root);
  canvas.setAttribute("role", "img");
  canvas.style.cssText = "width:100%;border:1px solid #777;background:#fff";
  const time = slider("Time", 2 * model.get("frames") - 1, root);
  const strength = slider("Score strength", model.get("strengths").length - 1, root);
  const button = element("button", { type: "button" }, root);
  keepKeys(button);
  const status = liveText(root);
  const pen = canvas.getContext("2d");
  let timer = null;

  function draw() {
    const frames = model.get("frames"), count = model.get("molecules"), frame = model.get("frame");
    const choice = model.get("strength"), view = model.get("films");
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const start = (choice * 2 * frames + frame) * count * 2;
    const back = frame >= frames;
    pen.clearRect(0, 0, 400, 400);
    pen.fillStyle = back ? "#D55E00" : "#0072B2";
    for (let i = 0; i < count; i++) {
      pen.beginPath();
      pen.arc(bytes[start + 2 * i] / 255 * 400, 400 - bytes[start + 2 * i + 1] / 255 * 400, 2.2, 0, 6.3);
      pen.fill();
    }
    const way = back ? "backwards, new molecules" : "forwards";
    const clock = model.get("clock")[back ? 2 * frames - 1 - frame : frame].toFixed(3);
    const inside = Math.round(100 * model.get("inside")[choice][frame]);
    time.range.value = frame;
    time.value.textContent = clock;
    strength.range.value = choice;
    strength.value.textContent = model.get("strengths")[choice].toFixed(2);
    status.textContent = `${way}, time ${clock}: ${inside}% of the molecules lie inside the drops`;
    canvas.setAttribute("aria-label", `${count} molecules in a box, ${status.textContent}`);
    button.textContent = timer ? "Pause" : "Play";
  }

  function pause() {
    clearInterval(timer);
    timer = null;
  }

  function go(name, value) {
    model.set(name, Number(value));
    model.save_changes();
  }

  time.range.addEventListener("input", () => {
    pause();
    go("frame", time.range.value);
    draw();
  });
  strength.range.addEventListener("input", () => go("strength", strength.range.value));
  button.addEventListener("click", () => {
    const last = 2 * model.get("frames") - 1;
    if (timer) {
      pause();
    } else {
      if (model.get("frame") === last) go("frame", 0);
      timer = setInterval(() => {
        if (model.get("frame") < last) return go("frame", model.get("frame") + 1);
        pause();
        draw();
      }, 60);
    }
    draw();
  });
  model.on("change:frame change:strength", draw);
  draw();
  return pause;
}

export default { render };
