// Boxes [what, left, top, right, bottom], in percent: how they look, and how pointer and keys change them.

const EDGES = ["left", "top", "right", "bottom"];
const BOX_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

function colourOf(number) {
  return BOX_COLOURS[number % BOX_COLOURS.length];
}

// An outline with a tag; `show(box)` puts it where its box is
function outline(parent, number) {
  const frame = element("div", { className: "box" }, parent);
  const tag = element("span", { className: "tag" }, frame);
  frame.style.borderColor = colourOf(number);
  function show([what, left, top, right, bottom]) {
    Object.assign(frame.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`,
      height: `${bottom - top}%` });
    tag.textContent = `${number + 1} ${what || "?"}`;
  }
  return { frame, show };
}

// From a fixed point to another, at least `smallest` long and inside the image
function span(fixed, moved, smallest) {
  const end = Math.min(100, Math.max(0, moved)), long = Math.max(smallest, Math.abs(end - fixed));
  const start = Math.min(100 - long, Math.max(0, end < fixed ? fixed - long : fixed));
  return [start, start + long];
}

function stretched(what, fixed, moved, smallest) {
  const [left, right] = span(fixed[0], moved[0], smallest), [top, bottom] = span(fixed[1], moved[1], smallest);
  return [what, left, top, right, bottom];
}

function shifted([what, left, top, right, bottom], dx, dy) {
  const x = Math.min(100 - right, Math.max(-left, dx)), y = Math.min(100 - bottom, Math.max(-top, dy));
  return [what, left + x, top + y, right + x, bottom + y];
}

// An edge set to a number; the opposite edge gives way
function withEdge(box, edge, value, smallest) {
  const made = [...box], at = 1 + edge;
  const first = edge < 2, other = first ? at + 2 : at - 2;
  made[at] = Math.min(first ? 100 - smallest : 100, Math.max(first ? 0 : smallest, Math.round(value)));
  made[other] = first ? Math.max(made[other], made[at] + smallest) : Math.min(made[other], made[at] - smallest);
  return made;
}

// A box after a key: arrows move it, with Shift they move its right and lower edge; undefined for other keys
function keyed(box, event, smallest) {
  const way = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2] }[event.key];
  if (!way) return undefined;
  const [what, left, top, right, bottom] = box;
  return event.shiftKey ? stretched(what, [left, top], [Math.max(left + smallest, right + way[0]),
    Math.max(top + smallest, bottom + way[1])], smallest) : shifted(box, ...way);
}
