// What htmx does not do: charts that keep their place when their data changes, logs that stay at the end, live
// requests, and the keyboard. Everything is found by data-* attributes; nothing here knows a page.
"use strict";

const COLOURS = ["#0e9f8e", "#d9822b", "#7a5cd6", "#d0456b", "#3b82c4", "#8a9a2f"];

// --- charts: <figure data-chart='{"title", "x", "x_is", "series": [{"label", "values"}]}'> -------------------------
function ink(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function draw(figure) {
  const chart = JSON.parse(figure.dataset.chart);
  if (!chart.x.length) return;
  const axis = { stroke: ink("--dim"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
  const series = chart.series.map((line, n) => ({
    label: line.label, stroke: COLOURS[n % COLOURS.length], width: 1.8, points: { show: line.values.filter((v) => v !== null).length < 30 },
    value: (_, v) => (v == null ? "–" : Number(v.toPrecision(6)).toString()),
  }));
  new uPlot({
    width: figure.clientWidth - 26, height: 200, scales: { x: { time: chart.x_is === "time" } },
    axes: [{ ...axis }, { ...axis, size: 58 }],
    series: [{ label: chart.x_is === "time" ? "at" : chart.x_is }, ...series],
  }, [chart.x, ...chart.series.map((line) => line.values)], figure);
}

function dress(root) {
  root.querySelectorAll("[data-chart]").forEach((figure) => { if (!figure.querySelector(".uplot")) draw(figure); });
  root.querySelectorAll("pre.log[id]").forEach((log) => {
    const kept = places.get(log.id);
    log.scrollTop = kept === undefined ? log.scrollHeight : kept;
  });
}

// --- logs: stay where the reader is; at the end, stay at the end ----------------------------------------------------
const places = new Map();
document.addEventListener("htmx:beforeSwap", () => {
  document.querySelectorAll("pre.log[id]").forEach((log) => {
    const end = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    if (end) places.delete(log.id); else places.set(log.id, log.scrollTop);
  });
});
document.addEventListener("htmx:afterSwap", (event) => {
  dress(event.target);
  if (event.target.id === "job" && !event.target.querySelector(".badge.moving")) event.target.removeAttribute("hx-get");
});
document.addEventListener("htmx:beforeRequest", (event) => {
  // A finished job is not asked for again, and a page nobody looks at asks for nothing.
  const polls = event.detail.requestConfig.verb === "get";
  if (polls && (document.hidden || !event.target.hasAttribute("hx-get"))) event.preventDefault();
});

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
    cell(row, served.service);
    cell(row, served.operation);
    const badge = document.createElement("span");
    badge.className = "badge " + (served.status < 400 ? "good" : "bad");
    badge.textContent = served.status;
    cell(row, "").append(badge, " " + served.code);
    cell(row, served.milliseconds.toFixed(1) + " ms", "number");
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
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, dialog")) return;
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
  else if (event.key === "/") { document.querySelector("[data-search]")?.focus(); event.preventDefault(); }
});
document.addEventListener("click", (event) => {
  const shows = event.target.closest("[data-show]");
  if (shows) document.getElementById(shows.dataset.show).showModal();
});

dress(document);
document.querySelectorAll("[data-live]").forEach(listen);
