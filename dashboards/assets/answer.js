// The answer of the first page: which entry is best at a task and length, and how sure that is.
"use strict";

/** The number of entries that a sentence names; it counts further ones. */
const NAMED = 3;
/** The control that mixes no positions. */
const NO_MIXING = "identity";

/**
 * Returns the answer of each board in one sentence, and a note on how sure it is.
 * @param {Question} question
 */
function answers(question) {
  const { boards, label, matter, shown, source } = question;
  const about = source.comparison;
  if (!boards.length) {
    const sentence = isDone(shown.comparison, matter)
      ? `${label} was not measured for ${formText(shown.comparison)} models.`
      : "Encoder models do not generate. Choose a task with a decoder, such as language modelling.";
    const isCost = matter && shown.comparison.mode === "train";
    const none = "No cell of these results has a score or cost yet.";
    return [el("p", { className: "answer" }, isCost ? sentence : none)];
  }
  return boards.flatMap((board) => {
    const measure = measureNamed(board.name, about);
    const sentence = leadersOf(board).length
      ? rankedSentence(board, measure)
      : unrankedSentence(board, measure, about);
    const limits = [...borrowed(question, board), ...reservations(board, about, measure)];
    return [
      el("p", { className: "answer" }, placeText(question), ...sentence),
      el("p", { className: "note" }, `${limits.filter(Boolean).join(". ")}.`),
    ];
  });
}

/**
 * Returns the beginning of the answer: the subject and the length, or that the length was not
 * measured and which one was.
 * @param {Question} question
 */
function placeText({ label, wanted, length, longest, shown, source, isElsewhere }) {
  const about = source.comparison;
  const at = formatNumber(length);
  if (length === wanted) return `${shown.comparison.subject}, length ${at}: `;
  const what = about.mode === "train" ? `on ${about.subject}` : `for ${formText(about)} models`;
  const where = isElsewhere ? " in these results" : "";
  const measured =
    length === longest
      ? `the longest measured length is ${at}`
      : `the longest measured length is ${formatNumber(longest)}, and the closest is ${at}`;
  return `${label} at ${formatNumber(wanted)} was not measured ${what}${where}; ${measured}, where `;
}

/**
 * Returns the rows that answer a board with ranks: the first rank that a model has, and the controls
 * of the ranks before it. A control is no model to choose.
 * @param {Board} board
 */
function bestOf(board) {
  const ranked = rankedOf(board);
  const first = ranked.find((row) => !isControl(row))?.rank ?? 1;
  const before = ranked.filter(({ rank }) => (rank ?? 0) < first);
  return { best: ranked.filter(({ rank }) => rank === first), before };
}

/** @param {BoardRow} row */
const isControl = ({ line }) => data.lines[line].control;

/**
 * Returns the names of the first rows, the controls marked as such, and the number of the others.
 * @param {BoardRow[]} rows
 */
const namesOf = (rows) =>
  listed(rows.map((row) => (isControl(row) ? `the control ${nameOf(row)}` : nameOf(row))));

/**
 * Returns the sentence on a board with ranks. It names the best model. Entries of one rank are not
 * separated from the best of them, which may be a control: a model is then better than none.
 * @param {Board} board
 * @param {Measure} measure
 */
function rankedSentence(board, measure) {
  const { best, before } = bestOf(board);
  const leader = best.find((row) => !isControl(row)) ?? best[0];
  const controls = best.filter((row) => row !== leader && isControl(row));
  const tied = [...best.filter((row) => row !== leader && !isControl(row)), ...controls];
  const name = el("strong", {}, namesOf([leader]));
  const value = figureText(leader, measure);
  const detectable = detectableText(board, measure);
  const others = rankedOf(board).length - 1 - before.length;
  const rank = `${namesOf(before)} ${verb(before, "ranks", "rank")} before`;
  // A control is expected to be fast; a control that is better is the first thing to know.
  const isBeaten = before.length > 0 && measure.key === "quality";
  const lead = isBeaten ? `${rank} all models; ` : "";
  const after = before.length && !isBeaten ? `; ${rank} it` : "";
  if (!others && !before.length) return ["only ", name, ` is ranked, with ${value}.`];
  if (!others) return [lead, name, ` is the only ranked model, with ${value}${after}.`];
  const isFirst = best[0] === leader;
  const least = detectable && ` (${detectable})`;
  if (isFirst && controls.length === tied.length) {
    const later = others - controls.length;
    const all = before.length || controls.length ? laterText(later) : othersText(later);
    const better = later ? `, significantly better than ${all}` : "";
    const beside = controls.length
      ? `; ${namesOf(controls)} ${verb(controls, "is", "are")} not separated from it`
      : "";
    const place = isBeaten ? "is the best model" : "is best";
    return [lead, name, ` ${place}, with ${value}${better}${least}${beside}${after}.`];
  }
  const shares = isFirst ? "not separated from it" : "of the same rank";
  return [
    lead || "there is no significant winner: ",
    name,
    ` has the best mean${isFirst ? "" : " of a model"}, ${value}; ${namesOf(tied)} `,
    `${verb(tied, "is", "are")} ${shares}${least}${after}.`,
  ];
}

/** @param {number} count */
const othersText = (count) =>
  count > 1 ? `all ${count} other ranked entries` : "the only other ranked entry";

/** @param {number} count */
const laterText = (count) =>
  count > 1 ? `all ${count} entries ranked after it` : "the entry ranked after it";

/** @type {(rows: BoardRow[], one: string, several: string) => string} */
const verb = (rows, one, several) => (rows.length > 1 ? several : one);

/**
 * Returns the sentence on a board without ranks. It says what weakens the value: few repeats,
 * generated examples and rates that were not tuned.
 * @param {Board} board
 * @param {Measure} measure
 * @param {Comparison} about
 */
function unrankedSentence(board, measure, about) {
  const standing = board.rows.filter(isStanding);
  const first = standing.find((row) => !isControl(row)) ?? standing[0];
  if (!first) return ["no entry has a standing result."];
  const before = standing.slice(0, standing.indexOf(first));
  const value = verb(before, "has a better value", "have better values");
  const best = verb(standing, "only value", `best of ${standing.length} values`);
  const isQuality = measure.key === "quality";
  const weakness = [
    countText(first, isQuality),
    isQuality && first.note.includes("untuned") ? "not tuned" : "",
    about.source === "synthetic" ? "generated examples" : "",
  ].filter(Boolean);
  return [
    `no entry is ranked; the ${best} so far is that of `,
    el("strong", {}, namesOf([first])),
    `: ${figureText(first, measure)} (${weakness.join(", ")})`,
    `${before.length ? `; ${namesOf(before)} ${value}` : ""}.`,
  ];
}

/**
 * Returns what to know of costs that are not measured on the task itself, and which of the task's
 * entries have none.
 * @param {Question} question
 * @param {Board} board
 */
function borrowed({ shown, source }, board) {
  if (shown === source) return [];
  const measured = new Set(board.rows.filter(isStanding).map(({ line }) => line));
  const absent = linesOf(shown.number).filter((line) => !measured.has(line));
  const names = absent.map((line) => data.lines[line].name);
  const [task, costs] = [shown.comparison, source.comparison];
  const sizes = `with models of size ${costs.model_size}, not ${task.model_size}`;
  const on = `Measured on ${costs.source}, not on ${task.subject}`;
  return [
    costs.model_size === task.model_size ? on : `${on}, ${sizes}`,
    absent.length ? `Not measured there: ${listed(names)}` : "",
  ];
}

/**
 * Returns what limits the answer: the results, the repeats, and which scores these are.
 * @param {Board} board
 * @param {Comparison} about
 * @param {Measure} measure
 */
function reservations(board, about, measure) {
  const standing = board.rows.filter((row) => !row.superseded);
  const [leader] = bestOf(board).best;
  const untuned = standing.every(({ note }) => note.includes("untuned"));
  const isQuality = measure.key === "quality";
  const over = isQuality ? "seeds and test examples" : "rounds";
  const [unranked] = standing;
  return [
    `Results: ${about.name}`,
    isQuality && leader ? budgetText(board, about) : "",
    isQuality ? noMixingText(board, about) : "",
    about.source === "synthetic" && leader ? "The examples are generated" : "",
    leader
      ? `Intervals are of 95% over ${over} (${countText(leader, isQuality)})`
      : notRanked(about.why_unranked || unranked?.note, countText(unranked, isQuality)),
    leader && board.detectable !== null
      ? `The detectable ${isQuality ? "difference" : "ratio"} is the least that the board separates from the best; here for the median entry`
      : "",
    about.split === "validation" ? "These are validation scores" : "",
    isQuality && standing.length > 0 && untuned ? "No learning rate was tuned" : "",
    isQuality ? "" : about.session,
  ];
}

/**
 * Returns what each model was trained with: a ranking may end otherwise after more.
 * @param {Board} board
 * @param {Comparison} about
 */
function budgetText({ batch, length }, { steps, model_size: size }) {
  const examples = `${formatNumber(batch)} example${batch === 1 ? "" : "s"}`;
  return (
    `Models of size ${size}, trained from scratch for ${formatNumber(steps)} steps of ${examples} ` +
    `of length ${formatNumber(length)}`
  );
}

/**
 * Returns how many models rank no better than the control without mixing, "" without any.
 * @param {Board} board
 * @param {Comparison} about
 */
function noMixingText(board, { form }) {
  const ranked = rankedOf(board);
  const least = ranked.find((row) => nameOf(row) === NO_MIXING)?.rank;
  const models = ranked.filter((row) => !isControl(row));
  const count = models.filter(({ rank }) => (rank ?? 0) >= (least ?? Infinity)).length;
  if (!count) return "";
  const mixing = form === "encoder_decoder" ? "has cross-attention alone" : "mixes no positions";
  return (
    `${count} of ${models.length} models ${count > 1 ? "rank" : "ranks"} no better than the ` +
    `control ${NO_MIXING}, which ${mixing}`
  );
}

/** @type {(reason: string | undefined, count: string) => string} */
const notRanked = (reason, count) =>
  reason ? `Not ranked: ${reason} (${count}). This is no proof of being better` : "";

/**
 * Returns the number of seeds or rounds of a row as text.
 * @param {BoardRow | undefined} row
 * @param {boolean} isQuality
 */
function countText(row, isQuality) {
  const count = row?.n ?? 0;
  return `${count} ${isQuality ? "seed" : "round"}${count === 1 ? "" : "s"}`;
}

/**
 * Returns the detectable difference of a board as text, "" where it is unknown.
 * @param {Board} board
 * @param {Measure} measure
 */
function detectableText({ detectable }, measure) {
  if (detectable === null) return "";
  return measure.key === "quality"
    ? `the median detectable difference is ${formatNumber(detectable, 2)}`
    : `the median detectable ratio is ${formatFigure(detectable)}`;
}

/**
 * Returns a figure with its measure, interval and unit.
 * @param {Interval} row
 * @param {Measure} measure
 */
function figureText(row, { title, scale, unit }) {
  const name = title[0].toLowerCase() + title.slice(1);
  return `${name} ${formatInterval(row, scale)}${unit ? ` ${unit}` : ""}`;
}

/**
 * Returns the first names as a list in a sentence, and the number of the others.
 * @param {string[]} names
 */
function listed(names) {
  const shown = names.slice(0, NAMED);
  if (names.length > NAMED) shown.push(`${names.length - NAMED} more`);
  if (shown.length < 2) return shown.join("");
  return `${shown.slice(0, -1).join(", ")} and ${shown[shown.length - 1]}`;
}
