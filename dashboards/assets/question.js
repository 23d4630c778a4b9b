// The question of the first page: a length and what matters there; and the results that answer it.
"use strict";

/** What may matter: what boards are ranked by, "" for the metric of the task; and its name. */
const MATTERS = /** @type {const} */ ([
  ["", "Quality"],
  ["training.peak_memory_bytes", "Training memory"],
  ["training.tokens_per_second", "Training speed"],
  ["inference.peak_memory_bytes", "Inference memory"],
  ["inference.tokens_per_second", "Inference speed"],
  ["prefill.tokens_per_second", "Prefill speed"],
  ["generation.step_seconds", "Generation speed"],
]);

/**
 * Returns whether the models of a comparison do what matters: an encoder generates nothing.
 * @param {Comparison} about
 * @param {string} matter
 */
const isDone = ({ form }, matter) => form !== "encoder" || !/^(prefill|generation)\./.test(matter);

/**
 * @param {NumberedComparison} one
 * @param {string} matter
 */
const boardsBy = ({ comparison, number }, matter) => boardsOf(number, matter || comparison.metric);

/** @param {Board} board */
const hasStanding = ({ rows }) => rows.some(isStanding);

/**
 * Returns the lengths at which a comparison has a standing result, ascending.
 * @param {NumberedComparison} one
 * @param {string} matter
 */
const lengthsBy = (one, matter) => lengthsOf(boardsBy(one, matter).filter(hasStanding));

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
  return matching
    .filter(({ comparison: one }) => one.task === about.task && one.kind === about.kind)
    .filter(({ comparison }) => isComparable(comparison, about))
    .sort((one, other) => distance(one) - distance(other));
}

/**
 * Returns the measured length that is the closest to the wanted one by ratio, and the first source
 * that has it; the longer of two that are equally close. Superseded results answer only at the
 * wanted length, and after all others. Undefined without any.
 * @param {NumberedComparison[]} sources
 * @param {string} matter
 * @param {number} wanted
 */
function closest(sources, matter, wanted) {
  const found = sources.flatMap((source) =>
    lengthsBy(source, matter).map((length) => ({ source, length })),
  );
  const superseded = sources.filter((source) =>
    boardsBy(source, matter).some(({ length }) => length === wanted),
  );
  found.push(...superseded.map((source) => ({ source, length: wanted })));
  /** @param {{ length: number }} one */
  const distance = ({ length }) => Math.abs(Math.log2(length / wanted));
  return found.sort(
    (one, other) => distance(one) - distance(other) || other.length - one.length,
  )[0];
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
  const boards = boardsBy(source, matter).filter(({ length }) => length === best?.length);
  const question = {
    label,
    matter,
    wanted,
    length: best?.length,
    longest,
    shown: isTask && matter ? first : source,
    source,
    boards,
    isElsewhere: isMeasuredElsewhere(first, sources, matter, wanted),
  };
  return { question, controls: questionControls(question, offered, first) };
}

/**
 * Returns whether results that may not answer have what matters at the wanted length.
 * @param {NumberedComparison} first
 * @param {NumberedComparison[]} sources
 * @param {string} matter
 * @param {number | undefined} wanted
 */
function isMeasuredElsewhere({ comparison: about }, sources, matter, wanted) {
  const numbers = new Set(sources.map(({ number }) => number));
  return numberedComparisons()
    .filter(({ number }) => !numbers.has(number))
    .filter(({ comparison: { kind, task, form } }) =>
      matter ? form === about.form : task === about.task && kind !== "trial",
    )
    .some((one) => lengthsBy(one, matter).some((length) => length === wanted));
}

/**
 * Returns a field for a length that is not in the list.
 * @param {number} wanted
 */
function otherLength(wanted) {
  const onchange = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.reportValidity() && input.value) change({ length: input.value });
  };
  const field = { type: "number", min: 1, step: 1, name: "Other length", onchange };
  return el("label", {}, "Other length", el("input", { ...field, placeholder: String(wanted) }));
}

/**
 * Returns the lists that choose the length, among all that any result has, and what matters.
 * @param {Question} question
 * @param {readonly (readonly [matter: string, label: string])[]} offered
 * @param {NumberedComparison} first
 */
function questionControls({ wanted, matter }, offered, first) {
  const measured = data.boards.filter(
    ({ comparison }) =>
      data.comparisons[comparison].kind !== "trial" || comparison === first.number,
  );
  const lengths = sorted([...measured.map(({ length }) => length), ...(wanted ? [wanted] : [])]);
  const lengthOptions = lengths.map((length) => [formatNumber(length), String(length)]);
  const matterOptions = offered.map(([name, label]) => [label, name]);
  const chosen = (/** @type {string} */ value) => change({ length: value });
  const matters = (/** @type {string} */ value) => change({ metric: value });
  return [
    ...(wanted
      ? [select("Length", lengthOptions, String(wanted), chosen), otherLength(wanted)]
      : []),
    ...(offered.length > 1 ? [select("What matters", matterOptions, matter, matters)] : []),
  ];
}
