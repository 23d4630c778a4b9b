// Access to the data of the site: comparisons, entries, runs, points; and how numbers are written.
"use strict";

const data = window.LENGTHWISE;
const findings = window.LENGTHWISE_FINDINGS;
const reports = window.LENGTHWISE_REPORTS;
/** The number that stands for quality among the numbers of the measures. */
const QUALITY = -1;
const TOKENS_PER_SECOND = 0;
const PEAK_MEMORY = 1;
/** The mark of a cost that other programs disturbed. */
const DISTURBED = "~";
const GIB = 2 ** 30;
/** The most entries of a chart that have colours; the others are grey, and named on hovering. */
const MOST_COLORED = 8;
/** The number of models that have colours until the reader chooses. */
const BEST = 5;
const PREDICTED_NOTE =
  "Dotted and hollow: predicted, not measured, from a fit to the measured lengths, with 90% " +
  "intervals on hovering";
/** Statuses of cells that did not fail: they could not run at all, or a person stopped them. */
const NOT_RUN = new Set(["unsupported", "skipped", "interrupted"]);
const entryNumber = new Map(data.entries.map((entry, number) => [entry.name, number]));

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
 * Returns a number to some decimal places.
 * @param {number | null} value
 */
const decimal = (value, places = 1) => (value === null ? "—" : value.toFixed(places));

/** How a ratio is written, and any other figure whose measure declares nothing. */
const PLAIN = { scale: 1, decimals: 3 };
/** The significant digits of differences of scores. */
const GAP_DIGITS = 2;

/** @param {number | null} gap */
const gapText = (gap) => formatFigure(gap, { digits: GAP_DIGITS });

/** @typedef {{ scale?: number, digits?: number, decimals?: number }} Format */

/**
 * Returns the decimals of a figure: those of its measure, or as many as its significant digits need.
 * @param {number} value
 * @param {Format} format
 */
function decimalsOf(value, { digits, decimals = PLAIN.decimals }) {
  if (!digits) return decimals;
  const exponent = Number(value.toExponential(digits - 1).split("e")[1]);
  return value === 0 ? 0 : Math.max(0, digits - 1 - exponent);
}

/**
 * Returns a figure in its unit as text, as on the leaderboard.
 * @param {number | null} value
 * @param {Format} format
 */
function formatFigure(value, format = PLAIN, places = decimalsOf(value ?? 0, format)) {
  if (value === null) return "—";
  const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
  // toFixed rounds the number itself, as Python does; toLocaleString would round its decimals.
  return Number(value.toFixed(places)).toLocaleString("en-US", digits);
}

/**
 * Returns a value with its interval as text, both in the unit; a disturbed one is marked. The ends
 * have the decimals of the value.
 * @param {Interval | null | undefined} point
 * @param {Format} format
 */
function formatInterval(point, format = PLAIN) {
  if (!point || point.value === null) return "—";
  const { scale = 1 } = format;
  const places = decimalsOf(point.value / scale, format);
  const mark = point.disturbed ? DISTURBED : "";
  /** @param {number} end */
  const text = (end) => formatFigure(end / scale, format, places);
  if (point.low === null || point.high === null) return mark + text(point.value);
  return `${mark}${text(point.value)} [${text(point.low)}, ${text(point.high)}]`;
}

/** @param {Estimate | null | undefined} estimate @param {Format} [format] */
const estimateText = (estimate, format) => formatInterval(estimate && intervalOf(estimate), format);

/** @param {Estimate} estimate */
const intervalOf = ([value, low, high, n, disturbed]) => ({
  value,
  low,
  high,
  n,
  disturbed: Boolean(disturbed),
});

/**
 * Returns the cell of a figure in a table: a disturbed one is dimmed.
 * @param {Interval} point
 * @param {Format} format
 * @returns {TableCell}
 */
const figureCell = (point, format) => ({
  text: formatInterval(point, format),
  className: point.disturbed ? "soft" : "",
});

/** @param {string} text */
const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

/**
 * Returns a number and a noun.
 * @param {number} count
 * @param {string} noun
 */
const counted = (count, noun) => `${formatNumber(count)} ${noun}${count === 1 ? "" : "s"}`;

/**
 * Returns sentences as one text; empty ones are left out.
 * @param {string[]} sentences
 */
const joined = (sentences) =>
  sentences
    .filter(Boolean)
    .map((sentence) => `${sentence}.`)
    .join(" ");

// ---- measures ----

/** @param {string} metric */
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
  const { metric, higher_is_better, split, decimals } = comparison;
  const title = `${split === "test" ? "Test" : "Validation"} ${metricText(metric)}`;
  return { key: "quality", title, unit: "", scale: 1, decimals, higher_is_better };
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

/** @param {Measure} measure */
const titleWithUnit = ({ title, unit }) => (unit ? `${title}, ${unit}` : title);

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

/** @param {Comparison} about */
const formText = ({ form }) => form.replace("_", "-");

/** @param {Comparison} about */
const repeatName = ({ mode }) => (mode === "train" ? "seed" : "round");

// ---- runs, points and entries ----

/** @type {WeakMap<object, Map<number | undefined, any[]>>} */
const knownRows = new WeakMap();

/**
 * Returns the rows of a table in columns; those of one comparison, if it is given.
 * @template Row
 * @param {Columns<Row>} columns
 * @param {number} [comparison]
 * @returns {Row[]}
 */
function rowsOf(columns, comparison) {
  const known = knownRows.get(columns) ?? new Map();
  knownRows.set(columns, known);
  if (!known.has(comparison)) {
    const named = /** @type {[string, unknown[]][]} */ (Object.entries(columns));
    const own = named.find(([name]) => name === "comparison")?.[1];
    const places = [...(named[0]?.[1].keys() ?? [])];
    const wanted = places.filter((i) => comparison === undefined || own?.[i] === comparison);
    const row = (/** @type {number} */ i) => named.map(([name, column]) => [name, column[i]]);
    known.set(
      comparison,
      wanted.map((i) => Object.fromEntries(row(i))),
    );
  }
  return known.get(comparison);
}

/** @param {number} comparison */
const runsOf = (comparison) => rowsOf(data.runs, comparison);

/** @param {number} comparison */
const pointsOf = (comparison) => rowsOf(data.points, comparison);

/**
 * Returns the first item of each key.
 * @template Item
 * @param {Item[]} items
 * @param {(item: Item) => unknown} keyOf
 */
const firstOfEach = (items, keyOf) =>
  [...Map.groupBy(items, keyOf).values()].map(([first]) => first);

/**
 * Returns some items, each once, ascending.
 * @param {number[]} numbers
 */
const sorted = (numbers) => [...new Set(numbers)].sort(ascending);

/** @param {{ length: number }[]} items */
const lengthsOf = (items) => sorted(items.map(({ length }) => length));

/** @param {number} comparison */
const entriesOf = (comparison) =>
  sorted(runsOf(comparison).flatMap((run) => (NOT_RUN.has(run.status) ? [] : run.entry)));

/**
 * Returns the entries of a comparison as its board of its metric, or of its first cost, at the longest
 * length has them: the best first.
 * @param {number} comparison
 */
function bestFirst(comparison) {
  const boards = data.boards.filter((board) => board.comparison === comparison);
  const metric = data.comparisons[comparison].metric || boards[0]?.metric;
  const found = boards.filter((board) => board.metric === metric);
  return found.toSorted((a, b) => b.length - a.length)[0]?.rows.entry ?? [];
}

/**
 * Returns the predicted costs of a comparison, at lengths that were not measured; a page without
 * predictions has none.
 * @param {number} comparison
 * @param {number} measure
 */
const predictionsOf = (comparison, measure) =>
  rowsOf(window.LENGTHWISE_PREDICTIONS ?? {}, comparison).filter((one) => one.measure === measure);
