// The archive: a row of each entry on each board, superseded ones included.
"use strict";

/** The number of rows that a page shows at first. */
const FEW_ROWS = 200;
/** @type {Record<string, string>} */
const KINDS = { final: "final runs", costs: "probes and decodings", trial: "trials" };
const ARCHIVE_NOTE =
  "A row is an entry on one board: results, length and measure. The link in a row leads to its first " +
  "run. Notes give the reason for a missing rank, and other limits. Costs at a length come from one " +
  "session, and scores from the newest versions; all other rows are superseded.";

/** @typedef {{ about: Comparison, board: Board, row: BoardRow, measure: Measure }} ArchiveRow */

/** @returns {ArchiveRow[]} */
function archiveRows() {
  return data.comparisons.flatMap((about, number) => {
    const metrics = data.boards
      .filter(([comparison]) => comparison === number)
      .map((one) => one[3]);
    const boards = [...new Set(metrics)].flatMap((metric) => boardsOf(number, metric));
    return boards.flatMap((board) => {
      const measure = measureNamed(board.name, about);
      return board.rows.map((row) => ({ about, board, row, measure }));
    });
  });
}

/**
 * The choices of the page: the name in the state, the label, and the value and the text of a row.
 * @type {[string, string, (one: ArchiveRow) => string, (one: ArchiveRow) => string][]}
 */
const CHOICES = [
  ["task", "Task", ({ about }) => about.task, ({ about }) => about.subject],
  ["kind", "Kind", ({ about }) => about.kind, ({ about }) => KINDS[about.kind]],
  [
    "results",
    "Results",
    ({ about }) => about.title,
    ({ about }) => `${about.name} (${about.subject})`,
  ],
  ["entry", "Entry", ({ row }) => nameOf(row), ({ row }) => nameOf(row)],
  ["length", "Length", ({ board }) => `${board.length}`, ({ board }) => formatNumber(board.length)],
  ["measure", "Measure", ({ measure }) => measure.title, ({ measure }) => measure.title],
  [
    "standing",
    "Standing",
    ({ row }) => (row.superseded ? "superseded" : "standing"),
    ({ row }) => (row.superseded ? "superseded" : "standing"),
  ],
];

/**
 * Returns a list for each choice. A list holds what the other choices leave.
 * @param {ArchiveRow[]} rows
 * @param {State} values
 */
function archiveControls(rows, values) {
  return CHOICES.map(([name, label, keyOf, textOf]) => {
    const others = CHOICES.filter(([other]) => other !== name);
    const left = chosenRows(rows, values, others);
    /** @type {Map<string, string>} */
    const texts = new Map(left.map((one) => [keyOf(one), textOf(one)]));
    const chosen = values[name] ?? "";
    if (chosen) texts.set(chosen, texts.get(chosen) ?? chosen);
    /** @type {[string, string][]} */
    const options = [...texts].map(([value, text]) => [text, value]);
    options.sort(([a, one], [b, other]) => Number(one) - Number(other) || a.localeCompare(b));
    return select(label, [["all", ""], ...options], chosen, (value) => change({ [name]: value }));
  });
}

/**
 * Returns the rows that some choices leave.
 * @param {ArchiveRow[]} rows
 * @param {State} values
 * @param {typeof CHOICES} choices
 */
function chosenRows(rows, values, choices) {
  return rows.filter((one) =>
    choices.every(([name, , keyOf]) => !values[name] || keyOf(one) === values[name]),
  );
}

/**
 * Returns the table of rows, and their notes below it.
 * @param {ArchiveRow[]} rows
 * @param {string} caption
 */
function archiveTable(rows, caption) {
  const notes = new Footnotes();
  const head = [
    "entry",
    "task",
    "length",
    "measure",
    "value [95%]",
    "n",
    "rank",
    "date",
    "results",
  ];
  const body = rows.map(({ about, board, row, measure }) => [
    notes.after(runLink(row.run, nameOf(row)), notesOf(row)),
    about.subject,
    formatNumber(board.length),
    measure.title + (measure.unit ? `, ${measure.unit}` : ""),
    formatInterval(row, measure.scale),
    row.n,
    row.rank,
    row.date,
    about.name,
  ]);
  return [table(head, body, { caption, texts: [0, 1, 3, 8] }), ...notes.list()];
}

/**
 * Returns the rows of the CSV file. Values have the unit that the name of the measure states.
 * @param {ArchiveRow[]} rows
 * @returns {Value[][]}
 */
function archiveCsv(rows) {
  const head = ["task", "results", "entry", "sequence_length", "batch_size", "measure", "value"];
  const rest = ["low", "high", "n", "rank", "date", "note", "superseded_by", "first_run"];
  return [
    [...head, ...rest],
    ...rows.map(({ about, board, row }) => [
      about.task,
      about.title,
      nameOf(row),
      board.length,
      board.batch,
      board.name,
      row.value,
      row.low,
      row.high,
      row.n,
      row.rank,
      row.date,
      row.note,
      row.superseded,
      row.run,
    ]),
  ];
}

start((values) => {
  const rows = archiveRows();
  const chosen = chosenRows(rows, values, CHOICES);
  const shown = values.all ? chosen : chosen.slice(0, FEW_ROWS);
  const count = `${formatNumber(chosen.length)} of ${formatNumber(rows.length)} rows`;
  const isCut = shown.length < chosen.length;
  const caption = isCut
    ? `The first ${shown.length} of ${formatNumber(chosen.length)} rows`
    : count;
  const download = () => downloadCsv("lengthwise-archive", archiveCsv(chosen));
  /** @type {[string, string][]} */
  const extents = [
    [`first ${FEW_ROWS}`, ""],
    ["all", "1"],
  ];
  const extent = select("Rows", extents, values.all ?? "", (all) => change({ all }));
  return [
    filterForm("Choice of rows", ...archiveControls(rows, values), extent),
    el("p", { className: "note" }, ARCHIVE_NOTE),
    el(
      "div",
      { className: "tools" },
      el("button", { type: "button", onclick: download }, `Download ${count} as CSV`),
    ),
    ...archiveTable(shown, caption),
  ];
});
