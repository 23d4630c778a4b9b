// Filters: each narrows the comparisons, and one comparison is shown.
"use strict";

/** @type {[name: keyof Comparison, label: string][]} */
const DIMENSIONS = [
  ["task", "Task"],
  ["source", "Source"],
  ["options", "Task options"],
  ["model_size", "Size"],
  ["benchmark", "Benchmark"],
  ["split", "Scored split"],
  ["track", "Track"],
  ["steps", "Steps"],
  ["batch", "Batch"],
  ["precision", "Precision"],
  ["backend", "Backend"],
  ["machine", "Machine"],
  ["threads", "Threads"],
];
const NOTHING_MATCHES = "No comparison matches these filters. Set a filter back to “all”.";

/** The number of points of each comparison. */
const sizes = data.comparisons.map(() => 0);
for (const number of data.points.comparison) sizes[number] += 1;

/** @type {(a: NumberedComparison, b: NumberedComparison) => number} */
const largestFirst = (a, b) => sizes[b.number] - sizes[a.number];

/**
 * Chooses the comparison to show: the one in the state, otherwise the one with the most points.
 * @param {State} values
 * @param {(comparison: Comparison) => boolean} [isAllowed] what the page can show
 * @returns {Choice}
 */
function chooseComparison(values, isAllowed = () => true) {
  const allowed = data.comparisons
    .map((comparison, number) => ({ comparison, number }))
    .filter(({ comparison }) => isAllowed(comparison));
  const matching = allowed.filter(({ comparison }) =>
    DIMENSIONS.every(([name]) => !(name in values) || String(comparison[name]) === values[name]),
  );
  const named = matching.find(({ comparison }) => comparison.title === values.comparison);
  return { allowed, matching, shown: named ?? [...matching].sort(largestFirst)[0] };
}

/**
 * Returns the filters, the list of matching comparisons, more controls, and the choice of lines.
 * @param {State} values
 * @param {Choice} choice
 * @param {Node[]} [extras]
 */
function filterBar(values, choice, extras = []) {
  const bar = el("form", {
    className: "filters",
    "aria-label": "Filters",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
  });
  for (const [name, label] of DIMENSIONS) {
    const found = [...new Set(choice.allowed.map(({ comparison }) => String(comparison[name])))];
    if (found.length < 2 && !(name in values)) continue;
    /** @type {[string, string][]} */
    const options = [
      ["all", ""],
      ...found.map((o) => /** @type {[string, string]} */ ([o || "none", o])),
    ];
    bar.append(
      select(label, options, values[name] ?? "", (value) =>
        change({ [name]: value, comparison: "" }),
      ),
    );
  }
  if (choice.matching.length > 1) {
    /** @type {[string, string][]} */
    const options = choice.matching.map(({ comparison: { title, mode, machine } }) => [
      title + (mode === "probe" ? "" : ` · costs of ${machine}`),
      title,
    ]);
    bar.append(
      select(
        `Comparison (${choice.matching.length} match)`,
        options,
        choice.shown?.comparison.title ?? "",
        (value) => change({ comparison: value }),
        true,
      ),
    );
  }
  bar.append(...extras);
  if (choice.shown) bar.append(linePicker(values, choice.shown.number));
  return bar;
}

/**
 * Returns a box for each line, which are the legend too.
 * @param {State} values
 * @param {number} comparison
 */
function linePicker(values, comparison) {
  const hidden = hiddenLines(values);
  const boxes = linesOf(comparison).map((number) => {
    const { name, color, glyph } = data.lines[number];
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
    return el("label", {}, box, swatch, name);
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
    "runs. Run the cells again on a quiet machine to measure costs.";
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
