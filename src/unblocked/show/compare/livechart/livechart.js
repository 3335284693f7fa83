// Live panels: each has a title, a tile per measured value (latest and largest), and one or more
// plots that share their time axis. The kernel sends only new rows, a list of them for each panel:
// [seconds, value, value, ...].
import uPlot from "uplot";

// Okabe-Ito, told apart without red-green vision; the second blue is for dark backgrounds.
const LIGHT = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#8A6A00", "#3A7FA6"];
const DARK = ["#E8701A", "#56B4E9", "#1FC093", "#D990B8", "#E69F00", "#8FCBEF"];
const DASHES = [[], [7, 4], [], [2, 3], [9, 3, 2, 3], [4, 2]];
const TIME_STEPS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];

const isDark = () => document.body.dataset.jpThemeLight === "false";
const colour = (i) => (isDark() ? DARK : LIGHT)[i % LIGHT.length];
const foreground = () =>
  getComputedStyle(document.body).getPropertyValue("--jp-ui-font-color1").trim() ||
  (isDark() ? "#ddd" : "#222");

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 10 ? 1 : 2).replace(/\.?0+$/, "");
}

function element(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

function swatch(i, parent) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "lc-swatch");
  svg.setAttribute("width", "16");
  svg.setAttribute("height", "8");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [name, at] of Object.entries({ x1: 0, x2: 16, y1: 4, y2: 4 })) line.setAttribute(name, at);
  line.setAttribute("stroke-width", "3");
  line.setAttribute("stroke-dasharray", DASHES[i % DASHES.length].join(" "));
  svg.append(line);
  parent.append(svg);
  return () => line.setAttribute("stroke", colour(i));
}

// The rows that the kernel has sent, cut to the window; listeners are told of every change.
function makeStore(count) {
  const columns = Array.from({ length: count + 1 }, () => []);
  const largest = new Array(count).fill(null);
  const listeners = new Set();
  const store = { columns, largest, listeners, updates: 0 };
  const tell = () => {
    store.updates += 1;
    listeners.forEach((listener) => listener());
  };
  const push = (row) => {
    row.forEach((value, i) => {
      columns[i].push(value);
      if (i && value !== null) largest[i - 1] = Math.max(largest[i - 1] ?? value, value);
    });
  };
  store.clear = () => {
    columns.forEach((column) => (column.length = 0));
    largest.fill(null);
  };
  store.tell = tell;
  store.add = (rows, window) => {
    rows.forEach(push);
    const times = columns[0];
    const oldest = times[times.length - 1] - window;
    let cut = 0;
    while (cut < times.length && times[cut] < oldest) cut += 1;
    if (cut) columns.forEach((column) => column.splice(0, cut));
    tell();
  };
  return store;
}

function makeTiles(series, parent) {
  const box = element("div", "lc-tiles", parent);
  const tiles = series.map(({ name, unit, style }) => {
    const tile = element("div", "lc-tile", box);
    const label = element("div", "lc-name", tile);
    const paint = style === null ? () => {} : swatch(style, label);
    label.append(name);
    const now = element("div", "lc-now", tile);
    const largest = element("div", "lc-max", tile);
    return { now, largest, paint, unit };
  });
  const show = (store) =>
    tiles.forEach((tile, i) => {
      const column = store.columns[i + 1];
      tile.now.textContent = number(column[column.length - 1]);
      if (tile.unit && column.at(-1) != null) element("small", "", tile.now).textContent = ` ${tile.unit}`;
      tile.largest.textContent = `largest ${number(store.largest[i])}`;
    });
  return { show, paint: () => tiles.forEach((tile) => tile.paint()) };
}

// The first and the last second of all panels, so that they share their time axis, too.
function extent(stores, span) {
  const filled = stores.map((store) => store.columns[0]).filter((times) => times.length);
  const first = filled.length ? Math.min(...filled.map((times) => times[0])) : 0;
  const last = filled.length ? Math.max(...filled.map((times) => times[times.length - 1])) : 0;
  return [first, Math.max(last, first + span)];
}

function plotOptions({ label, indices }, series, width, model, position, stores) {
  const faint = { stroke: "rgba(128,128,128,.28)", width: 1 };
  const axis = { stroke: foreground, grid: faint, ticks: faint, font: "12px sans-serif" };
  const top = (u, low, high) => {
    const shared = model.get("y_max")[position] || 0;
    return [0, Math.max(1, shared, (high || 0) * 1.06)];
  };
  return {
    width,
    height: model.get("height"),
    pxAlign: 0,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: false, range: () => extent(stores, model.get("span")) },
      y: { range: top },
    },
    axes: [
      { ...axis, incrs: TIME_STEPS, space: 50, size: 30, values: (u, v) => v.map((x) => `${x} s`) },
      { ...axis, size: 52, space: 28, values: (u, v) => v.map(number) },
    ],
    series: [
      {},
      ...indices.map((i) => ({
        label: series[i].name,
        stroke: () => colour(series[i].style),
        width: 2.5,
        dash: DASHES[series[i].style % DASHES.length],
        points: { show: false },
      })),
    ],
  };
}

// One panel; returns what undoes it.
function renderPanel({ model, stores, position, parent }) {
  const rows = stores[position];
  const title = model.get("titles")[position];
  const series = model.get("series");
  const root = element("div", "lc-root", parent);
  const figure = element("figure", "", root);
  figure.setAttribute("role", "img");
  const head = element("div", "lc-head", figure);
  element("span", "lc-title", head).textContent = title;
  const state = element("span", "lc-state", head);
  const tiles = makeTiles(series, figure);
  const plots = [];

  const data = (plot) => [rows.columns[0], ...plot.indices.map((i) => rows.columns[i + 1])];
  const width = () => Math.max(220, figure.clientWidth || 400);
  model.get("plots").forEach((plot, place) => {
    const box = element("div", "", figure);
    box.hidden = true;
    element("p", "lc-caption", box).textContent = plot.label;
    const host = element("div", "lc-plot", box);
    const options = plotOptions(plot, series, width(), model, place, stores);
    plots.push({ ...plot, box, chart: new uPlot(options, data(plot), host) });
  });

  const describe = () =>
    series
      .map(({ name, unit }, i) => {
        const column = rows.columns[i + 1];
        const latest = number(column[column.length - 1]);
        return `${name}: latest ${latest}, largest ${number(rows.largest[i])} ${unit}`.trim();
      })
      .join("; ");
  // A plot is left out until one of the panels has more than zeros for it; then all have it.
  const isDue = ({ indices }) => stores.some((store) => indices.some((i) => store.largest[i]));
  const isWrong = (plot) => plot.box.hidden === isDue(plot);
  let frame = 0;
  let drawn = [];
  const draw = () => {
    frame = 0;
    drawn = extent(stores, model.get("span"));
    tiles.show(rows);
    plots.filter(isWrong).forEach((plot) => (plot.box.hidden = !plot.box.hidden));
    plots.forEach((plot) => plot.chart.setData(data(plot)));
    root.dataset.updates = rows.updates;
    figure.setAttribute("aria-label", `${title}. ${describe()}`);
  };
  const drawSoon = () => {
    if (!frame) frame = requestAnimationFrame(draw);
  };
  // Another panel's row changes this one only where it makes the common axis longer.
  const followOthers = () => {
    const longer = extent(stores, model.get("span")).some((edge, i) => edge !== drawn[i]);
    if (longer || plots.some(isWrong)) drawSoon();
  };
  const showState = () => {
    state.textContent = model.get("states")[position];
    root.classList.toggle("lc-running", /^(round|warming)/.test(model.get("states")[position]));
  };
  const repaint = () => {
    tiles.paint();
    plots.forEach((plot) => plot.chart.redraw());
  };

  stores.forEach((store) => store.listeners.add(store === rows ? drawSoon : followOthers));
  model.on("change:states", showState);
  model.on("change:y_max", drawSoon);
  const sizes = new ResizeObserver(() => {
    const size = { width: width(), height: model.get("height") };
    plots.forEach(({ chart }) => Math.abs(chart.width - size.width) > 2 && chart.setSize(size));
  });
  sizes.observe(figure);
  const theme = new MutationObserver(repaint);
  theme.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  showState();
  tiles.paint();
  draw();

  return () => {
    rows.listeners.delete(drawSoon);
    stores.forEach((store) => store.listeners.delete(followOthers));
    model.off("change:states", showState);
    model.off("change:y_max", drawSoon);
    sizes.disconnect();
    theme.disconnect();
    cancelAnimationFrame(frame);
    plots.forEach(({ chart }) => chart.destroy());
    root.remove();
  };
}

export default () => {
  let stores = null;
  // `initialize` and `render` get different proxies of the model, so the rows live in this closure.
  const storesOf = (model) =>
    (stores ??= model.get("titles").map(() => makeStore(model.get("series").length)));

  function initialize({ model }) {
    const panels = storesOf(model);
    const receive = (message) => {
      if (message.k !== "add") panels.forEach((panel) => panel.clear());
      if (message.k === "clear") panels.forEach((panel) => panel.tell());
      message.rows?.forEach((rows, i) => rows.length && panels[i].add(rows, model.get("window_s")));
    };
    model.on("msg:custom", receive);
    model.send({ k: "hello" });
    return () => model.off("msg:custom", receive);
  }

  function render({ model, el }) {
    const stores = storesOf(model);
    const undo = stores.map((_, position) => renderPanel({ model, stores, position, parent: el }));
    return () => undo.forEach((undoOne) => undoOne());
  }
  return { initialize, render };
};
