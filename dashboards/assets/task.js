// Tasks: learning curves, reports on the scored split, examples.
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
 * @param {Run[]} runs
 * @param {string} caption
 */
function cueFigure(runs, caption) {
  const unit = "words between name and cue";
  const generated =
    `${caption} Four in ten of the generated names can be typed only by a word this far before ` +
    "them. Chance is 0.25.";
  const f1 = { title: "F1 by distance of the cue", unit, caption: generated };
  const accuracy = { title: "Accuracy by distance of the cue", unit, caption };
  return (
    spanFigure(runs, "by_cue_distance", "f1", f1) ??
    spanFigure(runs, "by_cue_distance", "accuracy", accuracy)
  );
}

/**
 * Returns all figures that the runs have reports for.
 * @param {Run[]} runs
 * @param {Comparison} about
 */
function taskFigures(runs, about) {
  const caption = `Mean over seeds, on the ${about.split} split.`;
  const bleu = { title: "BLEU by sentence length", unit: "words of the reference", caption };
  const loss = {
    title: "Loss by position in the context",
    unit: "position",
    caption: `${caption} In nats per token: shows how much more context helps.`,
  };
  /** @type {(name: string) => boolean} */
  const isValidation = (name) => name.startsWith("validation_");
  /** @type {(name: string) => boolean} */
  const isLoss = (name) => name === "training_loss";
  const validationCaption = "During training, one line per seed. The best weights are scored.";
  const lossCaption = "One line per seed. Each point is the mean of a block of steps.";
  /** @type {[string, () => Node | null][]} */
  const figures = [
    [
      "The validation curve",
      () =>
        learningFigure(
          runs,
          isValidation,
          `Validation ${metricText(about.metric)}`,
          validationCaption,
        ),
    ],
    ["The training loss", () => learningFigure(runs, isLoss, "Training loss", lossCaption)],
    ["F1 by entity type", () => entityTypeFigure(runs, caption)],
    ["The figure by distance of the cue", () => cueFigure(runs, caption)],
    ["BLEU by length", () => spanFigure(runs, "bleu_by_reference_words", "bleu", bleu)],
    ["The loss by position", () => spanFigure(runs, "nats_by_position", null, loss)],
    ["The metric by part of the split", () => partsFigure(runs, about.metric)],
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
    el("div", { className: "figures" }, ...taskFigures(runs, about)),
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
  if (!choice.shown) {
    const text =
      "No training run matches these filters. Probes have no learning curves or reports.";
    return [filterBar(values, choice), el("p", {}, text)];
  }
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
  const place = el("div", {}, el("p", {}, `Loading ${rows.length} records…`));
  const requested = JSON.stringify(state());
  loadRuns(rows).then((runs) => {
    if (JSON.stringify(state()) !== requested) return; // the reader has chosen another view
    place.replaceChildren(...taskContent(runs, about));
    document.body.dataset.loaded = "true";
  });
  /** @type {[string, string][]} */
  const options = lengths.map((l) => [String(l), String(l)]);
  const controls = [
    repeatPicker(values, number),
    select("Length", options, String(length), (value) => change({ length: value })),
  ];
  const title = `${about.subject} · ${about.name} · length ${length}`;
  return [filterBar(values, choice, controls), el("h2", {}, title), place];
});
