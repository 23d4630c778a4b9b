// Trade-offs: quality against cost, cost against length, crossings, limits, all tasks together.
"use strict";

const findings = window.LENGTHWISE_FINDINGS;
const lineNumber = new Map(data.lines.map((line, number) => [line.name, number]));
const GIB = 2 ** 30;

// Quality against one cost; the front joins the points that no other beats in both.
function againstCost(comparison, costNumber, values) {
  const about = data.comparisons[comparison];
  const cost = data.measures[costNumber];
  const hidden = hiddenLines(values);
  const all = pointsOf(comparison, values.repeat).filter((p) => !hidden.has(p.line));
  const pairs = all.filter((p) => p.measure === QUALITY).flatMap((quality) => {
    const at = all.find((p) => p.measure === costNumber && p.line === quality.line && p.length === quality.length && p.batch === quality.batch);
    return at ? [{ line: quality.line, length: quality.length, x: at.value / cost.scale, y: quality.value, low: quality.low, high: quality.high, noisy: at.noisy }] : [];
  });
  const better = (a, b, higher) => (higher ? a >= b : a <= b);
  const front = pairs.filter((p) => !pairs.some((q) => q !== p && better(q.x, p.x, cost.higher_is_better)
    && better(q.y, p.y, about.higher_is_better) && (q.x !== p.x || q.y !== p.y))).sort((p, q) => p.x - q.x);
  const traces = [{ x: front.map((p) => p.x), y: front.map((p) => p.y), mode: "lines", line: { color: "#888", dash: "dot", width: 2 }, hoverinfo: "skip", type: "scatter" }];
  for (const number of [...new Set(pairs.map((p) => p.line))]) {
    const line = data.lines[number];
    const own = pairs.filter((p) => p.line === number).sort((p, q) => p.length - q.length);
    traces.push({ x: own.map((p) => p.x), y: own.map((p) => p.y), mode: "markers+text", type: "scatter",
      text: own.map((p) => String(p.length)), textposition: "top center", textfont: { size: 10 },
      marker: { color: line.color, symbol: own.map((p) => line.symbol + (p.noisy ? "-open" : "")), size: 10 },
      error_y: { type: "data", symmetric: false, color: line.color, thickness: 1, array: own.map((p) => (p.high === null ? 0 : p.high - p.y)), arrayminus: own.map((p) => (p.low === null ? 0 : p.y - p.low)) },
      customdata: own.map((p) => `${plain(line.name)} at ${p.length}: ${say(p.y)}, ${say(p.x)} ${cost.unit}`), hovertemplate: "%{customdata}<extra></extra>" });
  }
  return figure({ title: `Test ${about.metric} against ${cost.title.toLowerCase()}`, traces, tall: true, name: `${about.task}-against-${cost.key}`,
    caption: `Labels are sequence lengths, bars 95% intervals of quality. The dotted front joins what nothing else beats in both. Cost on ${about.machine}.${pairs.some((p) => p.noisy) ? " Hollow: something else used the machine while cost was measured." : ""}`,
    layout: { xaxis: { ...valueAxis(pairs.map((p) => p.x), cost, true) }, yaxis: { title: { text: about.metric } } },
    rows: [["line", "sequence_length", cost.key, about.metric, "low", "high"], ...pairs.map((p) => [data.lines[p.line].name, p.length, p.x * cost.scale, p.y, p.low, p.high])] });
}

function heatMap(comparison, number, values) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const hidden = hiddenLines(values);
  const points = pointsOf(comparison, values.repeat).filter((p) => p.measure === number && !hidden.has(p.line));
  const lengths = [...new Set(recordsOf(comparison).map((r) => r.length))].sort((a, b) => a - b);
  const lines = linesOf(comparison).filter((l) => !hidden.has(l)).reverse();
  const at = (line, length) => points.find((p) => p.line === line && p.length === length);
  const z = lines.map((line) => lengths.map((length) => { const p = at(line, length); return p ? p.value / measure.scale : null; }));
  const flat = z.flat().filter((value) => value !== null);
  const log = number !== QUALITY && Math.min(...flat) > 0;
  const status = (line, length) => recordsOf(comparison).find((r) => r.line === line && r.length === length && r.status !== "ok")?.status ?? "not run";
  return figure({ title: `${measure.title} by architecture and length`, tall: true, name: `${about.task}-${measure.key}-map`,
    caption: `${measure.unit || measure.key}; means. ${log ? "Colours by logarithm. " : ""}Darker is ${measure.higher_is_better ? "better" : "worse"}. Cells without a figure say why.`,
    traces: [{ type: "heatmap", x: lengths.map(String), y: lines.map((l) => plain(data.lines[l].name)), z: log ? z.map((row) => row.map((v) => (v === null ? null : Math.log10(v)))) : z,
      text: lines.map((line, i) => lengths.map((length, j) => (z[i][j] === null ? plain(status(line, length)) : say(z[i][j], 3)))),
      texttemplate: "%{text}", textfont: { color: "#111" }, hovertemplate: "%{y} at %{x}: %{text}<extra></extra>", colorscale: [[0, "#f4f8fd"], [1, "#74a9dc"]], showscale: false, xgap: 2, ygap: 2 }],
    layout: { xaxis: { title: { text: "sequence length" }, type: "category" }, yaxis: { type: "category" } },
    rows: [["line", ...lengths], ...lines.map((line, i) => [data.lines[line].name, ...z[i]])] });
}

function growth(comparison) {
  const rows = findings.growth.filter((item) => item[0] === comparison);
  if (!rows.length) return [];
  return [el("h2", {}, "Growth with length"), el("p", { className: "note" },
    "The exponent p where the cost of one sequence is a fixed part and one that grows as n to the p, with its 95% interval from the rounds and the fit, beside what the architecture claims. Memory is judged one sequence at a time alone. An exponent above its claim beyond the interval and 0.15 is marked."),
  table(["line", "measure", "exponent [95%]", "rounds", "lengths", "claims"], rows.map(([, line, measure, value, low, high, rounds, first, last, claim, contradicted]) => [
    line, measure, { text: value === null ? "no growth to fit" : sayInterval({ value, low, high }, 1), className: contradicted ? "bad" : "" }, rounds, `${first} to ${last}`, claim ? `O(${claim})` : "—"]), { texts: [0, 1] })];
}

// Three digits say all that rounds can tell of a ratio, and leave room for the columns.
const rounded = (gap) => gap && Object.fromEntries(Object.entries(gap).map(([end, value]) => [end, value === null ? null : Number(value.toPrecision(3))]));

// The same cells on other backends, in other precisions: all seen from the first, and the first from each.
function otherWays(comparison, hidden) {
  const measures = data.measures.filter(({ key }) => findings.ways.some((item) => item[4] === key));
  const cells = new Map();
  for (const [other, base, line, length, measure, value, low, high, , apart] of findings.ways) {
    if (hidden.has(lineNumber.get(line)) || (comparison !== other && comparison !== base)) continue;
    const { backend, precision } = data.comparisons[comparison === base ? other : base];
    const key = [length, line, backend, precision].join();
    if (!cells.has(key)) cells.set(key, { length, line, backend, precision, apart, gaps: {} });
    cells.get(key).gaps[measure] = comparison === base ? { value, low, high } : turned({ value, low, high }, true);
  }
  if (!cells.size) return [];
  const rows = [...cells.values()].sort((a, b) => a.length - b.length || lineNumber.get(a.line) - lineNumber.get(b.line));
  const about = data.comparisons[comparison];
  return [el("h2", {}, "On other backends, in other precisions"), el("p", { className: "note" },
    `So many times what the same cell has on ${about.backend} in ${about.precision}: geometric means over rounds, with their 95% intervals. The machine's drift is in what ran hours apart.`),
  table(["length", "line", "backend", "precision", ...measures.map(({ title }) => title), "hours apart"],
    rows.map(({ length, line, backend, precision, apart, gaps }) => [length, line, backend, precision, ...measures.map(({ key }) => sayInterval(rounded(gaps[key]))), apart.toFixed(1)]), { texts: [1, 2, 3] })];
}

// Beyond the lengths that were measured nobody knows: there an interval ends, or says nothing at all.
function place(value, low, high, first, last) {
  if (low === null) return `${say(value)} (no interval: rounds are missing)`;
  if (low < first && high > last) return "unsure: too few rounds, too little apart";
  return `${say(value)} [${low < first ? `below ${first}` : say(low)}, ${high > last ? `above ${last}` : say(high)}]`;
}

function crossings(comparison, hidden) {
  const rows = findings.crossings.filter((item) => item[0] === comparison && !hidden.has(lineNumber.get(item[2])) && !hidden.has(lineNumber.get(item[3])));
  const crossed = rows.filter((item) => item[4] !== null);
  if (!rows.length) return [];
  const never = rows.filter((item) => item[4] === null);
  return [el("h2", {}, "Crossovers"), el("p", { className: "note" }, "From which length on the second is better than the first, between the lengths that were measured; `bench crossover` finds it within 5%."),
    crossed.length ? table(["first", "is overtaken by", "in", "at length [95%]"], crossed.map(([, measure, behind, ahead, value, low, high, first, last]) => [behind, ahead, measure, place(value, low, high, first, last)]), { texts: [0, 1, 2] })
      : el("p", {}, "No two lines cross."),
    el("details", {}, el("summary", {}, `${never.length} pairs that do not cross`),
      table(["stays ahead", "of", "in", "up to"], never.map(([, measure, behind, ahead, , , , , last]) => [behind, ahead, measure, last]), { texts: [0, 1, 2] }))];
}

// The longest measured length that a budget of memory affords; the bar is open where longer ones may fit too.
function limits(comparison, values) {
  const about = data.comparisons[comparison];
  const budget = Number(values.gib || 0) * GIB || Infinity;
  const hidden = hiddenLines(values);
  const points = pointsOf(comparison, "").filter((p) => p.measure === 1);
  const records = recordsOf(comparison);
  const lengths = [...new Set(records.map((r) => r.length))].sort((a, b) => a - b);
  const bars = linesOf(comparison).filter((l) => !hidden.has(l)).map((line) => {
    const fits = points.filter((p) => p.line === line && p.value <= budget).map((p) => p.length);
    const longest = Math.max(0, ...fits);
    const next = lengths.find((length) => length > longest);
    const failed = records.find((r) => r.line === line && r.length === next && r.status !== "ok");
    const over = points.find((p) => p.line === line && p.length === next);
    const why = next === undefined ? "the longest measured" : failed ? `${next}: ${failed.status}` : over ? `${next} takes ${say(over.value / 2 ** 20)} MiB` : `${next} was not run`;
    return { line, longest, why };
  });
  return figure({ title: `Longest sequence within ${budget === Infinity ? "any memory" : `${values.gib} GiB`}`, tall: true, name: `${about.task}-limits`,
    caption: `Of the lengths that were measured, in training, ${about.batch}, on ${about.machine}. What comes next is said at the bar; \`bench frontier\` finds the limit itself.`,
    traces: [{ type: "bar", orientation: "h", y: bars.map((b) => plain(data.lines[b.line].name)), x: bars.map((b) => b.longest), text: bars.map((b) => plain(`${b.longest}; ${b.why}`)),
      textposition: "auto", marker: { color: bars.map((b) => data.lines[b.line].color) }, hovertemplate: "%{y}: %{text}<extra></extra>" }],
    layout: { xaxis: { title: { text: "sequence length" }, rangemode: "tozero" }, yaxis: { type: "category", autorange: "reversed" } },
    rows: [["line", "longest", "next"], ...bars.map((b) => [data.lines[b.line].name, b.longest, b.why])] });
}

function profiles() {
  const { shares, lines, means } = findings.profile;
  const names = Object.keys(lines);
  if (!names.some((name) => means[name][1] >= 3)) return [];  // of one or two comparisons it says nothing
  const style = (name) => data.lines[lineNumber.get(name)] ?? { color: "#777777", dash: "solid" };
  const n = names.map((name) => means[name][1]);
  return [el("h2", {}, "All tasks together"), figure({ title: "Performance profile", tall: true, name: "profile",
    caption: `In which part of the comparisons of quality (task, data, budget, length) a line reaches a share of the best; where less is better, as of bits, the best's is a share of the line's. n is ${Math.min(...n)} to ${Math.max(...n)} comparisons a line.`,
    traces: names.map((name) => ({ x: shares, y: lines[name], type: "scatter", mode: "lines", name: plain(name), line: { color: style(name).color, dash: style(name).dash, width: 2, shape: "hv" },
      hovertemplate: `${plain(name)}: %{y:.0%} of comparisons reach %{x:.0%}<extra></extra>` })),
    layout: { showlegend: true, legend: { orientation: "h", y: -0.22 }, xaxis: { title: { text: "share of the best" }, tickformat: ".0%" }, yaxis: { title: { text: "part of comparisons" }, range: [0, 1.02], tickformat: ".0%" } },
    rows: [["share", ...names], ...shares.map((share, i) => [share, ...names.map((name) => lines[name][i])])] }),
  table(["line", "interquartile mean of shares", "comparisons"], names.map((name) => [name, say(means[name][0]), means[name][1]]), { texts: [0] })];
}

start((values) => {
  const found = chosen(values);
  if (!found.shown) return [filterBar(values, found), el("p", {}, "No comparison has all of that. Set a filter back to “all”."), ...profiles()];
  const { comparison: about, number } = found.shown;
  const probe = about.mode === "probe";
  const known = new Set(pointsOf(number, "").map((p) => p.measure));
  const offered = [...(probe ? [] : [QUALITY]), ...data.measures.keys()].filter((place) => known.has(place));
  const mapped = offered.includes(Number(values.map ?? NaN)) ? Number(values.map) : offered[0];
  const budget = el("input", { type: "number", min: "0", step: "any", value: values.gib ?? "", placeholder: "none", onchange: (event) => change({ gib: event.target.value }) });
  const extras = [seedPicker(values, number),
    select("Map and curve of", offered.map((place) => [measureOf(place, about).title, String(place)]), String(mapped), (value) => change({ map: value })),
    el("label", {}, "Memory budget, GiB", budget)];
  const figures = probe || !known.has(QUALITY) ? [] : [1, 0].filter((place) => known.has(place)).map((place) => againstCost(number, place, values));
  return [filterBar(values, found, extras), el("h2", {}, about.title),
    el("div", { className: "figures" }, ...figures, heatMap(number, mapped, values), lengthFigure(number, mapped, values), ...(known.has(1) ? [limits(number, values)] : [])),
    ...crossings(number, hiddenLines(values)), ...growth(number), ...otherWays(number, hiddenLines(values)), ...profiles()];
});
