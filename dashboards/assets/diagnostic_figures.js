// The figures of the pages of diagnostics and methods: lines along an axis.
"use strict";

/** The name of each axis, and its title. */
const AGAINST = {
  state_bytes: ["decoding state", "decoding state, KiB"],
  pairs: ["number of pairs", "pairs in positions"],
  problem: ["problem", "problem"],
  evaluation_length: ["evaluation length", "evaluation length, × training length"],
  depth: ["depth", "depth"],
  context: ["context", "context, tokens"],
  sequence_length: ["sequence length", "sequence length"],
  strength: ["strength", "strength of the disturbance"],
  train_share: ["size of the training data", "share of the training examples, %"],
};
/** The ends of the axis of an accuracy, which leave room for the marks at 0 and 1. */
const SHARE_RANGE = [-0.05, 1.05];
/** The colour of a guess. */
const GUESS_COLOR = "#8a8a8a";

/**
 * Returns the measure that a chart draws.
 * @param {Chart} chart
 * @returns {Measure}
 */
function chartMeasure({ measure, length, comparison, higher_is_better: higher }) {
  const cost = data.measures.find(({ key }) => key === measure);
  const key = length ? "quality" : measure;
  const title = capitalized(metricText(measure));
  const better = higher ?? data.comparisons[comparison].higher_is_better;
  return cost ?? { key, title, unit: "", scale: 1, higher_is_better: better };
}

/**
 * Returns the places of the entries on the axis, each once. Numbers come in their order.
 * @param {ChartEntry[]} entries
 */
function placesOf(entries) {
  const places = new Set(entries.flatMap(({ points }) => points.map(([place]) => place)));
  return [...places].sort((a, b) => Number(a) - Number(b) || 0);
}

/**
 * Returns a length as a short text, such as "16k".
 * @param {number} length
 */
const shortLength = (length) =>
  length >= 1024 && length % 1024 === 0 ? `${length / 1024}k` : formatNumber(length);

/**
 * Returns the horizontal axis of a chart, and the place on it of a point.
 * @param {Chart} chart
 * @param {ChartEntry[]} entries
 * @returns {{ axis: object, at: (place: string) => number | string }}
 */
function chartAxis({ against, length }, entries) {
  const title = AGAINST[against][1];
  const places = placesOf(entries);
  if (against === "strength") return { axis: { title: { text: title } }, at: Number };
  if (against === "pairs" || against === "problem") {
    /** @param {string} place */
    const at = (place) => plain(place).replace(" in ", "<br>in ").replaceAll("_", "<br>");
    const axis = { type: "category", categoryorder: "array", categoryarray: places.map(at) };
    return { axis: { ...axis, title: { text: title } }, at };
  }
  /** @param {number} value */
  const text = (value) => {
    const short = shortLength(value);
    if (against === "train_share") return formatNumber(100 * value, 3);
    if (against === "evaluation_length") return `${short}<br>${formatNumber(value / length, 3)}×`;
    return against === "state_bytes" ? formatNumber(value / 1024, 3) : short;
  };
  const { axis, at } = numberAxis(places.map(Number), title, text, 1.3);
  return { axis, at: (place) => at(Number(place)) };
}

/**
 * @param {Chart} chart
 * @param {ChartEntry} own
 * @param {(place: string) => number | string} at
 * @param {number} shift a factor that keeps the intervals of several entries apart
 * @param {number} zero where 0 is drawn
 */
function chartTrace(chart, own, at, shift, zero) {
  const entry = data.entries[own.entry ?? 0];
  const { unit, scale } = chartMeasure(chart);
  const isState = chart.against === "state_bytes";
  const points = own.points.map(([, ...estimate]) => intervalOf(estimate));
  const texts = own.points.map(([place, ...estimate]) => {
    const value = `${estimateText(estimate, scale)} ${unit}`.trim();
    return `${entry.name}, ${place}: ${value} (n=${estimate[3]})`;
  });
  const shape =
    chart.against === "problem"
      ? { type: "bar", marker: { color: entry.color } }
      : {
          type: "scatter",
          mode: isState ? "markers" : "lines+markers",
          line: { color: entry.color, dash: entry.dash, width: 2 },
          marker: entryMarker(entry, points, isState ? 11 : 8),
        };
  return {
    ...labelled(entry.name, texts),
    ...shape,
    x: own.points.map(([place]) => {
      const there = at(place);
      return typeof there === "number" ? there * shift : there;
    }),
    y: points.map(({ value }) => value / scale || zero),
    error_y: errorBars(entry, points, scale),
  };
}

/**
 * @param {[string, number][]} guesses
 * @param {(place: string) => number | string} at
 */
function guessTrace(guesses, at) {
  const ascending = guesses.toSorted(([a], [b]) => Number(a) - Number(b));
  const texts = ascending.map(([place, guess]) => `guess, ${place}: ${formatNumber(guess, 3)}`);
  return {
    ...labelled("guess", texts),
    type: "scatter",
    mode: "lines",
    line: { color: GUESS_COLOR, dash: "dot", width: 1.5 },
    x: ascending.map(([place]) => at(place)),
    y: ascending.map(([, guess]) => guess),
  };
}

/**
 * Returns the range of the axis of a share; a scaled accuracy, or the end of its interval, may be
 * below 0.
 * @param {ChartEntry[]} entries
 */
function shareRange(entries) {
  const least = entries.flatMap(({ points }) => points.map(([, value, low]) => low ?? value));
  return [Math.min(SHARE_RANGE[0], ...least.map((value) => value - 0.02)), SHARE_RANGE[1]];
}

/**
 * Returns the caption of a chart: what is averaged, and which entries have no figures, and why.
 * @param {Chart} chart
 * @param {ChartEntry[]} entries
 */
function chartCaption({ against, comparison, length, note: told = "", guesses = [] }, entries) {
  const about = data.comparisons[comparison];
  const trains = length && about.metric;
  const repeat = trains ? "seed" : "round";
  const points = entries.flatMap((entry) => entry.points);
  const most = Math.max(0, ...points.map(([, , , , n]) => n));
  const mean = trains ? "Mean" : "Geometric mean";
  const where = trains ? `on the ${about.split} split` : `on ${about.machine}`;
  const intervals = points.some(([, , low]) => low !== null) ? ", with 95% intervals" : "";
  const what = most > 1 ? `${mean} of up to ${most} ${repeat}s${intervals}` : `1 ${repeat}`;
  /** @type {Map<string, Set<string>>} */
  const named = new Map();
  for (const { name, reasons } of entries) {
    for (const [place, reason] of Object.entries(reasons)) {
      const text = against === "context" ? `${reason} at ${formatNumber(+place)}` : reason;
      named.set(text, (named.get(text) ?? new Set()).add(name));
    }
  }
  return joined([
    `${what}, ${where} (${about.name})`,
    told,
    guesses.length ? "The dotted line is a guess among the answers that an example offers" : "",
    against === "state_bytes"
      ? "State: bytes kept per sequence of the training length while generating (declared by the architecture)"
      : "",
    ...[...named].map(([reason, names]) => `${[...names].join(", ")}: ${reason}`),
  ]);
}

/** @param {Chart} chart */
const chartRows = ({ against, measure, entries }) => [
  ["entry", against, measure, "low", "high", "n"],
  ...entries.flatMap(({ name, points }) => points.map((point) => [name, ...point])),
  ...entries.flatMap(({ name, reasons }) =>
    Object.entries(reasons).map(([place, reason]) => [name, place, reason]),
  ),
];

/**
 * @param {Chart} chart
 * @param {string} what
 */
function chartTitle({ title, length, against }, what) {
  const trained = length && against !== "sequence_length";
  return [what, title, ...(trained ? [`trained at length ${formatNumber(length)}`] : [])].join(
    " · ",
  );
}

/**
 * Returns a vertical axis, and where 0 is drawn: on a logarithmic axis, below the other values.
 * @param {ReturnType<typeof valueAxis>} axis
 * @param {number[]} values
 */
function withZero(axis, values) {
  if (axis.type !== "log" || !values.includes(0)) return { yaxis: axis, zero: 0 };
  const zero = Math.min(...values.filter((value) => value > 0)) / 4;
  const tickvals = [zero, ...(axis.tickvals ?? [])];
  return { yaxis: { ...axis, tickvals, ticktext: ["0", ...(axis.ticktext ?? [])] }, zero };
}

/**
 * Returns the figure of the entries of a chart.
 * @param {Chart} chart
 * @param {Set<number>} hidden
 */
function chartFigure(chart, hidden) {
  const measure = chartMeasure(chart);
  const entries = chart.entries.filter(({ entry }) => entry !== null && !hidden.has(entry ?? -1));
  const shown = entries.filter(({ points }) => points.length);
  const { axis, at } = chartAxis(chart, entries);
  const distance = chart.against === "evaluation_length" ? Math.min(0.05, 0.2 / shown.length) : 0;
  const values = shown.flatMap(({ points }) => points.map(([, value]) => value / measure.scale));
  const title = chartTitle(chart, `${measure.title} by ${AGAINST[chart.against][0]}`);
  const { yaxis, zero } = chart.share
    ? { yaxis: { title: { text: metricText(chart.measure) }, range: shareRange(shown) }, zero: 0 }
    : withZero(valueAxis(values, measure, !chart.length), values);
  const traces = shown.map((own, place) => {
    const shift = 2 ** (distance * (place - (shown.length - 1) / 2));
    return chartTrace(chart, own, at, shift, zero);
  });
  return figure({
    title,
    higherIsBetter: measure.higher_is_better,
    caption: entries.length ? chartCaption(chart, entries) : `${NO_ENTRY}.`,
    name: fileName(title),
    traces: [...(chart.guesses?.length ? [guessTrace(chart.guesses, at)] : []), ...traces],
    layout: { xaxis: axis, yaxis, annotations: entries.length ? [] : [emptyMark([], false)] },
    rows: chartRows(chart),
  });
}
