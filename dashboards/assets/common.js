// What all pages share: the data, the state in the address, filters, tables, figures.
"use strict";

const data = window.LENGTHWISE;
const QUALITY = -1;
const GLYPHS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", "triangle-down": "▼", cross: "✚", star: "★", x: "✖" };
const NOT_RUN = new Set(["unsupported", "skipped"]);
const DIMENSIONS = [
  ["task", "Task"], ["source", "Source"], ["options", "Task options"], ["model_size", "Size"],
  ["budget", "Budget"], ["batch", "Batch"], ["precision", "Precision"], ["backend", "Backend"],
  ["machine", "Machine"], ["threads", "Threads"],
];

// ---- elements; text only ever goes in as text ----
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "className") node.className = value;
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Plotly reads a little HTML in texts: a name must not be any.
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// ---- the state, kept in the address ----
const state = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
function address(page, values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return `${page}.html#${new URLSearchParams(kept)}`;
}
function change(values) {
  const page = location.pathname.split("/").pop().replace(".html", "") || "index";
  history.replaceState(null, "", address(page, { ...state(), ...values }));
  draw();
}

// ---- numbers ----
function say(value, digits = 4) {
  if (value === null || value === undefined) return "—";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
}
// The same gap seen from the other side: a difference changes its sign, a ratio is turned over.
function turned({ value, low, high }, isRatio) {
  const turn = (end) => (end === null ? null : isRatio ? 1 / end : -end);
  return { value: turn(value), low: turn(high), high: turn(low) };
}
function sayInterval(point, scale = 1) {
  if (!point || point.value === null) return "—";
  const value = say(point.value / scale);
  const interval = point.low === null ? "" : ` [${say(point.low / scale)}, ${say(point.high / scale)}]`;
  return value + interval + (point.noisy ? " noisy" : "");
}

// ---- the frame ----
const measureOf = (number, comparison) =>
  number === QUALITY
    ? { key: "quality", title: `Test ${comparison.metric}`, unit: "", scale: 1,
        higher_is_better: comparison.higher_is_better }
    : data.measures[number];
const numberOf = (key) => (key === "quality" ? QUALITY : data.measures.findIndex((m) => m.key === key));

const known = new Map();
function recordsOf(comparison) {
  if (known.has(comparison)) return known.get(comparison);
  const r = data.records;
  const found = [];
  known.set(comparison, found);
  for (let i = 0; i < r.comparison.length; i += 1) {
    if (r.comparison[i] === comparison) {
      found.push({ line: r.line[i], length: r.sequence_length[i], batch: r.batch_size[i],
        repeat: r.repeat[i], status: r.status.texts[r.status.at[i]],
        reason: r.reason.texts[r.reason.at[i]], run: r.run_id[i],
        values: [...data.measures.map((m) => r[m.key][i]), r.quality[i]] });
    }
  }
  return found;
}

// The points of one comparison: pooled over repeats, or those of one seed, which have no interval.
function pointsOf(comparison, repeat) {
  if (repeat !== undefined && repeat !== "") {
    const found = [];
    for (const record of recordsOf(comparison)) {
      if (String(record.repeat) !== repeat || record.status !== "ok") continue;
      record.values.forEach((value, place) => {
        const measure = place === data.measures.length ? QUALITY : place;
        if (value !== null) {
          found.push({ line: record.line, length: record.length, batch: record.batch, measure,
            value, low: null, high: null, n: 1, noisy: 0 });
        }
      });
    }
    return found;
  }
  const p = data.points;
  const found = [];
  for (let i = 0; i < p.comparison.length; i += 1) {
    if (p.comparison[i] === comparison) {
      found.push({ line: p.line[i], length: p.sequence_length[i], batch: p.batch_size[i],
        measure: p.measure[i], value: p.value[i], low: p.low[i], high: p.high[i], n: p.n[i],
        noisy: p.noisy[i] });
    }
  }
  return found;
}

// ---- filters: each narrows the comparisons; one comparison is shown ----
const sizes = data.comparisons.map(() => 0);
for (const number of data.points.comparison) sizes[number] += 1;

function chosen(values, allowed = () => true) {
  const fits = data.comparisons
    .map((comparison, number) => ({ comparison, number }))
    .filter(({ comparison }) => allowed(comparison));
  const matching = fits.filter(({ comparison }) =>
    DIMENSIONS.every(([name]) => !(name in values) || String(comparison[name]) === values[name]));
  const shown = matching.find(({ comparison }) => comparison.title === values.comparison)
    // Without a wish the one with most points is shown: it has most to say.
    || [...matching].sort((a, b) => sizes[b.number] - sizes[a.number])[0];
  return { fits, matching, shown };
}

function select(label, options, value, change, wide = false) {
  const list = el("select", { onchange: (event) => change(event.target.value) },
    ...options.map(([text, key]) => el("option", { value: key, selected: String(key) === String(value) }, text)));
  return el("label", { className: wide ? "wide" : "" }, label, list);
}

function filterBar(values, found, extras = []) {
  const bar = el("form", { className: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() });
  for (const [name, label] of DIMENSIONS) {
    const options = [...new Set(found.fits.map(({ comparison }) => String(comparison[name])))];
    if (options.length > 1 || name in values) {
      bar.append(select(label, [["all", ""], ...options.map((o) => [o || "none", o])], values[name] ?? "",
        (value) => change({ [name]: value, comparison: "" })));
    }
  }
  if (found.matching.length > 1) {
    bar.append(select(`Comparison (${found.matching.length} match)`,
      found.matching.map(({ comparison }) => [comparison.title + (comparison.mode === "probe" ? "" : ` · costs of ${comparison.machine}`), comparison.title]),
      found.shown?.comparison.title, (value) => change({ comparison: value }), true));
  }
  bar.append(...extras);
  if (found.shown) bar.append(linePicker(values, found.shown.number));
  return bar;
}

// The lines of which at least one cell could run.
const linesOf = (comparison) => [...new Set(recordsOf(comparison)
  .filter((record) => !NOT_RUN.has(record.status)).map((record) => record.line))].sort((a, b) => a - b);

function hiddenLines(values) {
  const names = new Set((values.without || "").split("|").filter(Boolean));
  return new Set(data.lines.flatMap((line, number) => (names.has(line.name) ? [number] : [])));
}

// The lines to draw, which is the legend too.
function linePicker(values, comparison) {
  const hidden = hiddenLines(values);
  return el("fieldset", { className: "lines" }, el("legend", {}, "Lines"),
    ...linesOf(comparison).map((number) => {
      const line = data.lines[number];
      const box = el("input", { type: "checkbox", checked: !hidden.has(number), onchange: (event) => {
        const names = new Set((state().without || "").split("|").filter(Boolean));
        if (event.target.checked) names.delete(line.name); else names.add(line.name);
        change({ without: [...names].join("|") });
      } });
      const swatch = el("span", { className: "swatch", "aria-hidden": "true" }, GLYPHS[line.symbol] ?? "⬢");
      swatch.style.color = line.color;
      return el("label", {}, box, swatch, line.name);
    }));
}

function seedPicker(values, comparison) {
  const repeats = [...new Set(recordsOf(comparison).map((record) => record.repeat))].sort((a, b) => a - b);
  const word = data.comparisons[comparison].mode === "probe" ? "Round" : "Seed";
  return select(word, [["all, with intervals", ""], ...repeats.map((r) => [String(r), String(r)])],
    values.repeat ?? "", (value) => change({ repeat: value }));
}

// ---- tables ----
// A cell is a text, a node, or {text, className, node}; columns of `texts` and `long` are aligned left, `long` ones wrap.
function table(head, rows, { caption = "", texts = [], long = [], classes = [] } = {}) {
  const aligned = (place) => (long.includes(place) ? "text long" : texts.includes(place) ? "text" : "");
  const body = rows.map((row, index) => el("tr", { className: classes[index] || "" }, ...row.map((cell, place) => {
    const content = cell !== null && typeof cell === "object" && !(cell instanceof Node) ? cell : { text: cell };
    const inner = content.node ?? (content.text instanceof Node ? content.text : String(content.text ?? "—"));
    return el("td", { className: `${aligned(place)} ${content.className || ""}` }, inner);
  })));
  return el("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" },
    el("table", {}, caption ? el("caption", {}, caption) : null,
      el("thead", {}, el("tr", {}, ...head.map((text, place) => el("th", { className: aligned(place), scope: "col" }, text)))),
      el("tbody", {}, ...body)));
}

function runLink(run, text) { return el("a", { href: address("run", { run }) }, text ?? run); }

// ---- figures ----
function download(name, rows) {
  const quote = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replace(/"/g, '""')}"` : String(value ?? ""));
  const text = `${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function figure({ title, caption, traces, layout = {}, rows, name, tall = false }) {
  const plot = el("div", { className: tall ? "plot tall" : "plot", role: "img", "aria-label": `${title}. ${caption}` });
  const node = el("figure", {}, el("h3", {}, title), plot, el("figcaption", {}, caption),
    el("div", { className: "tools" },
      el("button", { type: "button", "aria-label": `${title} as CSV`, onclick: () => download(name, rows) }, "CSV")));
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const rule = style.getPropertyValue("--rule").trim();
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true };
  const full = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 },
    margin: { l: 55, r: 15, t: 10, b: 45 }, showlegend: false, hovermode: "closest", dragmode: false, ...layout,
  };
  for (const key of ["xaxis", "yaxis"]) full[key] = { ...axis, ...layout[key] };
  // Drawn once it stands in the page, where it has a size.
  queueMicrotask(() => Plotly.newPlot(plot, traces, full, { displayModeBar: false, responsive: true }));
  return node;
}

function translucent(color, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

function lengthAxis(lengths) {
  const sorted = [...new Set(lengths)].sort((a, b) => a - b);
  let last = 0;  // labels that would touch each other are left out
  const text = sorted.map((length) => {
    if (length < last * 1.6) return "";
    last = length;
    return String(length);
  });
  const pad = 0.08;
  return { type: "log", tickvals: sorted, ticktext: text, title: { text: "sequence length" },
    range: sorted.length ? [Math.log10(sorted[0]) - pad, Math.log10(sorted[sorted.length - 1]) + pad] : undefined };
}

function valueAxis(values, measure, wantsLog) {
  const known = values.filter((value) => value !== null && value > 0);
  const most = Math.max(...known);
  const least = Math.min(...known);
  const title = { text: measure.unit || measure.title.replace("Test ", "") };
  if (!(wantsLog && known.length && most / least > 5)) {
    // Quality is drawn over the range that it has: from zero all lines would be one.
    return measure.key === "quality" ? { title } : { title, rangemode: "tozero" };
  }
  const ticks = [];
  for (let decade = Math.floor(Math.log10(least)); decade <= Math.ceil(Math.log10(most)); decade += 1) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** decade);
  }
  return { title, type: "log", tickvals: ticks, ticktext: ticks.map((tick) => say(tick)) };
}

// A measure against length: a line each with its band; hollow where n is 1; ✕ where a cell went wrong.
function lengthFigure(comparison, number, values) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const hidden = hiddenLines(values);
  const points = pointsOf(comparison, values.repeat).filter((p) => p.measure === number && !hidden.has(p.line));
  const records = recordsOf(comparison);
  const traces = [];
  const shown = linesOf(comparison).filter((l) => !hidden.has(l));
  // At a single length the lines would stand in one another: they stand side by side, within the axis.
  const apart = Math.min(0.1, 0.4 / shown.length);
  const single = new Set(points.map((p) => p.length)).size === 1;
  for (const [place, lineNumber] of shown.entries()) {
    const line = data.lines[lineNumber];
    const aside = single ? 2 ** (apart * (place - (shown.length - 1) / 2)) : 1;
    const own = points.filter((p) => p.line === lineNumber).sort((a, b) => a.length - b.length);
    const sure = own.filter((p) => p.low !== null);
    if (sure.length > 1) {
      traces.push({ x: [...sure.map((p) => p.length), ...sure.map((p) => p.length).reverse()],
        y: [...sure.map((p) => p.high / measure.scale), ...sure.map((p) => p.low / measure.scale).reverse()],
        fill: "toself", fillcolor: translucent(line.color, 0.16), line: { width: 0 }, hoverinfo: "skip",
        mode: "lines", type: "scatter" });
    }
    traces.push({ x: own.map((p) => p.length * aside), y: own.map((p) => p.value / measure.scale), mode: "lines+markers",
      type: "scatter", name: plain(line.name), line: { color: line.color, width: 2, dash: line.dash },
      marker: { color: line.color, size: 9, symbol: own.map((p) => line.symbol + (p.n === 1 || p.noisy ? "-open" : "")) },
      error_y: sure.length === 1 ? { type: "data", symmetric: false, color: line.color,
        array: own.map((p) => (p.low === null ? 0 : (p.high - p.value) / measure.scale)),
        arrayminus: own.map((p) => (p.low === null ? 0 : (p.value - p.low) / measure.scale)) } : undefined,
      text: own.map((p) => `${plain(line.name)} at ${p.length}: ${sayInterval(p, measure.scale)} ${measure.unit} (n=${p.n})`),
      hovertemplate: "%{text}<extra></extra>" });
  }
  const bad = records.filter((r) => r.status !== "ok" && !NOT_RUN.has(r.status) && !hidden.has(r.line));
  const annotations = [...new Set(bad.map((r) => r.length))].map((length) => ({
    x: Math.log10(length), xref: "x", y: 0, yref: "y domain", text: "✕", showarrow: false,
    yanchor: "bottom", font: { color: "#D00020", size: 15 },
    hovertext: [...new Set(bad.filter((r) => r.length === length)
      .map((r) => plain(`${data.lines[r.line].name}: ${r.status}`)))].join("<br>") }));
  const reach = points.flatMap((p) => [p.value, p.low ?? p.value]).map((v) => v / measure.scale);
  const most = Math.max(0, ...points.map((p) => p.n));
  const where = number === QUALITY ? "" : ` ${about.machine}, ${about.threads} thread${about.threads > 1 ? "s" : ""}.`;
  const repeats = about.mode === "probe" ? "round" : "seed";
  const noisy = points.some((p) => p.noisy) ? " Hollow too where something else used the machine." : "";
  return figure({ title: measure.title, traces, name: `${about.task}-${measure.key}`,
    caption: `${measure.unit ? `${measure.unit}; ` : ""}${most > 1 ? `mean and 95% interval over up to ${most} ${repeats}s, hollow where n=1` : `one ${repeats}, no interval`}`
      + `; ✕: a cell failed there. Protocol ${about.protocol}.${where}${noisy}`,
    layout: { xaxis: lengthAxis(records.map((r) => r.length)), yaxis: valueAxis(reach, measure, number !== QUALITY), annotations },
    rows: [["line", "sequence_length", "batch_size", measure.key, "low", "high", "n", "noisy"],
      ...points.map((p) => [data.lines[p.line].name, p.length, p.batch, p.value, p.low, p.high, p.n, p.noisy])] });
}

// ---- runs: some in a script, in order of their ids, loaded when one is looked at ----
const loaded = new Map(), asked = new Map();
window.lengthwiseRuns = (records) => records.forEach((record) => loaded.set(record.run_id, record));
function loadRun(run) {
  const [, bundle] = data.bundles.findLast(([first]) => first <= run) ?? [];
  if (!bundle) return Promise.resolve(null);
  if (!asked.has(bundle)) asked.set(bundle, new Promise((done) => {
    document.head.append(el("script", { src: `data/runs/${bundle}.js`, onload: done, onerror: done }));
  }));
  return asked.get(bundle).then(() => loaded.get(run) ?? null);
}

function reproduce({ cell, details }) {
  const parts = ["bench run"];
  const add = (name, value) => { if (value !== null && value !== undefined) parts.push(`--${name} ${value}`); };
  if (cell.mode === "probe") { add("mode", "probe"); add("form", cell.form); add("rounds", cell.round + 1); }
  else { add("task", cell.task); add("data", cell.source === "files" ? "files:DIR" : cell.source); add("seeds", cell.seed); add("budget", cell.budget); }
  add("architectures", cell.architecture); add("lengths", cell.sequence_length); add("batch-size", cell.batch_size);
  add("model-size", cell.model_size); add("precision", cell.precision); add("backend", cell.backend); add("threads", cell.threads);
  // The learning rate always: where it was the task's own, tuning may have chosen another since.
  const rate = details.recipe?.learning_rate;
  for (const [name, value] of Object.entries({ ...(rate && { learning_rate: rate }), ...cell.options })) add("option", `${name}=${value}`);
  return parts.join(" ");
}

// ---- the frame of every page ----
function start(render) {
  window.draw = () => {
    const content = document.getElementById("content");
    const place = window.scrollY;
    const focused = document.activeElement?.closest("label")?.firstChild?.textContent;
    content.replaceChildren(...(data.comparisons.length ? render(state()) : [el("p", {}, "There are no records yet.")]));
    window.scrollTo(0, place);
    // The page was made anew: who works with the keyboard stays where they were.
    for (const label of content.querySelectorAll("label")) {
      if (focused && label.firstChild?.textContent === focused) label.querySelector("select, input")?.focus({ preventScroll: true });
    }
    document.body.dataset.drawn = String(Number(document.body.dataset.drawn || 0) + 1);
  };
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const name = () => { button.textContent = root.dataset.theme === "dark" ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("lengthwise-theme", root.dataset.theme); } catch { /* forbidden: for this page only */ }
    name();
    window.draw();
  });
  name();
  // Links between pages keep the comparison that is looked at.
  document.querySelector("header nav").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) {
      const { run, a, b, ...kept } = state();
      link.href = address(link.getAttribute("href").split(".html")[0], kept);
    }
  });
  window.addEventListener("hashchange", window.draw);
  window.draw();
}
