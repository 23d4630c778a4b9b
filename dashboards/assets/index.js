// Overview: the best entry of a task at a length, three figures against length, core tables.
"use strict";

/** The number of runs in the list: the browser takes long to lay out a larger table. */
const RUNS_LISTED = 500;

/**
 * Returns a table of the cells that did not complete, one row for each reason.
 * @param {RecordRow[]} records
 */
function failuresTable(records) {
  /** @type {Map<string, RecordRow[]>} */
  const groups = new Map();
  for (const record of records.filter(({ status }) => status !== "ok")) {
    const key = JSON.stringify([record.line, record.status, record.reason]);
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  if (!groups.size) return [];
  const rows = [...groups.values()].map((group) => {
    const { line, status, reason, run } = group[0];
    const className = NOT_RUN.has(status) ? "soft" : "bad";
    const lengths = lengthsOf(group).join(", ");
    return [
      data.lines[line].name,
      lengths,
      { text: status, className },
      reason,
      runLink(run, "record"),
    ];
  });
  return [
    el("h2", {}, "Cells that did not complete"),
    table(["entry", "lengths", "status", "reason", "run"], rows, {
      texts: [0, 2, 4],
      long: [1, 3],
    }),
  ];
}

/**
 * Returns a folded table of runs.
 * @param {RecordRow[]} records
 * @param {Comparison} about
 */
function runsTable(records, about) {
  const rows = records
    .slice(0, RUNS_LISTED)
    .map(({ length, line, repeat, status, values, run }) => {
      const memory = values[PEAK_MEMORY];
      return [
        length,
        data.lines[line].name,
        repeat,
        status,
        formatNumber(values[data.measures.length]),
        formatNumber(values[TOKENS_PER_SECOND]),
        formatNumber(memory === null ? null : memory / MIB),
        runLink(run),
      ];
    });
  const rest = records.length > RUNS_LISTED ? `, the first ${RUNS_LISTED} of them listed` : "";
  const repeat = about.mode === "train" ? "seed" : "round";
  const head = ["length", "line", repeat, "status", "quality", "tokens/s", "MiB", "run"];
  return el(
    "details",
    {},
    el("summary", {}, `${records.length} runs${rest}`),
    table(head, rows, { texts: [1, 3, 7] }),
  );
}

/**
 * Returns the figures against length: quality, memory and speed; of decodings, the speed of reading
 * the context, the latency of a token and the size of the state. Where a training has no quiet
 * costs, memory and speed are those of the probes of the same form and size.
 * @param {NumberedComparison} shown
 * @param {State} values
 * @param {{ marked: number | undefined, strong: Set<number> }} emphasis
 */
function overviewFigures({ comparison: about, number }, values, emphasis) {
  const points = pointsOf(number, values.repeat);
  const wanted = {
    train: [QUALITY, PEAK_MEMORY, TOKENS_PER_SECOND],
    probe: [PEAK_MEMORY, TOKENS_PER_SECOND, 3, 2, 4],
    decode: [PREFILL_TOKENS_PER_SECOND, TOKEN_LATENCY, STATE_BYTES],
  }[about.mode];
  const probed = about.mode === "train" ? probesFor(about) : -1;
  return wanted.flatMap((measure) => {
    if (points.some((point) => point.measure === measure)) {
      return [lengthFigure(number, measure, values, emphasis)];
    }
    if (measure === QUALITY || probed < 0) return [];
    const note = `From the ${about.form.replace("_", "-")} probes on random tokens. `;
    const { without } = values;
    /** @type {State} */
    const kept = without ? { without } : {};
    return [lengthFigure(probed, measure, kept, { ...emphasis, note })];
  });
}

/**
 * Returns the number of the first comparison of probes of the same form, model size, backend and
 * precision; -1 without any.
 * @param {Comparison} about
 */
function probesFor({ form, model_size, backend, precision }) {
  return data.comparisons.findIndex(
    (one) =>
      one.mode === "probe" &&
      one.form === form &&
      one.backend === backend &&
      one.precision === precision &&
      one.model_size === model_size,
  );
}

/**
 * Returns the lists that choose the length and the metric, with the chosen boards.
 * @param {State} values
 * @param {number} number
 */
function boardControls(values, number) {
  const ofComparison = data.boards.filter((board) => board[0] === number);
  const metrics = [...new Set(ofComparison.map((board) => board[3]))];
  const metric = metrics.includes(values.metric) ? values.metric : metrics[0];
  const boards = boardsOf(number, metric);
  const lengths = lengthsOf(boards).map(String);
  const length = lengths.includes(values.length) ? values.length : lengths.at(-1);
  /** @type {(texts: string[]) => [string, string][]} */
  const options = (texts) => texts.map((text) => [titleOf(text), text]);
  const controls = [];
  if (length) {
    controls.push(select("Length", options(lengths), length, (value) => change({ length: value })));
  }
  if (metrics.length > 1) {
    controls.push(
      select("Ranked by", options(metrics), metric, (value) => change({ metric: value })),
    );
  }
  const chosen = boards.filter((board) => String(board.length) === length);
  return { controls, chosen, length: length ? Number(length) : undefined };
}

/**
 * Returns what does not fit the answer: the ranks at the length, failed cells and all runs.
 * @param {NumberedComparison} shown
 * @param {State} values
 * @param {Board[]} chosen
 * @param {number | undefined} length
 */
function details({ comparison: about, number }, values, chosen, length) {
  const points = pointsOf(number, values.repeat);
  const hidden = hiddenLines(values);
  const able = new Set(linesOf(number));
  const tables = chosen.flatMap((board) => {
    const rows = board.rows.filter(({ line }) => !hidden.has(line) && able.has(line));
    return leaderboard({ ...board, rows }, about, points);
  });
  const note =
    "The leader and all lines that do not differ significantly from it share rank 1. Each line is " +
    "compared with the leader on the same seeds and test examples. Ranks use all seeds and all " +
    "lines, whatever the filters show. The name of an entry is a link to its first run.";
  return [
    el("h2", {}, `${about.subject} at length ${length ?? "—"}`),
    ...(chosen.flatMap(leadersOf).length ? [el("p", { className: "note" }, note)] : []),
    ...tables,
    ...failuresTable(recordsOf(number)),
    el("h2", {}, "All results"),
    runsTable(
      recordsOf(number).filter(({ line }) => !hidden.has(line)),
      about,
    ),
  ];
}

start((values) => {
  const choice = chooseComparison(values);
  if (!choice.shown) {
    const missing = noFinalRuns(values.task);
    return [
      ...(missing.length ? missing : [el("p", { className: "answer" }, NOTHING_MATCHES)]),
      filterBar(values, choice),
    ];
  }
  const { comparison: about, number } = choice.shown;
  const { controls, chosen, length } = boardControls(values, number);
  const leaders = chosen.flatMap(leadersOf).map(({ line }) => line);
  const emphasis = { marked: length, strong: new Set(leaders) };
  return [
    filterBar(values, choice, controls, [repeatPicker(values, number)]),
    ...trialsWarning(about),
    ...answers(chosen, about),
    ...(about.kind === "costs" ? noFinalRuns() : []),
    legend(values, linesOf(number), leaders),
    el("div", { className: "figures" }, ...overviewFigures(choice.shown, values, emphasis)),
    ...noisyCostsNote(number),
    ...leaderboardSections(values, about, length),
    ...details(choice.shown, values, chosen, length),
  ];
});
