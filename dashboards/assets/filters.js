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
const NOTHING_MATCHES =
  "No results match these filters. Set the filters under “Advanced” back to “all”.";

/** Whether the reader has opened the further filters; kept when the page is drawn again. */
let advancedIsOpen = false;

/** The number of points of each comparison. */
const sizes = data.comparisons.map(() => 0);
for (const number of data.points.comparison) sizes[number] += 1;

const rankedBenchmarks = new Set(data.leaderboards.map(({ label }) => label));

/** @type {(a: NumberedComparison, b: NumberedComparison) => number} */
const largestFirst = (a, b) => sizes[b.number] - sizes[a.number];

/**
 * Returns how much the results of a comparison count: final runs of a ranked benchmark most.
 * @param {Comparison} comparison
 */
function standingOf({ mode, benchmark }) {
  if (mode === "probe") return 0;
  return rankedBenchmarks.has(benchmark) ? 3 : benchmark ? 2 : 1;
}

/** @type {(a: NumberedComparison, b: NumberedComparison) => number} */
const finalFirst = (a, b) =>
  standingOf(b.comparison) - standingOf(a.comparison) || largestFirst(a, b);

/**
 * Chooses the comparison to show: the one in the state, otherwise the first in the given order.
 * @param {State} values
 * @param {(comparison: Comparison) => boolean} [isAllowed] what the page can show
 * @param {typeof largestFirst} [order] used unless the state names a task
 * @returns {Choice}
 */
function chooseComparison(values, isAllowed = () => true, order = largestFirst) {
  const allowed = data.comparisons
    .map((comparison, number) => ({ comparison, number }))
    .filter(({ comparison }) => isAllowed(comparison));
  const matching = allowed.filter(
    ({ comparison }) =>
      (!values.task || comparison.task === values.task) &&
      DIMENSIONS.every(([name]) => !(name in values) || String(comparison[name]) === values[name]),
  );
  const named = matching.find(({ comparison }) => comparison.title === values.comparison);
  return {
    allowed,
    matching,
    shown: named ?? [...matching].sort(values.task ? finalFirst : order)[0],
  };
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
 * Returns the choice of a task, of its results and of lines, with more controls of the page.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} [extras]
 * @param {Node[]} [advancedExtras]
 */
function filterBar(values, choice, extras = [], advancedExtras = []) {
  const bar = el("form", {
    className: "filters",
    "aria-label": "Filters",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
  });
  const shown = choice.shown?.comparison;
  const task = shown?.task ?? values.task ?? "";
  /** @type {Map<string, string>} */
  const subjects = new Map(
    choice.allowed.map(({ comparison }) => [comparison.task, comparison.subject]),
  );
  if (subjects.size > 1 || !shown) {
    /** @type {[string, string][]} */
    const options = [...subjects].map(([key, subject]) => [subject, key]);
    if (!subjects.has(task)) options.unshift(["choose a task", task]);
    bar.append(
      select("Task", options, task, (value) => change({ ...clearedFilters(), task: value })),
    );
  }
  bar.append(...resultsPicker(choice), ...extras);
  if (choice.shown) bar.append(linePicker(values, choice.shown.number));
  bar.append(advancedFilters(values, choice, advancedExtras));
  return bar;
}

/**
 * Returns the choice among the results of the shown task, by their short names.
 * @param {Choice} choice
 */
function resultsPicker({ matching, shown }) {
  const found = matching.filter(({ comparison }) => comparison.task === shown?.comparison.task);
  if (!shown || found.length < 2) return [];
  /** @type {[string, string][]} */
  const options = found
    .sort(finalFirst)
    .map(({ comparison: { name, title } }) => /** @type {[string, string]} */ ([name, title]));
  const { task, title } = shown.comparison;
  return [
    select("Results", options, title, (value) =>
      change({ task, comparison: value, length: "", metric: "", repeat: "" }),
    ),
  ];
}

/**
 * Returns the further filters and the full names of the comparisons, folded.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} extras
 */
function advancedFilters(values, choice, extras) {
  const lists = DIMENSIONS.flatMap(([name, label]) => {
    const found = [...new Set(choice.allowed.map(({ comparison }) => String(comparison[name])))];
    if (found.length < 2 && !(name in values)) return [];
    /** @type {[string, string][]} */
    const options = [
      ["all", ""],
      ...found.map((o) => /** @type {[string, string]} */ ([o || "none", o])),
    ];
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
    {
      className: "advanced",
      open: advancedIsOpen,
      ontoggle: (/** @type {Event} */ event) => {
        advancedIsOpen = /** @type {HTMLDetailsElement} */ (event.target).open;
      },
    },
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
 * Returns a box for each line, which are the legend too.
 * @param {State} values
 * @param {number} comparison
 */
function linePicker(values, comparison) {
  const hidden = hiddenLines(values);
  const boxes = linesOf(comparison).map((number) => {
    const { name, color, glyph, control } = data.lines[number];
    const box = el("input", {
      type: "checkbox",
      checked: !hidden.has(number),
      onchange: (/** @type {Event} */ event) => {
        const names = hiddenNames(state());
        if (/** @type {HTMLInputElement} */ (event.target).checked) names.delete(name);
        else names.add(name);
        change({ without: [...names].join("|") });
      },
    });
    const swatch = el("span", { className: "swatch", "aria-hidden": "true" }, glyph);
    swatch.style.color = color;
    return el("label", {}, box, swatch, control ? el("em", {}, name) : name);
  });
  return el("fieldset", { className: "lines" }, el("legend", {}, "Lines"), ...boxes);
}

/**
 * Returns a note if no record of a comparison has quiet costs; the data leaves noisy costs out.
 * @param {number} comparison
 */
function noisyCostsNote(comparison) {
  const measured = recordsOf(comparison).filter(({ status }) => status === "ok");
  const isShown = pointsOf(comparison).some(({ measure }) => measure === TOKENS_PER_SECOND);
  if (!measured.length || isShown) return [];
  const note =
    `Training costs are not shown: other processes used the machine in all ${measured.length} ` +
    "runs. Run the cells again on a quiet machine, or run probes, to measure costs.";
  return [el("p", { className: "note" }, note)];
}

/**
 * Returns a list of the seeds or rounds of a comparison.
 * @param {State} values
 * @param {number} comparison
 */
function repeatPicker(values, comparison) {
  const repeats = [...new Set(recordsOf(comparison).map(({ repeat }) => repeat))].sort(ascending);
  const label = data.comparisons[comparison].mode === "probe" ? "Round" : "Seed";
  /** @type {[string, string][]} */
  const options = [["all, with intervals", ""]];
  for (const repeat of repeats) options.push([String(repeat), String(repeat)]);
  return select(label, options, values.repeat ?? "", (value) => change({ repeat: value }));
}
