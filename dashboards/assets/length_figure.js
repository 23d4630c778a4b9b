// The figure of a measure against sequence length.
"use strict";

/** Up to this number of lines, every line has its interval. */
const FEW_LINES = 6;
const NO_LINE = "No line is chosen";
/** The colour of the mark of a failure, which is readable on white and on the dark paper. */
const FAILURE_COLOR = "#e23b4f";

/**
 * Returns the text of a point: its line, length, figure and number of repeats.
 * @param {Line} line
 * @param {Point} point
 * @param {Measure} measure
 */
function pointText({ name }, point, { scale, unit }) {
  const noisy = point.noisy ? `, noisy runs: ${point.noisy}` : "";
  const value = formatInterval(point, scale);
  return `${plain(name)} at ${point.length}: ${value} ${unit} (n=${point.n}${noisy})`;
}

/**
 * Returns the error bars of points in a direction.
 * @param {Line} line
 * @param {Point[]} points
 * @param {Measure} measure
 */
function errorBars({ color }, points, { scale }) {
  /** @param {number | null} end @param {number} value */
  const distance = (end, value) => (end === null ? 0 : Math.abs(end - value) / scale);
  return {
    type: "data",
    symmetric: false,
    color,
    array: points.map(({ high, value }) => distance(high, value)),
    arrayminus: points.map(({ low, value }) => distance(low, value)),
  };
}

/**
 * Returns the traces of one line: its confidence band and its points.
 * @param {Line} line
 * @param {Point[]} points of this line, by length
 * @param {Measure} measure
 * @param {{ width: number, opacity: number, hasBand: boolean }} style
 */
function lineTraces(line, points, measure, { width, opacity, hasBand }) {
  const certain = points.filter(({ low }) => low !== null);
  const traces = [];
  /** @param {number | null} value */
  const scaled = (value) => (value ?? 0) / measure.scale;
  if (hasBand && certain.length > 1) {
    const lengths = certain.map(({ length }) => length);
    const highs = certain.map(({ high }) => scaled(high));
    const lows = certain.map(({ low }) => scaled(low));
    traces.push({
      x: [...lengths, ...lengths.toReversed()],
      y: [...highs, ...lows.toReversed()],
      fill: "toself",
      fillcolor: translucent(line.color, 0.12),
      line: { width: 0 },
      hoverinfo: "skip",
      mode: "lines",
      type: "scatter",
    });
  }
  traces.push({
    x: points.map(({ length }) => length),
    y: points.map(({ value }) => scaled(value)),
    mode: "lines+markers",
    type: "scatter",
    name: plain(line.name),
    opacity,
    line: { color: line.color, width, dash: line.dash },
    marker: {
      color: line.color,
      size: 4 + 2 * width,
      symbol: points.map((p) => line.symbol + (p.n === 1 ? "-open" : "")),
    },
    error_y: hasBand && certain.length === 1 ? errorBars(line, points, measure) : undefined,
    text: points.map((point) => pointText(line, point, measure)),
    hovertemplate: "%{text}<extra></extra>",
  });
  return traces;
}

/**
 * Returns a dot for each line at the only length, with its interval: the best line is at the top.
 * @param {Point[]} points
 * @param {Measure} measure
 */
function dotTraces(points, measure) {
  const sign = measure.higher_is_better ? 1 : -1;
  return points
    .toSorted((a, b) => sign * (a.value - b.value))
    .map((point) => {
      const line = data.lines[point.line];
      return {
        x: [point.value / measure.scale],
        y: [plain(line.name)],
        mode: "markers",
        type: "scatter",
        marker: {
          color: line.color,
          size: 9,
          symbol: line.symbol + (point.n === 1 ? "-open" : ""),
        },
        error_x: errorBars(line, [point], measure),
        text: [pointText(line, point, measure)],
        hovertemplate: "%{text}<extra></extra>",
      };
    });
}

/**
 * Returns a ✕ at each length where a cell failed; its hover text names the lines.
 * @param {RecordRow[]} records
 * @param {Set<number>} hidden
 */
function failureMarks(records, hidden) {
  const failed = records.filter(
    ({ status, line }) => status !== "ok" && !NOT_RUN.has(status) && !hidden.has(line),
  );
  return lengthsOf(failed).map((length) => {
    const texts = failed
      .filter((record) => record.length === length)
      .map(({ line, status }) => plain(`${data.lines[line].name}: ${status}`));
    return {
      x: Math.log10(length),
      xref: "x",
      y: 0,
      yref: "y domain",
      text: "✕",
      showarrow: false,
      yanchor: "bottom",
      font: { color: FAILURE_COLOR, size: 15 },
      hovertext: [...new Set(texts)].join("<br>"),
    };
  });
}

/**
 * Returns how a line is drawn. Beside many others, only a strong line has its interval: the bands
 * of all would hide each other.
 * @param {boolean} isStrong
 * @param {boolean} hasRoom whether every line may have its interval
 */
function styleOf(isStrong, hasRoom) {
  if (isStrong) return { width: 3, opacity: 1, hasBand: true };
  return { width: hasRoom ? 2 : 1.5, opacity: hasRoom ? 1 : 0.75, hasBand: hasRoom };
}

/**
 * Returns the caption of the figure.
 * @param {Comparison} about
 * @param {Measure} measure
 * @param {Point[]} points
 * @param {{ bands: string, thick: string, hasFailed: boolean }} facts what is said of the intervals,
 *   why a line is thick, and whether a cell failed
 */
function lengthCaption(about, measure, points, { bands, thick, hasFailed }) {
  const repeat = about.mode === "train" ? "seed" : "round";
  const most = Math.max(0, ...points.map(({ n }) => n));
  const isCost = measure.key !== "quality";
  const mean = isCost ? "Geometric mean" : "Mean";
  const over = `of up to ${most} ${repeat}s`;
  const sentences = [
    most > 1 ? `${mean} ${over}${bands}` : most ? `One ${repeat}, no interval` : "",
    thick,
    most > 1 && points.some(({ n }) => n === 1) ? "Hollow: n=1" : "",
    points.some(({ noisy }) => noisy) ? "Noisy measurements are left out" : "",
    hasFailed ? "✕: a cell failed at this length" : "",
    isCost ? capitalized(about.batch) : "",
    isCost ? `${about.machine}, ${about.threads} thread${about.threads > 1 ? "s" : ""}` : "",
    `Protocol ${about.protocol}`,
  ];
  return sentences
    .filter(Boolean)
    .map((sentence) => `${sentence}.`)
    .join(" ");
}

/**
 * Returns the text that stands in a figure without points.
 * @param {number[]} shown the lines that are not hidden
 * @param {boolean} isCost
 */
function emptyMark(shown, isCost) {
  const what = isCost ? "No quiet measurement of these lines" : "No score of these lines";
  return {
    x: 0.5,
    xref: "paper",
    y: 0.5,
    yref: "paper",
    text: shown.length ? what : NO_LINE,
    showarrow: false,
    font: { size: 15 },
  };
}

/**
 * Returns a dotted line at a length, which a shape on a logarithmic axis takes as it is.
 * @param {number} length
 */
function lengthMark(length) {
  const line = { color: "#888888", width: 1, dash: "dot" };
  return {
    type: "line",
    x0: length,
    x1: length,
    yref: "paper",
    y0: 0,
    y1: 1,
    layer: "below",
    line,
  };
}

/**
 * Returns the figure of a measure against length: a line and its band for each architecture.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {State} values
 * @param {{ marked?: number, strong?: Set<number>, rank?: string, note?: string }} [options] a
 *   length to mark, the lines that stand out, why they do, and a first sentence
 */
function lengthFigure(comparison, number, values, options = {}) {
  const { marked, strong = new Set(), rank = "", note = "" } = options;
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const hidden = hiddenLines(values);
  const points = pointsOf(comparison, values.repeat).filter(
    (point) => point.measure === number && !hidden.has(point.line),
  );
  const records = recordsOf(comparison);
  const shown = linesOf(comparison).filter((line) => !hidden.has(line));
  const annotations = failureMarks(records, hidden);
  // At a single length all points of a line chart would coincide.
  const isSingle = lengthsOf(points).length === 1 && !annotations.length;
  const hasRoom = isSingle || shown.length <= FEW_LINES;
  const isThick = shown.some((line) => strong.has(line));
  const others = isThick
    ? "; the thick lines have their 95% intervals"
    : "; hover over a point for its 95% interval";
  const bands = hasRoom ? ", with 95% intervals" : others;
  const thick = isThick && !isSingle && rank ? `Thick: ${rank}` : "";
  const facts = { bands, thick, hasFailed: annotations.length > 0 };
  const column = number === QUALITY ? about.metric : measure.key;
  const range = points.flatMap(({ value, low }) => [value, low ?? value]);
  const scaled = range.map((value) => value / measure.scale);
  const axis = valueAxis(scaled, measure, number !== QUALITY);
  const dots = () => ({
    tall: shown.length > 2 * FEW_LINES,
    traces: dotTraces(points, measure),
    layout: { xaxis: axis, yaxis: { type: "category", automargin: true } },
  });
  const lines = () => ({
    traces: shown.flatMap((line) => {
      const own = points.filter((point) => point.line === line);
      own.sort((a, b) => a.length - b.length);
      return lineTraces(data.lines[line], own, measure, styleOf(strong.has(line), hasRoom));
    }),
    layout: {
      xaxis: lengthAxis(lengthsOf(records)),
      yaxis: axis,
      annotations: [
        ...annotations,
        ...(points.length ? [] : [emptyMark(shown, number !== QUALITY)]),
      ],
      shapes: marked === undefined ? [] : [lengthMark(marked)],
    },
  });
  const at = isSingle ? `All at length ${formatNumber(points[0].length)}. ` : "";
  return figure({
    ...(isSingle ? dots() : lines()),
    title: measure.title,
    name: `${about.task}-${column}`,
    about,
    caption: `${note}${at}${lengthCaption(about, measure, points, facts)}`,
    rows: [
      ["line", "sequence_length", "batch_size", column, "low", "high", "n", "noisy"],
      ...points.map((p) => [
        data.lines[p.line].name,
        p.length,
        p.batch,
        p.value,
        p.low,
        p.high,
        p.n,
        p.noisy,
      ]),
    ],
  });
}
