// The figures of the tasks page: learning curves, and the reports on the scored split.
"use strict";

/** @param {(number | undefined)[]} values */
function mean(values) {
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null;
}

/**
 * Returns the first run of each line.
 * @param {Run[]} runs
 */
function firstRuns(runs) {
  return [...new Map(runs.toReversed().map((run) => [run.line, run])).values()].reverse();
}

/** @param {Run[]} runs */
const linesOfRuns = (runs) => [...new Set(runs.map(({ line }) => line))];

/**
 * Returns a figure of learning curves, one for each run, or null where there are none.
 * @param {Run[]} runs
 * @param {(name: string) => boolean} isShown
 * @param {string} title
 * @param {string} caption
 */
function learningFigure(runs, isShown, title, caption) {
  const curves = runs.flatMap(({ line, record }) =>
    Object.entries(record.curves ?? {})
      .filter(([name]) => isShown(name))
      .map(([, curve]) => ({ ...data.lines[line], ...curve, seed: record.cell.seed })),
  );
  if (!curves.length) return null;
  return figure({
    title,
    caption,
    name: title.toLowerCase().replace(/\W+/g, "-"),
    traces: curves.map(({ name, color, dash, symbol, tokens, values, seed }) => ({
      x: tokens,
      y: values,
      type: "scatter",
      mode: tokens.length > 12 ? "lines" : "lines+markers",
      line: { color, width: 1.5, dash },
      marker: { symbol, size: 7 },
      hovertemplate: `${plain(name)}, seed ${seed}: %{y:.4g} at %{x:,}<extra></extra>`,
    })),
    layout: { xaxis: { title: { text: "seen in training" } } },
    rows: [
      ["line", "seed", "seen", "value"],
      ...curves.flatMap(({ name, seed, tokens, values }) =>
        tokens.map((seen, i) => [name, seed, seen, values[i]]),
      ),
    ],
  });
}

/**
 * Returns the values of a report that maps spans ("1-10", "961-") to figures: means over seeds.
 * @param {Run[]} runs
 * @param {string} key of the report
 * @param {string | null} field of each span's figures; null where a span has one figure
 */
function spanMeans(runs, key, field) {
  /** @param {RunRecord} record */
  const report = (record) => /** @type {Record<string, any>} */ (reportsOf(record)[key] ?? {});
  /** @param {any} item */
  const figureOf = (item) => (field ? item?.[field] : item);
  const spans = [...new Set(runs.flatMap(({ record }) => Object.keys(report(record))))]
    .filter((span) => runs.some(({ record }) => typeof figureOf(report(record)[span]) === "number"))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const lines = linesOfRuns(runs)
    .map((line) => {
      const own = runs.filter((run) => run.line === line);
      const values = spans.map((span) =>
        mean(own.map(({ record }) => figureOf(report(record)[span]))),
      );
      return { ...data.lines[line], values };
    })
    .filter(({ values }) => values.some((value) => value !== null));
  return { spans, lines };
}

/**
 * Returns the figure of a report by span, or null where no run has the report.
 * @param {Run[]} runs
 * @param {string} key of the report
 * @param {string | null} field
 * @param {{ title: string, unit: string, caption: string }} texts
 */
function spanFigure(runs, key, field, { title, unit, caption }) {
  const { spans, lines } = spanMeans(runs, key, field);
  if (!spans.length) return null;
  return figure({
    title,
    caption,
    name: key,
    traces: lines.map(({ name, color, dash, symbol, values }) => ({
      x: spans,
      y: values,
      type: "scatter",
      mode: "lines+markers",
      name: plain(name),
      line: { color, dash },
      marker: { symbol, size: 9 },
      hovertemplate: `${plain(name)}, %{x}: %{y:.4g}<extra></extra>`,
    })),
    layout: { xaxis: { type: "category", title: { text: unit } } },
    rows: [["line", ...spans], ...lines.map(({ name, values }) => [name, ...values])],
  });
}

/**
 * Returns bars of F1 by entity type, or null where no run reports them.
 * @param {Run[]} runs
 * @param {string} caption
 */
function entityTypeFigure(runs, caption) {
  /** @param {RunRecord} record */
  const report = (record) => reportsOf(record).by_type ?? {};
  const types = [...new Set(runs.flatMap(({ record }) => Object.keys(report(record))))].sort();
  if (!types.length) return null;
  /** @type {(line: number, type: string, name: string) => number | null} */
  const value = (line, type, name) => {
    const own = runs.filter((run) => run.line === line);
    return mean(own.map(({ record }) => report(record)[type]?.[name]));
  };
  const lines = linesOfRuns(runs);
  return figure({
    title: "F1 by entity type",
    caption: `${caption} The CSV file has precision and recall.`,
    name: "by-type",
    traces: lines.map((line) => ({
      type: "bar",
      x: types.map(plain),
      y: types.map((type) => value(line, type, "f1")),
      name: plain(data.lines[line].name),
      marker: { color: data.lines[line].color },
      hovertemplate: `${plain(data.lines[line].name)}, %{x}: %{y:.4f}<extra></extra>`,
    })),
    layout: { yaxis: { rangemode: "tozero", title: { text: "F1" } } },
    rows: [
      ["line", "type", "precision", "recall", "f1"],
      ...lines.flatMap((line) =>
        types.map((type) => {
          const figures = ["precision", "recall", "f1"].map((name) => value(line, type, name));
          return [data.lines[line].name, type, ...figures];
        }),
      ),
    ],
  });
}

/**
 * Returns the confusion matrix of a run, or null where the run reports none.
 * @param {Run} run
 */
function confusionFigure({ line, record }) {
  const { confusion: matrix, classes = [] } = reportsOf(record);
  if (!matrix) return null;
  const labels = classes.map(plain);
  return figure({
    title: `Confusion matrix: ${data.lines[line].name}, seed ${record.cell.seed}`,
    tall: true,
    name: "confusion",
    caption: "Rows are true classes, columns predictions. Counts of examples.",
    traces: [
      {
        type: "heatmap",
        x: labels,
        y: labels,
        z: matrix.map((row) => row.map((count) => Math.log10(count + 1))),
        text: matrix.map((row) => row.map(String)),
        texttemplate: matrix.length <= 12 ? "%{text}" : undefined,
        colorscale: [
          [0, "#eef4fb"],
          [1, "#1f5fa8"],
        ],
        showscale: false,
        hovertemplate: "%{y} predicted as %{x}: %{text}<extra></extra>",
      },
    ],
    layout: {
      xaxis: { type: "category", title: { text: "prediction" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "true class" } },
    },
    rows: [["truth", ...classes], ...matrix.map((row, i) => [classes[i], ...row])],
  });
}

/**
 * Returns the metric on each part of the test split, or null where no run reports it.
 * @param {Run[]} runs
 * @param {string} metric
 */
function partsFigure(runs, metric) {
  const items = runs.flatMap(({ line, record }) => {
    const whole = record.metrics?.[splitOf(record)]?.[metric];
    const without = reportsOf(record).without_part?.[metric];
    if (typeof whole !== "number" || !without) return [];
    // The jackknife's pseudo-values, as suite/analysis/statistics.py defines them.
    const k = without.length;
    const parts = without.map((value) => (value === null ? null : k * whole - (k - 1) * value));
    return [{ ...data.lines[line], line, parts, seed: record.cell.seed }];
  });
  if (!items.length) return null;
  const lastOfEachLine = new Map(items.map((item) => [item.line, item])).values();
  return figure({
    title: `Test ${metricText(metric)} by part of the split`,
    name: "by-part",
    caption:
      "What each of the consecutive parts of the test split adds to the score (the jackknife's " +
      "pseudo-values; for an accuracy, the accuracy on the part). Where lines rise and fall " +
      "together, their difference is more certain than either score. One seed per line.",
    traces: [...lastOfEachLine].map(({ name, color, dash, symbol, parts }) => ({
      y: parts,
      x: parts.map((_, i) => i + 1),
      type: "scatter",
      mode: "lines+markers",
      line: { color, dash, width: 1.5 },
      marker: { symbol, size: 7 },
      hovertemplate: `${plain(name)}, part %{x}: %{y:.4g}<extra></extra>`,
    })),
    layout: { xaxis: { title: { text: "part of the test split" } } },
    rows: [
      ["line", "seed", "part", metric],
      ...items.flatMap(({ name, seed, parts }) =>
        parts.map((value, i) => [name, seed, i + 1, value]),
      ),
    ],
  });
}

/**
 * Returns the occlusion map of a run: how far exchanging each input moves each output.
 * @param {Run} run
 */
function occlusionFigure({ line, record }) {
  const found = reportsOf(record).occlusion;
  if (!found) return null;
  const { name } = data.lines[line];
  const bytes = Uint8Array.from(atob(found.map), (character) => character.charCodeAt(0));
  const width = found.outputs.length;
  const z = found.outputs.map((_, output) =>
    found.inputs.map((__, input) => bytes[input * width + output] / 255),
  );
  return figure({
    title: `Occlusion map: ${name}`,
    tall: true,
    name: `occlusion-${name}`,
    caption:
      `One example, seed ${record.cell.seed}. Shows how far each output (row) moves when the ` +
      "input at a position (column) is exchanged, as a share of the largest move. Darker is " +
      "farther, on a square root scale.",
    traces: [
      {
        type: "heatmap",
        x: found.inputs.map(String),
        y: found.outputs.map(String),
        z: z.map((row) => row.map(Math.sqrt)),
        zmin: 0,
        zmax: 1,
        colorscale: [
          [0, "#ffffff"],
          [1, "#123a66"],
        ],
        showscale: false,
        text: z.map((row) => row.map((value) => value.toFixed(3))),
        hovertemplate: "output %{y}, input %{x}: %{text}<extra></extra>",
      },
    ],
    layout: {
      xaxis: { type: "category", nticks: 9, title: { text: "exchanged input" } },
      yaxis: { type: "category", nticks: 9, autorange: "reversed", title: { text: "output" } },
    },
    rows: [["output", ...found.inputs], ...z.map((row, i) => [found.outputs[i], ...row])],
  });
}
