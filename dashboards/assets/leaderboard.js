// Boards: the ranks of one comparison at a length.
"use strict";

/** The number of digits that a table shows of the digest of code. */
const DIGITS = 8;

/** @param {number} comparison @param {string} metric @returns {Board[]} */
const boardsOf = (comparison, metric) =>
  data.boards
    .filter((board) => board.comparison === comparison && board.metric === metric)
    .map((board) => ({ ...board, rows: rowsOf(board.rows) }));

/** @param {BoardRow} row */
const nameOf = (row) => data.entries[row.entry].name;

/**
 * Whether a row is of runs that stand, and has a figure.
 * @param {BoardRow} row
 */
const isStanding = (row) => !row.superseded && row.value !== null;

/** @param {Board} board */
const rankedOf = (board) => board.rows.filter(({ rank }) => rank !== null);

/** @typedef {[head: string, cell: (row: BoardRow) => TableCell]} Column */

/**
 * Returns the table of a board: the standing rows, and the superseded ones folded.
 * @param {Board} board
 * @param {Comparison} about
 * @param {Column[]} facts what is known of each entry besides
 */
function leaderboard(board, about, facts) {
  if (!board.rows.length) return [];
  const measure = measureNamed(board.metric, about);
  const standing = board.rows.filter((row) => !row.superseded);
  const superseded = board.rows.filter((row) => row.superseded);
  const told = [
    `Length ${formatNumber(board.length)}, batch ${board.batch}`,
    `${measure.higher_is_better ? "Higher" : "Lower"} is better`,
    detectableText(board, measure),
  ];
  const nodes = [boardTable({ ...board, rows: standing }, measure, facts, joined(told))];
  if (superseded.length) {
    const former = `Length ${formatNumber(board.length)}: superseded`;
    const rows = boardTable({ ...board, rows: superseded }, measure, [], former);
    nodes.push(folded(counted(superseded.length, "superseded row"), rows));
  }
  return nodes;
}

/** @param {Board} board @param {Measure} measure @param {Column[]} facts @param {string} caption */
function boardTable(board, measure, facts, caption) {
  const isQuality = measure.key === "quality";
  const unit = measure.unit ? `, ${measure.unit}` : "";
  const notes = new Footnotes(board.rows.map(notesOf));
  const word = board.isPredicted ? "predicted" : "measured";
  const hasInterval = board.rows.some(({ low }) => low !== null);
  const end = hasInterval ? ` [${board.isPredicted ? "90%" : "95%"}]` : "";
  /** @type {Column[]} */
  const columns = [
    ["rank", (row) => row.rank],
    ["entry", (row) => notes.after(rowName(row), notesOf(row))],
    [`${titleOf(board.metric)}, ${word}${end}${unit}`, (row) => figureCell(row, measure)],
    ...facts,
    [`${isQuality ? "seed" : "round"}s`, (row) => row.n],
    [
      isQuality ? "detectable difference" : "detectable ratio",
      (row) => (isQuality ? gapText(row.detectable) : formatFigure(row.detectable)),
    ],
    ...(isQuality ? [TRAINING_MINUTES] : SESSION_COLUMNS),
    ["parameters with embeddings", (row) => formatNumber(row.parameters, 7)],
    ["date", (row) => row.date || null],
    ...evaluationColumns(board, measure, notes),
  ];
  // A column that no row fills says nothing.
  const filled = columns.filter(([, cell]) => board.rows.some((row) => isFilled(cell(row))));
  const classes = board.rows.map((row) => (row.rank === 1 ? "first" : ""));
  const options = { caption, texts: [filled[0]?.[0] === "rank" ? 1 : 0], classes };
  return el("div", {}, itemsTable(board.rows, filled, options), ...notes.list());
}

/** @param {BoardRow} row */
const rowName = (row) =>
  row.run ? runLink(row.run, nameOf(row)) : entryLabel(data.entries[row.entry]);

/** @param {TableCell} cell */
const isFilled = (cell) => cell !== null && cell !== undefined && cell !== "—" && cell !== 0;

/**
 * Returns a column for each evaluation length of the board; a reason becomes a footnote.
 * @param {Board} board
 * @param {Measure} measure
 * @param {Footnotes} notes
 * @returns {Column[]}
 */
function evaluationColumns(board, measure, notes) {
  const lengths = sorted(board.rows.flatMap(({ tested }) => Object.keys(tested).map(Number)));
  return lengths.map((length) => [
    `tested at ${length}`,
    ({ tested }) => {
      const score = tested[length];
      if (score === undefined) return "—";
      if (typeof score === "string") return notes.after(score.split(":")[0], [score]);
      return notes.after(formatInterval(score, measure), score.missing ? [score.missing] : []);
    },
  ]);
}

/** @type {Column} */
const TRAINING_MINUTES = [
  "training, minutes",
  (row) => decimal(row.seconds === null ? null : row.seconds / 60),
];

/**
 * What was measured of a cost, and how far sessions differ.
 * @type {Column[]}
 */
const SESSION_COLUMNS = [
  ["sessions", (row) => (row.superseded ? "—" : row.sessions)],
  [
    "deviation between sessions",
    (row) => (row.between === null ? "—" : `${(100 * row.between).toFixed(1)}%`),
  ],
  ["code", (row) => (row.digest ? el("code", {}, row.digest.slice(0, DIGITS)) : "—")],
];

/** @param {BoardRow} row */
const notesOf = ({ note, superseded }) =>
  [...note.split("; "), superseded && `superseded by ${superseded}`].filter(Boolean);
