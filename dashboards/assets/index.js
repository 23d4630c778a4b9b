// Overview: the answer to the question, three figures against length, core tables.
"use strict";

/** The number of runs in the list: the browser takes long to lay out a larger table. */
const RUNS_LISTED = 500;
const RANKS_NOTE =
  "The leader and all entries that do not differ significantly from it share rank 1. Each entry is " +
  "compared with the leader on the same seeds and test examples. Ranks use all seeds and all " +
  "entries, whatever the filters show. The name of an entry is a link to its first run.";

/** @param {RunRow[]} runs */
function failuresTable(runs) {
  const failed = runs.filter(({ status }) => status !== "ok");
  const groups = Map.groupBy(failed, (run) => JSON.stringify([run.entry, run.status, run.reason]));
  if (!groups.size) return [];
  const rows = [...groups.values()].map((group) => {
    const { entry, status, reason, run } = group[0];
    const className = NOT_RUN.has(status) ? "soft" : "bad";
    const lengths = lengthsOf(group).join(", ");
    const text = { text: status, className };
    return [data.entries[entry].name, lengths, text, reason, runLink(run, "record")];
  });
  const head = ["entry", "lengths", "status", "reason", "run"];
  return [
    el("h2", {}, "Cells without a result"),
    table(head, rows, { texts: [0, 2, 4], long: [1, 3] }),
  ];
}

/**
 * @param {RunRow[]} runs
 * @param {Comparison} about
 */
function runsTable(runs, about) {
  const rows = runs.slice(0, RUNS_LISTED).map((row) => {
    const { length, entry, repeat, status, run } = row;
    const figures = [QUALITY, TOKENS_PER_SECOND, PEAK_MEMORY].map((measure) =>
      figureCell(runFigure(row, measure), measure === PEAK_MEMORY ? MIB : 1),
    );
    return [length, data.entries[entry].name, repeat, status, ...figures, runLink(run)];
  });
  const rest = runs.length > RUNS_LISTED ? `, the first ${RUNS_LISTED} of them listed` : "";
  const repeat = repeatName(about);
  const head = ["length", "entry", repeat, "status", "quality", "tokens/s", "MiB", "run"];
  return folded(`${runs.length} runs${rest}`, table(head, rows, { texts: [1, 3, 7] }));
}

/** What is drawn against length: of trainings quality and costs, of decodings the steps and state. */
const FIGURES = {
  train: [QUALITY, PEAK_MEMORY, TOKENS_PER_SECOND],
  probe: [PEAK_MEMORY, TOKENS_PER_SECOND, 3, 2, 4],
  decode: [PREFILL_TOKENS_PER_SECOND, TOKEN_LATENCY, STATE_BYTES],
};

/** @param {Question} question */
function costsBeside({ shown, source }) {
  if (shown !== source) return source.number;
  return shown.comparison.mode === "train" ? probesFor(shown) : -1;
}

/**
 * Returns the figures against length. A cost that is asked for is drawn from the results that
 * answer, beside the memory of the same phase. Where a training has no undisturbed speed, it
 * are those of the probes of the same form and size.
 * @param {Question} question
 * @param {number} costs the number of the comparison whose costs stand beside the scores, or -1
 * @param {State} values
 * @param {{ marked: number | undefined, strong: Set<number>, rank: string }} emphasis
 */
function overviewFigures({ shown, source, matter }, costs, values, emphasis) {
  const { comparison: about, number } = shown;
  const isBorrowed = shown !== source;
  const points = pointsOf(number, values.repeat);
  const wanted = isBorrowed ? [QUALITY, ...phaseFigures(matter)] : FIGURES[about.mode];
  return wanted.flatMap((measure) => {
    const isCost = measure !== QUALITY;
    const own = points.filter((point) => point.measure === measure);
    const isOwn = own.some(({ disturbed }) => !disturbed) || (own.length > 0 && costs < 0);
    if (!(isCost && isBorrowed) && isOwn) {
      return [lengthFigure(number, measure, values, emphasis)];
    }
    if (!isCost || costs < 0) return [];
    const what = data.comparisons[costs].mode === "decode" ? "decodings" : "probes";
    const from = `From the ${formText(data.comparisons[costs])} ${what} on random tokens`;
    const { without = "" } = values;
    return [lengthFigure(costs, measure, { without }, { ...emphasis, note: from })];
  });
}

/**
 * Returns the numbers of the memory and the speed of the phase of a cost.
 * @param {string} matter
 */
function phaseFigures(matter) {
  const [phase] = matter.split(".");
  /** @param {string} key */
  const place = (key) => data.measures.findIndex((measure) => measure.key === key);
  const memory = place(`${phase}.peak_memory_bytes`);
  if (memory < 0) return [STATE_BYTES, place(matter)];
  return [memory, place(`${phase}.tokens_per_second`)];
}

/**
 * Returns the number of the best comparison of probes of the same model size; -1 without any.
 * @param {NumberedComparison} shown
 */
function probesFor(shown) {
  const found = costsFor(shown).find(
    ({ comparison: one }) => one.mode === "probe" && one.model_size === shown.comparison.model_size,
  );
  return found?.number ?? -1;
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
  const hidden = hiddenEntries(values);
  const able = new Set(entriesOf(number));
  const tables = chosen.flatMap((board) => {
    const rows = board.rows.filter(({ entry }) => !hidden.has(entry) && able.has(entry));
    return leaderboard({ ...board, rows }, about, points);
  });
  return [
    el("h2", {}, length ? `${about.subject} at length ${formatNumber(length)}` : about.subject),
    ...(chosen.some((board) => rankedOf(board).length) ? [note(RANKS_NOTE)] : []),
    ...tables,
    ...failuresTable(runsOf(number)),
    el("h2", {}, "All results"),
    runsTable(
      runsOf(number).filter(({ entry }) => !hidden.has(entry)),
      about,
    ),
  ];
}

/**
 * Returns the learning curves and the examples of the runs on the user's own data, and what to run
 * next; empty for other results.
 * @param {NumberedComparison} shown
 * @param {State} values
 * @param {number | undefined} length
 */
function ownData({ comparison: about, number }, values, length) {
  if (!about.is_own) return [];
  const hidden = hiddenEntries(values);
  const rows = runsOf(number).filter(
    (row) =>
      row.status === "ok" &&
      row.length === length &&
      !hidden.has(row.entry) &&
      (!values.repeat || String(row.repeat) === values.repeat),
  );
  const again = `Your command: \`${about.command}\``;
  const seeds = "With `--seeds 0-2`, figures have intervals";
  const rates = "`bench tune` with the same task and data chooses learning rates";
  const kept = "With `--keep-weights`, `bench predict` applies a model to new texts";
  return [
    el("h2", {}, `Your data: curves and examples at length ${formatNumber(length)}`),
    note(joined([again, seeds, rates, kept])),
    loadedContent(rows, about),
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
  const { question, controls } = readQuestion(values, choice, choice.shown);
  const { shown, source, boards, length } = question;
  const { comparison: about, number } = shown;
  const leaders = boards.flatMap((board) => bestOf(board).best).map(({ entry }) => entry);
  const rank = `rank 1 in ${question.label.toLowerCase()} at length ${formatNumber(length)}`;
  const emphasis = { marked: length, strong: new Set(leaders), rank };
  const costs = costsBeside(question);
  const drawn = [number, source.number, costs].filter((one) => one >= 0);
  const entries = sorted(drawn.flatMap(entriesOf));
  return [
    filterBar(values, { ...choice, shown }, controls, [repeatPicker(values, number)]),
    ...trialsWarning(about),
    ...answers(question),
    ...(about.kind === "costs" ? noFinalRuns() : []),
    legend(values, entries, leaders),
    el("div", { className: "figures" }, ...overviewFigures(question, costs, values, emphasis)),
    ...disturbedNote(number),
    ...ownData(shown, values, length),
    ...leaderboardSections(values, about, length),
    ...details(source, shown === source ? values : { ...values, repeat: "" }, boards, length),
  ];
});
