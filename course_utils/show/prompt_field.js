// A prompt field with completion of the word at the cursor, and the kernel's remarks on the prompt.

function promptField(model, parent, enter) {
  const box = element("div", {}, parent);
  box.style.cssText = "position:relative;margin:.3em 0";
  const field = labelled("Caption", "input", { type: "text", autocomplete: "off", spellcheck: false }, box);
  field.parentElement.style.cssText = "display:flex;gap:.6em;align-items:center";
  field.style.cssText = "flex:1;min-width:0;font:inherit;padding:.2em .4em";
  const list = element("ul", { id: `words-${Math.random().toString(36).slice(2)}`, hidden: true }, box);
  list.style.cssText = `position:absolute;z-index:9;max-height:11em;overflow-y:auto;margin:0;padding:.2em 0;
    list-style:none;min-width:12em;background:#fff;color:#000;border:1px solid #767676;
    box-shadow:0 2px 6px rgba(0,0,0,.3)`;
  const completing = model.get("words").length ? "Tab completes a word, the down arrow lists words, " : "";
  const hint = element("div", { id: `${list.id}-hint`, textContent: `${completing}Enter draws.` }, box);
  hint.style.cssText = "font-size:12px;opacity:.75";
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": list.id, "aria-describedby": hint.id })) field.setAttribute(name, value);
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Words that the network knows");
  const ruler = document.createElement("canvas").getContext("2d");
  let active = -1;

  // The word around the cursor; the separators are those of networks/text.py
  function word() {
    const at = field.selectionStart, text = field.value;
    const start = at - text.slice(0, at).match(/[^\s.,;:!?()"]*$/)[0].length;
    const end = at + text.slice(at).match(/^[^\s.,;:!?()"]*/)[0].length;
    return { start, end, begun: text.slice(start, at).toLowerCase(), whole: text.slice(start, end).toLowerCase() };
  }

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    mark(-1);
  }

  function open() {
    const { start, begun, whole } = word();
    const fit = model.get("words").filter((known) => known.startsWith(begun) && known !== whole);
    list.replaceChildren(...fit.map((text, i) => {
      const option = Object.assign(document.createElement("li"), { id: `${list.id}-${i}`, textContent: text });
      option.setAttribute("role", "option");
      option.style.cssText = "padding:.1em .6em;cursor:pointer";
      // The field keeps the focus
      option.addEventListener("pointerdown", (event) => event.preventDefault());
      option.addEventListener("click", () => take(text));
      return option;
    }));
    close();
    if (!fit.length) return;
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    // Under the word
    ruler.font = getComputedStyle(field).font;
    const before = ruler.measureText(field.value.slice(0, start)).width - field.scrollLeft;
    list.style.left = `${field.offsetLeft + Math.max(0, Math.min(before, field.clientWidth - list.offsetWidth))}px`;
  }

  function mark(number) {
    active = number;
    [...list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === active));
      option.style.background = i === active ? "#cfe3ff" : "";
    });
    const option = list.children[active];
    if (!option) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", option.id);
    // Not scrollIntoView, which would move the notebook too
    const above = option.offsetTop, below = above + option.offsetHeight - list.clientHeight;
    list.scrollTop = Math.min(above, Math.max(below, list.scrollTop));
  }

  function take(text) {
    const { start, end } = word();
    field.setRangeText(end === field.value.length ? text + " " : text, start, end, "end");
    close();
    field.focus();
  }

  const keys = {
    ArrowDown() {
      if (list.hidden) open();
      mark(active + 1 < list.children.length ? active + 1 : 0);
    },
    ArrowUp(count) {
      if (list.hidden) return false;
      mark(active > 0 ? active - 1 : count - 1);
    },
    Tab(count, event) {
      // After a complete word, Tab leaves the field as usual
      const first = model.get("words").includes(word().whole) ? -1 : 0;
      const option = list.hidden || event.shiftKey ? undefined : list.children[active < 0 ? first : active];
      if (!option) return false;
      take(option.textContent);
    },
    Enter() {
      if (active >= 0) return take(list.children[active].textContent);
      close();
      enter();
    },
    Escape() {
      if (list.hidden) return false;
      close();
    },
  };
  field.addEventListener("keydown", (event) => {
    // Keys that compose a syllable, as in Korean, belong to the input method
    if (event.isComposing) return;
    if (!(event.key in keys)) return event.key.length > 1 && event.key !== "Backspace" && close();
    if (keys[event.key](list.children.length, event) !== false) event.preventDefault();
  });
  field.addEventListener("input", () => (word().begun ? open() : close()));
  field.addEventListener("click", close);
  field.addEventListener("blur", close);
  // Text being typed is newer than the kernel's
  const follow = () => field.matches(":focus") || (field.value = model.get("prompt"));
  model.on("change:prompt", follow);
  follow();
  return field;
}

function notesText(model, parent) {
  const notes = element("ul", {}, parent);
  notes.setAttribute("aria-live", "polite");
  notes.setAttribute("aria-label", "Remarks on the caption");
  notes.style.cssText = `margin:.3em 0;padding:.3em .6em .3em 1.6em;background:#fff6dd;color:#5c3c00;max-height:9em;
    overflow-y:auto;overflow-wrap:anywhere`;
  const report = () => {
    notes.replaceChildren(...model.get("notes").map((text) =>
      Object.assign(document.createElement("li"), { textContent: text })));
    notes.style.display = notes.children.length ? "" : "none";
  };
  model.on("change:notes", report);
  report();
}
