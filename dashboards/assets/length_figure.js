// The figure of a measure against sequence length.
"use strict";

/** The colour of the mark of a failure, which is readable on white and on the dark paper. */
const FAILURE_COLOR = "#e23b4f";

/**
 * Returns a ✕ at each length where a cell failed; its hover text names the entries.
 * @param {RunRow[]} runs
 */
function failureMarks(runs) {
  const failed = runs.filter(({ status }) => status !== "ok" && !NOT_RUN.has(status));
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
 * Returns a vertical line at a length, which a shape on a logarithmic axis takes as it is.
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
 * Returns the figure of a measure against length, with predictions where there are any.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {Set<number>} chosen the entries that have colours
 * @param {{ marked?: number, strong?: Set<number>, rank?: string, note?: string }}
 *   [options] a length to mark, the entries that stand out, why they do, and a
 *   first sentence
 */
function lengthFigure(comparison, number, chosen, options = {}) {
  const { marked, strong = new Set(), rank = "", note: first = "" } = options;
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const isCost = number !== QUALITY;
  const points = pointsOf(comparison).filter((point) => point.measure === number);
  const predicted = predictionsOf(comparison, number);
  const runs = runsOf(comparison);
  const failures = failureMarks(runs);
  // At a single length all points of a line chart would coincide.
  const isSingle = lengthsOf(points).length === 1 && !failures.length;
  const most = Math.max(0, ...points.map(({ n }) => n));
  const mean = `${isCost ? "Geometric mean" : "Mean"} of up to ${counted(most, repeatName(about))}`;
  const hasStrong = points.some(({ entry }) => strong.has(entry));
  const caption = joined([
    first,
    isSingle ? `All at length ${formatNumber(points[0].length)}` : "",
    most > 1 ? `${mean}, with 95% intervals of few or thick lines` : "",
    most === 1 ? `One ${repeatName(about)}, no interval` : "",
    hasStrong && !isSingle && rank ? `Thick: ${rank}` : "",
    predicted.length && !isSingle ? PREDICTED_NOTE : "",
    points.some(({ disturbed }) => disturbed) ? HOLLOW : "",
    failures.length ? "✕: a cell failed at this length" : "",
    isCost ? capitalized(about.batch) : "",
    isCost ? `${about.machine}, ${counted(about.threads, "thread")}` : "",
  ]);
  const column = isCost ? measure.key : about.metric;
  /** @type {(points: Point[], isPredicted: boolean) => Line[]} */
  const linesOf = (found, isPredicted) =>
    [...Map.groupBy(found, ({ entry }) => entry)].map(([entry, own]) => ({
      entry,
      isPredicted,
      points: own
        .toSorted((a, b) => a.length - b.length)
        .map((p) => ({ ...p, x: isSingle ? data.entries[entry].name : p.length })),
    }));
  const colored = isSingle ? [] : predicted.filter(({ entry }) => chosen.has(entry));
  const ticks = sorted([...lengthsOf(runs), ...lengthsOf(colored).slice(-1)]);
  const sign = measure.higher_is_better ? -1 : 1;
  const best = points.toSorted((a, b) => sign * (a.value - b.value));
  const names = best.map(({ entry }) => data.entries[entry].name);
  return lineFigure({
    title: measure.title,
    name: `${about.task}-${column}`,
    about,
    caption,
    lines: [...linesOf(isSingle ? best : points, false), ...linesOf(colored, true)],
    measure,
    axis: isSingle
      ? { type: "category", tickangle: -60, categoryarray: names }
      : numberAxis(ticks, "sequence length, positions", String).axis,
    isJoined: !isSingle,
    tall: isSingle,
    chosen,
    strong,
    repeat: repeatName(about),
    annotations: failures,
    shapes: marked === undefined || isSingle ? [] : [lengthMark(marked)],
    empty: isCost ? "No measurement of these entries" : "No score of these entries",
    rows: [
      ["entry", "sequence_length", "batch_size", column, "low", "high", "n", "disturbed"],
      ...points.map(({ entry, length, batch, value, low, high, n, disturbed }) => {
        return [data.entries[entry].name, length, batch, value, low, high, n, Number(disturbed)];
      }),
    ],
  });
}
