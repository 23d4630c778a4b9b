// Methods: their gain and price, and scores of disturbed examples.
"use strict";

const EFFECTS_NOTE =
  "A gain is the difference of the scores with and without a method, and a price the ratio of the " +
  "costs, both paired by seed and with 95% intervals from three seeds on. A positive gain is " +
  "better. Each interval holds for its method alone: of 20 methods without any effect, one seems " +
  "to have one. The reference is the entry without the last method, or the architecture alone. The " +
  "costs of a compressed model are compared with its own before compression, in one process. A " +
  "probe measures prices alone, on random tokens and in rounds, against the reference's own cell. " +
  "“—” stands for what is unknown, since a run is missing or failed.";
const NO_REFERENCE =
  "Entries against “—” have no reference here: their gain and their price are unknown. Run them " +
  'beside the entry without methods: `--methods "none;…"`.';
const ALL = "all";
const NONE =
  "There are no records with methods yet. Run " +
  '`bench run --task sentiment --methods "none;label_smoothing"`.';

/**
 * Returns the table of the effects of a comparison.
 * @param {MethodComparison} found
 * @param {string[]} prices
 * @param {Set<number>} hidden
 */
function effectsTable({ comparison, effects }, prices, hidden) {
  const about = data.comparisons[comparison];
  const shown = effects.filter(({ line }) => !hidden.has(line));
  const used = prices.map((_, place) => shown.some((row) => row.prices[place]));
  /** @param {DiagnosticEstimate | null} one */
  const text = (one) => (one ? formatInterval(intervalOf(one)) : "—");
  /** @param {DiagnosticEstimate | null} one */
  const isEqual = (one) => one?.slice(0, 3).every((end) => end === 0);
  const head = ["entry", "against", "length"];
  const ofScores = about.metric ? ["seeds", metricText(about.metric), "gain"] : ["rounds"];
  const body = shown.map((row) => [
    entryLabel(data.lines[row.line]),
    row.reference === null ? "—" : entryLabel(data.lines[row.reference]),
    formatNumber(row.length),
    ...(about.metric
      ? [row.score?.[3] ?? 0, text(row.score), isEqual(row.gain) ? "equal scores" : text(row.gain)]
      : [row.reference === null ? "—" : Math.max(0, ...row.prices.map((one) => one?.[3] ?? 0))]),
    ...row.prices.filter((_, place) => used[place]).map((one) => (one ? `${text(one)} ×` : "—")),
  ]);
  const caption = about.metric ? `Scores on the ${about.split} split` : "Prices of methods";
  const columns = [...head, ...ofScores, ...prices.filter((_, place) => used[place])];
  return table(columns, body, { caption, texts: [0, 1], long: [] });
}

/**
 * Returns the lines of a figure against the length, one for each entry with methods.
 * @param {MethodEffect[]} effects
 * @param {(effect: MethodEffect) => DiagnosticEstimate | null} figureOf
 * @returns {ChartLine[]}
 */
function alongLength(effects, figureOf) {
  return [...new Set(effects.map(({ line }) => line))].map((line) => ({
    name: data.lines[line].name,
    line,
    reasons: {},
    points: effects.flatMap((effect) => {
      const one = effect.line === line ? figureOf(effect) : null;
      return one ? [/** @type {ChartPoint} */ ([String(effect.length), ...one])] : [];
    }),
  }));
}

/**
 * Returns the charts of a comparison: gains and prices along the length, scores by strength and by
 * the size of the training data.
 * @param {MethodComparison} found
 * @param {string[]} prices
 * @returns {DiagnosticChart[]}
 */
function methodCharts({ comparison, effects, conditions, sizes, share }, prices) {
  const about = data.comparisons[comparison];
  const lengths = [...new Set(effects.map(({ length }) => length))];
  const common = { title: about.name, comparison, line: null, share: false, note: "", guesses: [] };
  /**
   * @param {string} measure
   * @param {ChartLine[]} lines
   * @returns {DiagnosticChart[]}
   */
  const against = (measure, lines) =>
    lengths.length > 1 && lines.some(({ points }) => points.length > 1)
      ? [
          {
            ...common,
            measure,
            against: "sequence_length",
            length: Math.max(...lengths),
            lines,
            reading: "",
          },
        ]
      : [];
  /**
   * @param {"strength" | "train_share"} axis
   * @param {(ConditionScores | DataSizeScores)[]} shown
   * @param {string} title
   * @returns {DiagnosticChart}
   */
  const scoresBy = (axis, shown, title) => ({
    ...common,
    title,
    measure: about.metric,
    against: axis,
    length: shown[0].length,
    share,
    lines: shown.map(({ line, points }) => ({
      name: data.lines[line].name,
      line,
      points,
      reasons: {},
    })),
    reading: "",
  });
  const gains = alongLength(effects, ({ gain }) => gain);
  const places = new Map(
    conditions.map(({ disturbance, length }) => [`${disturbance} ${length}`, disturbance]),
  );
  return [
    ...against(`gain in ${about.metric}`, gains),
    ...prices.flatMap((name, place) => {
      const lines = alongLength(effects, (effect) => effect.prices[place]);
      return against(`multiple of the ${name}`, lines);
    }),
    ...[...places].map(([key, disturbance]) => {
      const here = conditions.filter((one) => `${one.disturbance} ${one.length}` === key);
      return scoresBy("strength", here, `${disturbance.replaceAll("_", " ")} · ${about.name}`);
    }),
    ...[...new Set(sizes.map(({ length }) => length))].map((length) => {
      const here = sizes.filter((one) => one.length === length);
      return scoresBy("train_share", here, common.title);
    }),
  ];
}

/**
 * Returns the choice of a task or of probes, and the comparisons that it leaves.
 * @param {MethodComparison[]} comparisons
 * @param {State} values
 * @returns {[Element, MethodComparison[]]}
 */
function chosenSubject(comparisons, values) {
  const about = (/** @type {MethodComparison} */ { comparison }) => data.comparisons[comparison];
  const subjects = new Map(comparisons.map((one) => [about(one).task, about(one).subject]));
  const [first] = subjects.keys();
  const chosen = values.tasks === ALL ? ALL : subjects.has(values.task) ? values.task : first;
  /** @type {[string, string][]} */
  const options = [...subjects].map(([task, subject]) => [subject, task]);
  const picker = select("Task", [...options, [ALL, ALL]], chosen, (task) =>
    change(task === ALL ? { tasks: ALL } : { task, tasks: "" }),
  );
  const left = comparisons.filter((one) => chosen === ALL || about(one).task === chosen);
  return [filterForm("Choice of results", picker), left];
}

start((values) => {
  const { prices, comparisons: all } = window.LENGTHWISE_METHODS;
  if (!all.length) return [el("p", {}, ...withCode(NONE))];
  const [choice, comparisons] = chosenSubject(all, values);
  const hidden = hiddenLines(values);
  const numbers = comparisons.flatMap(({ effects, conditions, sizes }) =>
    [...effects, ...conditions, ...sizes].map(({ line }) => line),
  );
  const lines = [...new Set(numbers)].sort(ascending);
  return [
    choice,
    legend(values, lines),
    el("p", { className: "note" }, EFFECTS_NOTE),
    ...comparisons.flatMap((found) => {
      const charts = methodCharts(found, prices).map((chart) => lineChart(chart, hidden));
      const about = data.comparisons[found.comparison];
      return [
        el("h2", {}, `${about.subject} · ${about.name}`),
        ...trialsWarning(about),
        ...(found.effects.length
          ? [
              ...(found.reading ? [el("p", {}, found.reading)] : []),
              effectsTable(found, prices, hidden),
              ...(found.effects.some(
                ({ line, reference }) => reference === null && !hidden.has(line),
              )
                ? [el("p", { className: "note" }, ...withCode(NO_REFERENCE))]
                : []),
            ]
          : []),
        ...(charts.length ? [el("div", { className: "figures" }, ...charts)] : []),
      ];
    }),
  ];
});
