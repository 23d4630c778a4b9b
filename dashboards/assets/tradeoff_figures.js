// The figures of the trade-offs page.
"use strict";

/** Why a limit is the longest length: no longer one was measured. */
const LONGEST_MEASURED = "the longest measured";
/** Why a length has no figure although its runs ended well. */
const NO_FIGURE = "no figure that counts";

/** @typedef {{ line: number, length: number, x: number, y: number, low: number | null,
 *   high: number | null }} TradeOff */

/**
 * Returns the quality and the cost of each line at each length, where both are known.
 * @param {Point[]} points
 * @param {Point[]} costs the points that have the costs; those of probes have batches of their own
 * @param {number} costNumber
 * @returns {TradeOff[]}
 */
function tradeOffs(points, costs, costNumber) {
  const { scale } = data.measures[costNumber];
  const qualities = points.filter(({ measure }) => measure === QUALITY);
  return qualities.flatMap(({ line, length, batch, value, low, high }) => {
    const cost = costs.find(
      (p) =>
        p.measure === costNumber &&
        p.line === line &&
        p.length === length &&
        (costs !== points || p.batch === batch),
    );
    if (!cost) return [];
    return [{ line, length, x: cost.value / scale, y: value, low, high }];
  });
}

/**
 * Returns the trace of the Pareto front of quality and a cost, over all lines and seeds.
 * @param {number} comparison
 * @param {number} costNumber
 */
function frontTrace(comparison, costNumber) {
  const { scale } = data.measures[costNumber];
  const front = findings.fronts.find(([of, cost]) => of === comparison && cost === costNumber);
  const [, , costs, qualities] = front ?? [0, 0, [], []];
  return {
    x: costs.map((cost) => cost / scale),
    y: qualities,
    mode: "lines",
    line: { color: "#888", dash: "dot", width: 2 },
    hoverinfo: "skip",
    type: "scatter",
  };
}

/**
 * Returns the figure of quality against one cost; nothing is drawn without two points.
 * @param {number} comparison
 * @param {number} costNumber
 * @param {State} values
 * @param {number} [source] the comparison that has the costs, if it is another
 */
function qualityAgainstCost(comparison, costNumber, values, source = comparison) {
  const about = data.comparisons[comparison];
  const cost = data.measures[costNumber];
  const hidden = hiddenLines(values);
  const shown = pointsOf(comparison, values.repeat).filter(({ line }) => !hidden.has(line));
  const isBorrowed = source !== comparison;
  const points = tradeOffs(shown, isBorrowed ? pointsOf(source) : shown, costNumber);
  if (points.length < 2) return [];
  const lengths = lengthsOf(points);
  /** @type {Record<string, unknown>[]} */
  const traces = isBorrowed ? [] : [frontTrace(comparison, costNumber)];
  for (const number of new Set(points.map(({ line }) => line))) {
    const { name, color, symbol } = data.lines[number];
    const own = points.filter(({ line }) => line === number);
    own.sort((p, q) => p.length - q.length);
    traces.push({
      x: own.map(({ x }) => x),
      y: own.map(({ y }) => y),
      name: plain(name),
      mode: lengths.length > 1 ? "markers+text" : "markers",
      type: "scatter",
      text: own.map(({ length }) => String(length)),
      textposition: "top center",
      textfont: { size: 10 },
      marker: { color, symbol, size: 10 },
      error_y: {
        type: "data",
        symmetric: false,
        color,
        thickness: 1,
        array: own.map(({ high, y }) => (high === null ? 0 : high - y)),
        arrayminus: own.map(({ low, y }) => (low === null ? 0 : y - low)),
      },
      customdata: own.map(
        ({ length, x, y }) =>
          `${plain(name)} at ${length}: ${formatNumber(y)}, ${formatNumber(x)} ${cost.unit}`,
      ),
      hovertemplate: "%{customdata}<extra></extra>",
    });
  }
  const { batch, machine } = data.comparisons[source];
  const ofCosts = isBorrowed
    ? `Costs of the ${formText(data.comparisons[source])} probes on random tokens, ${batch}, on ${machine}.`
    : `The dotted line is the Pareto front of all lines. Cost on ${machine}.`;
  const drawn = figure({
    title: `${measureOf(QUALITY, about).title} against ${cost.title.toLowerCase()}`,
    traces,
    tall: true,
    name: `${about.task}-against-${cost.key}`,
    about,
    caption: `${lengths.length > 1 ? "Labels are sequence lengths" : `All at length ${lengths[0]}`}. Bars are 95% intervals of quality. ${ofCosts}`,
    layout: {
      xaxis: valueAxis(
        points.map(({ x }) => x),
        cost,
        true,
      ),
      yaxis: { title: { text: metricText(about.metric) } },
    },
    rows: [
      ["line", "sequence_length", cost.key, about.metric, "low", "high"],
      ...points.map((p) => [
        data.lines[p.line].name,
        p.length,
        p.x * cost.scale,
        p.y,
        p.low,
        p.high,
      ]),
    ],
  });
  return [drawn];
}

/**
 * Returns a heat map of a measure by line and length.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {State} values
 */
function heatMap(comparison, number, values) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const hidden = hiddenLines(values);
  const points = pointsOf(comparison, values.repeat).filter((p) => p.measure === number);
  const records = recordsOf(comparison);
  const lengths = lengthsOf(records);
  const lines = linesOf(comparison)
    .filter((line) => !hidden.has(line))
    .reverse();
  const z = lines.map((line) =>
    lengths.map((length) => {
      const point = points.find((p) => p.line === line && p.length === length);
      return point ? point.value / measure.scale : null;
    }),
  );
  const figures = z.flat().filter((value) => value !== null);
  const least = Math.min(...figures);
  const isLogarithmic = number !== QUALITY && least > 0 && Math.max(...figures) / least > 5;
  /** @type {(line: number, length: number) => string} */
  const status = (line, length) => statusAt(records, line, length, "no figure");
  /** @param {number | null} value */
  const shade = (value) => (isLogarithmic && value !== null ? Math.log10(value) : value);
  const trace = {
    type: "heatmap",
    x: lengths.map(String),
    y: lines.map((line) => plain(data.lines[line].name)),
    z: z.map((row) => row.map(shade)),
    text: z.map((row, i) =>
      row.map((value, j) =>
        value === null ? plain(status(lines[i], lengths[j])) : formatNumber(value, 3),
      ),
    ),
    texttemplate: "%{text}",
    hovertemplate: "%{y} at %{x}: %{text}<extra></extra>",
    colorscale: [
      [0, "#f4f8fd"],
      [1, "#74a9dc"],
    ],
    textfont: { color: "#111" },
    showscale: false,
    xgap: 2,
    ygap: 2,
  };
  const caption = [
    `Means${measure.unit ? `, ${measure.unit}` : ""}.`,
    isLogarithmic ? "Logarithmic colours." : "",
    `Darker is ${measure.higher_is_better ? "better" : "worse"}.`,
    "A cell without a figure shows why.",
  ];
  return figure({
    title: `${measure.title} by architecture and length`,
    tall: true,
    name: `${about.task}-${measure.key}-map`,
    about,
    caption: caption.filter(Boolean).join(" "),
    traces: [trace],
    layout: {
      xaxis: { title: { text: "sequence length, positions" }, type: "category" },
      yaxis: { type: "category" },
    },
    rows: [["line", ...lengths], ...lines.map((line, i) => [data.lines[line].name, ...z[i]])],
  });
}

/**
 * Returns why a line has no figure at a length: the status of its runs, or `counted` where they
 * ended well and their figures do not count.
 * @param {RecordRow[]} records
 * @param {number} line
 * @param {number} length
 * @param {string} counted
 */
function statusAt(records, line, length, counted) {
  const found = records.filter((r) => r.line === line && r.length === length);
  const failed = found.find(({ status }) => status !== "ok");
  return failed?.status ?? (found.length ? counted : "not run");
}

/**
 * Returns the longest measured length of a line within a memory budget, and why it ends there.
 * @param {number} comparison
 * @param {number} line
 * @param {number} budget in bytes
 */
function lengthLimit(comparison, line, budget) {
  const points = pointsOf(comparison).filter((p) => p.measure === PEAK_MEMORY && p.line === line);
  const records = recordsOf(comparison);
  const longest = Math.max(0, ...points.filter((p) => p.value <= budget).map((p) => p.length));
  const next = lengthsOf(records).find((length) => length > longest);
  if (next === undefined) return { line, longest, reason: LONGEST_MEASURED };
  const above = points.find(({ length }) => length === next);
  if (above) {
    const reason = `${formatNumber(next)} takes ${formatNumber(above.value / MIB)} MiB`;
    return { line, longest, reason };
  }
  const failed = records.find(
    (r) => r.line === line && r.length === next && r.status !== "ok" && r.reason,
  );
  const status = failed ? ` ${failed.reason}` : `: ${statusAt(records, line, next, NO_FIGURE)}`;
  return { line, longest, reason: formatNumber(next) + status };
}

/**
 * Returns a bar for each line: the longest measured length within a memory budget. Nothing is drawn
 * if every line reaches the longest measured length.
 * @param {number} comparison
 * @param {State} values
 */
function lengthLimits(comparison, values) {
  const about = data.comparisons[comparison];
  const budget = Number(values.gib || 0) * GIB || Number.POSITIVE_INFINITY;
  const hidden = hiddenLines(values);
  const limits = linesOf(comparison)
    .filter((line) => !hidden.has(line))
    .map((line) => lengthLimit(comparison, line, budget))
    .filter(({ longest, reason }) => longest > 0 || !reason.endsWith(NO_FIGURE));
  if (limits.every(({ reason }) => reason === LONGEST_MEASURED)) return [];
  const memory = Number.isFinite(budget) ? `${values.gib} GiB` : "any memory";
  const drawn = figure({
    title: `Longest sequence within ${memory}`,
    tall: true,
    name: `${about.task}-limits`,
    about,
    caption:
      `The longest measured training length, ${about.batch}, on ${about.machine}. Each bar ` +
      "shows why the next length is not reached; lengths may have run under different limits. " +
      "`bench frontier` finds the limit itself.",
    traces: [
      {
        type: "bar",
        orientation: "h",
        y: limits.map(({ line }) => plain(data.lines[line].name)),
        x: limits.map(({ longest }) => longest),
        text: limits.map(({ longest, reason }) => plain(`${formatNumber(longest)}; ${reason}`)),
        textposition: "auto",
        marker: { color: limits.map(({ line }) => data.lines[line].color) },
        hovertemplate: "%{y}: %{text}<extra></extra>",
      },
    ],
    layout: {
      xaxis: { title: { text: "sequence length, positions" }, rangemode: "tozero" },
      yaxis: { type: "category", autorange: "reversed" },
    },
    rows: [
      ["line", "longest", "next"],
      ...limits.map(({ line, longest, reason }) => [data.lines[line].name, longest, reason]),
    ],
  });
  return [drawn];
}
