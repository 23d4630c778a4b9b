// Filters: the choice of a task and of its results; further filters are folded under "Advanced".
"use strict";

/** @type {[name: keyof Comparison, label: string][]} */
const DIMENSIONS = [
  ["benchmark", "Benchmark"],
  ["split", "Scored split"],
  ["track", "Track"],
  ["source", "Source"],
  ["options", "Task options"],
  ["model_size", "Size"],
  ["steps", "Steps"],
  ["batch", "Batch"],
  ["precision", "Precision"],
  ["backend", "Backend"],
  ["machine", "Machine"],
  ["threads", "Threads"],
];
/** The names of the groups in the list of tasks, by the kind of their results. */
const TASK_GROUPS = {
  final: "Tasks with final runs",
  costs: "Costs on random tokens",
  trial: "Tasks with trials alone",
};
const OWN_GROUP = "Your data";
const NOTHING_MATCHES =
  "No results match. Trials are shown only if they are chosen under “Advanced”, and filters there " +
  "leave out what they do not name.";
const TRIALS_SHOWN =
  "Trials, not results: these runs are no final runs of a frozen benchmark. They choose learning " +
  "rates, try other settings or belong to a draft of a benchmark. Nothing here is ranked.";

/**
 * Returns the texts and the values that a field has in some items, each once.
 * @template Item
 * @param {Item[]} items
 * @param {Field<Item>} field
 */
function optionsOf(items, [, , keyOf, textOf = keyOf]) {
  const texts = new Map(items.map((item) => [keyOf(item), textOf(item)]));
  return [...texts]
    .map(([value, text]) => [text, value])
    .sort(([a, one], [b, other]) => Number(one) - Number(other) || a.localeCompare(b));
}

/**
 * Returns the list of the options of a field, which changes the state.
 * @template Item
 * @param {Field<Item>} field
 * @param {string[][]} options
 * @param {string} value
 */
const choiceList = ([name, label], options, value) =>
  select(label, options, value, (chosen) => change({ [name]: chosen }));

/**
 * Returns all comparisons with their numbers.
 * @returns {NumberedComparison[]}
 */
const numberedComparisons = () =>
  data.comparisons.map((comparison, number) => ({ comparison, number }));

/**
 * Returns a comparison's value of a filter; an empty one is "none", since "" sets no filter.
 * @param {Comparison} comparison
 * @param {keyof Comparison} name
 */
const filterValue = (comparison, name) => String(comparison[name]) || "none";

/**
 * Chooses the comparison to show: the one in the state, otherwise the first one that has results.
 * The data has comparisons in their order of precedence. A trial is shown only if it is named, or of
 * the user's own data.
 * @param {State} values
 * @param {(comparison: Comparison) => boolean} [isAllowed] what the page can show
 * @returns {Choice}
 */
function chooseComparison(values, isAllowed = () => true) {
  const allowed = numberedComparisons().filter(({ comparison }) => isAllowed(comparison));
  const matching = allowed.filter(
    ({ comparison }) =>
      (!values.task || comparison.task === values.task) &&
      DIMENSIONS.every(
        ([name]) => !(name in values) || filterValue(comparison, name) === values[name],
      ),
  );
  const named = matching.find(({ comparison }) => comparison.title === values.comparison);
  const results = matching.filter(({ comparison: one }) => one.kind !== "trial" || one.is_own);
  const first = results.find(({ number }) => entriesOf(number).length > 0) ?? results[0];
  return { allowed, matching, shown: named ?? first };
}

/**
 * Returns the values that clear all filters, for a view of another task.
 * @returns {State}
 */
function clearedFilters() {
  const names = ["task", "comparison", "length", "metric", "repeat", ...DIMENSIONS.map(([n]) => n)];
  return Object.fromEntries(names.map((name) => [name, ""]));
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
 * Returns the choice of a task, with more controls of the page; further filters are folded.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} [extras]
 * @param {Node[]} [advancedExtras]
 */
function filterBar(values, choice, extras = [], advancedExtras = []) {
  return filterForm(
    "Choice of results",
    ...taskPicker(values, choice),
    ...extras,
    advancedFilters(values, choice, [...resultsPicker(values, choice), ...advancedExtras]),
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
    const { length = "", metric = "" } = state();
    change({ ...clearedFilters(), task: value, length, metric });
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
  const chosen = (/** @type {string} */ value) =>
    change({ task: task ?? "", comparison: value, repeat: "" });
  return [select("Results", options, shown?.comparison.title ?? "", chosen)];
}

/**
 * Returns the further filters and the full names of the comparisons, folded.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} extras
 */
function advancedFilters(values, choice, extras) {
  const lists = DIMENSIONS.flatMap(([name, label]) => {
    const found = [
      ...new Set(choice.allowed.map(({ comparison }) => filterValue(comparison, name))),
    ];
    if (found.length < 2 && !(name in values)) return [];
    const options = [["all", ""], ...found.map((value) => [value, value])];
    const chosen = (/** @type {string} */ value) => change({ [name]: value, comparison: "" });
    return [select(label, options, values[name] ?? "", chosen)];
  });
  if (choice.allowed.length > 1) {
    const options = choice.allowed.map(({ comparison: { title } }) => [title, title]);
    const title = choice.shown?.comparison.title ?? "";
    if (!choice.shown) options.unshift(["none matches", ""]);
    const label = `Full name (${choice.allowed.length} comparisons)`;
    lists.push(select(label, options, title, showComparison, true));
  }
  const set = DIMENSIONS.filter(([name]) => name in values).length;
  return el(
    "details",
    // What the reader has opened stays open when the page is drawn again.
    { className: "advanced", open: document.querySelector(".advanced[open]") !== null },
    el("summary", {}, set ? `Advanced (${counted(set, "filter")} set)` : "Advanced"),
    el("div", { className: "controls" }, ...extras, ...lists),
    note(`Shown: ${choice.shown?.comparison.title ?? "nothing"}.`),
  );
}

/** @param {string} title */
function showComparison(title) {
  const found = data.comparisons.find((comparison) => comparison.title === title);
  if (found) change({ ...clearedFilters(), task: found.task, comparison: title });
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

/** @param {number} number */
function disturbedNote(number) {
  if (!pointsOf(number).some(({ disturbed }) => disturbed)) return [];
  const marked = `${DISTURBED} and hollow points: other programs used the machine, so that these speeds have no rank`;
  const remedy = `Stop them, and repeat your \`bench run\` with \`--retry noisy --wait-quiet 10m\``;
  return [note(joined([marked, remedy]))];
}

/**
 * Returns whether a comparison has the form, the backend and the precision of another.
 * @param {Comparison} one
 * @param {Comparison} other
 */
const isComparable = (one, other) =>
  one.form === other.form && one.backend === other.backend && one.precision === other.precision;

/**
 * Returns the comparisons of costs of the standard track for a training's form, backend and
 * precision: first those of its model size, then those with the most of its entries, then those with
 * the most ranks on a board, then those of its machine. Costs of one of its entries answer only if
 * no others have several: they do not tell which is best.
 * @param {NumberedComparison} training
 */
function costsFor({ comparison: about, number }) {
  const asked = new Set(entriesOf(number));
  const found = numberedComparisons()
    .filter(({ comparison: one }) => one.kind === "costs" && one.track === "standard")
    .filter(({ comparison: one }) => isComparable(one, about))
    .map((one) => {
      const boards = data.boards.filter(({ comparison }) => comparison === one.number);
      const ranks = boards.map(
        ({ rows }) => (rows.rank ?? []).filter((rank) => rank !== null).length,
      );
      const entries = entriesOf(one.number).filter((entry) => asked.has(entry)).length;
      const isSame = Number(one.comparison.model_size === about.model_size);
      const isHere = Number(one.comparison.machine === about.machine);
      return { one, entries, precedence: [isSame, entries, Math.max(0, ...ranks), isHere] };
    })
    .sort((a, b) => {
      const place = a.precedence.findIndex((value, i) => value !== b.precedence[i]);
      return place < 0 ? 0 : b.precedence[place] - a.precedence[place];
    });
  const several = found.filter(({ entries }) => entries > 1);
  return (several.length ? several : found).map(({ one }) => one);
}

/**
 * @param {State} values
 * @param {number} comparison
 */
function repeatPicker(values, comparison) {
  const repeats = sorted(runsOf(comparison).map(({ repeat }) => repeat)).map(String);
  const options = [["all, with intervals", ""], ...repeats.map((repeat) => [repeat, repeat])];
  const label = capitalized(repeatName(data.comparisons[comparison]));
  return select(label, options, values.repeat ?? "", (value) => change({ repeat: value }));
}
