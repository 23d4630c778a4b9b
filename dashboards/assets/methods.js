// Methods: their gain and price, and scores of disturbed examples.
"use strict";

const EFFECTS_NOTE =
  "A gain is the difference of the scores with and without a method: positive is better. A price is " +
  "the ratio of the costs. Both are paired by seed, with 95% intervals from three seeds on. Each " +
  "interval holds for its method alone: of 20 methods without any effect, one seems to have one. " +
  "The costs of a compressed model are compared with its own before compression.";
const NO_REFERENCE =
  "Entries against “—” have no reference here: their gain and their price are unknown. Run them " +
  'beside the entry without methods: `--methods "none;…"`.';
const ALL = "all";
const NONE =
  "There are no records with methods yet. Run " +
  '`bench run --task sentiment --methods "none;label_smoothing"`.';

/** @param {Comparison} about @param {MethodEffect[]} effects @param {string[]} prices */
function effectsTable(about, effects, prices) {
  /** @param {Estimate | null} one */
  const isEqual = (one) => one?.slice(0, 3).every((end) => end === 0);
  /** @type {[head: string, cell: (row: MethodEffect) => TableCell][]} */
  const columns = [
    ["entry", ({ entry }) => entryLabel(data.entries[entry])],
    ["against", ({ reference: r }) => (r === null ? "—" : entryLabel(data.entries[r]))],
    ["length", ({ length }) => formatNumber(length)],
  ];
  if (about.metric) {
    columns.push(
      ["seeds", ({ score }) => score?.[3] ?? 0],
      [metricText(about.metric), ({ score }) => estimateText(score, about)],
      ["gain", ({ gain }) => (isEqual(gain) ? "equal scores" : estimateText(gain, about))],
    );
  } else {
    /** @param {MethodEffect} row */
    const rounds = (row) => Math.max(0, ...row.prices.map((one) => one?.[3] ?? 0));
    columns.push(["rounds", (row) => (row.reference === null ? "—" : rounds(row))]);
  }
  for (const [place, name] of prices.entries()) {
    if (!effects.some((row) => row.prices[place])) continue;
    columns.push([name, ({ prices: of }) => (of[place] ? `${estimateText(of[place])} ×` : "—")]);
  }
  const caption = about.metric ? `Scores on the ${about.split} split` : "Prices of methods";
  return itemsTable(effects, columns, { caption, texts: [0, 1] });
}

/**
 * Returns the charts of a comparison: scores by the strength of a disturbance, and by the size of the
 * training data.
 * @param {MethodComparison} found
 * @returns {Chart[]}
 */
function methodCharts({ comparison, conditions, sizes }) {
  const about = data.comparisons[comparison];
  return [
    ...Map.groupBy([...conditions, ...sizes], (one) => `${one.disturbance} ${one.length}`),
  ].map(([, shown]) => {
    const [{ disturbance, length }] = shown;
    const entries = shown.map(({ entry, points }) => {
      return { name: data.entries[entry].name, entry, points, reasons: {} };
    });
    return {
      title: [disturbance?.replaceAll("_", " "), about.subject].filter(Boolean).join(" · "),
      measure: about.metric,
      comparison,
      against: disturbance ? "strength" : "train_share",
      length,
      share: about.share,
      entries,
    };
  });
}

/**
 * Returns the figure of the gain of each method against a price at the longest length; of a probe,
 * which has no gain, another price against it. Empty with fewer than two methods.
 * @param {MethodComparison} found
 * @param {string[]} prices
 * @param {number} place of the price
 * @param {number | undefined} other the place of another price
 * @param {Set<number>} chosen
 */
function priceFigure({ comparison, effects }, prices, place, other, chosen) {
  const about = data.comparisons[comparison];
  const longest = lengthsOf(effects).at(-1);
  const points = effects.flatMap(({ entry, length, gain, prices: of }) => {
    const [cost, y] = [of[place], about.metric ? gain : of[other ?? -1]];
    return cost && y && length === longest ? { entry, x: intervalOf(cost), y: intervalOf(y) } : [];
  });
  if (points.length < 2) return [];
  /** @param {number} number */
  const multiple = (number) => plainMeasure(`multiple of the ${prices[number]}`, false);
  const measure = about.metric
    ? plainMeasure(`gain in ${metricText(about.metric)}`, true)
    : multiple(other ?? 0);
  return [
    scatterFigure(points, multiple(place), measure, [], {
      title: `${capitalized(measure.title)} against the ${prices[place]}, length ${longest}`,
      name: `${about.task}-${fileName(prices[place])}`,
      about,
      caption: "1 is the price of the reference. Bars are 95% intervals from three seeds on.",
      chosen,
    }),
  ];
}

/** @param {MethodComparison} found @param {string[]} prices @param {State} values */
function methodContent(found, prices, values) {
  const about = data.comparisons[found.comparison];
  const { effects, conditions, sizes } = found;
  const entries = sorted([...effects, ...conditions, ...sizes].map(({ entry }) => entry));
  const best = effects.toSorted((a, b) => (b.gain?.[0] ?? 0) - (a.gain?.[0] ?? 0));
  const ordered = best.map(({ entry }) => entry);
  const chosen = chosenEntries(values, entries, ordered);
  const priced = [...prices.keys()].filter((n) => effects.some(({ prices: of }) => of[n]));
  const place = priced.includes(Number(values.price)) ? Number(values.price) : priced[0];
  const other = priced.find((n) => n !== place);
  const figures = priceFigure(found, prices, place, other, chosen);
  const charts = methodCharts(found).map((chart) => {
    const own = chart.entries.map(({ entry }) => entry ?? -1);
    return chartFigure(chart, chosenEntries(values, own));
  });
  const lengths = lengthsOf([...effects, ...conditions, ...sizes]);
  const options = priced.map((n) => [prices[n], String(n)]);
  const price = select("Price", options, String(place), (value) => change({ price: value }));
  return [
    el(
      "h2",
      {},
      `${about.subject}, length${lengths.length > 1 ? "s" : ""} ${lengths.map((n) => formatNumber(n)).join(", ")}: ${about.name}`,
    ),
    resultsNote(about),
    ...trialsWarning(about),
    ...(effects.length ? [effectsTable(about, effects, prices)] : []),
    ...(effects.some(({ reference }) => reference === null) ? [note(NO_REFERENCE)] : []),
    legend(entries, chosen),
    ...(figures.length ? [filterForm("Price", price), ...figures] : []),
    el("div", { className: "figures" }, ...charts),
  ];
}

start((values) => {
  const { prices, comparisons } = window.LENGTHWISE_METHODS;
  if (!comparisons.length) return [el("p", {}, ...withCode(NONE))];
  /** @param {MethodComparison} found */
  const about = ({ comparison }) => data.comparisons[comparison];
  const subjects = new Map(comparisons.map((one) => [about(one).task, about(one).subject]));
  const [first] = subjects.keys();
  const task = values.tasks === ALL ? ALL : subjects.has(values.task) ? values.task : first;
  const options = [...[...subjects].map(([name, subject]) => [subject, name]), [ALL, ALL]];
  const picker = select("Task", options, task, (name) =>
    change(name === ALL ? { tasks: ALL } : { task: name, tasks: "" }),
  );
  const shown = comparisons
    .filter((one) => task === ALL || about(one).task === task)
    .sort((a, b) => Number(b.effects.length > 0) - Number(a.effects.length > 0));
  return [
    filterForm("Choice of results", picker),
    note(EFFECTS_NOTE),
    ...shown.flatMap((found) => methodContent(found, prices, values)),
  ];
});
