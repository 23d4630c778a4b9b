// Access to the data of the site: comparisons, lines, records, points; and how numbers are written.
"use strict";

const data = window.LENGTHWISE;
const findings = window.LENGTHWISE_FINDINGS;
const reports = window.LENGTHWISE_REPORTS;
/** The number that stands for quality among the numbers of the measures. */
const QUALITY = -1;
const TOKENS_PER_SECOND = 0;
const PEAK_MEMORY = 1;
const PREFILL_TOKENS_PER_SECOND = 7;
const TOKEN_LATENCY = 8;
const STATE_BYTES = 9;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Statuses of cells that could not run at all. */
const NOT_RUN = new Set(["unsupported", "skipped"]);
/** @type {Map<string, number>} */
const lineNumber = new Map(data.lines.map((line, number) => [line.name, number]));

/** @type {(a: number, b: number) => number} */
const ascending = (a, b) => a - b;

// ---- numbers ----

/**
 * Returns a number as text.
 * @param {number | null | undefined} value
 */
function formatNumber(value, digits = 4) {
  if (value === null || value === undefined) return "—";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
}

/**
 * Returns a score or cost as text, with three decimals if the figure that it belongs to is below
 * 10, one below 1,000, and none above, as on the leaderboard.
 * @param {number | null} value
 */
function formatFigure(value, figure = value) {
  if (value === null) return "—";
  const size = Math.abs(figure ?? value);
  const places = size < 9.9995 ? 3 : size < 999.95 ? 1 : 0;
  const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
  // toFixed rounds the number itself, as Python does; toLocaleString would round its decimals.
  return Number(value.toFixed(places)).toLocaleString("en-US", digits);
}

/**
 * Returns a value with its interval as text, both divided by the scale.
 * @param {Interval | null | undefined} point
 */
function formatInterval(point, scale = 1) {
  if (!point || point.value === null) return "—";
  const value = point.value / scale;
  /** @param {number} end */
  const text = (end) => formatFigure(end / scale, value);
  if (point.low === null || point.high === null) return formatFigure(value);
  return `${text(point.value)} [${text(point.low)}, ${text(point.high)}]`;
}

/** @param {string} text */
const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

// ---- measures ----

/**
 * Returns the name of a metric as text.
 * @param {string} metric
 */
function metricText(metric) {
  return metric
    .replaceAll("_", " ")
    .replace(/\bf1\b/, "F1")
    .replace(/\bbleu\b/, "BLEU");
}

/**
 * Returns the measure with a number; quality is the primary metric of the comparison.
 * @param {number} number
 * @param {Comparison} comparison
 * @returns {Measure}
 */
function measureOf(number, comparison) {
  if (number !== QUALITY) return data.measures[number];
  const { metric, higher_is_better, split } = comparison;
  const title = `${split === "test" ? "Test" : "Validation"} ${metricText(metric)}`;
  return { key: "quality", title, unit: "", scale: 1, higher_is_better };
}

/**
 * Returns the measure that a leaderboard ranks by: a cost, or a metric of the task.
 * @param {string} name
 * @param {Comparison} comparison
 */
function measureNamed(name, comparison) {
  const number = data.measures.findIndex((measure) => measure.key === name);
  return measureOf(number, comparison); // findIndex returns -1, the number of quality
}

/**
 * Returns the title of a cost, or the name of a metric of the task.
 * @param {string} name
 */
function titleOf(name) {
  const known = data.measures.find(({ key }) => key === name)?.title;
  const [phase, measure] = name.split(".");
  if (known || !measure) return known ?? metricText(name);
  return capitalized(`${phase}: ${metricText(measure.replace(/_(bytes|seconds)$/, ""))}`);
}

/**
 * Returns the form of the models of a comparison as text.
 * @param {Comparison} about
 */
const formText = ({ form }) => form.replace("_", "-");

// ---- records and points ----

/** @type {Map<number, RecordRow[]>} */
const recordsByComparison = new Map();

/**
 * Returns the records of a comparison.
 * @param {number} comparison
 */
function recordsOf(comparison) {
  const known = recordsByComparison.get(comparison);
  if (known) return known;
  const columns = data.records;
  const figures = /** @type {Record<string, Figures>} */ (/** @type {unknown} */ (columns));
  /** @type {RecordRow[]} */
  const records = [];
  for (let i = 0; i < columns.comparison.length; i += 1) {
    if (columns.comparison[i] !== comparison) continue;
    records.push({
      line: columns.line[i],
      length: columns.sequence_length[i],
      batch: columns.batch_size[i],
      repeat: columns.repeat[i],
      status: columns.status.texts[columns.status.at[i]],
      reason: columns.reason.texts[columns.reason.at[i]],
      run: columns.run_id[i],
      values: [...data.measures.map(({ key }) => figures[key][i]), columns.quality[i]],
    });
  }
  recordsByComparison.set(comparison, records);
  return records;
}

/**
 * Returns the points of a comparison: over all repeats, or of one repeat, without intervals.
 * @param {number} comparison
 * @param {string} [repeat]
 */
function pointsOf(comparison, repeat) {
  if (repeat) return pointsOfRepeat(comparison, repeat);
  const columns = data.points;
  /** @type {Point[]} */
  const points = [];
  for (let i = 0; i < columns.comparison.length; i += 1) {
    if (columns.comparison[i] !== comparison) continue;
    points.push({
      line: columns.line[i],
      length: columns.sequence_length[i],
      batch: columns.batch_size[i],
      measure: columns.measure[i],
      value: columns.value[i],
      low: columns.low[i],
      high: columns.high[i],
      n: columns.n[i],
      noisy: columns.noisy[i],
    });
  }
  return points;
}

/**
 * @param {number} comparison
 * @param {string} repeat
 */
function pointsOfRepeat(comparison, repeat) {
  /** @type {Point[]} */
  const points = [];
  for (const { line, length, batch, values, ...record } of recordsOf(comparison)) {
    if (String(record.repeat) !== repeat || record.status !== "ok") continue;
    values.forEach((value, place) => {
      if (value === null) return;
      const measure = place === data.measures.length ? QUALITY : place;
      points.push({ line, length, batch, measure, value, low: null, high: null, n: 1, noisy: 0 });
    });
  }
  return points;
}

/**
 * Returns the lengths of some points or records, each once, ascending.
 * @param {{ length: number }[]} items
 */
function lengthsOf(items) {
  return [...new Set(items.map(({ length }) => length))].sort(ascending);
}

// ---- lines ----

/**
 * Returns the lines of a comparison of which at least one cell could run.
 * @param {number} comparison
 */
function linesOf(comparison) {
  const able = recordsOf(comparison).filter(({ status }) => !NOT_RUN.has(status));
  return [...new Set(able.map(({ line }) => line))].sort(ascending);
}

/**
 * Returns the names of the lines that the state hides.
 * @param {State} values
 */
function hiddenNames(values) {
  return new Set((values.without || "").split("|").filter(Boolean));
}

/**
 * Returns the numbers of the lines that the state hides.
 * @param {State} values
 */
function hiddenLines(values) {
  const names = hiddenNames(values);
  return new Set(data.lines.flatMap(({ name }, number) => (names.has(name) ? [number] : [])));
}
