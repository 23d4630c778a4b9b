// The question of the first page: a length and what matters there; and the results that answer it.
"use strict";

/** What may matter: what boards are ranked by, "" for the metric of the task; and its name. */
const MATTERS = /** @type {const} */ ([
  ["", "Quality"],
  ["training.peak_memory_bytes", "Training memory"],
  ["training.tokens_per_second", "Training speed"],
  ["inference.peak_memory_bytes", "Inference memory"],
  ["inference.tokens_per_second", "Inference speed"],
  ["generation.step_seconds", "Generation speed"],
  ["prefill.tokens_per_second", "Prefill speed"],
]);

/**
 * Returns whether the models of a comparison do what matters: an encoder generates nothing.
 * @param {Comparison} about
 * @param {string} matter
 */
const isDone = ({ form }, matter) => form !== "encoder" || !/^(prefill|generation)\./.test(matter);

/** @param {NumberedComparison} one @param {string} matter */
const boardsBy = ({ comparison, number }, matter) => boardsOf(number, matter || comparison.metric);

/** @param {NumberedComparison} one @param {string} matter */
const lengthsBy = (one, matter) =>
  lengthsOf(boardsBy(one, matter).filter(({ rows }) => rows.some(isStanding)));

/**
 * Returns the comparisons that may answer, the preferred ones first.
 *
 * Costs depend on the architecture and the length, not on the task, so the costs of a task are those
 * of probes and decodings of its form. Everything else is answered by the results of the shown task,
 * and by a single comparison where the reader named it.
 * @param {State} values
 * @param {Choice} choice
 * @param {NumberedComparison} shown
 * @param {boolean} fromCosts whether the costs of a task are asked for
 */
function sourcesOf(values, { matching }, shown, fromCosts) {
  const about = shown.comparison;
  if (fromCosts) return costsFor(shown);
  if (about.kind === "trial" || about.title === values.comparison) return [shown];
  /** @param {NumberedComparison} one */
  const distance = ({ comparison, number }) =>
    4 * Number(number !== shown.number) +
    2 * Number(comparison.model_size !== about.model_size) +
    Number(comparison.machine !== about.machine);
  const shared = /** @type {const} */ (["task", "kind", "form", "backend", "precision"]);
  return matching
    .filter(({ comparison: one }) => shared.every((name) => one[name] === about[name]))
    .sort((one, other) => distance(one) - distance(other));
}

/** @param {NumberedComparison} one @param {string} matter */
const predictedBy = ({ number }, matter) =>
  lengthsOf(predictionsOf(number, matter ? measureNumber(matter) : QUALITY));

/**
 * Returns the length that is the closest to the wanted one by ratio, and the first source that has
 * it, measured or else predicted; the longer of two that are equally close. Superseded results answer
 * only at the wanted length, and after all others. Undefined without any.
 * @param {NumberedComparison[]} sources
 * @param {string} matter
 * @param {number} wanted
 */
function closest(sources, matter, wanted) {
  const superseded = sources.filter((source) =>
    boardsBy(source, matter).some(({ length }) => length === wanted),
  );
  const found = [
    ...sources.flatMap((source) =>
      lengthsBy(source, matter).map((length) => ({ source, length, isPredicted: false })),
    ),
    ...superseded.map((source) => ({ source, length: wanted, isPredicted: false })),
    ...sources.flatMap((source) =>
      predictedBy(source, matter).map((length) => ({ source, length, isPredicted: true })),
    ),
  ];
  /** @param {{ length: number }} one */
  const distance = ({ length }) => Math.abs(Math.log2(length / wanted));
  return found.sort(
    (one, other) => distance(one) - distance(other) || other.length - one.length,
  )[0];
}

/**
 * Returns a board of the predicted costs of a comparison at a length, which has no ranks.
 * @param {NumberedComparison} source
 * @param {string} metric
 * @param {number} length
 * @returns {Board}
 */
function predictedBoard({ number, comparison }, metric, length) {
  const measure = measureNumber(metric);
  const sign = data.measures[measure].higher_is_better ? -1 : 1;
  const found = predictionsOf(number, measure).filter((one) => one.length === length);
  const facts = { rank: null, detectable: null, parameters: null, seconds: null, between: null };
  const texts = {
    note: "",
    superseded: "",
    date: "",
    run: "",
    digest: "",
    sessions: 0,
    tested: {},
  };
  return {
    comparison: number,
    length,
    batch: found[0]?.batch ?? 1,
    metric,
    detectable: null,
    isPredicted: Boolean(comparison),
    rows: found
      .toSorted((a, b) => sign * (a.value - b.value))
      .map((one) => ({ ...facts, ...texts, ...one })),
  };
}

/**
 * Returns the length that a reader sees who chose none: the longest one of the first source that has
 * a standing result, otherwise of the first that has any.
 * @param {NumberedComparison[]} sources
 * @param {string} matter
 */
function longestOf(sources, matter) {
  const standing = sources.map((one) => lengthsBy(one, matter).at(-1));
  const all = sources.map((one) => lengthsOf(boardsBy(one, matter)).at(-1));
  return [...standing, ...all].find((length) => length !== undefined);
}

/**
 * Returns what the reader asks, what answers it, and the lists that choose the length and what
 * matters.
 * @param {State} values
 * @param {Choice} choice
 * @param {NumberedComparison} first the comparison that the filters choose
 * @returns {{ question: Question, controls: Node[] }}
 */
function readQuestion(values, choice, first) {
  const about = first.comparison;
  const isTask = about.mode === "train";
  /** @param {string} matter */
  const sourcesFor = (matter) => sourcesOf(values, choice, first, isTask && matter !== "");
  const names = new Set(data.boards.map(({ metric }) => metric));
  const offered = MATTERS.filter(([matter]) =>
    isTask
      ? !matter || matter === values.metric || (names.has(matter) && isDone(about, matter))
      : sourcesFor(matter).some((one) => boardsBy(one, matter).length > 0),
  );
  const [matter, label] = offered.find(([name]) => name === (values.metric ?? "")) ??
    offered[0] ?? ["", "Quality"];
  const sources = sourcesFor(matter);
  const longest = sorted(sources.flatMap((one) => lengthsBy(one, matter))).at(-1);
  const wanted =
    Math.max(0, Math.trunc(Number(values.length ?? 0))) ||
    (longestOf(sourcesFor(isTask ? "" : matter), isTask ? "" : matter) ?? longest);
  const best = wanted ? closest(sources, matter, wanted) : undefined;
  const source = best?.source ?? first;
  const boards = best?.isPredicted
    ? [predictedBoard(source, matter, best.length)]
    : boardsBy(source, matter).filter(({ length }) => length === best?.length);
  const question = {
    label,
    matter,
    wanted,
    length: best?.length,
    longest,
    shown: isTask && matter ? first : source,
    source,
    boards,
    first,
    isPredicted: Boolean(best?.isPredicted),
  };
  return { question, controls: questionControls(question, offered, sources) };
}

/**
 * Returns the lists that choose the length, of which the measured ones are marked, and what matters.
 * @param {Question} question
 * @param {readonly (readonly [matter: string, label: string])[]} offered
 * @param {NumberedComparison[]} sources
 */
function questionControls({ wanted, matter }, offered, sources) {
  const measured = sorted(sources.flatMap((one) => lengthsOf(boardsBy(one, matter))));
  const predicted = sorted(sources.flatMap((one) => predictedBy(one, matter)));
  const known = [...measured, ...predicted];
  const asked = wanted && !known.includes(wanted) ? [wanted] : [];
  const groups = { measured, predicted: predicted.filter((n) => !measured.includes(n)), asked };
  const options = Object.entries(groups).flatMap(([name, lengths]) =>
    lengths.map((length) => [formatNumber(length), String(length), capitalized(name)]),
  );
  const matterOptions = offered.map(([name, label]) => [label, name]);
  const chosen = (/** @type {string} */ value) => change({ length: value });
  const matters = (/** @type {string} */ value) => change({ metric: value });
  const settings = { min: 1, step: 1, placeholder: wanted };
  const other = numberField("Other length", settings, (value) => change({ length: value }));
  return [
    ...(wanted ? [select("Length", options, String(wanted), chosen), other] : []),
    ...(offered.length > 1 ? [select("What matters", matterOptions, matter, matters)] : []),
  ];
}
