// The figures of the tasks page: learning curves, and the reports on the scored split.
"use strict";

const PARTS = "A part is one of the consecutive parts of the split, from which intervals come";

/** @param {Run[]} runs */
const firstRuns = (runs) => firstOfEach(runs, ({ entry }) => entry);

/**
 * Returns a figure of learning curves, one for each run, or null where there are none.
 * @param {Run[]} runs
 * @param {(name: string) => boolean} isShown
 * @param {{ title: string, unit: string, caption: string, higherIsBetter: boolean }} texts
 */
function learningFigure(runs, isShown, { title, unit, caption, higherIsBetter }) {
  const curves = runs.flatMap(({ entry, record }) =>
    Object.entries(record.curves ?? {})
      .filter(([name]) => isShown(name))
      .map(([, curve]) => ({ ...data.entries[entry], ...curve, seed: record.cell.seed })),
  );
  if (!curves.length) return null;
  return figure({
    title,
    higherIsBetter,
    caption,
    name: title,
    traces: curves.map(({ name, color, dash, symbol, tokens, values, seed }) => ({
      x: tokens,
      y: values,
      name: plain(name),
      type: "scatter",
      mode: tokens.length > 12 ? "lines" : "lines+markers",
      line: { color, width: 1.5, dash },
      marker: { symbol, size: 7 },
      hovertemplate: `${plain(name)}, seed ${seed}: %{y:.4g} at %{x:,}<extra></extra>`,
    })),
    layout: {
      xaxis: { title: { text: "tokens (images: examples) seen in training" } },
      yaxis: { title: { text: unit } },
    },
    rows: [
      ["entry", "seed", "seen", "value"],
      ...curves.flatMap(({ name, seed, tokens, values }) =>
        tokens.map((seen, i) => [name, seed, seen, values[i]]),
      ),
    ],
  });
}

/**
 * Returns a figure for each report by group of examples: its means over seeds by entry and group.
 * @param {number} comparison
 * @param {number} length
 * @param {State} values
 */
function reportFigures(comparison, length, values) {
  const hidden = hiddenEntries(values);
  const shown = reports.filter(
    (one) => one.comparison === comparison && one.length === length && !hidden.has(one.entry),
  );
  const about = data.comparisons[comparison];
  return [...Map.groupBy(shown, ({ name }) => name).values()].map((of) => reportFigure(of, about));
}

/**
 * Returns the figure of one report, which all the given entries have. Of several figures by group,
 * as precision and recall, the one of the task's metric is drawn.
 * @param {ReportData[]} found
 * @param {Comparison} about
 */
function reportFigure(found, about) {
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
  return figure({
    title: isAlongLength
      ? `${capitalized(measure)} after training at length ${length}`
      : `${capitalized(measure)} by ${by}`,
    higherIsBetter: about.metric.endsWith(field ?? "") ? about.higher_is_better : undefined,
    caption: joined([`${seeds}, on the ${about.split} split`, isOfParts ? PARTS : "", ...texts]),
    name,
    traces: found
      .filter(({ figures }) => figures[field]?.length)
      .map(({ entry, figures }) =>
        reportTrace(data.entries[entry], figures[field], isOrdered, isAlongLength),
      ),
    layout: {
      xaxis: { type: "category", title: { text: by } },
      yaxis: { title: { text: measure } },
    },
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

/**
 * @param {Entry} entry
 * @param {PlacedEstimate[]} points
 * @param {boolean} isOrdered
 * @param {boolean} hasIntervals whether 95% intervals are drawn
 */
function reportTrace(entry, points, isOrdered, hasIntervals) {
  const { name, color, dash, symbol } = entry;
  const texts = points.map(
    ([group, ...one]) => `${name}, ${group}: ${estimateText(one)} (n=${one[3]})`,
  );
  const intervals = points.map(([, ...one]) => intervalOf(one));
  return {
    ...labelled(name, texts),
    type: "scatter",
    mode: isOrdered ? "lines+markers" : "markers",
    line: { color, dash },
    marker: { color, symbol, size: 8 },
    x: points.map(([group]) => plain(group)),
    y: points.map(([, value]) => value),
    error_y: hasIntervals ? errorBars(entry, intervals) : undefined,
  };
}

/** @param {Run} run */
function confusionFigure({ entry, record }) {
  const { confusion: matrix, classes = [] } = reportsOf(record);
  if (!matrix) return null;
  const labels = classes.map(plain);
  return figure({
    title: `Confusion matrix: ${data.entries[entry].name}, seed ${record.cell.seed}`,
    tall: true,
    name: "confusion",
    caption: "Rows are true classes, columns predictions. Counts of examples.",
    traces: [
      heatTrace(["#eef4fb", "#1f5fa8"], {
        x: labels,
        y: labels,
        z: matrix.map((row) => row.map((count) => Math.log10(count + 1))),
        text: matrix.map((row) => row.map(String)),
        texttemplate: matrix.length <= 12 ? "%{text}" : undefined,
        hovertemplate: "%{y} predicted as %{x}: %{text}<extra></extra>",
      }),
    ],
    layout: {
      xaxis: { type: "category", title: { text: "prediction" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "true class" } },
    },
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
  const z = found.outputs.map((_, output) =>
    found.inputs.map((__, input) => bytes[input * width + output] / 255),
  );
  return figure({
    title: `Occlusion map: ${name}`,
    tall: true,
    name: `occlusion-${name}`,
    caption:
      `One example, seed ${record.cell.seed}. Shows how far each output (row) moves when the ` +
      "input at a position (column) is exchanged, as a share of the largest move. Darker is " +
      "farther, on a square root scale.",
    traces: [
      heatTrace(["#ffffff", "#123a66"], {
        x: found.inputs.map(String),
        y: found.outputs.map(String),
        z: z.map((row) => row.map(Math.sqrt)),
        zmin: 0,
        zmax: 1,
        text: z.map((row) => row.map((value) => value.toFixed(3))),
        hovertemplate: "output %{y}, input %{x}: %{text}<extra></extra>",
      }),
    ],
    layout: {
      xaxis: { type: "category", nticks: 9, title: { text: "exchanged input" } },
      yaxis: { type: "category", nticks: 9, autorange: "reversed", title: { text: "output" } },
    },
    rows: [["output", ...found.inputs], ...z.map((row, i) => [found.outputs[i], ...row])],
  });
}
