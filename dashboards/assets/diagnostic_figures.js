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
/** The line of a guess. */
const GUESS_COLOR = "#8a8a8a";

/**
 * Returns an estimate as an interval.
 * @param {DiagnosticEstimate} estimate
 */
const intervalOf = ([value, low, high]) => ({ value, low, high });

/**
 * Returns the name of what a chart draws, its unit, and the scale of its figures.
 * @param {DiagnosticChart} chart
 */
function chartMeasure({ measure }) {
  const cost = data.measures.find(({ key }) => key === measure);
  return cost ?? { title: capitalized(metricText(measure)), unit: "", scale: 1 };
}

/**
 * Returns the places of the lines on the axis, each once. Numbers come in their order.
 * @param {ChartLine[]} lines
 */
function placesOf(lines) {
  const places = lines.flatMap(({ points }) => points.map(([place]) => place));
  const isNumber = places.every((place) => Number.isFinite(Number(place)));
  const unique = [...new Set(places)];
  return isNumber ? unique.sort((a, b) => Number(a) - Number(b)) : unique;
}

/**
 * Returns a length as a short text, such as "16k".
 * @param {number} length
 */
const shortLength = (length) =>
  length >= 1024 && length % 1024 === 0 ? `${length / 1024}k` : formatNumber(length);

/**
 * Returns a logarithmic axis of numbers, and the place of each number on it. A logarithmic axis
 * has no 0: it is drawn left of the other numbers.
 * @param {string[]} places ascending
 * @param {(value: number) => string} text the label of a number
 */
function numberAxis(places, text) {
  const numbers = places.map(Number);
  const least = numbers.find((value) => value > 0) ?? 1;
  /** @type {(value: number) => number} */
  const at = (value) => (value > 0 ? value : least / 4);
  let last = 0;
  const labels = numbers.map((value) => {
    if (at(value) < last * 1.3) return "";
    last = at(value);
    return text(value);
  });
  const ends = [numbers[0], numbers[numbers.length - 1]].map((value) => Math.log10(at(value)));
  const axis = {
    type: "log",
    tickvals: numbers.map(at),
    ticktext: labels,
    tickangle: 0,
    range: [ends[0] - 0.15, ends[1] + 0.15],
  };
  return { axis, at };
}

/**
 * Returns the horizontal axis of a chart, and the place on it of a point.
 * @param {DiagnosticChart} chart
 * @param {ChartLine[]} lines
 */
function chartAxis({ against, length }, lines) {
  const title = { text: AGAINST[against][1] };
  const places = placesOf(lines);
  if (against === "strength") {
    return { axis: { title }, at: (/** @type {string} */ place) => Number(place) };
  }
  if (against === "pairs" || against === "problem") {
    /** @type {(place: string) => string} */
    const at = (place) => plain(place).replace(" in ", "<br>in ").replaceAll("_", "<br>");
    const axis = { type: "category", categoryorder: "array", categoryarray: places.map(at) };
    return { axis: { ...axis, title }, at };
  }
  /** @param {number} value */
  const text = (value) => {
    const short = shortLength(value);
    if (against === "train_share") return formatNumber(100 * value, 3);
    if (against === "evaluation_length") return `${short}<br>${formatNumber(value / length, 3)}×`;
    return against === "state_bytes" ? formatNumber(value / 1024, 3) : short;
  };
  const { axis, at } = numberAxis(places, text);
  return { axis: { ...axis, title }, at: (/** @type {string} */ place) => at(Number(place)) };
}

/**
 * Returns the trace of one entry, with the interval of each point.
 * @param {DiagnosticChart} chart
 * @param {ChartLine} own
 * @param {(place: string) => number | string} at
 * @param {number} shift a factor that keeps the intervals of several lines apart
 * @param {number} zero where 0 is drawn
 */
function chartTrace(chart, own, at, shift, zero) {
  const { name, color, dash, symbol } = data.lines[own.line ?? 0];
  const { unit, scale } = chartMeasure(chart);
  const isBar = chart.against === "problem";
  const shape = isBar
    ? { type: "bar", marker: { color } }
    : {
        type: "scatter",
        mode: chart.against === "state_bytes" ? "markers" : "lines+markers",
        line: { color, dash, width: 2 },
        marker: {
          color,
          size: chart.against === "state_bytes" ? 11 : 8,
          symbol: own.points.map(([, , , , n]) => symbol + (n === 1 ? "-open" : "")),
        },
      };
  return {
    ...shape,
    x: own.points.map(([place]) => {
      const there = at(place);
      return typeof there === "number" ? there * shift : there;
    }),
    y: own.points.map(([, value]) => value / scale || zero),
    name: plain(name),
    text: own.points.map(([place, ...one]) => {
      const value = `${formatInterval(intervalOf(one), scale)} ${unit}`.trim();
      return plain(`${name}, ${place}: ${value} (n=${one[3]})`);
    }),
    textposition: "none",
    hovertemplate: "%{text}<extra></extra>",
    error_y: {
      type: "data",
      symmetric: false,
      color,
      thickness: 1,
      width: 3,
      array: own.points.map(([, value, , high]) => ((high ?? value) - value) / scale),
      arrayminus: own.points.map(([, value, low]) => (value - (low ?? value)) / scale),
    },
  };
}

/**
 * Returns the trace of a guess among the answers that an example offers.
 * @param {DiagnosticChart} chart
 * @param {(place: string) => number | string} at
 */
function guessTrace({ guesses }, at) {
  const ascending = [...guesses].sort(([a], [b]) => Number(a) - Number(b));
  return {
    type: "scatter",
    mode: "lines",
    line: { color: GUESS_COLOR, dash: "dot", width: 1.5 },
    x: ascending.map(([place]) => at(place)),
    y: ascending.map(([, guess]) => guess),
    name: "guess",
    text: ascending.map(([place, guess]) => `guess, ${place}: ${formatNumber(guess, 3)}`),
    hovertemplate: "%{text}<extra></extra>",
  };
}

/**
 * Returns the range of the axis of a share; a scaled accuracy, or the end of its interval, may be
 * below 0.
 * @param {ChartLine[]} lines
 */
function shareRange(lines) {
  const least = lines.flatMap(({ points }) => points.map(([, value, low]) => low ?? value));
  return [Math.min(SHARE_RANGE[0], ...least.map((value) => value - 0.02)), SHARE_RANGE[1]];
}

/**
 * Returns the sentences of a caption on what is averaged, and on the lines without figures.
 * @param {DiagnosticChart} chart
 * @param {ChartLine[]} lines
 */
function chartCaption(chart, lines) {
  const about = data.comparisons[chart.comparison];
  const trains = chart.length && about.metric;
  const repeat = trains ? "seed" : "round";
  const most = Math.max(
    0,
    ...lines.flatMap(({ points }) => points.map(([, , , , repeats]) => repeats)),
  );
  const mean = trains ? "Mean" : "Geometric mean";
  const where = trains ? `on the ${about.split} split` : `on ${about.machine}`;
  const hasIntervals = lines.some(({ points }) => points.some(([, , low]) => low !== null));
  const intervals = hasIntervals ? ", with 95% intervals" : "";
  const what =
    most > 1
      ? `${mean} of up to ${most} ${repeat}s${intervals}, ${where}`
      : `1 ${repeat}, ${where}`;
  /** @type {Map<string, string[]>} */
  const named = new Map();
  for (const { name, reasons } of lines) {
    for (const [place, reason] of Object.entries(reasons)) {
      const text = chart.against === "context" ? `${reason} at ${formatNumber(+place)}` : reason;
      const names = named.get(text) ?? [];
      if (!names.includes(name)) names.push(name);
      named.set(text, names);
    }
  }
  const reasons = [...named].map(([reason, names]) => `${names.join(", ")}: ${reason}`);
  const state =
    chart.against === "state_bytes"
      ? [
          "The state is that of one sequence of the training length, as the architecture declares it",
        ]
      : [];
  const note = chart.note ? [chart.note] : [];
  if (chart.guesses.length) {
    note.push("The dotted line is a guess among the answers that an example offers");
  }
  return [`${what} (${about.name})`, ...note, ...state, ...reasons]
    .map((text) => `${text}.`)
    .join(" ");
}

/**
 * Returns the rows of a chart's CSV file.
 * @param {DiagnosticChart} chart
 */
function chartRows({ against, measure, lines }) {
  return [
    ["line", against, measure, "low", "high", "n"],
    ...lines.flatMap(({ name, points }) => points.map((point) => [name, ...point])),
    ...lines.flatMap(({ name, reasons }) =>
      Object.entries(reasons).map(([place, reason]) => [name, place, reason]),
    ),
  ];
}

/**
 * Returns the title of a figure.
 * @param {DiagnosticChart} chart
 * @param {string} what
 */
function chartTitle({ title, length, against }, what) {
  const trained =
    length && against !== "sequence_length" ? [`trained at length ${formatNumber(length)}`] : [];
  return [what, title, ...trained].join(" · ");
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
 * Returns the figure of the lines of a chart.
 * @param {DiagnosticChart} chart
 * @param {Set<number>} hidden
 */
function lineChart(chart, hidden) {
  const { title: what, unit, scale } = chartMeasure(chart);
  const lines = chart.lines.filter(({ line }) => line !== null && !hidden.has(line));
  const shown = lines.filter(({ points }) => points.length);
  const { axis, at } = chartAxis(chart, lines);
  const distance = chart.against === "evaluation_length" ? Math.min(0.05, 0.2 / shown.length) : 0;
  const values = shown.flatMap(({ points }) => points.map(([, value]) => value / scale));
  const measure = {
    key: chart.length ? "quality" : chart.measure,
    title: what,
    unit,
    scale,
    higher_is_better: false,
  };
  const title = chartTitle(chart, `${what} by ${AGAINST[chart.against][0]}`);
  const { yaxis, zero } = chart.share
    ? { yaxis: { title: { text: metricText(chart.measure) }, range: shareRange(shown) }, zero: 0 }
    : withZero(valueAxis(values, measure, !chart.length), values);
  const traces = shown.map((own, place) => {
    const shift = 2 ** (distance * (place - (shown.length - 1) / 2));
    return chartTrace(chart, own, at, shift, zero);
  });
  const guess = chart.guesses.length ? [guessTrace(chart, at)] : [];
  return figure({
    title,
    reading: chart.reading,
    caption: lines.length ? chartCaption(chart, lines) : `${NO_LINE}.`,
    name: fileName(title),
    traces: [...guess, ...traces],
    layout: { xaxis: axis, yaxis, annotations: lines.length ? [] : [emptyMark([], false)] },
    rows: chartRows(chart),
  });
}
