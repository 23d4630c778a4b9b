// The answer of the first page: which entry is best at a task and length, and how sure that is.
"use strict";

/** The number of entries that an answer names; it counts further ones. */
const NAMED = 3;
/** The control that mixes no positions. */
const NO_MIXING = "identity";

const NO_MODEL = "No model is in this list; best control";
const TIE = "no significant winner; best mean of a model";
const PREDICTED_BEST = "Predicted, not measured; best value of a model";
const PREDICTED =
  "A fit to the measured lengths predicts these costs. Intervals are of 90% for a new measurement, " +
  "and predictions have no ranks";
const NO_ENTRY_FITS = "No entry fits the limits. The list below says why.";

/** @param {Question} question */
function answers(question) {
  const { boards, label, matter, shown, source } = question;
  const about = source.comparison;
  if (!boards.length) {
    const missing = isDone(shown.comparison, matter)
      ? `${label} was not measured for ${formText(shown.comparison)} models.`
      : "Encoder models do not generate. Choose a task with a decoder, such as language modelling.";
    const isCost = matter && shown.comparison.mode === "train";
    const none = "No cell of these results has a score or cost yet.";
    return [el("p", { className: "answer" }, isCost ? missing : none)];
  }
  return boards.flatMap((board) => {
    if (!board.rows.length) return [el("p", { className: "answer" }, NO_ENTRY_FITS)];
    const measure = measureNamed(board.metric, about);
    const { verdict, leader, facts } = rankedOf(board).length
      ? rankedVerdict(board, measure)
      : unrankedVerdict(board, about);
    const figure = leader
      ? [": ", el("strong", {}, nameOf(leader)), `, ${figureText(leader, measure)}`]
      : [];
    const all = [...facts, ...borrowed(question, board), ...reservations(board, about, measure)];
    return [
      el("p", { className: "answer" }, `${placeText(question)}. ${verdict}`, ...figure, "."),
      note(joined(all)),
    ];
  });
}

/**
 * Returns the subject and the length of the answer; another length than the wanted one is said.
 * @param {Question} question
 */
function placeText({ label, wanted, length, longest, shown, isPredicted, isLimited }) {
  const limits = isLimited ? ", within the limits" : "";
  const place = `${shown.comparison.subject}, length ${formatNumber(length)}${limits}`;
  if (length === wanted) return place;
  const measured = `${label} at ${formatNumber(wanted)} was not measured in these results`;
  if (isPredicted) return `${measured}; the closest predicted length follows. ${place}`;
  return `${measured}; the longest measured length is ${formatNumber(longest)}. ${place}`;
}

/**
 * Returns the rows that answer a board with ranks: the first rank that a model has, and the controls
 * of the ranks before it. A control is no model to choose.
 * @param {Board} board
 */
function bestOf(board) {
  const ranked = rankedOf(board);
  const first = (ranked.find((row) => !isControl(row)) ?? ranked[0])?.rank ?? 1;
  const before = ranked.filter(({ rank }) => (rank ?? 0) < first);
  return { best: ranked.filter(({ rank }) => rank === first), before };
}

/** @param {BoardRow} row */
const isControl = ({ entry }) => data.entries[entry].control;

/**
 * Returns the first names of a list, the controls marked as such, and the number of the others.
 * @param {BoardRow[]} rows
 */
const namesOf = (rows) =>
  listed(rows.map((row) => (isControl(row) ? `control ${nameOf(row)}` : nameOf(row))));

/**
 * Returns which controls lead before all models.
 * @param {BoardRow[]} controls
 */
function leadText(controls) {
  const names = listed(controls.map(nameOf));
  return controls.length > 1 ? `controls ${names} lead` : `control ${names} leads`;
}

/**
 * Returns the verdict on a board with ranks, the best model, and the facts beside it. Entries of one
 * rank are not separated from the best of them, which may be a control: a model is then better than
 * none. The verdict names the controls that lead, so that "best" is never said without them.
 * @param {Board} board
 * @param {Measure} measure
 */
function rankedVerdict(board, measure) {
  const { best, before } = bestOf(board);
  const leader = best.find((row) => !isControl(row)) ?? best[0];
  const others = best.filter((row) => row !== leader);
  const tied = [...others.filter((row) => !isControl(row)), ...others.filter(isControl)];
  const later = rankedOf(board).length - best.length - before.length;
  const isSeparated = best[0] === leader && tied.every(isControl);
  const lead = before.length ? `${leadText(before)}; ` : "";
  const won = lead ? "best model" : later || tied.length ? "best" : "only ranked entry";
  const detectable = detectableText(board, measure);
  return {
    leader,
    verdict: isControl(leader) ? NO_MODEL : capitalized(lead + (isSeparated ? won : TIE)),
    facts: [
      tied.length ? `Not separated from it: ${namesOf(tied)}` : "",
      later
        ? `${best[0] === leader ? "Significantly worse entries" : "Entries ranked after it"}: ${later}`
        : "",
      detectable && `${detectable} (the smallest gap the runs can show, for the median entry)`,
    ],
  };
}

/**
 * Returns the verdict on a board without ranks, the best model, and what weakens its value: few
 * repeats, generated examples and rates that were not tuned.
 * @param {Board} board
 * @param {Comparison} about
 */
function unrankedVerdict(board, about) {
  const standing = board.rows.filter(isStanding);
  const leader = standing.find((row) => !isControl(row)) ?? standing[0];
  if (!leader) return { verdict: "No entry has a result that counts", leader, facts: [] };
  const before = standing
    .slice(0, standing.indexOf(leader))
    .filter(({ value }) => value !== leader.value);
  if (board.isPredicted) return { leader, verdict: PREDICTED_BEST, facts: [PREDICTED] };
  return {
    leader,
    verdict: before.length
      ? `No entry is ranked; ${leadText(before)}; best value of a model`
      : `No entry is ranked; best of ${standing.length} measured`,
    facts: [
      `${counted(leader.n, repeatName(about))}: this is no proof of being better`,
      about.why_unranked ? capitalized(about.why_unranked) : `Not ranked: ${leader.note}`,
    ],
  };
}

/**
 * Returns what to know of costs that are not measured on the task itself, and which of the task's
 * entries have none.
 * @param {Question} question
 * @param {Board} board
 */
function borrowed({ shown, source }, board) {
  if (shown === source) return [];
  const measured = new Set(board.rows.filter(isStanding).map(({ entry }) => entry));
  const absent = entriesOf(shown.number).filter((entry) => !measured.has(entry));
  const [task, costs] = [shown.comparison, source.comparison];
  const isOtherSize = costs.model_size !== task.model_size;
  return [
    `Measured on ${costs.source}, not on ${task.subject}`,
    isOtherSize ? `Other models than those of the task (${task.model})` : "",
    absent.length ? `Not measured: ${listed(absent.map((entry) => data.entries[entry].name))}` : "",
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
  return [
    `Results: ${about.name}`,
    `Model size ${about.model}`,
    isQuality && leader
      ? `Trained from scratch for ${formatNumber(about.steps)} steps ` +
        `of ${counted(board.batch, "example")} of length ${formatNumber(board.length)}`
      : "",
    isQuality ? noMixingText(board, about) : "",
    about.source === "synthetic" ? "The examples are generated" : "",
    leader ? `95% intervals over ${over} (${counted(leader.n, repeatName(about))})` : "",
    about.split === "validation" ? "These are validation scores" : "",
    isQuality && standing.length > 0 && untuned ? "No learning rate was tuned" : "",
    isQuality ? "" : about.session,
  ];
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
  return `Ranked no better than the control ${NO_MIXING}, which ${mixing}: ${count} of ${models.length} models`;
}

/** @param {Board} board @param {Measure} measure */
function detectableText({ detectable }, measure) {
  if (detectable === null) return "";
  return measure.key === "quality"
    ? `Detectable difference ${gapText(detectable)}`
    : `Detectable ratio ${formatFigure(detectable)}`;
}

/**
 * Returns a figure with its measure, interval and unit.
 * @param {Interval} row
 * @param {Measure} measure
 */
function figureText(row, measure) {
  const { title, unit } = measure;
  const name = title[0].toLowerCase() + title.slice(1);
  return `${name} ${formatInterval(row, measure)} ${unit}`.trim();
}

/**
 * Returns the first names of a list, and the number of the others.
 * @param {string[]} names
 */
function listed(names) {
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
  return [...names.slice(0, NAMED), ...more].join(", ");
}
