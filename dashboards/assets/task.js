// Tasks: how it was learned, and what the score hides: by type, class, distance, length, position.
"use strict";

function curves(runs, pick, title, caption) {
  const shown = runs.flatMap(({ line, record }) => Object.entries(record.curves).filter(([name]) => pick(name)).map(([name, curve]) => ({ line, name, curve, seed: record.cell.seed })));
  if (!shown.length) return null;
  return figure({ title, caption, name: title.toLowerCase().replace(/\W+/g, "-"),
    traces: shown.map(({ line, curve, seed }) => ({ x: curve.tokens, y: curve.values, type: "scatter", mode: curve.tokens.length > 12 ? "lines" : "lines+markers",
      line: { color: data.lines[line].color, width: 1.5, dash: data.lines[line].dash }, marker: { symbol: data.lines[line].symbol, size: 7 },
      hovertemplate: `${plain(data.lines[line].name)}, seed ${seed}: %{y:.4g} at %{x:,}<extra></extra>` })),
    layout: { xaxis: { title: { text: "seen in training" } } },
    rows: [["line", "seed", "seen", "value"], ...shown.flatMap(({ line, curve, seed }) => curve.tokens.map((t, i) => [data.lines[line].name, seed, t, curve.values[i]]))] });
}

// A report that maps spans ("1-10", "961-") to figures: a line an architecture, mean over seeds.
function bySpan(runs, key, field, title, unit, caption) {
  const spans = [];
  const sums = new Map();
  for (const { line, record } of runs) {
    for (const [span, item] of Object.entries(record.reports.test?.[key] ?? {})) {
      const value = field ? item?.[field] : item;
      if (typeof value !== "number") continue;
      if (!spans.includes(span)) spans.push(span);
      const of = sums.get(line) ?? new Map();
      of.set(span, [...(of.get(span) ?? []), value]);
      sums.set(line, of);
    }
  }
  if (!spans.length) return null;
  spans.sort((a, b) => parseInt(a, 10) - parseInt(b, 10));
  const mean = (values) => (values ? values.reduce((a, b) => a + b, 0) / values.length : null);
  return figure({ title, caption, name: key,
    traces: [...sums].map(([line, of]) => ({ x: spans, y: spans.map((span) => mean(of.get(span))), type: "scatter", mode: "lines+markers", name: plain(data.lines[line].name),
      line: { color: data.lines[line].color, dash: data.lines[line].dash }, marker: { symbol: data.lines[line].symbol, size: 9 }, hovertemplate: `${plain(data.lines[line].name)}, %{x}: %{y:.4g}<extra></extra>` })),
    layout: { xaxis: { type: "category", title: { text: unit } } }, rows: [["line", ...spans], ...[...sums].map(([line, of]) => [data.lines[line].name, ...spans.map((span) => mean(of.get(span)))])] });
}

function byType(runs) {
  const types = [...new Set(runs.flatMap(({ record }) => Object.keys(record.reports.test?.by_type ?? {})))].sort();
  if (!types.length) return null;
  const lines = [...new Set(runs.map(({ line }) => line))];
  const mean = (line, type, name) => {
    const values = runs.filter((run) => run.line === line).map(({ record }) => record.reports.test?.by_type?.[type]?.[name]).filter((v) => typeof v === "number");
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  };
  return figure({ title: "F1 by type of entity", caption: "Mean over seeds; precision and recall in the CSV.", name: "by-type",
    traces: lines.map((line) => ({ type: "bar", x: types.map(plain), y: types.map((type) => mean(line, type, "f1")), name: plain(data.lines[line].name), marker: { color: data.lines[line].color },
      hovertemplate: `${plain(data.lines[line].name)}, %{x}: %{y:.4f}<extra></extra>` })),
    layout: { yaxis: { rangemode: "tozero", title: { text: "F1" } } },
    rows: [["line", "type", "precision", "recall", "f1"], ...lines.flatMap((line) => types.map((type) => [data.lines[line].name, type, ...["precision", "recall", "f1"].map((name) => mean(line, type, name))]))] });
}

function confusion(run) {
  const matrix = run.record.reports.test?.confusion;
  if (!matrix) return null;
  const classes = run.record.reports.test.classes.map(plain);
  return figure({ title: `Confusion: ${data.lines[run.line].name}, seed ${run.record.cell.seed}`, tall: true, name: "confusion", caption: "Rows are the true classes, columns the answers; counts of test examples.",
    traces: [{ type: "heatmap", x: classes, y: classes, z: matrix.map((row) => row.map((v) => Math.log10(v + 1))), text: matrix.map((row) => row.map(String)), texttemplate: matrix.length <= 12 ? "%{text}" : undefined,
      colorscale: [[0, "#eef4fb"], [1, "#1f5fa8"]], showscale: false, hovertemplate: "%{y} taken for %{x}: %{text}<extra></extra>" }],
    layout: { xaxis: { type: "category", title: { text: "answer" } }, yaxis: { type: "category", autorange: "reversed", title: { text: "truth" } } },
    rows: [["truth", ...run.record.reports.test.classes], ...matrix.map((row, i) => [run.record.reports.test.classes[i], ...row])] });
}

function parts(runs, metric) {
  const shown = runs.filter(({ record }) => record.reports.test?.by_part?.[metric]);
  if (!shown.length) return null;
  return figure({ title: `Test ${metric} by part of the split`, name: "by-part", caption: "The test split cut into consecutive parts, each scored by itself: lines that rise and fall together find the same parts hard, and their difference is surer than either. One seed a line.",
    traces: [...new Map(shown.map((run) => [run.line, run])).values()].map(({ line, record }) => ({ y: record.reports.test.by_part[metric], x: record.reports.test.by_part[metric].map((_, i) => i + 1), type: "scatter", mode: "lines+markers",
      line: { color: data.lines[line].color, dash: data.lines[line].dash, width: 1.5 }, marker: { symbol: data.lines[line].symbol, size: 7 }, hovertemplate: `${plain(data.lines[line].name)}, part %{x}: %{y:.4g}<extra></extra>` })),
    layout: { xaxis: { title: { text: "part of test" } } }, rows: [["line", "seed", "part", metric], ...shown.flatMap(({ line, record }) => record.reports.test.by_part[metric].map((v, i) => [data.lines[line].name, record.cell.seed, i + 1, v]))] });
}

// How far exchanging one input moves each output: the whole square, a band, buckets, what memory carries.
function occlusion({ line, record }) {
  const found = record.reports.test?.occlusion;
  if (!found) return null;
  const bytes = Uint8Array.from(atob(found.map), (c) => c.charCodeAt(0));
  const width = found.outputs.length;
  const z = found.outputs.map((_, output) => found.inputs.map((__, input) => bytes[input * width + output] / 255));
  return figure({ title: `What it sees: ${data.lines[line].name}`, tall: true, name: `occlusion-${data.lines[line].name}`,
    caption: `One test example, seed ${record.cell.seed}: how far each output (row) moves when the input at a position (column) is exchanged, as a share of the largest move; dark is far. Square root scale.`,
    traces: [{ type: "heatmap", x: found.inputs.map(String), y: found.outputs.map(String), z: z.map((row) => row.map(Math.sqrt)), colorscale: [[0, "#ffffff"], [1, "#123a66"]], zmin: 0, zmax: 1, showscale: false,
      text: z.map((row) => row.map((v) => v.toFixed(3))), hovertemplate: "output %{y}, input %{x}: %{text}<extra></extra>" }],
    layout: { xaxis: { type: "category", nticks: 9, title: { text: "input exchanged" } }, yaxis: { type: "category", nticks: 9, autorange: "reversed", title: { text: "output" } } },
    rows: [["output", ...found.inputs], ...z.map((row, i) => [found.outputs[i], ...row])] });
}

function examples(runs) {
  const shown = [...new Map(runs.filter(({ record }) => record.reports.test?.examples?.length).map((run) => [run.line, run])).values()];
  if (!shown.length) return [];
  return [el("h2", {}, "Examples of the test split"), ...shown.flatMap(({ line, record }) => [el("h3", {}, `${data.lines[line].name}, seed ${record.cell.seed}`),
    table(["", "input", "expected", "answer"], record.reports.test.examples.map((item) => [{ text: item.right ? "right" : "wrong", className: item.right ? "status-ok" : "bad" }, item.input, item.expected, item.answer]), { texts: [0], long: [1, 2, 3] })])];
}

// A report that another version, or another task of the same name, wrote in another form spoils its own figure alone.
function drawn(what, draw) {
  try {
    return draw();
  } catch (error) {
    return el("p", { className: "status-bad" }, `${what} cannot be drawn: a record reports it in another form (${error.message}).`);
  }
}

function shownFigures(runs, about) {
  const first = [...new Map([...runs].reverse().map((run) => [run.line, run])).values()].reverse();  // a run a line
  const of = "Mean over seeds, on test.";
  const figures = [
    ["The validation curve", () => curves(runs, (name) => name.startsWith("validation_"), `Validation ${about.metric}`, "While training, a line a seed; the best weights are the ones tested.")],
    ["The training loss", () => curves(runs, (name) => name === "training_loss", "Training loss", "A line a seed; each point the mean of a block of steps.")],
    ["F1 by type", () => byType(runs)],
    ["The distance of the cue", () => bySpan(runs, "by_cue_distance", "f1", "F1 by distance of the cue", "words between name and cue", `${of} Four in ten of the generated names can be typed only by a word so far before them; chance is 0.25.`)
      ?? bySpan(runs, "by_cue_distance", "accuracy", "Accuracy by distance of the cue", "words between name and cue", of)],
    ["BLEU by length", () => bySpan(runs, "bleu_by_reference_words", "bleu", "BLEU by length of the sentence", "words of the reference", of)],
    ["The loss by position", () => bySpan(runs, "nats_by_position", null, "Loss by position in the context", "position", `${of} In nats a token: how much more context helps.`)],
    ["The parts of test", () => parts(runs, about.metric)],
    ...first.map((run) => [`What ${data.lines[run.line].name} sees`, () => occlusion(run)]),
    ...first.map((run) => [`The confusion of ${data.lines[run.line].name}`, () => confusion(run)]),
  ];
  return figures.map(([what, draw]) => drawn(what, draw)).filter(Boolean);
}

start((values) => {
  const found = chosen(values, (comparison) => comparison.mode === "train");
  if (!found.shown) return [filterBar(values, found), el("p", {}, "No task was trained in that comparison: probes have nothing to show here.")];
  const { comparison: about, number } = found.shown;
  const good = recordsOf(number).filter((record) => record.status === "ok");
  const lengths = [...new Set(good.map((record) => record.length))].sort((a, b) => a - b);
  const length = lengths.includes(Number(values.length)) ? Number(values.length) : lengths[0];
  const hidden = hiddenLines(values);
  const wanted = good.filter((record) => record.length === length && !hidden.has(record.line) && (!values.repeat || String(record.repeat) === values.repeat));
  const place = el("div", {}, el("p", {}, `Loading ${wanted.length} records…`));
  const mine = JSON.stringify(state());
  Promise.all(wanted.map((record) => loadRun(record.run).then((full) => ({ line: record.line, record: full })))).then((all) => {
    if (JSON.stringify(state()) !== mine) return;  // another view was chosen meanwhile
    const runs = all.filter(({ record }) => record);
    place.replaceChildren(el("div", { className: "figures" }, ...shownFigures(runs, about)), ...[drawn("The examples", () => examples(runs))].flat(),
      el("h2", {}, "Runs"), el("p", {}, ...runs.flatMap(({ line, record }) => [runLink(record.run_id, `${data.lines[line].name}, seed ${record.cell.seed}`), "  "])));
    document.body.dataset.loaded = "true";
  });
  const extras = [seedPicker(values, number), select("Length", lengths.map((l) => [String(l), String(l)]), String(length), (value) => change({ length: value }))];
  return [filterBar(values, found, extras), el("h2", {}, `${about.title} · length ${length}`), place];
});
