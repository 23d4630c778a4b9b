// Tasks: reports on the scored split, learning curves, examples.
"use strict";

/**
 * Returns the examples of one run of each line.
 * @param {Run[]} runs
 */
function exampleTables(runs) {
  const withExamples = runs.filter(({ record }) => reportsOf(record).examples?.length);
  const lastOfEachLine = [...new Map(withExamples.map((run) => [run.line, run])).values()];
  if (!lastOfEachLine.length) return [];
  const tables = lastOfEachLine.flatMap(({ line, record }) => {
    const rows = (reportsOf(record).examples ?? []).map(({ right, input, expected, answer }) => [
      { text: right ? "right" : "wrong", className: right ? "status-ok" : "bad" },
      input,
      expected,
      answer,
    ]);
    return [
      el("h3", {}, `${data.lines[line].name}, seed ${record.cell.seed}`),
      table(["", "input", "expected", "prediction"], rows, { texts: [0], long: [1, 2, 3] }),
    ];
  });
  return [el("h2", {}, "Examples"), ...tables];
}

/**
 * Returns what `draw` returns, or an error in its place. A record of another version may hold a
 * report in another form, which must not hide the other figures.
 * @template T
 * @param {string} name
 * @param {() => T} draw
 */
function drawnOrError(name, draw) {
  try {
    return draw();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const text = `${name} cannot be drawn: a record has the report in another form (${reason}).`;
    return el("p", { className: "status-bad" }, text);
  }
}

/**
 * Returns the figures that the runs have curves or reports for, one run or one seed a line.
 * @param {Run[]} runs
 * @param {Comparison} about
 */
function runFigures(runs, about) {
  /** @type {(name: string) => boolean} */
  const isValidation = (name) => name.startsWith("validation_");
  /** @type {(name: string) => boolean} */
  const isLoss = (name) => name === "training_loss";
  const curve = { title: `Validation ${metricText(about.metric)}`, unit: metricText(about.metric) };
  const captions = {
    validation: "During training, one line per seed. The best weights are scored.",
    loss: "One line per seed. Each point is the mean of a block of steps.",
  };
  const loss = { title: "Training loss", unit: "loss" };
  /** @type {[string, () => Node | null][]} */
  const figures = [
    ["The validation curve", () => learningFigure(runs, isValidation, curve, captions.validation)],
    ["The training loss", () => learningFigure(runs, isLoss, loss, captions.loss)],
  ];
  for (const run of firstRuns(runs)) {
    const { name } = data.lines[run.line];
    figures.push([`The occlusion map of ${name}`, () => occlusionFigure(run)]);
  }
  for (const run of firstRuns(runs)) {
    const { name } = data.lines[run.line];
    figures.push([`The confusion matrix of ${name}`, () => confusionFigure(run)]);
  }
  return figures.map(([name, draw]) => drawnOrError(name, draw)).filter((node) => node !== null);
}

/**
 * Returns figures, examples and links of the runs.
 * @param {Run[]} runs
 * @param {Comparison} about
 */
function taskContent(runs, about) {
  const links = runs.map(({ line, record }) => {
    const text = `${data.lines[line].name}, seed ${record.cell.seed}`;
    return el("li", {}, runLink(record.run_id, text));
  });
  return [
    el("div", { className: "figures" }, ...runFigures(runs, about)),
    ...[drawnOrError("The examples", () => exampleTables(runs))].flat(),
    el("h2", {}, "Runs"),
    el("ul", { className: "inline" }, ...links),
  ];
}

/**
 * Loads the records of some rows; rows without a record are left out.
 * @param {RecordRow[]} rows
 */
async function loadRuns(rows) {
  const records = await Promise.all(rows.map(({ run }) => loadRun(run)));
  return rows.flatMap(({ line }, i) => {
    const record = records[i];
    return record ? [{ line, record }] : [];
  });
}

start((values) => {
  const choice = chooseComparison(values, ({ mode }) => mode === "train");
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES)];
  const { comparison: about, number } = choice.shown;
  const completed = recordsOf(number).filter(({ status }) => status === "ok");
  const lengths = lengthsOf(completed);
  const length = lengths.includes(Number(values.length)) ? Number(values.length) : lengths[0];
  const hidden = hiddenLines(values);
  const rows = completed.filter(
    (row) =>
      row.length === length &&
      !hidden.has(row.line) &&
      (!values.repeat || String(row.repeat) === values.repeat),
  );
  const text = rows.length ? `Loading ${rows.length} records…` : `${NO_LINE}.`;
  const place = el("div", {}, el("p", {}, text));
  const requested = JSON.stringify(state());
  loadRuns(rows).then((runs) => {
    if (!rows.length) return;
    if (JSON.stringify(state()) !== requested) return; // the reader has chosen another view
    place.replaceChildren(...taskContent(runs, about));
    document.body.dataset.loaded = "true";
  });
  /** @type {[string, string][]} */
  const options = lengths.map((l) => [String(l), String(l)]);
  const controls = [
    select("Length", options, String(length), (value) => change({ length: value })),
  ];
  return [
    filterBar(values, choice, controls, [repeatPicker(values, number)]),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject} · ${about.name} · length ${length}`),
    legend(values, linesOf(number)),
    el("div", { className: "figures" }, ...reportFigures(number, length, values)),
    place,
  ];
});
