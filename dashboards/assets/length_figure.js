// The figure of a measure against sequence length.
"use strict";

/** Up to this number of entries, every entry has its interval. */
const FEW_ENTRIES = 6;
const HOLLOW = `Hollow, ${DISTURBED}: measured beside other programs`;
const NO_ENTRY = "No entry is chosen";
/** The colour of the mark of a failure, which is readable on white and on the dark paper. */
const FAILURE_COLOR = "#e23b4f";

/**
 * Returns the text of a point: its entry, length, figure and number of repeats.
 * @param {Entry} entry
 * @param {Point} point
 * @param {Measure} measure
 */
function pointText({ name }, point, { scale, unit }) {
  const value = formatInterval(point, scale);
  return `${name} at ${point.length}: ${value} ${unit} (n=${point.n})`;
}

/**
 * Returns the traces of one entry: its confidence band and its points.
 * @param {Entry} entry
 * @param {Point[]} points of this entry, by length
 * @param {Measure} measure
 * @param {{ width: number, opacity: number, hasBand: boolean }} style
 */
function entryTraces(entry, points, measure, { width, opacity, hasBand }) {
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
      fillcolor: `${entry.color}1f`, // an opacity of 12%
      line: { width: 0 },
      hoverinfo: "skip",
      mode: "lines",
      type: "scatter",
    });
  }
  const texts = points.map((point) => pointText(entry, point, measure));
  traces.push({
    ...labelled(entry.name, texts),
    x: points.map(({ length }) => length),
    y: points.map(({ value }) => scaled(value)),
    mode: "lines+markers",
    type: "scatter",
    opacity,
    line: { color: entry.color, width, dash: entry.dash },
    marker: entryMarker(entry, points, 4 + 2 * width),
    error_y: hasBand && certain.length === 1 ? errorBars(entry, points, measure.scale) : undefined,
  });
  return traces;
}

/**
 * Returns a dot for each entry at the only length, with its interval: the best entry is at the top.
 * @param {Point[]} points
 * @param {Measure} measure
 */
function dotTraces(points, measure) {
  const sign = measure.higher_is_better ? 1 : -1;
  return points
    .toSorted((a, b) => sign * (a.value - b.value))
    .map((point) => {
      const entry = data.entries[point.entry];
      return {
        ...labelled(entry.name, [pointText(entry, point, measure)]),
        name: undefined, // the axis has the name
        x: [point.value / measure.scale],
        y: [plain(entry.name)],
        mode: "markers",
        type: "scatter",
        marker: entryMarker(entry, [point], 9),
        error_x: errorBars(entry, [point], measure.scale),
      };
    });
}

/**
 * Returns a ✕ at each length where a cell failed; its hover text names the entries.
 * @param {RunRow[]} runs
 * @param {Set<number>} hidden
 */
function failureMarks(runs, hidden) {
  const failed = runs.filter(
    ({ status, entry }) => status !== "ok" && !NOT_RUN.has(status) && !hidden.has(entry),
  );
  return lengthsOf(failed).map((length) => {
    const texts = failed
      .filter((run) => run.length === length)
      .map(({ entry, status }) => plain(`${data.entries[entry].name}: ${status}`));
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
 * Returns how an entry is drawn. Beside many others, only a strong entry has its interval: the bands
 * of all would hide each other.
 * @param {boolean} isStrong
 * @param {boolean} hasRoom whether every entry may have its interval
 */
function styleOf(isStrong, hasRoom) {
  if (isStrong) return { width: 3, opacity: 1, hasBand: true };
  return { width: hasRoom ? 2 : 1.5, opacity: hasRoom ? 1 : 0.75, hasBand: hasRoom };
}

/**
 * Returns the text that stands in a figure without points.
 * @param {number[]} shown the entries that are not hidden
 * @param {boolean} isCost
 */
function emptyMark(shown, isCost) {
  const what = isCost ? "No measurement of these entries" : "No score of these entries";
  const text = shown.length ? what : NO_ENTRY;
  return {
    x: 0.5,
    xref: "paper",
    y: 0.5,
    yref: "paper",
    text,
    showarrow: false,
    font: { size: 15 },
  };
}

/**
 * Returns a dotted line at a length, which a shape on a logarithmic axis takes as it is.
 * @param {number} length
 */
const lengthMark = (length) => ({
  type: "line",
  x0: length,
  x1: length,
  yref: "paper",
  y0: 0,
  y1: 1,
  layer: "below",
  line: { color: "#888888", width: 1, dash: "dot" },
});

/**
 * Returns the figure of a measure against length: a line and its band for each entry.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {State} values
 * @param {{ marked?: number, strong?: Set<number>, rank?: string, note?: string }} [options] a
 *   length to mark, the entries that stand out, why they do, and a first sentence
 */
function lengthFigure(comparison, number, values, options = {}) {
  const { marked, strong = new Set(), rank = "", note: first = "" } = options;
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const isCost = number !== QUALITY;
  const hidden = hiddenEntries(values);
  const points = pointsOf(comparison, values.repeat).filter(
    (point) => point.measure === number && !hidden.has(point.entry),
  );
  const runs = runsOf(comparison);
  const shown = entriesOf(comparison).filter((entry) => !hidden.has(entry));
  const failures = failureMarks(runs, hidden);
  // At a single length all points of a line chart would coincide.
  const isSingle = lengthsOf(points).length === 1 && !failures.length;
  const hasRoom = isSingle || shown.length <= FEW_ENTRIES;
  const isThick = shown.some((entry) => strong.has(entry));
  const others = isThick
    ? "; the thick lines have their 95% intervals"
    : "; hover over a point for its 95% interval";
  const most = Math.max(0, ...points.map(({ n }) => n));
  const mean = `${isCost ? "Geometric mean" : "Mean"} of up to ${counted(most, repeatName(about))}`;
  const caption = joined([
    first,
    isSingle ? `All at length ${formatNumber(points[0].length)}` : "",
    most > 1 ? mean + (hasRoom ? ", with 95% intervals" : others) : "",
    most === 1 ? `One ${repeatName(about)}, no interval` : "",
    isThick && !isSingle && rank ? `Thick: ${rank}` : "",
    points.some(({ disturbed }) => disturbed) ? HOLLOW : "",
    failures.length ? "✕: a cell failed at this length" : "",
    isCost ? capitalized(about.batch) : "",
    isCost ? `${about.machine}, ${counted(about.threads, "thread")}` : "",
  ]);
  const column = isCost ? measure.key : about.metric;
  const range = points.flatMap(({ value, low }) => [value, low ?? value]);
  const scaled = range.map((value) => value / measure.scale);
  const axis = valueAxis(scaled, measure, isCost);
  const dots = () => ({
    tall: shown.length > 2 * FEW_ENTRIES,
    traces: dotTraces(points, measure),
    layout: { xaxis: axis, yaxis: { type: "category", automargin: true } },
  });
  const lines = () => ({
    traces: shown.flatMap((entry) => {
      const own = points.filter((point) => point.entry === entry);
      own.sort((a, b) => a.length - b.length);
      return entryTraces(data.entries[entry], own, measure, styleOf(strong.has(entry), hasRoom));
    }),
    layout: {
      xaxis: numberAxis(lengthsOf(runs), "sequence length, positions", String).axis,
      yaxis: axis,
      annotations: [...failures, ...(points.length ? [] : [emptyMark(shown, isCost)])],
      shapes: marked === undefined ? [] : [lengthMark(marked)],
    },
  });
  return figure({
    ...(isSingle ? dots() : lines()),
    title: measure.title,
    higherIsBetter: measure.higher_is_better,
    name: `${about.task}-${column}`,
    about,
    caption,
    rows: [
      ["entry", "sequence_length", "batch_size", column, "low", "high", "n", "disturbed"],
      ...points.map(({ entry, length, batch, value, low, high, n, disturbed }) => {
        return [data.entries[entry].name, length, batch, value, low, high, n, Number(disturbed)];
      }),
    ],
  });
}
