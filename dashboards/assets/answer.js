// The answer of the first page: which entry is best at a task and length, and how sure that is.
"use strict";

/**
 * Returns the answer of each chosen board, or a note that there is none.
 * @param {Board[]} boards
 * @param {Comparison} about
 */
function answers(boards, about) {
  if (!boards.length) {
    return [el("p", { className: "answer" }, "No cell of these results has a score or cost yet.")];
  }
  return boards.map((board) =>
    el("p", { className: "answer" }, ...sentencesOf(board, about), caveat(board, about)),
  );
}

/**
 * Returns the sentences on one board.
 * @param {Board} board
 * @param {Comparison} about
 */
function sentencesOf(board, about) {
  const measure = measureNamed(board.name, about);
  const [leader, ...tied] = leadersOf(board);
  const at = `${about.subject}, length ${board.length}: `;
  if (!leader) return [at, ...unrankedSentences(board, about, measure)];
  const repeats = `${leader.n} ${about.mode === "probe" ? "rounds" : "seeds"}`;
  const lead = tied.length ? "has the best mean:" : "is best, with";
  return [
    at,
    tied.length ? "no significant winner. " : "",
    el("strong", {}, nameOf(leader)),
    ` ${lead} ${figureText(leader, measure)} (95% interval, ${repeats}). `,
    tieSentence(board, measure, tied),
  ];
}

/**
 * Returns a sentence on the entries that are tied with the leader, and the detectable difference.
 * @param {Board} board
 * @param {Measure} measure
 * @param {BoardRow[]} tied
 */
function tieSentence(board, measure, tied) {
  const others = rankedOf(board).length - 1;
  if (!others) return "No other entry is ranked, so there is nothing to compare.";
  const detectable = detectableText(board, measure);
  if (!tied.length) {
    const all = others > 1 ? `all ${others} other ranked entries` : "the only other ranked entry";
    return `It is significantly better than ${all}${detectable && ` (${detectable})`}.`;
  }
  const verb = tied.length > 1 ? "are" : "is";
  return `${listed(tied.map(nameOf))} ${verb} tied with it${detectable && `: ${detectable}`}.`;
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
    : `the smallest detectable ratio is ${formatNumber(detectable)}`;
}

/**
 * Returns sentences on a board without ranks: why, and the best value so far.
 * @param {Board} board
 * @param {Comparison} about
 * @param {Measure} measure
 */
function unrankedSentences(board, about, measure) {
  const [first] = board.rows.filter((row) => !row.superseded && row.value !== null);
  if (!first) return ["no entry has a standing result."];
  return [
    `no entry is ranked: ${about.why_unranked || first.note}. ` +
      "The best value so far is that of ",
    el("strong", {}, nameOf(first)),
    `: ${figureText(first, measure)}. This is no proof that it is better than others. `,
  ];
}

/**
 * Returns a sentence that says which scores these are, unless they are final.
 * @param {Board} board
 * @param {Comparison} about
 */
function caveat(board, about) {
  if (about.mode === "probe") return "";
  const standing = board.rows.filter(({ superseded }) => !superseded);
  const untuned = standing.length > 0 && standing.every(({ note }) => note.includes("untuned"));
  const parts = [
    about.split === "validation"
      ? "These are validation scores: only final runs of a frozen benchmark score the test split."
      : "",
    untuned ? "No learning rate was tuned." : "",
  ];
  const text = parts.filter(Boolean).join(" ");
  return text && el("span", { className: "caveat" }, ` ${text}`);
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
