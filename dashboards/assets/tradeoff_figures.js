// The heat map of a measure by entry and length.
"use strict";

/** @param {number} comparison @param {number} number of the measure */
function heatMap(comparison, number) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const points = pointsOf(comparison).filter((p) => p.measure === number);
  const runs = runsOf(comparison);
  const lengths = lengthsOf(runs);
  const best = bestFirst(comparison);
  const entries = [...new Set([...best, ...entriesOf(comparison)])];
  const values = entries.map((entry) =>
    lengths.map((length) => {
      const point = points.find((p) => p.entry === entry && p.length === length);
      return point ? point.value / measure.scale : null;
    }),
  );
  const figures = values.flat().filter((value) => value !== null);
  const least = Math.min(...figures);
  const isLogarithmic = number !== QUALITY && least > 0 && Math.max(...figures) / least > 5;
  /** @param {number | null} value */
  const shade = (value) => (isLogarithmic && value !== null ? Math.log10(value) : value);
  const most = Math.max(0, ...points.map(({ n }) => n));
  return heatFigure({
    title: `${measure.title} by entry and length`,
    higherIsBetter: measure.higher_is_better,
    name: `${about.task}-${measure.key}-map`,
    about,
    caption: joined([
      most === 1 ? `One ${repeatName(about)}` : "Means",
      measure.unit ? capitalized(measure.unit) : "",
      isLogarithmic ? "Logarithmic colours" : "",
      "Darker is better",
      "A cell without a figure shows why",
    ]),
    columns: lengths.map(String),
    names: entries.map((entry) => data.entries[entry].name),
    values: values.map((row) => row.map(shade)),
    texts: values.map((row, i) =>
      row.map((value, j) =>
        value === null ? statusAt(runs, entries[i], lengths[j]) : formatFigure(value, measure),
      ),
    ),
    axes: ["sequence length, positions", ""],
    rows: [
      ["entry", ...lengths],
      ...entries.map((entry, i) => [data.entries[entry].name, ...values[i]]),
    ],
  });
}

/**
 * Returns why an entry has no figure at a length.
 * @param {RunRow[]} runs
 * @param {number} entry
 * @param {number} length
 */
function statusAt(runs, entry, length) {
  const found = runs.filter((run) => run.entry === entry && run.length === length);
  const failed = found.find(({ status }) => status !== "ok");
  return failed?.status ?? (found.length ? "no figure" : "not run");
}
