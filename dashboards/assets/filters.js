// The choice of a task and of its results.
"use strict";

/** The names of the groups in the list of tasks, by the kind of their results. */
const TASK_GROUPS = {
  final: "Tasks with final runs",
  costs: "Costs on random tokens",
  trial: "Tasks with trials alone",
};
const OWN_GROUP = "Your data";
const NOTHING_MATCHES =
  "No results match. Trials are shown only if they are chosen under “Results”.";
const TRIALS_SHOWN =
  "Trials, not results: these runs are no final runs of a frozen benchmark. They choose learning " +
  "rates, try other settings or belong to a draft of a benchmark. Nothing here is ranked.";

/**
 * Chooses the comparison to show: the one in the state, otherwise the first one that has results.
 * The data has comparisons in their order of precedence. A trial is shown only if it is named, or of
 * the user's own data.
 * @param {State} values
 * @param {(comparison: Comparison) => boolean} [isAllowed] what the page can show
 * @returns {Choice}
 */
function chooseComparison(values, isAllowed = () => true) {
  const all = data.comparisons.map((comparison, number) => ({ comparison, number }));
  const allowed = all.filter(({ comparison }) => isAllowed(comparison));
  const matching = allowed.filter(
    ({ comparison }) => !values.task || comparison.task === values.task,
  );
  const named = matching.find(({ comparison }) => comparison.title === values.comparison);
  const results = matching.filter(({ comparison: one }) => one.kind !== "trial" || one.is_own);
  const first = results.find(({ number }) => entriesOf(number).length > 0) ?? results[0];
  return { allowed, matching, shown: named ?? first };
}

/**
 * Returns a form of controls that act at once, so that it is never sent.
 * @param {string} label
 * @param {...Node} controls
 */
function filterForm(label, ...controls) {
  const onsubmit = (/** @type {Event} */ event) => event.preventDefault();
  return el("form", { className: "filters", "aria-label": label, onsubmit }, ...controls);
}

/**
 * Returns the choice of a task, with more controls of the page; that of its results is folded.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} [extras]
 */
function filterBar(values, choice, extras = []) {
  return filterForm(
    "Choice of results",
    ...taskPicker(values, choice),
    ...extras,
    el(
      "details",
      // What the reader has opened stays open when the page is drawn again.
      { className: "advanced results", open: document.querySelector(".results[open]") !== null },
      el("summary", {}, "Results"),
      el("div", { className: "controls" }, ...resultsPicker(values, choice)),
      note(`Shown: ${choice.shown?.comparison.title ?? "nothing"}.`),
    ),
  );
}

/**
 * Returns the choice of a task, or of what probes measure; empty if there is nothing to choose.
 * @param {State} values
 * @param {Choice} choice
 */
function taskPicker(values, { allowed, shown }) {
  const task = shown?.comparison.task ?? values.task ?? "";
  // The preferred results of a task come first, and final runs before costs and trials.
  const firsts = firstOfEach(allowed, ({ comparison }) => comparison.task);
  if (firsts.length < 2 && shown) return [];
  const options = firsts.map(({ comparison: one }) => [
    one.subject,
    one.task,
    one.is_own ? OWN_GROUP : TASK_GROUPS[one.kind],
  ]);
  const none = options.some(([, name]) => name === task) ? [] : [["choose a task", task, ""]];
  const chosen = (/** @type {string} */ value) => {
    change({ task: value, comparison: "" });
  };
  return [select("Task", [...none, ...options], task, chosen)];
}

/**
 * Returns the choice among the results of the shown task, by their short names.
 * @param {State} values
 * @param {Choice} choice
 */
function resultsPicker(values, { matching, shown }) {
  const task = shown?.comparison.task ?? values.task;
  const found = matching.filter(({ comparison }) => comparison.task === task);
  if (!found.length || (shown && found.length < 2)) return [];
  const options = found.map(({ comparison: { name, title } }) => [name, title]);
  if (!shown) options.unshift(["choose", ""]);
  const chosen = (/** @type {string} */ value) => change({ task: task ?? "", comparison: value });
  return [select("Results", options, shown?.comparison.title ?? "", chosen)];
}

/** @param {Comparison} about */
function trialsWarning(about) {
  if (about.kind !== "trial") return [];
  const split =
    about.split === "test" ? "on the test split" : "on validation; the test split stays sealed";
  const told = about.is_own
    ? `Trials on your data, scored ${split}. Nothing is ranked.`
    : TRIALS_SHOWN;
  return [el("p", { className: "warning" }, told)];
}

/**
 * Returns what to do about disturbed speeds; empty if no table or caption of these nodes marks one.
 * @param {HTMLElement[]} nodes
 */
function disturbedNote(nodes) {
  if (!nodes.some(({ textContent }) => textContent?.includes(DISTURBED))) return [];
  const marked = `${DISTURBED}: other programs used the machine, so that these speeds have no rank`;
  const remedy = `Stop them, and repeat your \`bench run\` with \`--retry noisy --wait-quiet 10m\``;
  return [note(joined([marked, remedy]))];
}

/**
 * Returns the comparisons of costs that stand for those of a training, the preferred ones first.
 * @param {NumberedComparison} training
 */
const costsFor = ({ comparison: about }) =>
  about.costs.map((number) => ({ number, comparison: data.comparisons[number] }));

/**
 * Says which results a page shows: the benchmark or the kind of trial, and the size of the models.
 * @param {Comparison} about
 */
const resultsNote = ({ name, model, title }) =>
  el("p", { className: "note", title }, `Results: ${name}. Model size ${model}.`);
