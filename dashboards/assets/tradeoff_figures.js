// The figures of the trade-offs page.
"use strict";

/** Why a limit is the longest length: no longer one was measured. */
const LONGEST_MEASURED = "the longest measured";
/** Why a length has no figure although its runs ended well. */
const NO_FIGURE = "no figure that counts";

/**
 * Returns the figure of quality against one cost; nothing is drawn without two points.
 * @param {number} comparison
 * @param {number} costNumber
 * @param {State} values
 * @param {number} [source] the comparison that has the costs, if it is another; the costs of probes
 *   have batches of their own
 */
function qualityAgainstCost(comparison, costNumber, values, source = comparison) {
  const about = data.comparisons[comparison];
  const cost = data.measures[costNumber];
  const hidden = hiddenEntries(values);
  const shown = pointsOf(comparison, values.repeat).filter(({ entry }) => !hidden.has(entry));
  const isBorrowed = source !== comparison;
  const costs = isBorrowed ? pointsOf(source) : shown;
  const points = shown
    .filter(({ measure }) => measure === QUALITY)
    .flatMap((point) => {
      const found = costs.find(
        ({ measure, entry, length, batch }) =>
          measure === costNumber &&
          entry === point.entry &&
          length === point.length &&
          (isBorrowed || batch === point.batch),
      );
      return found ? [{ ...point, cost: found.value }] : [];
    });
  if (points.length < 2) return [];
  const lengths = lengthsOf(points);
  const front = findings.fronts.find(
    (one) => one.comparison === comparison && one.measure === costNumber && !isBorrowed,
  );
  /** @type {Record<string, unknown>[]} */
  const traces = [];
  if (front) {
    traces.push({
      x: front.costs.map((value) => value / cost.scale),
      y: front.qualities,
      mode: "lines",
      line: { color: "#888", dash: "dot", width: 2 },
      hoverinfo: "skip",
      type: "scatter",
    });
  }
  for (const number of new Set(points.map(({ entry }) => entry))) {
    const entry = data.entries[number];
    const own = points.filter((point) => point.entry === number);
    own.sort((p, q) => p.length - q.length);
    const texts = own.map(({ length, value, cost: of }) => {
      const amount = formatNumber(of / cost.scale);
      return `${entry.name} at ${length}: ${formatNumber(value)}, ${amount} ${cost.unit}`;
    });
    traces.push({
      x: own.map((point) => point.cost / cost.scale),
      y: own.map(({ value }) => value),
      name: plain(entry.name),
      mode: lengths.length > 1 ? "markers+text" : "markers",
      type: "scatter",
      text: own.map(({ length }) => String(length)),
      textposition: "top center",
      textfont: { size: 10 },
      marker: { color: entry.color, symbol: entry.symbol, size: 10 },
      error_y: errorBars(entry, own),
      customdata: texts.map(plain),
      hovertemplate: "%{customdata}<extra></extra>",
    });
  }
  const { batch, machine } = data.comparisons[source];
  const form = formText(data.comparisons[source]);
  const drawn = figure({
    title: `${measureOf(QUALITY, about).title} against ${cost.title.toLowerCase()}`,
    higherIsBetter: about.higher_is_better,
    traces,
    tall: true,
    name: `${about.task}-against-${cost.key}`,
    about,
    caption: joined([
      lengths.length > 1 ? "Labels are sequence lengths" : `All at length ${lengths[0]}`,
      "Bars are 95% intervals of quality",
      `Of the cost, ${cost.higher_is_better ? "higher" : "lower"} is better`,
      isBorrowed
        ? `Costs of the ${form} probes on random tokens, ${batch}, on ${machine}`
        : `The dotted line is the Pareto front of all entries. Cost on ${machine}`,
    ]),
    layout: {
      xaxis: valueAxis(
        points.map((point) => point.cost / cost.scale),
        cost,
        true,
      ),
      yaxis: { title: { text: metricText(about.metric) } },
    },
    rows: [
      ["entry", "sequence_length", cost.key, about.metric, "low", "high"],
      ...points.map((p) => [data.entries[p.entry].name, p.length, p.cost, p.value, p.low, p.high]),
    ],
  });
  return [drawn];
}

/**
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {State} values
 */
function heatMap(comparison, number, values) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const hidden = hiddenEntries(values);
  const points = pointsOf(comparison, values.repeat).filter((p) => p.measure === number);
  const runs = runsOf(comparison);
  const lengths = lengthsOf(runs);
  const entries = entriesOf(comparison)
    .filter((entry) => !hidden.has(entry))
    .reverse();
  const z = entries.map((entry) =>
    lengths.map((length) => {
      const point = points.find((p) => p.entry === entry && p.length === length);
      return point ? point.value / measure.scale : null;
    }),
  );
  const figures = z.flat().filter((value) => value !== null);
  const least = Math.min(...figures);
  const isLogarithmic = number !== QUALITY && least > 0 && Math.max(...figures) / least > 5;
  /** @param {number | null} value */
  const shade = (value) => (isLogarithmic && value !== null ? Math.log10(value) : value);
  const trace = heatTrace(measure.higher_is_better ? PALE : [PALE[1], PALE[0]], {
    x: lengths.map(String),
    y: entries.map((entry) => plain(data.entries[entry].name)),
    z: z.map((row) => row.map(shade)),
    text: z.map((row, i) =>
      row.map((value, j) =>
        value === null
          ? plain(statusAt(runs, entries[i], lengths[j], "no figure"))
          : formatNumber(value, 3),
      ),
    ),
    texttemplate: "%{text}",
    hovertemplate: "%{y} at %{x}: %{text}<extra></extra>",
    textfont: { color: "#111" },
    xgap: 2,
    ygap: 2,
  });
  return figure({
    title: `${measure.title} by entry and length`,
    higherIsBetter: measure.higher_is_better,
    tall: true,
    name: `${about.task}-${measure.key}-map`,
    about,
    caption: joined([
      `Means${measure.unit ? `, ${measure.unit}` : ""}`,
      isLogarithmic ? "Logarithmic colours" : "",
      "Darker is better",
      "A cell without a figure shows why",
    ]),
    traces: [trace],
    layout: {
      xaxis: { title: { text: "sequence length, positions" }, type: "category" },
      yaxis: { type: "category" },
    },
    rows: [
      ["entry", ...lengths],
      ...entries.map((entry, i) => [data.entries[entry].name, ...z[i]]),
    ],
  });
}

/**
 * Returns why an entry has no figure at a length: the status of its runs, or `counted` where they
 * ended well and their figures do not count.
 * @param {RunRow[]} runs
 * @param {number} entry
 * @param {number} length
 * @param {string} counted
 */
function statusAt(runs, entry, length, counted) {
  const found = runs.filter((run) => run.entry === entry && run.length === length);
  const failed = found.find(({ status }) => status !== "ok");
  return failed?.status ?? (found.length ? counted : "not run");
}

/**
 * Returns the longest measured length of an entry within a memory budget, and why it ends there.
 * @param {number} comparison
 * @param {number} entry
 * @param {number} budget in bytes
 */
function lengthLimit(comparison, entry, budget) {
  const points = pointsOf(comparison).filter(
    (point) => point.measure === PEAK_MEMORY && point.entry === entry,
  );
  const runs = runsOf(comparison);
  const longest = Math.max(0, ...points.filter((p) => p.value <= budget).map((p) => p.length));
  const next = lengthsOf(runs).find((length) => length > longest);
  if (next === undefined) return { entry, longest, reason: LONGEST_MEASURED };
  const above = points.find(({ length }) => length === next);
  if (above) {
    const reason = `${formatNumber(next)} takes ${formatNumber(above.value / MIB)} MiB`;
    return { entry, longest, reason };
  }
  const failed = runs.find(
    (run) => run.entry === entry && run.length === next && run.status !== "ok" && run.reason,
  );
  const status = failed ? ` ${failed.reason}` : `: ${statusAt(runs, entry, next, NO_FIGURE)}`;
  return { entry, longest, reason: formatNumber(next) + status };
}

/**
 * Returns a bar for each entry: the longest measured length within a memory budget. Nothing is drawn
 * if every entry reaches the longest measured length.
 * @param {number} comparison
 * @param {State} values
 */
function lengthLimits(comparison, values) {
  const about = data.comparisons[comparison];
  const budget = Number(values.gib || 0) * GIB || Number.POSITIVE_INFINITY;
  const hidden = hiddenEntries(values);
  const limits = entriesOf(comparison)
    .filter((entry) => !hidden.has(entry))
    .map((entry) => lengthLimit(comparison, entry, budget))
    .filter(({ longest, reason }) => longest > 0 || !reason.endsWith(NO_FIGURE));
  if (limits.every(({ reason }) => reason === LONGEST_MEASURED)) return [];
  const memory = Number.isFinite(budget) ? `${values.gib} GiB` : "any memory";
  const drawn = figure({
    title: `Longest sequence within ${memory}`,
    higherIsBetter: true,
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
        y: limits.map(({ entry }) => plain(data.entries[entry].name)),
        x: limits.map(({ longest }) => longest),
        text: limits.map(({ longest, reason }) => plain(`${formatNumber(longest)}; ${reason}`)),
        textposition: "auto",
        marker: { color: limits.map(({ entry }) => data.entries[entry].color) },
        hovertemplate: "%{y}: %{text}<extra></extra>",
      },
    ],
    layout: {
      xaxis: { title: { text: "sequence length, positions" }, rangemode: "tozero" },
      yaxis: { type: "category", autorange: "reversed" },
    },
    rows: [
      ["entry", "longest", "next"],
      ...limits.map(({ entry, longest, reason }) => [data.entries[entry].name, longest, reason]),
    ],
  });
  return [drawn];
}
