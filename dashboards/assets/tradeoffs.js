// Trade-offs: quality against cost, growth with length, crossover points, length limits.
"use strict";

/** The costs that quality is drawn against. */
const DRAWN_COSTS = [PEAK_MEMORY, TOKENS_PER_SECOND];

/**
 * @param {State} values
 * @param {number} number of the comparison
 * @param {number[]} offered the numbers of the measures with points
 * @param {number} mapped the number of the chosen measure
 */
function tradeOffControls(values, number, offered, mapped) {
  const about = data.comparisons[number];
  const options = offered.map((n) => [measureOf(n, about).title, String(n)]);
  const budget = el("input", {
    type: "number",
    min: "0",
    step: "any",
    value: values.gib ?? "",
    placeholder: "none",
    onchange: (/** @type {Event} */ event) =>
      change({ gib: /** @type {HTMLInputElement} */ (event.target).value }),
  });
  return [
    select("Measure of map and curve", options, String(mapped), (value) => change({ map: value })),
    repeatPicker(values, number),
    el("label", {}, "Memory budget, GiB", budget),
  ];
}

start((values) => {
  const choice = chooseComparison(values);
  if (!choice.shown) {
    return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES), ...performanceProfile()];
  }
  const { comparison: about, number } = choice.shown;
  const hidden = hiddenEntries(values);
  const known = new Set(pointsOf(number).map(({ measure }) => measure));
  const offered = [QUALITY, ...data.measures.keys()].filter((n) => known.has(n));
  const mapped = offered.includes(Number(values.map)) ? Number(values.map) : offered[0];
  const costs = known.has(QUALITY) ? DRAWN_COSTS.filter((n) => known.has(n)) : [];
  const source = costs.length ? number : costsFor(choice.shown)[0]?.number;
  const against = about.mode === "train" && source !== undefined ? DRAWN_COSTS : [];
  const figures = against.flatMap((cost) => qualityAgainstCost(number, cost, values, source));
  if (mapped !== undefined) {
    figures.push(heatMap(number, mapped, values), lengthFigure(number, mapped, values));
  }
  if (known.has(PEAK_MEMORY)) figures.push(...lengthLimits(number, values));
  const [measures, ...further] = tradeOffControls(values, number, offered, mapped);
  return [
    filterBar(values, choice, [measures], further),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject} · ${about.name}`),
    ...disturbedNote(number),
    legend(values, entriesOf(number)),
    el("div", { className: "figures" }, ...figures),
    ...crossoverTable(number, hidden),
    ...growthTable(number),
    ...backendTable(number, hidden),
    ...performanceProfile(),
  ];
});
