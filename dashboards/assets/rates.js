// Learning rates: the trials that chose them, and how wide the range of good rates is.
"use strict";

const NO_RATES =
  "No learning rate has been tuned yet. `make tune BENCHMARK=core TASK=ner` tunes those of a task.";
const TRIALS_NOTE =
  "These scores are of trials: short runs on validation that choose a learning rate. They are no " +
  "results and rank no entry. An entry that learns little, or whose seeds differ much, has a wide " +
  "learning-rate window too: compare windows of entries with similar scores.";

/** @param {number} rate */
const rateText = (rate) => (rate < 1e-3 ? rate.toExponential().replace("e-", "e−") : String(rate));

/** @param {RateSearch} search */
const searchedEntry = (search) => entryNumber.get(search.entry) ?? -1;

/**
 * Returns a line for each stage of the search of one entry; the chosen rate is larger.
 * @param {RateSearch} search
 * @returns {Line[]}
 */
function searchLines(search) {
  const stages = sorted(search.tried.map(({ steps }) => steps));
  return stages.map((steps, stage) => {
    const isLast = stage === stages.length - 1;
    const tried = search.tried.filter((one) => one.steps === steps && one.validation !== null);
    const points = tried.map(({ learning_rate: x, validation: value, num_seeds: n }) => {
      const isChosen = isLast && x === search.learning_rate;
      const at = `at ${rateText(x)}, ${steps} steps${isChosen ? ", chosen" : ""}`;
      return { x, value, low: null, high: null, n, at, size: isChosen ? 13 : undefined };
    });
    return { entry: searchedEntry(search), isThin: !isLast, points };
  });
}

/** @param {RateSearch[]} searches @param {Set<number>} chosen */
function ratesFigure(searches, chosen) {
  const [first] = searches;
  const ticks = sorted(searches.flatMap(({ tried }) => tried.map((one) => one.learning_rate)));
  const metric = metricText(first.metric);
  return lineFigure({
    title: `${capitalized(metric)} against learning rate`,
    tall: true,
    name: `learning-rates-${first.task}-${first.sequence_length}`,
    caption:
      "Thin, hollow: short trials on one seed. Thick: longer trials, means over their seeds. The " +
      "largest symbol is the chosen rate. Rates that diverged are left out.",
    lines: searches.flatMap(searchLines),
    measure: plainMeasure(metric, first.higher_is_better),
    axis: numberAxis(ticks, "learning rate", rateText).axis,
    chosen,
    repeat: "seed",
    rows: [
      ["entry", "learning_rate", "steps", "seeds", first.metric],
      ...searches.flatMap(({ entry, tried }) =>
        tried.map((one) => [entry, one.learning_rate, one.steps, one.num_seeds, one.validation]),
      ),
    ],
  });
}

/** @param {RateSearch[]} searches */
function ratesTable(searches) {
  const options = { caption: "Chosen learning rates, best score first", texts: [0] };
  return itemsTable(
    searches,
    [
      ["entry", ({ entry }) => entry],
      ["chosen rate", (one) => rateText(one.learning_rate)],
      [metricText(searches[0].metric), ({ score }) => formatFigure(score)],
      ["window, decades", (one) => decimal(one.window, 2)],
      ["cost, final runs", ({ cost }) => decimal(cost)],
      ["trials", (one) => one.num_trials],
    ],
    options,
  );
}

/** @param {RateSearch} one */
const searchTitle = ({ title, sequence_length: length, data: of }) =>
  `${title}, length ${formatNumber(length)} (${of})`;

start((values) => {
  if (!data.learning_rates.length) return [el("p", {}, ...withCode(NO_RATES))];
  const groups = Map.groupBy(data.learning_rates, searchTitle);
  const ofTask = data.learning_rates.filter(({ task }) => !values.task || task === values.task);
  const most = [...Map.groupBy(ofTask, searchTitle)].sort(([, a], [, b]) => b.length - a.length);
  const shown = groups.has(values.search) ? values.search : (most[0] ?? [...groups][0])[0];
  const found = groups.get(shown) ?? [];
  const options = [...groups.keys()].sort().map((title) => [title, title]);
  const [first] = found;
  const entries = found.map(searchedEntry).filter((entry) => entry >= 0);
  const chosen = chosenEntries(values, entries, entries); // the best score comes first
  return [
    filterForm(
      "Choice of results",
      select("Task", options, shown, (search) => change({ search })),
    ),
    el("h2", {}, `${first.title}, length ${formatNumber(first.sequence_length)}`),
    note(`Data: ${first.data}. ${TRIALS_NOTE}`),
    legend(entries, chosen),
    ratesFigure(found, chosen),
    ratesTable(found),
  ];
});
