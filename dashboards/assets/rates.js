// Learning rates: the trials that chose them, and how wide the range of good rates is.
"use strict";

const NO_RATES =
  "No learning rate has been tuned yet. `make tune BENCHMARK=core TASK=ner` tunes those of a task.";
const TRIALS_NOTE =
  "These scores are of trials: short runs on validation that choose a learning rate. They are no " +
  "results and rank no entry. The learning-rate window is the width, in decades, of the range of " +
  "rates within one standard error of the best. An entry that learns little, or whose seeds differ " +
  "much, has a wide window too, so compare windows of entries with similar scores.";

/** @param {number} rate */
const rateText = (rate) => (rate < 1e-3 ? rate.toExponential().replace("e-", "e−") : String(rate));

/**
 * Returns the traces of one entry: the scores of each stage of its search, and its choice.
 * @param {RateSearch} search
 */
function searchTraces(search) {
  const entry = data.entries[entryNumber.get(search.entry) ?? -1];
  if (!entry) return [];
  const { color, dash, symbol } = entry;
  const stages = sorted(search.tried.map(({ steps }) => steps));
  return stages.map((steps, stage) => {
    const tried = search.tried.filter((one) => one.steps === steps && one.validation !== null);
    const isLast = stage === stages.length - 1;
    const chosen = isLast ? search.learning_rate : null;
    const texts = tried.map((one) => {
      const seeds = counted(one.num_seeds, "seed");
      const at = `${search.entry} at ${rateText(one.learning_rate)}, ${steps} steps, ${seeds}`;
      const end = one.learning_rate === chosen ? ", chosen" : "";
      return `${at}: ${formatNumber(one.validation)}${end}`;
    });
    return {
      ...labelled(search.entry, texts),
      x: tried.map((one) => one.learning_rate),
      y: tried.map((one) => one.validation),
      type: "scatter",
      mode: "lines+markers",
      opacity: isLast ? 1 : 0.45,
      line: { color, dash, width: isLast ? 2.5 : 1 },
      marker: {
        color,
        size: tried.map((one) => (one.learning_rate === chosen ? 13 : 7)),
        symbol: symbol + (isLast ? "" : "-open"),
      },
    };
  });
}

/** @param {RateSearch[]} searches */
function ratesFigure(searches) {
  const [first] = searches;
  const ticks = sorted(searches.flatMap(({ tried }) => tried.map((one) => one.learning_rate)));
  const metric = metricText(first.metric);
  return figure({
    title: `${capitalized(metric)} against learning rate`,
    higherIsBetter: first.higher_is_better,
    tall: true,
    name: `learning-rates-${first.task}-${first.sequence_length}`,
    caption:
      "Thin, hollow: short trials on one seed. Thick: longer trials, means over their seeds. The " +
      "largest symbol is the chosen rate. Rates that diverged are left out.",
    traces: searches.flatMap(searchTraces),
    layout: {
      xaxis: {
        type: "log",
        title: { text: "learning rate" },
        tickvals: ticks,
        ticktext: ticks.map(rateText),
      },
      yaxis: { title: { text: metric } },
    },
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

/** @type {Field<RateSearch>[]} */
const RATE_FIELDS = [
  ["task", "Task", (one) => one.task, (one) => one.title],
  ["length", "Length", (one) => String(one.sequence_length)],
  ["data", "Data and steps", (one) => one.data],
];

start((values) => {
  if (!data.learning_rates.length) return [el("p", {}, ...withCode(NO_RATES))];
  let found = data.learning_rates;
  const controls = [];
  for (const field of RATE_FIELDS) {
    const [name, , keyOf] = field;
    const options = optionsOf(found, field);
    /** @param {string} value */
    const count = (value) => found.filter((one) => keyOf(one) === value).length;
    // A field that the state does not name has the value of the most searches.
    const [[, common]] = options.toSorted(([, a], [, b]) => count(b) - count(a));
    const key = options.some(([, value]) => value === values[name]) ? values[name] : common;
    if (options.length > 1) controls.push(choiceList(field, options, key));
    found = found.filter((one) => keyOf(one) === key);
  }
  const [first] = found;
  const entries = found.flatMap(({ entry }) => data.entries[entryNumber.get(entry) ?? -1] ?? []);
  return [
    ...(controls.length ? [filterForm("Choice of results", ...controls)] : []),
    el("h2", {}, `${first.title}, length ${first.sequence_length}`),
    note(`Data: ${first.data}. ${TRIALS_NOTE}`),
    plainLegend(entries),
    ratesFigure(found),
    ratesTable(found),
  ];
});
