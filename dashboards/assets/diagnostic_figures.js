// The figures of the pages of diagnostics and methods: lines along an axis.
"use strict";

/** The name of each axis, and its title. */
const AGAINST = {
  state_bytes: ["decoding state", "decoding state, KiB"],
  pairs: ["number of pairs", "pairs in positions"],
  problem: ["problem", "problem"],
  evaluation_length: ["evaluation length", "evaluation length<br>× training length"],
  depth: ["depth", "depth"],
  context: ["context", "context, tokens"],
  sequence_length: ["sequence length", "sequence length"],
  strength: ["strength", "strength of the disturbance"],
  train_share: ["size of the training data", "share of the training examples, %"],
};
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
 * @returns {{ axis: LineFigureOptions["axis"], at: PlaceOf }}
 */
function chartAxis({ against, length }, entries) {
  const title = AGAINST[against][1];
  const places = placesOf(entries);
  if (against === "strength") return { axis: { title: { text: title } }, at: Number };
  if (against === "pairs" || against === "problem") {
    /** @param {string | number} place */
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

/** @param {[string, number][]} guesses @param {PlaceOf} at */
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

/** @param {Chart} chart @param {string} what */
function chartTitle({ title, length, against }, what) {
  const trained = length && against !== "sequence_length";
  return [what, title, ...(trained ? [`trained at length ${formatNumber(length)}`] : [])].join(
    " · ",
  );
}

/**
 * Returns the figure of the entries of a chart.
 * @param {Chart} chart
 * @param {Set<number>} chosen
 */
function chartFigure(chart, chosen) {
  const measure = chartMeasure(chart);
  const { against, guesses = [] } = chart;
  const { axis, at } = chartAxis(chart, chart.entries);
  const title = chartTitle(chart, `${measure.title} by ${AGAINST[against][0]}`);
  return lineFigure({
    title,
    caption: chartCaption(chart, chart.entries),
    name: fileName(title),
    lines: chart.entries.flatMap(({ entry, points }) =>
      entry === null ? [] : { entry, points: placedPoints(points) },
    ),
    measure,
    axis,
    at,
    chosen,
    repeat: data.comparisons[chart.comparison].metric ? "seed" : "round",
    isShare: chart.share,
    isJoined: against !== "state_bytes" && against !== "problem",
    mayBeLogarithmic: !chart.length,
    extra: guesses.length ? [guessTrace(guesses, at)] : [],
    rows: chartRows(chart),
  });
}
