// The list of entries beside the answer: what each costs and can do, and which fit the reader's limits.
"use strict";

/**
 * What the reader may limit: the name in the address, its label, and the measure that it limits with
 * its unit in the measure's own; the memory is the greatest of the phases that matter.
 * @type {[name: string, label: string, measure: string, unit: number][]}
 */
const LIMITS = [
  ["gib", "Memory budget, GiB", "peak_memory_bytes", GIB],
  ["ms", "Time a token, ms", "generation.step_seconds", 1e-3],
  ["hours", "Training budget, hours", "", 3600],
];
/** @type {[name: "recall" | "state", label: string][]} */
const ABILITIES = [
  ["recall", "must recall"],
  ["state", "must track state"],
];
const DECODING_PHASES = ["prefill", "generation"];
const LIMITS_NOTE =
  "“Must recall” and “must track state” keep the entries of which at least half of the seeds solve " +
  "the diagnostics. An entry whose figure is not known is left out.";

/**
 * Returns the phases of which a reader pays the memory: who generates also reads the context.
 * @param {string} matter
 */
const phasesOf = (matter) =>
  /^(prefill|generation)/.test(matter) ? DECODING_PHASES : [matter.split(".")[0] || "training"];

/** @param {string} key */
const measureNumber = (key) => data.measures.findIndex((measure) => measure.key === key);

/**
 * Returns the measures of the costs that the list shows beside what matters.
 * @param {Question} question
 */
function listedCosts({ matter, first }) {
  const names = phasesOf(matter).flatMap((phase) =>
    ["peak_memory_bytes", "tokens_per_second"].map((name) => `${phase}.${name}`),
  );
  if (!names.includes("prefill.peak_memory_bytes")) names.push("inference.peak_memory_bytes");
  if (first.comparison.form !== "encoder") names.push("generation.step_seconds");
  const numbers = [...new Set(names)].filter((name) => name !== matter).map(measureNumber);
  return numbers.filter((number) => number >= 0);
}

/**
 * Returns the cost of an entry at the length of the answer, measured or else predicted. All entries
 * have it from the same results, which may differ in the batch from others: the preferred ones that
 * have it for half of the entries, otherwise those of the task.
 * @param {Question} question
 * @param {number} entry
 * @param {number} measure
 * @returns {(Point & { isPredicted: boolean }) | undefined}
 */
function costAt({ first, wanted, length }, entry, measure) {
  const { costs, kind } = first.comparison;
  const sources = kind === "costs" ? [first.number] : [...costs, first.number];
  const entries = entriesOf(first.number);
  /** @param {number} source */
  const costsIn = (source) =>
    [...pointsOf(source), ...predictionsOf(source, measure)].filter(
      (one) => one.measure === measure && (one.length === wanted || one.length === length),
    );
  /** @param {number} source */
  const coversHalf = (source) => {
    const covered = new Set(costsIn(source).map((one) => one.entry));
    return 2 * entries.filter((one) => covered.has(one)).length >= entries.length;
  };
  const source = sources.find(coversHalf) ?? first.number;
  const known = costsIn(source).filter((one) => one.entry === entry);
  const found =
    known.find((one) => one.length === wanted) ?? known.find((one) => one.length === length);
  return found && { ...found, isPredicted: found.n === 0 };
}

/**
 * Returns why an entry does not fit the limits; empty if it does.
 * @param {State} values
 * @param {Question} question
 * @param {BoardRow} row
 */
function reasonsAgainst(values, question, { entry, seconds: ownSeconds, value: own }) {
  const { comparison: about, number } = question.first;
  const scored = boardsOf(number, about.metric).flatMap(({ rows }) => rows);
  const seconds = ownSeconds ?? scored.findLast((row) => row.entry === entry)?.seconds;
  const reasons = LIMITS.flatMap(([name, label, measure, unit]) => {
    const limit = Number(values[name]);
    if (!limit) return [];
    const phases = phasesOf(question.matter).map((phase) => `${phase}.${measure}`);
    const costs = (measure.includes(".") ? [measure] : phases).map((key) =>
      key === question.matter ? own : costAt(question, entry, measureNumber(key))?.value,
    );
    const value = Math.max(...(measure ? costs : [seconds]).map((cost) => cost ?? Number.NaN));
    if (Number.isNaN(value)) return [`${label}: not known`];
    const over = `${label}: ${formatNumber(value / unit, 3)}, more than ${formatNumber(limit)}`;
    return value / unit <= limit ? [] : [over];
  });
  const unable = ABILITIES.filter(([name]) => values[name]).flatMap(([name, label]) => {
    const found = data.abilities[name]?.[data.entries[entry].name];
    if (!found) return [`${label}: not known`];
    return found.solves ? [] : [`${label}: ${found.text}`];
  });
  return [...reasons, ...unable];
}

/**
 * Returns the columns of what is known of each entry beside the figure of the board.
 * @param {Question} question
 * @returns {Column[]}
 */
function factColumns(question) {
  /** @type {Column[]} */
  const costs = listedCosts(question).map((number) => {
    const { title, unit } = data.measures[number];
    return [
      `${title}, ${unit}`,
      ({ entry }) => {
        const cost = costAt(question, entry, number);
        if (!cost) return "—";
        if (!cost.isPredicted) return figureCell({ ...cost, low: null }, data.measures[number]);
        const mark = el("small", {}, " predicted");
        return {
          text: el("span", {}, formatInterval(cost, data.measures[number]), mark),
          className: "predicted",
        };
      },
    ];
  });
  const able = ABILITIES.filter(([name]) => Object.keys(data.abilities[name] ?? {}).length);
  const abilities = able.map(
    ([name, label]) =>
      /** @type {Column} */ ([
        label.replace("must ", ""),
        ({ entry }) => {
          const found = data.abilities[name][data.entries[entry].name];
          return found ? el("span", { title: found.text }, found.solves ? "yes" : "no") : "—";
        },
      ]),
  );
  return [...costs, ...abilities];
}

/**
 * Returns the fields of the limits, folded until one is set.
 * @param {State} values
 * @param {Question} question
 */
function limitControls(values, { first }) {
  const isEncoder = first.comparison.form === "encoder";
  const fields = LIMITS.filter(([name]) => !(isEncoder && name === "ms")).map(([name, label]) => {
    const settings = { min: 0, step: "any", placeholder: "none", value: values[name] ?? "" };
    return numberField(label, settings, (value) => change({ [name]: value }));
  });
  const boxes = ABILITIES.map(([name, label]) => {
    const onchange = () => change({ [name]: values[name] ? "" : "1" });
    const box = { type: "checkbox", name: label, checked: Boolean(values[name]), onchange };
    return el("label", { className: "box" }, el("input", box), label);
  });
  const set = [...LIMITS, ...ABILITIES].filter(([name]) => values[name]).length;
  const isOpen = set > 0 || document.querySelector(".limits[open]") !== null;
  return el(
    "details",
    { className: "advanced limits", open: isOpen },
    el("summary", {}, set ? `Limits (${set} set)` : "Limits: memory, time, recall"),
    el("div", { className: "controls" }, ...fields, ...boxes),
    note(LIMITS_NOTE),
  );
}

/** @param {State} values @param {Question} question */
function leftOut(values, question) {
  const items = question.boards.flatMap(({ rows }) =>
    rows.flatMap((row) => {
      const reasons = reasonsAgainst(values, question, row).join("; ");
      return reasons ? [el("li", {}, `${nameOf(row)}: ${reasons}`)] : [];
    }),
  );
  return items.length
    ? [folded(`Outside the limits: ${items.length}`, el("ul", {}, ...items))]
    : [];
}
