// Quality against a cost at a length, with the Pareto front.
"use strict";

/**
 * Returns a figure of quality or gain against a cost: a point for each entry, and a line through the
 * front.
 * @param {ScatterPoint[]} points
 * @param {Measure} cost
 * @param {Measure} measure
 * @param {number[]} front the entries that no other beats in both
 * @param {Omit<FigureOptions, "traces" | "layout" | "rows"> & { chosen: Set<number>,
 *   repeat?: string }} options
 */
function scatterFigure(points, cost, measure, front, options) {
  const x = (/** @type {ScatterPoint} */ point) => (point.x.value ?? 0) / cost.scale;
  const best = points.filter(({ entry }) => front.includes(entry)).sort((a, b) => x(a) - x(b));
  const ways = [measure.higher_is_better ? "up" : "down", cost.higher_is_better ? "right" : "left"];
  return lineFigure({
    higherIsBetter: undefined,
    better: `${ways.join(" and ")} is better`,
    tall: true,
    ...options,
    lines: points.map((point) => {
      const at = `for ${formatInterval(point.x, cost)} ${cost.unit}`;
      const disturbed = point.x.disturbed || point.isPredicted;
      return { entry: point.entry, points: [{ ...point.y, x: x(point), at, n: 0, disturbed }] };
    }),
    measure,
    axis: rangedAxis(points.map(x), cost, true, false).axis,
    isJoined: false,
    extra: [
      {
        x: best.map(x),
        y: best.map(({ y }) => (y.value ?? 0) / measure.scale),
        mode: "lines",
        line: { color: GUESS_COLOR, dash: "dot", width: 2 },
        hoverinfo: "skip",
        type: "scatter",
      },
    ],
    rows: [
      ["entry", cost.key, "cost_low", "cost_high", measure.key, "low", "high", "predicted"],
      ...points.map(({ entry, x: of, y, isPredicted }) => {
        const ends = [of.value, of.low, of.high, y.value, y.low, y.high];
        return [data.entries[entry].name, ...ends, Number(isPredicted ?? false)];
      }),
    ],
  });
}

/**
 * Returns the figure of quality against a cost at a length; empty where the analysis has none.
 * @param {number} comparison
 * @param {number} number of the cost
 * @param {number | undefined} length
 * @param {Set<number>} chosen
 */
function tradeoffFigure(comparison, number, length, chosen) {
  const found = rowsOf(data.tradeoffs, comparison).find(
    (one) => one.measure === number && one.length === length,
  );
  if (!found) return [];
  const about = data.comparisons[comparison];
  const source = data.comparisons[found.source];
  const cost = data.measures[number];
  const quality = measureOf(QUALITY, about);
  /** @type {(points: Point[], measure: number) => Point[]} */
  const at = (points, measure) =>
    points.filter((point) => point.length === length && point.measure === measure);
  const measured = at(pointsOf(found.source), number);
  const predicted = at(predictionsOf(found.source, number), number);
  const points = at(pointsOf(comparison), QUALITY).flatMap((y) => {
    const own = measured.find(({ entry }) => entry === y.entry);
    const x = own ?? predicted.find(({ entry }) => entry === y.entry);
    return x ? [{ entry: y.entry, x, y, isPredicted: x !== own }] : [];
  });
  const { batch, machine } = source;
  const isBorrowed = found.source !== comparison;
  const most = Math.max(...points.map(({ y }) => y.n));
  const what = `${quality.title} against ${cost.title.toLowerCase()}`;
  const drawn = scatterFigure(points, cost, quality, found.front, {
    title: `${what} at length ${formatNumber(length)}`,
    chosen,
    repeat: most > 1 ? undefined : "seed",
    name: `${about.task}-${length}-against-${cost.key}`,
    about,
    caption: joined([
      most > 1 ? "Bars are 95% intervals of quality" : "One seed, no interval",
      "The dotted line is the Pareto front: no other entry is better in both",
      points.some(({ x }) => x.disturbed) ? HOLLOW : "",
      points.some(({ isPredicted }) => isPredicted)
        ? "Hollow: the cost is predicted, not measured"
        : "",
      isBorrowed
        ? `Costs of the ${formText(source)} models on random tokens, ${batch}, on ${machine}`
        : `Costs on ${machine}`,
    ]),
  });
  return [drawn];
}
