// Learning rates: the trials that chose them, and how wide the range of good rates is.
"use strict";

const NO_RATES =
  "No learning rate has been tuned yet. `make tune BENCHMARK=core TASK=ner` tunes those of a task.";
const TRIALS_NOTE =
  "These scores are of trials: short runs on validation that choose a learning rate. They are no " +
  "results and rank no entry. The learning-rate window is the width, in decades, of the range of " +
  "rates within one standard error of the best. An entry that learns little, or whose seeds differ " +
  "much, has a wide window too, so compare windows of entries with similar scores.";

/**
 * Returns a learning rate as text.
 * @param {number} rate
 */
const rateText = (rate) => (rate < 1e-3 ? rate.toExponential().replace("e-", "e−") : String(rate));

/**
 * Returns the traces of one entry: the scores of each stage of its search, and its choice.
 * @param {RateSearch} search
 */
function searchTraces(search) {
  const line = data.lines[lineNumber.get(search.entry) ?? -1];
  if (!line) return [];
  const { color, dash, symbol } = line;
  const stages = [...new Set(search.tried.map(({ steps }) => steps))].sort(ascending);
  return stages.map((steps, stage) => {
    const tried = search.tried.filter((one) => one.steps === steps && one.validation !== null);
    const isLast = stage === stages.length - 1;
    const chosen = isLast ? search.learning_rate : null;
    return {
      x: tried.map((one) => one.learning_rate),
      y: tried.map((one) => one.validation),
      name: plain(search.entry),
      type: "scatter",
      mode: "lines+markers",
      opacity: isLast ? 1 : 0.45,
      line: { color, dash, width: isLast ? 2.5 : 1 },
      marker: {
        color,
        size: tried.map((one) => (one.learning_rate === chosen ? 13 : 7)),
        symbol: symbol + (isLast ? "" : "-open"),
      },
      text: tried.map((one) => {
        const seeds = `${one.num_seeds} seed${one.num_seeds > 1 ? "s" : ""}`;
        const at = `${search.entry} at ${rateText(one.learning_rate)}, ${steps} steps, ${seeds}`;
        const end = one.learning_rate === chosen ? ", chosen" : "";
        return plain(`${at}: ${formatNumber(one.validation)}${end}`);
      }),
      hovertemplate: "%{text}<extra></extra>",
    };
  });
}

/**
 * Returns the figure of the scores of trials against the learning rate.
 * @param {RateSearch[]} searches
 */
function ratesFigure(searches) {
  const rates = searches.flatMap(({ tried }) => tried.map((one) => one.learning_rate));
  const ticks = [...new Set(rates)].sort(ascending);
  const metric = metricText(searches[0].metric);
  return figure({
    title: `${capitalized(metric)} against learning rate`,
    tall: true,
    name: `learning-rates-${searches[0].task}-${searches[0].sequence_length}`,
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
      ["entry", "learning_rate", "steps", "seeds", searches[0].metric],
      ...searches.flatMap(({ entry, tried }) =>
        tried.map((one) => [entry, one.learning_rate, one.steps, one.num_seeds, one.validation]),
      ),
    ],
  });
}

/**
 * Returns the table of the chosen rates.
 * @param {RateSearch[]} searches
 */
function ratesTable(searches) {
  const metric = metricText(searches[0].metric);
  const rows = searches.map((one) => [
    one.entry,
    rateText(one.learning_rate),
    formatFigure(one.score),
    one.window === null ? "—" : one.window.toFixed(2),
    one.cost === null ? "—" : one.cost.toFixed(1),
    one.num_trials,
  ]);
  const head = ["entry", "chosen rate", metric, "window, decades", "cost, final runs", "trials"];
  return table(head, rows, { caption: "Chosen learning rates, best score first", texts: [0] });
}

/**
 * Returns the text that occurs most often; of equals the first.
 * @param {string[]} texts
 */
function mostCommon(texts) {
  /** @param {string} text */
  const count = (text) => texts.filter((other) => other === text).length;
  return [...texts].sort((a, b) => count(b) - count(a))[0];
}

/**
 * Returns the searches that the state chooses, and a list for each field with several values. A
 * field that the state does not name has the value of the most searches.
 * @param {State} values
 */
function chosenSearches(values) {
  /** @type {["task" | "length" | "data", string, (one: RateSearch) => string, (one: RateSearch) => string][]} */
  const fields = [
    ["task", "Task", (one) => one.task, (one) => one.title],
    [
      "length",
      "Length",
      (one) => String(one.sequence_length),
      (one) => String(one.sequence_length),
    ],
    ["data", "Data and steps", (one) => one.data, (one) => one.data],
  ];
  let found = data.learning_rates;
  const controls = [];
  for (const [name, label, keyOf, titleOf] of fields) {
    /** @type {Map<string, string>} */
    const options = new Map(found.map((one) => [keyOf(one), titleOf(one)]));
    const key = options.has(values[name] ?? "") ? values[name] : mostCommon(found.map(keyOf));
    found = found.filter((one) => keyOf(one) === key);
    if (options.size > 1) {
      /** @type {[string, string][]} */
      const listed = [...options].map(([value, title]) => [title, value]);
      controls.push(select(label, listed, key, (value) => change({ [name]: value })));
    }
  }
  return { found, controls };
}

start((values) => {
  if (!data.learning_rates.length) return [el("p", {}, ...withCode(NO_RATES))];
  const { found, controls } = chosenSearches(values);
  const [first] = found;
  const lines = found.flatMap(({ entry }) => data.lines[lineNumber.get(entry) ?? -1] ?? []);
  return [
    ...(controls.length ? [el("form", { className: "filters" }, ...controls)] : []),
    el("h2", {}, `${first.title}, length ${first.sequence_length}`),
    el("p", { className: "note" }, `Data: ${first.data}. ${TRIALS_NOTE}`),
    plainLegend(lines),
    ratesFigure(found),
    ratesTable(found),
  ];
});
