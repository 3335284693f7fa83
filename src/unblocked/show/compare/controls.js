// Controls of the live view. Each number has a slider and a field that always show the same, and
// "Start" sends the numbers that are shown along with it.
let made = 0;

function element(tag, className, parent, attributes = {}) {
  const one = document.createElement(tag);
  one.className = className;
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  parent.append(one);
  return one;
}

// One number; `changed` is told of each valid value. Returns what shows a value.
function numberControl(field, parent, changed) {
  const { label, min, max, step } = field;
  const id = `ub-control-${(made += 1)}`;
  const box = element("div", "ub-control", parent);
  element("label", "", box, { for: id }).textContent = label;
  const bounds = { min, max, step };
  const slider = element("input", "", box, { type: "range", id, ...bounds });
  const exact = element("input", "", box, { type: "number", "aria-label": `${label}, exactly`, ...bounds });
  const show = (value) => {
    slider.value = value;
    exact.value = value;
  };
  slider.addEventListener("input", () => {
    exact.value = slider.value;
    changed(Number(slider.value));
  });
  exact.addEventListener("input", () => {
    if (exact.value === "" || !Number.isFinite(Number(exact.value))) return;
    slider.value = exact.value; // It keeps to its bounds and steps, and so do the others.
    changed(Number(slider.value));
  });
  return show;
}

function render({ model, el }) {
  const root = element("div", "ub-controls", el, { role: "group", "aria-label": "The load" });
  const values = { ...model.get("values") };
  const shows = {};
  const numbers = element("div", "ub-numbers", root);
  for (const field of model.get("fields")) {
    shows[field.key] = numberControl(field, numbers, (value) => {
      values[field.key] = value;
      model.set("values", { ...values });
      model.save_changes();
    });
  }
  const showNumbers = () => Object.entries(shows).forEach(([key, show]) => show(values[key]));
  root.addEventListener("change", showNumbers);

  const line = element("div", "ub-orders", root);
  const button = (name, order, what) => {
    const one = element("button", "", line, { type: "button", title: what });
    one.textContent = name;
    one.addEventListener("click", () => {
      showNumbers();
      model.send({ order, values: { ...values } });
    });
    return one;
  };
  const start = button("Start", "start", "Measure with these numbers");
  const stop = button("Stop", "stop", "End the measurement now");
  const keep = button("Keep", "keep", "Keep the last result and go on");
  // The controls go away then, and whoever pressed a key would be nowhere.
  keep.addEventListener("click", () => root.closest(".jp-Cell")?.focus());
  const bar = element("progress", "", line, { max: 1, "aria-label": "Progress of the measurement" });
  const says = element("span", "ub-says", line, { role: "status" });

  // Keys are for these controls, not for the notebook's shortcuts, which match what has the focus.
  root.querySelectorAll("input, button").forEach((one) => (one.dataset.lmSuppressShortcuts = "true"));

  const showState = () => {
    const running = model.get("running");
    const focused = line.contains(document.activeElement) && document.activeElement;
    start.textContent = running ? "Start again" : "Start";
    stop.disabled = !running;
    keep.disabled = running;
    keep.hidden = !model.get("interactive");
    if (focused.disabled) start.focus(); // A button that cannot be pressed any more loses it.
    bar.value = model.get("progress");
    says.textContent = model.get("says");
  };
  const names = ["running", "progress", "says"].map((name) => `change:${name}`);
  names.forEach((name) => model.on(name, showState));
  showNumbers();
  showState();
  return () => names.forEach((name) => model.off(name, showState));
}

export default { render };
