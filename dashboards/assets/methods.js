// Methods: their gain and price, and scores of disturbed examples.
"use strict";

const EFFECTS_NOTE =
  "A gain is the difference of the scores with and without a method, and a price the ratio of the " +
  "costs, both paired by seed and with 95% intervals from three seeds on. A positive gain is " +
  "better. Each interval holds for its method alone: of 20 methods without any effect, one seems " +
  "to have one. The reference is the entry without the last method, or the architecture alone. The " +
  "costs of a compressed model are compared with its own before compression, in one process. A " +
  "probe measures prices alone, on random tokens and in rounds, against the reference's own cell. " +
  "“—” stands for what is unknown, since a run is missing or failed.";
const NO_REFERENCE =
  "Entries against “—” have no reference here: their gain and their price are unknown. Run them " +
  'beside the entry without methods: `--methods "none;…"`.';
const ALL = "all";
const NONE =
  "There are no records with methods yet. Run " +
  '`bench run --task sentiment --methods "none;label_smoothing"`.';

/**
 * @param {Comparison} about
 * @param {MethodEffect[]} effects
 * @param {string[]} prices
 */
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
      [metricText(about.metric), ({ score }) => estimateText(score)],
      ["gain", ({ gain }) => (isEqual(gain) ? "equal scores" : estimateText(gain))],
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
 * @param {number} entry
 * @param {PlacedEstimate[]} points
 * @returns {ChartEntry}
 */
const chartEntry = (entry, points) => ({
  name: data.entries[entry].name,
  entry,
  points,
  reasons: {},
});

/**
 * Returns the charts of a comparison: gains and prices along the length, scores by strength and by
 * the size of the training data.
 * @param {MethodComparison} found
 * @param {string[]} prices
 */
function methodCharts({ comparison, effects, conditions, sizes }, prices) {
  const about = data.comparisons[comparison];
  const lengths = sorted(effects.map(({ length }) => length));
  /**
   * Returns the chart of a figure against the length, with an entry for each entry with methods.
   * @param {string} measure
   * @param {boolean} higher
   * @param {(effect: MethodEffect) => Estimate | null} figureOf
   * @returns {Chart[]}
   */
  const alongLength = (measure, higher, figureOf) => {
    const entries = sorted(effects.map(({ entry }) => entry)).map((entry) => {
      const points = effects.flatMap((effect) => {
        const one = effect.entry === entry ? figureOf(effect) : null;
        return one ? [/** @type {PlacedEstimate} */ ([String(effect.length), ...one])] : [];
      });
      return chartEntry(entry, points);
    });
    if (lengths.length < 2 || entries.every(({ points }) => points.length < 2)) return [];
    const length = lengths[lengths.length - 1];
    const what = { title: about.name, measure, higher_is_better: higher };
    return [{ ...what, comparison, against: "sequence_length", length, entries }];
  };
  /**
   * Returns a chart of each disturbance and length, or of each length.
   * @param {"strength" | "train_share"} against
   * @param {ScoresBy[]} scores
   * @returns {Chart[]}
   */
  const scoresBy = (against, scores) =>
    [...Map.groupBy(scores, ({ disturbance, length }) => `${disturbance} ${length}`).values()].map(
      (shown) => {
        const [{ disturbance, length }] = shown;
        const what = disturbance ? [disturbance.replaceAll("_", " ")] : [];
        const title = [...what, about.name].join(" · ");
        const entries = shown.map(({ entry, points }) => chartEntry(entry, points));
        const { metric: measure, share } = about;
        return { title, measure, comparison, against, length, share, entries };
      },
    );
  return [
    ...alongLength(`gain in ${about.metric}`, true, ({ gain }) => gain),
    ...prices.flatMap((name, place) =>
      alongLength(`multiple of the ${name}`, false, (effect) => effect.prices[place]),
    ),
    ...scoresBy("strength", conditions),
    ...scoresBy("train_share", sizes),
  ];
}

/**
 * @param {MethodComparison} found
 * @param {string[]} prices
 * @param {Set<number>} hidden
 */
function methodContent(found, prices, hidden) {
  const about = data.comparisons[found.comparison];
  const charts = methodCharts(found, prices).map((chart) => chartFigure(chart, hidden));
  const shown = found.effects.filter(({ entry }) => !hidden.has(entry));
  return [
    el("h2", {}, `${about.subject} · ${about.name}`),
    ...trialsWarning(about),
    ...(found.effects.length ? [effectsTable(about, shown, prices)] : []),
    ...(shown.some(({ reference }) => reference === null) ? [note(NO_REFERENCE)] : []),
    ...(charts.length ? [el("div", { className: "figures" }, ...charts)] : []),
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
  const shown = comparisons.filter((one) => task === ALL || about(one).task === task);
  const numbers = shown.flatMap(({ effects, conditions, sizes }) =>
    [...effects, ...conditions, ...sizes].map(({ entry }) => entry),
  );
  const hidden = hiddenEntries(values);
  return [
    filterForm("Choice of results", picker),
    legend(values, sorted(numbers)),
    note(EFFECTS_NOTE),
    ...shown.flatMap((found) => methodContent(found, prices, hidden)),
  ];
});
