// The figures of the tasks page: learning curves, and the reports on the scored split.
"use strict";

/** @type {Record<string, string>} What a reader must know of the groups of a report. */
const REPORT_NOTES = {
  by_part: "A part is one of the consecutive parts of the split, from which intervals come",
  bits_per_character_by_recurrence:
    "After far recurrence: what follows 8 tokens that last occurred more than 256 tokens before",
};

/** @param {Run[]} runs */
const firstRuns = (runs) => firstOfEach(runs, ({ entry }) => entry);

/**
 * Returns a figure of learning curves, one for each run, or null where there are none.
 * @param {Run[]} runs
 * @param {(name: string) => boolean} isShown
 * @param {{ title: string, unit: string, caption: string, higherIsBetter: boolean }} texts
 * @param {Set<number>} chosen
 */
function learningFigure(runs, isShown, { title, unit, caption, higherIsBetter }, chosen) {
  const lines = runs.flatMap(({ entry, record }) =>
    Object.entries(record.curves ?? {})
      .filter(([name]) => isShown(name))
      .map(([, curve]) => ({ entry, points: curvePoints(curve), seed: record.cell.seed })),
  );
  if (!lines.length) return null;
  return lineFigure({
    title,
    caption,
    name: title,
    lines,
    measure: plainMeasure(unit, higherIsBetter),
    axis: { title: { text: "tokens seen in training<br>(images: examples)" } },
    chosen,
    repeat: new Set(lines.map(({ seed }) => seed)).size === 1 ? "seed" : undefined,
    rows: [
      ["entry", "seed", "seen", "value"],
      ...lines.flatMap(({ entry, seed, points }) =>
        points.map(({ x, value }) => [data.entries[entry].name, seed, x, value]),
      ),
    ],
  });
}

/**
 * Returns a figure for each report by group of examples: its means over seeds by entry and group.
 * @param {number} comparison
 * @param {number} length
 * @param {Set<number>} chosen
 */
function reportFigures(comparison, length, chosen) {
  const shown = reports.filter((one) => one.comparison === comparison && one.length === length);
  const about = data.comparisons[comparison];
  const byName = Map.groupBy(shown, ({ name }) => name);
  return [...byName.values()].map((found) => reportFigure(found, about, chosen));
}

/**
 * Returns the figure of one report, which all the given entries have. Of several figures by group,
 * as precision and recall, the one of the task's metric is drawn.
 * @param {ReportData[]} found
 * @param {Comparison} about
 * @param {Set<number>} chosen
 */
function reportFigure(found, about, chosen) {
  const { name, length } = found[0];
  const fields = [...new Set(found.flatMap(({ figures }) => Object.keys(figures)))];
  const field = fields.find((one) => one && about.metric.endsWith(one)) ?? fields[0];
  const isAlongLength = name === "by_evaluation_length";
  const [what, by] = [...metricText(name).split(/\bby /), ""];
  const measure = metricText([what.trim(), field ?? about.metric].filter(Boolean).join(" "));
  const isOfParts = name === "by_part";
  const points = found.flatMap(({ figures }) => figures[field] ?? []);
  const isOrdered =
    !isOfParts && found.some(({ figures }) => /^\d/.test(figures[field]?.[0]?.[0] ?? ""));
  const most = Math.max(...points.map(([, , , , n]) => n));
  const coversExamples = isAlongLength && about.share && about.metric.endsWith(field);
  const interval = coversExamples ? "95% interval" : "95% interval over seeds alone";
  const hasIntervals = points.some(([, , low]) => low !== null);
  const hover = hasIntervals ? `; hover over it for its ${interval}` : "";
  const seeds = most > 1 ? `Mean of up to ${most} seeds${hover}` : "One seed";
  const reasons = new Set(found.flatMap((one) => Object.values(one.reasons)));
  const texts = [...reasons].map((reason) => capitalized(reason.replaceAll("_", " ")));
  return lineFigure({
    title: isAlongLength
      ? `${capitalized(measure)} after training at length ${length}`
      : `${capitalized(measure)} by ${by}`,
    caption: joined([`${seeds}, on the ${about.split} split`, REPORT_NOTES[name] ?? "", ...texts]),
    name,
    lines: found
      .filter(({ figures }) => figures[field]?.length)
      .map(({ entry, figures }) => ({ entry, points: placedPoints(figures[field]) })),
    measure: plainMeasure(measure, about.higher_is_better),
    axis: { type: "category", title: { text: by } },
    at: (group) => plain(group).replaceAll("_", " "),
    chosen,
    repeat: "seed",
    isJoined: isOrdered,
    rows: [
      ["entry", by, "figure", "mean", "low", "high", "n"],
      ...found.flatMap(({ entry, figures }) =>
        Object.entries(figures).flatMap(([of, drawn]) =>
          drawn.map(([group, ...rest]) => [data.entries[entry].name, group, of, ...rest]),
        ),
      ),
      ...found.flatMap(({ entry, reasons: own }) =>
        Object.entries(own).map(([group, reason]) => [data.entries[entry].name, group, reason]),
      ),
    ],
  });
}

/** @param {Run} run */
function confusionFigure({ entry, record }) {
  const { confusion: matrix, classes = [] } = reportsOf(record);
  if (!matrix) return null;
  const counts = matrix.map((row) => row.map(String));
  return heatFigure({
    title: `Confusion matrix: ${data.entries[entry].name}, seed ${record.cell.seed}`,
    better: "dark on the diagonal is better",
    name: "confusion",
    caption: "Rows are true classes, columns predictions. Counts of examples.",
    columns: classes,
    names: classes,
    values: matrix.map((row) => row.map((count) => Math.log10(count + 1))),
    texts: counts,
    axes: ["prediction", "true class"],
    isPale: matrix.length <= 12,
    rows: [["truth", ...classes], ...matrix.map((row, i) => [classes[i], ...row])],
  });
}

/**
 * Returns the occlusion map of a run: how far exchanging each input moves each output.
 * @param {Run} run
 */
function occlusionFigure({ entry, record }) {
  const found = reportsOf(record).occlusion;
  if (!found) return null;
  const { name } = data.entries[entry];
  const bytes = Uint8Array.from(atob(found.map), (character) => character.charCodeAt(0));
  const width = found.outputs.length;
  const moves = found.outputs.map((_, output) =>
    found.inputs.map((__, input) => bytes[input * width + output] / 255),
  );
  return heatFigure({
    title: `Occlusion map: ${name}`,
    better: "no direction is better",
    name: `occlusion-${name}`,
    caption:
      `One example, one seed (${record.cell.seed}). Shows how far each output (row) moves when the ` +
      "input at a position (column) is exchanged, as a share of the largest move. Darker is " +
      "farther, on a square root scale.",
    columns: found.inputs.map(String),
    names: found.outputs.map(String),
    values: moves.map((row) => row.map(Math.sqrt)),
    texts: moves.map((row) => row.map((value) => value.toFixed(3))),
    axes: ["exchanged input", "output"],
    range: [0, 1],
    isPale: false,
    rows: [["output", ...found.inputs], ...moves.map((row, i) => [found.outputs[i], ...row])],
  });
}
