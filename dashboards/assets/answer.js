// The answer of the first page: which entry is best at a task and length, and how sure that is.
"use strict";

/**
 * Returns the answer of each chosen board in one sentence, and a note on how sure it is.
 * @param {Board[]} boards
 * @param {Comparison} about
 */
function answers(boards, about) {
  if (!boards.length) {
    return [el("p", { className: "answer" }, "No cell of these results has a score or cost yet.")];
  }
  return boards.flatMap((board) => {
    const measure = measureNamed(board.name, about);
    const at = `${about.subject}, length ${board.length}: `;
    const sentence = leadersOf(board).length
      ? rankedSentence(board, measure)
      : unrankedSentence(board, measure);
    return [
      el("p", { className: "answer" }, at, ...sentence),
      el("p", { className: "note" }, reservations(board, about, measure)),
    ];
  });
}

/**
 * Returns the sentence on a board with ranks.
 * @param {Board} board
 * @param {Measure} measure
 */
function rankedSentence(board, measure) {
  const [leader, ...tied] = leadersOf(board);
  const name = el("strong", {}, nameOf(leader));
  const value = figureText(leader, measure);
  const detectable = detectableText(board, measure);
  const others = rankedOf(board).length - 1;
  if (!others) return ["only ", name, ` is ranked, with ${value}.`];
  if (!tied.length) {
    const all = others > 1 ? `all ${others} other ranked entries` : "the only other ranked entry";
    const least = detectable && ` (${detectable})`;
    return [name, ` is best, with ${value}, significantly better than ${all}${least}.`];
  }
  const verb = tied.length > 1 ? "are" : "is";
  return [
    "no significant winner: ",
    name,
    ` has the best mean, ${value}, and ${listed(tied.map(nameOf))} ${verb} tied with it`,
    `${detectable && `; ${detectable}`}.`,
  ];
}

/**
 * Returns the sentence on a board without ranks.
 * @param {Board} board
 * @param {Measure} measure
 */
function unrankedSentence(board, measure) {
  const [first] = board.rows.filter((row) => !row.superseded && row.value !== null);
  if (!first) return ["no entry has a standing result."];
  const name = el("strong", {}, nameOf(first));
  return [
    "no entry is ranked; the best value so far is that of ",
    name,
    `: ${figureText(first, measure)}.`,
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
  const [leader] = leadersOf(board);
  const untuned = standing.every(({ note }) => note.includes("untuned"));
  const isQuality = measure.key === "quality";
  const over = isQuality ? "seeds and test examples" : "rounds";
  const repeats = leader && `${leader.n} ${isQuality ? "seeds" : "rounds"}`;
  const [unranked] = standing;
  const parts = [
    `Results: ${about.name}`,
    leader
      ? `Intervals are of 95% over ${over} (${repeats})`
      : `Not ranked: ${about.why_unranked || unranked?.note}. This is no proof of being better`,
    leader && board.detectable !== null ? "The detectable size is that of the median entry" : "",
    about.split === "validation" ? "These are validation scores" : "",
    isQuality && standing.length > 0 && untuned ? "No learning rate was tuned" : "",
    isQuality ? "" : `Session of ${about.session}`,
  ];
  return `${parts.filter(Boolean).join(". ")}.`;
}

/**
 * Returns the detectable difference of a board as text, "" where it is unknown.
 * @param {Board} board
 * @param {Measure} measure
 */
function detectableText({ detectable }, measure) {
  if (detectable === null) return "";
  return measure.key === "quality"
    ? `the smallest detectable difference is ${formatNumber(detectable, 2)}`
    : `the smallest detectable ratio is ${formatFigure(detectable)}`;
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
 * Returns names as a list in a sentence.
 * @param {string[]} names
 */
function listed(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}
