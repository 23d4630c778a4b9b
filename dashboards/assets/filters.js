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
const NOTHING_MATCHES =
  "No results match. Trials are shown only if they are chosen under “Advanced”, and filters there " +
  "leave out what they do not name.";
const TRIALS_SHOWN =
  "Trials, not results: these runs are no final runs of a frozen benchmark. They choose learning " +
  "rates, try other settings or belong to a draft of a benchmark. Nothing here is ranked.";

/**
 * Returns all comparisons with their numbers.
 * @returns {NumberedComparison[]}
 */
function numberedComparisons() {
  return data.comparisons.map((comparison, number) => ({ comparison, number }));
}

/**
 * Returns a comparison's value of a filter; an empty one is "none", since "" sets no filter.
 * @param {Comparison} comparison
 * @param {keyof Comparison} name
 */
const filterValue = (comparison, name) => String(comparison[name]) || "none";

/**
 * Chooses the comparison to show: the one in the state, otherwise the first one that has results.
 * The data has comparisons in their order of precedence. A trial is shown only if it is named.
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
  const results = matching.filter(({ comparison }) => comparison.kind !== "trial");
  const first = results.find(({ number }) => linesOf(number).length > 0) ?? results[0];
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
  const firsts = allowed.filter(
    ({ comparison: { task: name } }, place) =>
      allowed.findIndex(({ comparison }) => comparison.task === name) === place,
  );
  if (firsts.length < 2 && shown) return [];
  /** @type {[string, string, string][]} */
  const options = firsts.map(({ comparison: { subject, task: name, kind } }) => [
    subject,
    name,
    TASK_GROUPS[kind],
  ]);
  if (!options.some(([, name]) => name === task)) options.unshift(["choose a task", task, ""]);
  const chosen = (/** @type {string} */ value) => {
    const { length = "", metric = "" } = state();
    change({ ...clearedFilters(), task: value, length, metric });
  };
  return [select("Task", options, task, chosen)];
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
  /** @type {[string, string][]} */
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
    /** @type {[string, string][]} */
    const options = [["all", ""], ...found.map((o) => /** @type {[string, string]} */ ([o, o]))];
    return [
      select(label, options, values[name] ?? "", (value) =>
        change({ [name]: value, comparison: "" }),
      ),
    ];
  });
  if (choice.allowed.length > 1) {
    /** @type {[string, string][]} */
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
    el("summary", {}, set ? `Advanced (${set} filter${set > 1 ? "s" : ""} set)` : "Advanced"),
    el("div", { className: "controls" }, ...extras, ...lists),
    el("p", { className: "note" }, `Shown: ${choice.shown?.comparison.title ?? "nothing"}.`),
  );
}

/**
 * Shows a comparison, whatever the filters are.
 * @param {string} title
 */
function showComparison(title) {
  const found = data.comparisons.find((comparison) => comparison.title === title);
  if (found) change({ ...clearedFilters(), task: found.task, comparison: title });
}

/**
 * Returns a warning if trials are shown.
 * @param {Comparison} about
 */
function trialsWarning(about) {
  return about.kind === "trial" ? [el("p", { className: "warning" }, TRIALS_SHOWN)] : [];
}

/**
 * Returns a note if no record of a comparison has quiet costs; the data leaves noisy costs out.
 * @param {number} comparison
 */
function noisyCostsNote(comparison) {
  const measured = recordsOf(comparison).filter(({ status }) => status === "ok");
  const isDecoding = data.comparisons[comparison].mode === "decode";
  const speed = isDecoding ? PREFILL_TOKENS_PER_SECOND : TOKENS_PER_SECOND;
  const isShown = pointsOf(comparison).some(({ measure }) => measure === speed);
  if (!measured.length || isShown) return [];
  const instead = costsFor({ comparison: data.comparisons[comparison], number: comparison }).length
    ? "Figures of speed and memory are those of probes."
    : "Run the cells again on a quiet machine, or run probes, to measure costs.";
  const note =
    `Speeds of these ${measured.length} runs are not shown: other processes used the ` +
    `machine. ${instead}`;
  return [el("p", { className: "note" }, note)];
}

/**
 * Returns whether a comparison has the form, the backend and the precision of another.
 * @param {Comparison} one
 * @param {Comparison} other
 */
function isComparable(one, other) {
  return (
    one.form === other.form && one.backend === other.backend && one.precision === other.precision
  );
}

/**
 * Returns the number of ranked rows on the board of a comparison that has the most.
 * @param {number} comparison
 */
function mostRanks(comparison) {
  const boards = data.boards.filter(([number]) => number === comparison);
  const ranked = boards.map(([, , , , rows]) => rows.filter(([, rank]) => rank !== null).length);
  return Math.max(0, ...ranked);
}

/**
 * Returns the comparisons of costs of the standard track for a training's form, backend and
 * precision: first those of its model size, then those with the most of its lines, then those with
 * the most ranks on a board, then those of its machine. Costs of one of its lines answer only if no others have several: they do not tell
 * which is best.
 * @param {NumberedComparison} training
 */
function costsFor({ comparison: about, number }) {
  const asked = new Set(linesOf(number));
  const found = numberedComparisons()
    .filter(
      ({ comparison: one }) =>
        one.kind === "costs" && one.track === "standard" && isComparable(one, about),
    )
    .map((one) => ({
      one,
      isOtherSize: Number(one.comparison.model_size !== about.model_size),
      lines: linesOf(one.number).filter((line) => asked.has(line)).length,
      ranks: mostRanks(one.number),
      isOtherMachine: Number(one.comparison.machine !== about.machine),
    }))
    .sort(
      (a, b) =>
        a.isOtherSize - b.isOtherSize ||
        b.lines - a.lines ||
        b.ranks - a.ranks ||
        a.isOtherMachine - b.isOtherMachine,
    );
  const several = found.filter(({ lines }) => lines > 1);
  return (several.length ? several : found).map(({ one }) => one);
}

/**
 * Returns a list of the seeds or rounds of a comparison.
 * @param {State} values
 * @param {number} comparison
 */
function repeatPicker(values, comparison) {
  const repeats = [...new Set(recordsOf(comparison).map(({ repeat }) => repeat))].sort(ascending);
  const label = data.comparisons[comparison].mode === "train" ? "Seed" : "Round";
  /** @type {[string, string][]} */
  const options = [["all, with intervals", ""]];
  for (const repeat of repeats) options.push([String(repeat), String(repeat)]);
  return select(label, options, values.repeat ?? "", (value) => change({ repeat: value }));
}
