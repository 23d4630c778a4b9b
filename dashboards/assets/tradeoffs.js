// Trade-offs: quality against cost, growth with length, crossover points.
"use strict";

/** The costs that quality is drawn against. */
const DRAWN_COSTS = [PEAK_MEMORY, TOKENS_PER_SECOND];

start((values) => {
  const choice = chooseComparison(values);
  if (!choice.shown) {
    return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES), ...sharesTable()];
  }
  const { comparison: about, number } = choice.shown;
  const entries = entriesOf(number);
  const chosen = chosenEntries(values, entries, bestFirst(number));
  const known = new Set(pointsOf(number).map(({ measure }) => measure));
  const offered = [QUALITY, ...data.measures.keys()].filter((n) => known.has(n));
  const mapped = offered.includes(Number(values.map)) ? Number(values.map) : offered[0];
  const lengths = lengthsOf(rowsOf(data.tradeoffs, number));
  const length = lengths.includes(Number(values.length)) ? Number(values.length) : lengths.at(-1);
  const figures = DRAWN_COSTS.flatMap((cost) => tradeoffFigure(number, cost, length, chosen));
  if (mapped !== undefined) figures.push(heatMap(number, mapped));
  const options = lengths.map((one) => [formatNumber(one), String(one)]);
  const maps = offered.map((n) => [measureOf(n, about).title, String(n)]);
  const controls = [
    ...(lengths.length > 1
      ? [select("Length", options, String(length), (value) => change({ length: value }))]
      : []),
    select("Measure of the map", maps, String(mapped), (value) => change({ map: value })),
  ];
  return [
    filterBar(values, choice, controls),
    ...trialsWarning(about),
    el("h2", {}, about.subject),
    resultsNote(about),
    ...disturbedNote(figures),
    legend(entries, chosen),
    el("div", { className: "figures" }, ...figures),
    ...crossoverTable(number),
    ...growthTable(number),
    ...backendTable(number),
    ...sharesTable(),
  ];
});
