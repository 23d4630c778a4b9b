// Boards: the ranks of one comparison at a length.
"use strict";

/** The number of digits that a table shows of the digest of code. */
const DIGITS = 8;

/**
 * Returns the boards of a comparison by one metric.
 * @param {number} comparison
 * @param {string} metric
 * @returns {Board[]}
 */
function boardsOf(comparison, metric) {
  return data.boards
    .filter((board) => board[0] === comparison && board[3] === metric)
    .map(([, length, batch, name, rows, detectable]) => ({
      length,
      batch,
      name,
      rows: rows.map(boardRow),
      detectable,
    }));
}

/**
 * @param {BoardRowData} row
 * @returns {BoardRow}
 */
function boardRow(row) {
  const [line, rank, value, low, high, n, detectable, note, superseded, ...rest] = row;
  const [parameters, seconds, date, run, digest, sessions, between, byEvaluationLength] = rest;
  const estimate = { line, rank, value, low, high, n, detectable };
  const facts = { note, superseded, parameters, seconds, date, run };
  return { ...estimate, ...facts, digest, sessions, between, byEvaluationLength };
}

/** @param {BoardRow} row */
const nameOf = (row) => data.lines[row.line].name;

/**
 * Whether a row is of runs that stand, and has a figure.
 * @param {BoardRow} row
 */
const isStanding = (row) => !row.superseded && row.value !== null;

/** @param {Board} board */
const leadersOf = (board) => board.rows.filter(({ rank }) => rank === 1);

/** @param {Board} board */
const rankedOf = (board) => board.rows.filter(({ rank }) => rank !== null);

/**
 * Returns the table of a board, and its superseded rows in a folded table.
 * @param {Board} board
 * @param {Comparison} about
 * @param {Point[]} points
 */
function leaderboard(board, about, points) {
  const measure = measureNamed(board.name, about);
  const standing = board.rows.filter((row) => !row.superseded);
  const superseded = board.rows.filter((row) => row.superseded);
  const better = `${measure.higher_is_better ? "Higher" : "Lower"} is better.`;
  const detectable = detectableText(board, measure);
  const sensitivity = detectable && ` ${capitalized(detectable)}.`;
  const caption = `Length ${board.length}, batch ${board.batch}. ${better}${sensitivity}`;
  const nodes = [boardTable({ ...board, rows: standing }, measure, points, caption)];
  if (superseded.length) {
    const count = `${superseded.length} superseded row${superseded.length > 1 ? "s" : ""}`;
    const former = `Length ${board.length}: superseded`;
    const rows = boardTable({ ...board, rows: superseded }, measure, points, former);
    nodes.push(el("details", {}, el("summary", {}, count), rows));
  }
  return nodes;
}

/** @typedef {[head: string, cell: (row: BoardRow) => TableCell]} Column */

/**
 * @param {Board} board
 * @param {Measure} measure
 * @param {Point[]} points
 * @param {string} caption
 */
function boardTable(board, measure, points, caption) {
  const isQuality = measure.key === "quality";
  const unit = measure.unit ? `, ${measure.unit}` : "";
  const notes = new Footnotes();
  /** @type {Column[]} */
  const columns = [
    ["rank", (row) => row.rank],
    ["entry", (row) => notes.after(runLink(row.run, nameOf(row)), notesOf(row))],
    [`${titleOf(board.name)} [95%]${unit}`, (row) => formatInterval(row, measure.scale)],
    [isQuality ? "seeds" : "rounds", (row) => row.n],
    [
      isQuality ? "detectable difference" : "detectable ratio",
      (row) => (isQuality ? formatNumber(row.detectable, 2) : formatFigure(row.detectable)),
    ],
    ...(isQuality ? trainingColumns(board, points) : sessionColumns()),
    ["parameters", (row) => formatNumber(row.parameters, 7)],
    ["date", (row) => row.date],
    ...evaluationColumns(board, measure, notes),
  ];
  const rows = board.rows.map((row) => columns.map(([, cell]) => cell(row)));
  const classes = board.rows.map((row) => (row.rank === 1 ? "first" : ""));
  const head = columns.map(([name]) => name);
  return el("div", {}, table(head, rows, { caption, texts: [1], classes }), ...notes.list());
}

/**
 * Returns a column for each evaluation length of the board; a reason becomes a footnote.
 * @param {Board} board
 * @param {Measure} measure
 * @param {Footnotes} notes
 * @returns {Column[]}
 */
function evaluationColumns(board, measure, notes) {
  const found = board.rows.flatMap(({ byEvaluationLength }) => Object.keys(byEvaluationLength));
  const lengths = [...new Set(found)].sort((a, b) => Number(a) - Number(b));
  return lengths.map((length) => [
    `tested at ${length}`,
    ({ byEvaluationLength }) => {
      const score = byEvaluationLength[length];
      if (score === undefined) return "—";
      if (typeof score === "string") return notes.after(score.split(":")[0], [score]);
      const [value, low, high, , missing] = score;
      const text = formatInterval({ value, low, high }, measure.scale);
      return missing ? notes.after(text, [missing]) : text;
    },
  ]);
}

/**
 * Returns the columns of the costs of a training.
 * @param {Board} board
 * @param {Point[]} points
 * @returns {Column[]}
 */
function trainingColumns(board, points) {
  /** @type {(row: BoardRow, number: number) => string} */
  const cost = (row, number) => {
    const point = points.find(
      (p) =>
        p.line === row.line &&
        p.length === board.length &&
        p.batch === board.batch &&
        p.measure === number,
    );
    // The points are of the runs that stand, so a superseded row has no costs.
    if (!point || row.superseded) return "—";
    return formatNumber(point.value / data.measures[number].scale);
  };
  const known = [TOKENS_PER_SECOND, PEAK_MEMORY].filter((number) =>
    board.rows.some((row) => cost(row, number) !== "—"),
  );
  return [
    ...known.map(
      (number) =>
        /** @type {Column} */ ([
          `training, ${data.measures[number].unit}`,
          (row) => cost(row, number),
        ]),
    ),
    ["minutes", (row) => formatNumber(row.seconds === null ? null : row.seconds / 60, 2)],
  ];
}

/**
 * Returns the columns of a cost that say what was measured, and how far sessions differ.
 * @returns {Column[]}
 */
function sessionColumns() {
  return [
    ["sessions", (row) => (row.superseded ? "—" : row.sessions)],
    [
      "deviation between sessions",
      (row) => (row.between === null ? "—" : `${(100 * row.between).toFixed(1)}%`),
    ],
    ["code", (row) => (row.digest ? el("code", {}, row.digest.slice(0, DIGITS)) : "—")],
  ];
}

/** @param {BoardRow} row */
function notesOf({ note, superseded }) {
  return [...note.split("; "), superseded && `superseded by ${superseded}`].filter(Boolean);
}
