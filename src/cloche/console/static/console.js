// What htmx does not do: refreshes that leave alone what has not changed, charts, logs that stay at the end, live
// requests, and the keyboard. Everything is found by data-* attributes; nothing here knows a page.
"use strict";

const COLOURS = ["#0e9f8e", "#d9822b", "#7a5cd6", "#d0456b", "#3b82c4", "#8a9a2f"];

// --- charts: <figure data-chart='{"title", "x", "x_is", "x_labels", "x_log", "bars", "stacked", "series": [{"label", "values", "own", "marks"}]}'> -------------------------
function ink(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

const drawn = new WeakMap();
function lines(chart) { return [chart.x, ...chart.series.map((line) => line.values)]; }

function draw(figure) {
  const chart = JSON.parse(figure.dataset.chart);
  if (!chart.x.length) return;
  const labels = chart.series.map((line) => line.label).join("\n");
  const old = drawn.get(figure);
  if (old && old.labels === labels) { old.plot.setData(lines(chart)); return; }
  if (old) old.plot.destroy();
  const axis = { stroke: ink("--dim"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
  const few = (plot, n) => plot.data[n].reduce((count, v) => count + (v !== null), 0) < 30;
  // What lies in a stack is drawn as a sum, and told as what it is itself.
  const own = (n, at) => JSON.parse(figure.dataset.chart).series[n - 1].own[at];
  const said = (_, sum, n, at) => { const v = chart.stacked && at != null ? own(n, at) : sum; return v == null ? "–" : Number(v.toPrecision(6)).toString(); };
  const series = chart.series.map((line, n) => ({
    label: line.label, stroke: COLOURS[n % COLOURS.length], width: 1.8, points: { show: line.marks ? true : few, size: line.marks ? 7 : 5 }, value: said,
    ...(line.marks ? { paths: () => null } : {}),
    ...(chart.stacked ? { points: { show: false }, ...(n === chart.series.length - 1 ? { fill: `${COLOURS[n % COLOURS.length]}66` } : {}) } : {}),
    ...(chart.bars ? { paths: uPlot.paths.bars({ size: [0.7, 60] }), fill: `${COLOURS[n % COLOURS.length]}66`, points: { show: false } } : {}),
  }));
  const isTime = chart.x_is === "time";
  const words = chart.x_labels?.length ? { values: (_, ticks) => ticks.map((tick) => chart.x_labels[tick] ?? "") } : {};
  const plot = new uPlot({
    width: figure.clientWidth - 26, height: 200, scales: { x: { time: isTime, distr: chart.x_log ? 3 : 1, range: chart.bars ? aroundBars : fromFirstToLast }, ...(chart.bars || chart.stacked ? { y: { range: (_, low, high) => [Math.min(0, low), Math.max(high, 0) * 1.05 || 1] } } : {}) },
    bands: chart.stacked ? chart.series.slice(1).map((_, n) => ({ series: [n + 1, n + 2], fill: `${COLOURS[n % COLOURS.length]}66` })) : [],
    axes: [{ ...axis, ...(isTime ? { values: clock } : words) }, { ...axis, size: 58 }],
    series: [isTime ? { label: "at", value: (plot, v) => (v == null ? "–" : `${plot.scales.x.max - plot.scales.x.min > 86400 ? `${day(v)} ` : ""}${hour(v, true)}`) } : { label: chart.x_is, ...(words.values ? { value: (_, v) => (v == null ? "–" : chart.x_labels[v] ?? v) } : {}) }, ...series],
  }, lines(chart), figure);
  drawn.set(figure, { plot, labels });
}

// The first and the last bar are as wide as the others.
function aroundBars(plot, low, high) {
  if (plot.data[0].length < 2) return aroundOne(plot);
  const half = ((high - low) / (plot.data[0].length - 1)) * 0.6;
  return [low - half, high + half];
}

function fromFirstToLast(plot, low, high) {
  if (plot.data[0].length < 2) return aroundOne(plot);
  return plot.scales.x.distr === 3 ? uPlot.rangeLog(low, high, 10, false) : [low, high];
}

// Where there is one, uPlot would show a thousand days from it on.
function aroundOne(plot) {
  const x = plot.data[0][0];
  if (plot.scales.x.distr === 3) return [x / 2, x * 2];
  const half = plot.scales.x.time ? 1800 : 0.6;
  return [x - half, x + half];
}

function hour(at, seconds) { return new Date(at * 1000).toTimeString().slice(0, seconds ? 8 : 5); }
function day(at) { return new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" }); }
function clock(plot, ticks) {
  const span = plot.scales.x.max - plot.scales.x.min;
  return ticks.map((at) => (span > 86400 && new Date(at * 1000).getHours() === 0 ? day(at) : hour(at, span < 300)));
}

function dress(root) {
  root.querySelectorAll("[data-chart]").forEach((figure) => { if (!drawn.has(figure)) draw(figure); });
}

let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(redraw, 150);
});
// The inks of the axes are fixed when a chart is made.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
function redraw() {
  document.querySelectorAll("[data-chart]").forEach((figure) => {
    drawn.get(figure)?.plot.destroy();
    drawn.delete(figure);
    draw(figure);
  });
}

// --- refreshes: hx-swap="patch" changes what differs and leaves the rest: focus, selection, places, open details ---
const KEPT = new Set(["open", "value"]);
function key(node) { return node.id || node.dataset?.href || node.dataset?.key || ""; }

function patch(live, wanted) {
  if (live.nodeType !== Node.ELEMENT_NODE) {
    if (live.data === wanted.data) return;
    if (wanted.data.startsWith(live.data)) live.appendData(wanted.data.slice(live.data.length));
    else live.data = wanted.data;
    return;
  }
  const wasAt = live.classList.contains("at");
  for (const { name } of [...live.attributes]) if (!wanted.hasAttribute(name) && !KEPT.has(name)) live.removeAttribute(name);
  for (const { name, value } of wanted.attributes) if (live.getAttribute(name) !== value && !KEPT.has(name)) live.setAttribute(name, value);
  if (wasAt) live.classList.add("at");
  if (live.dataset.chart !== undefined) { draw(live); return; }
  if (live.matches("pre.log")) patchLog(live, wanted);
  else patchChildren(live, wanted);
}

function patchChildren(live, wanted) {
  const keyed = new Map([...live.children].filter(key).map((child) => [key(child), child]));
  let at = live.firstChild;
  for (const want of [...wanted.childNodes]) {
    let have = at;
    if (key(want)) {
      have = keyed.get(key(want));
      if (have && have !== at) live.insertBefore(have, at);
    }
    if (have && have.nodeName === want.nodeName && key(have) === key(want)) {
      patch(have, want);
      at = have.nextSibling;
    } else live.insertBefore(want, at);
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// A log stays where its reader is, and at its end if that is where the reader is. Selected text stays selected.
function patchLog(live, wanted) {
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(live, true)) return;
  const isAtEnd = live.scrollHeight - live.scrollTop - live.clientHeight < 30;
  patchChildren(live, wanted);
  if (isAtEnd) live.scrollTop = live.scrollHeight;
}

htmx.defineExtension("patch", {
  isInlineSwap: () => false,
  handleSwap(style, target, fragment) {
    if (style !== "patch") return false;
    patchChildren(target, fragment);
    dress(target);
    return [target];
  },
});
document.addEventListener("htmx:beforeRequest", (event) => {
  // A page nobody looks at asks for nothing.
  if (document.hidden && event.detail.requestConfig.verb === "get") event.preventDefault();
});

// What a button or a form brought in.
document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) dress(event.detail.elt.parentElement ?? document); });

// --- live requests ---------------------------------------------------------------------------------------------------
function cell(row, text, kind) {
  const td = document.createElement("td");
  if (kind) td.className = kind;
  td.textContent = text;
  row.append(td);
  return td;
}

function listen(body) {
  const source = new EventSource(body.dataset.live);
  source.onmessage = (event) => {
    const served = JSON.parse(event.data);
    const row = document.createElement("tr");
    const at = new Date(served.at * 1000);
    cell(row, at.toTimeString().slice(0, 8), "number").title = served.id;
    const service = cell(row, served.service);
    if (served.passed_on) service.title = "passed on to " + served.passed_on;
    cell(row, served.operation);
    const badge = document.createElement("span");
    badge.className = "badge " + (served.status < 400 ? "good" : "bad");
    badge.textContent = served.status;
    cell(row, "").append(badge, " " + served.code);
    cell(row, served.milliseconds.toFixed(1) + " ms", "number");
    body.querySelector(".empty")?.parentElement.remove();
    body.prepend(row);
    while (body.rows.length > 300) body.deleteRow(-1);
  };
}

// --- keyboard ----------------------------------------------------------------------------------------------------------
let afterG = false;
function rows() { return [...document.querySelectorAll("tr[data-href]")]; }
function move(step) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("at"));
  all.forEach((row) => row.classList.remove("at"));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  next.classList.add("at");
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, dialog[open]")) return;
  if (afterG) {
    afterG = false;
    document.querySelector(`header nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  const at = document.querySelector("tr.at");
  if (event.key === "g") afterG = true;
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && at && event.target === document.body) location.href = at.dataset.href;
  else if (event.key === "?") document.getElementById("keys").showModal();
  else if (event.key === "/" && document.querySelector("[data-search]")) { document.querySelector("[data-search]").focus(); event.preventDefault(); }
});
document.addEventListener("click", (event) => {
  const shows = event.target.closest("[data-show]");
  if (shows) document.getElementById(shows.dataset.show).showModal();
});

dress(document);
document.querySelectorAll("pre.log[id]").forEach((log) => { log.scrollTop = log.scrollHeight; });
document.querySelectorAll("[data-live]").forEach(listen);
