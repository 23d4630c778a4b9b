// The general figure of lines: a measure along an axis, with a line for each entry.
"use strict";

/** Up to this number of lines with colours, each has its interval; beyond it, the strong ones do. */
const FEW_LINES = 6;
const HOLLOW = `Hollow, ${DISTURBED}: measured beside other programs`;
const NO_ENTRY = "No entry is chosen";
/** The colour of the lines that are not chosen. */
const REST_COLOR = "#9a9a9a";
/** The colour of a guess, and of a Pareto front. */
const GUESS_COLOR = "#8a8a8a";
/** A name at the end of a line: the pixels of a character, a line of text, and its characters. */
const LABEL = { width: 6.6, height: 14, most: 20 };
/** The pixels of a figure above and below its axes. */
const AROUND = 75;

/**
 * Returns the band of the intervals of some points, as a trace.
 * @param {LinePoint[]} points
 * @param {string} color
 * @param {{ x: (point: LinePoint) => number | string, scale: number }} axes
 */
function bandTrace(points, color, { x, scale }) {
  const places = points.map(x);
  const highs = points.map(({ high }) => (high ?? 0) / scale);
  const lows = points.map(({ low }) => (low ?? 0) / scale);
  return {
    x: [...places, ...places.toReversed()],
    y: [...highs, ...lows.toReversed()],
    fill: "toself",
    fillcolor: `${color}1f`, // an opacity of 12%
    line: { width: 0 },
    hoverinfo: "skip",
    mode: "lines",
    type: "scatter",
  };
}

/**
 * Returns the traces of a line, and of its intervals where it has them.
 * @param {Line} line
 * @param {LineStyle} style
 * @returns {Record<string, unknown>[]}
 */
function lineTraces({ entry: number, name, points, isThin, isPredicted }, style) {
  const { measure, at, zero, isColored, isStrong, hasInterval, isJoined } = style;
  const entry = { ...data.entries[number], ...(isColored ? {} : { color: REST_COLOR }) };
  const { scale, unit } = measure;
  const certain = points.filter(({ low }) => low !== null);
  const hasBand =
    hasInterval && isJoined && certain.length > 1 && typeof at(certain[0].x) === "number";
  /** @param {LinePoint} point */
  const x = ({ x: place }) => at(place);
  const label = isPredicted ? `${name ?? entry.name}, predicted` : (name ?? entry.name);
  const texts = points.map((point) => {
    const at = point.at ?? `at ${formatPlace(point.x)}`;
    const told = isPredicted ? "90% prediction interval" : `n=${point.n}`;
    return `${label} ${at}: ${formatInterval(point, measure)} ${unit} (${told})`;
  });
  const width = isStrong ? 3 : isColored && !isThin ? 2 : 1;
  const size = isColored ? 4 + 2 * width : 4;
  const marker = entryMarker(entry, isPredicted || isThin ? points.map(hollow) : points, size);
  const sizes = points.map((point) => point.size ?? size);
  return [
    ...(hasBand ? [bandTrace(certain, entry.color, { x, scale })] : []),
    {
      ...labelled(label, texts),
      name: isColored ? plain(label) : undefined,
      x: points.map(x),
      y: points.map(({ value }) => (value ?? 0) / scale || zero),
      mode: !isJoined ? "markers" : points.length > 40 ? "lines" : "lines+markers",
      type: "scatter",
      opacity: isColored && !isThin ? 1 : 0.55,
      line: { color: entry.color, width, dash: isPredicted ? "dot" : entry.dash },
      marker: { ...marker, size: points.some((point) => point.size) ? sizes : size },
      error_y:
        hasInterval && !hasBand && certain.length ? errorBars(entry, points, scale) : undefined,
    },
  ];
}

/**
 * Returns a measure of a chart that is no cost.
 * @param {string} title
 * @param {boolean} higher whether higher is better
 * @returns {Measure}
 */
const plainMeasure = (title, higher) => ({
  key: "quality",
  title,
  unit: "",
  scale: 1,
  higher_is_better: higher,
});

/** @param {Curve} curve */
const curvePoints = ({ tokens, values }) =>
  tokens.map((x, i) => ({ x, value: values[i], low: null, high: null, n: 1 }));

/**
 * Returns the points of a line from places and estimates.
 * @param {PlacedEstimate[]} points
 * @returns {LinePoint[]}
 */
const placedPoints = (points) => points.map(([x, ...estimate]) => ({ x, ...intervalOf(estimate) }));

/** @param {LinePoint} point */
const hollow = (point) => ({ ...point, disturbed: true });

/** @param {number | string} place */
const formatPlace = (place) => (typeof place === "number" ? formatNumber(place) : place);

/**
 * Returns a vertical axis of some values with its ends, and where 0 is drawn: on a logarithmic axis,
 * below the other values.
 * @param {number[]} values in the unit of the measure
 * @param {Measure} measure
 * @param {boolean} mayBeLogarithmic
 * @param {boolean} isShare
 */
function rangedAxis(values, measure, mayBeLogarithmic, isShare) {
  const { title, ...axis } = valueAxis(values, measure, mayBeLogarithmic);
  if (!values.length) return { axis: { title, ...axis }, zero: 0, heightOf: () => 0 };
  const isLog = axis.type === "log";
  const least = Math.min(...values.filter((value) => value > 0));
  const zero = isLog && values.includes(0) ? least / 4 : 0;
  /** @param {number} value */
  const place = (value) => (isLog ? Math.log10(value || zero) : value);
  const places = values.filter((value) => value > 0 || !isLog || zero).map(place);
  const floor = axis.rangemode === "tozero" ? 0 : Math.min(...places);
  const top = Math.max(...places);
  const margin = 0.06 * (top - floor || Math.abs(top) || 1);
  // An accuracy leaves room for the marks at 0 and 1.
  const low = isShare ? Math.min(-0.05, floor - 0.02) : axis.rangemode ? floor : floor - margin;
  const high = isShare ? Math.max(1.05, top) : top + margin;
  const { tickvals = [], ticktext = [] } = axis;
  const ticks = zero ? { tickvals: [zero, ...tickvals], ticktext: ["0", ...ticktext] } : {};
  return {
    axis: { title, ...axis, ...ticks, range: [low, high] },
    zero,
    heightOf: (/** @type {number} */ value) => (place(value) - low) / (high - low),
  };
}

/**
 * Returns the names at the ends of lines, moved apart so that none hides another.
 * @param {{ text: string, color: string, height: number, end: number | undefined }[]} ends the height
 *   of each end as a share of the axis, and its place if the line ends early
 * @param {number} pixels the height of the plot
 */
function endLabels(ends, pixels) {
  const gap = LABEL.height / pixels;
  const ordered = ends.toSorted((a, b) => a.height - b.height);
  let free = Number.NEGATIVE_INFINITY;
  const heights = ordered.map(({ height }) => {
    free = Math.max(height, free);
    free += gap;
    return free - gap;
  });
  let most = Math.max(1, ...ordered.map(({ height }) => height));
  for (let place = heights.length - 1; place >= 0; place -= 1) {
    heights[place] = Math.min(heights[place], most);
    most = heights[place] - gap;
  }
  return ordered.map(({ text, color, end }, place) => ({
    name: "end",
    x: end ?? 1,
    xref: end === undefined ? "paper" : "x",
    xanchor: "left",
    xshift: 4,
    yanchor: "middle", // the default depends on the height, and moves neighbours into each other
    y: heights[place],
    yref: "paper",
    // The name has the colour of the text, which every paper shows well.
    text: `<span style="color:${color}">■</span> ${plain(shortName(text))}`,
    showarrow: false,
    font: { size: 11 },
  }));
}

/** @param {string} name */
const shortName = (name) => (name.length > LABEL.most ? `${name.slice(0, LABEL.most - 1)}…` : name);

/**
 * Returns a text that stands in a figure.
 * @param {string} text
 * @param {object} [place]
 */
const insideMark = (text, place = { x: 0.5, y: 0.5 }) => ({
  xref: "paper",
  yref: "paper",
  text,
  showarrow: false,
  ...place,
});

/**
 * Returns a figure with a line for each entry. The chosen entries have colours, their names at the
 * ends of their lines, and intervals if they are few or strong. The others are grey, and are named on
 * hovering. A figure of one repeat says so inside.
 * @param {LineFigureOptions} options
 */
function lineFigure({ lines, measure, axis, chosen, repeat, ...options }) {
  const { at = (place) => place, strong = new Set(), isJoined = true, isShare = false } = options;
  const drawn = lines.filter(({ points }) => points.length);
  const colored = new Set(
    [...new Set(drawn.map(({ entry }) => entry))]
      .filter((entry) => chosen.has(entry))
      .slice(0, MOST_COLORED),
  );
  const isColored = (/** @type {Line} */ { entry }) => colored.has(entry);
  const hasRoom = colored.size <= FEW_LINES;
  const points = drawn.flatMap((line) => line.points);
  const values = drawn.flatMap((line) =>
    line.points.flatMap(({ value, low, high }) => {
      const ends = isColored(line) && (hasRoom || strong.has(line.entry)) ? [low, high] : [];
      return [value, ...ends].flatMap((end) => (end === null ? [] : end / measure.scale));
    }),
  );
  const mayBeLogarithmic = options.mayBeLogarithmic ?? measure.key !== "quality";
  const vertical = rangedAxis(values, measure, mayBeLogarithmic && !isShare, isShare);
  const { zero } = vertical;
  const traces = drawn
    .toSorted((a, b) => Number(isColored(a)) - Number(isColored(b)))
    .flatMap((line) => {
      const isStrong = strong.has(line.entry);
      const hasInterval = isColored(line) && (hasRoom || isStrong);
      const style = { isColored: isColored(line), isStrong, hasInterval, isJoined };
      return lineTraces(line, { measure, at, zero, ...style });
    });
  const places = points.map(({ x }) => at(x)).filter((place) => typeof place === "number");
  const last = Math.max(...places);
  const labels = firstOfEach(
    drawn.filter(isColored).toReversed(),
    ({ entry, name }) => name ?? entry,
  )
    .filter(() => isJoined || places.length)
    .map(({ entry, name, points: own }) => {
      const end = own[own.length - 1];
      const place = at(end.x);
      const isEarly = typeof place === "number" && place < last;
      const x = isEarly ? (axis.type === "log" ? Math.log10(place) : place) : undefined;
      const { color, name: text } = data.entries[entry];
      const height = vertical.heightOf((end.value ?? 0) / measure.scale);
      return { text: name ?? text, color, height, end: x };
    });
  const longest = Math.max(0, ...labels.map(({ text }) => shortName(text).length));
  const height = window.innerWidth <= PHONE ? 300 : options.tall ? 460 : 340;
  const pixels = height - AROUND;
  const once = points.length > 0 && points.every(({ n }) => n === 1 || n === 0);
  const alone = { x: 0, y: 1, xanchor: "left", yanchor: "top", font: { size: 11 } };
  const isEmpty = points.length === 0;
  return figure({
    higherIsBetter: measure.higher_is_better,
    rows: [
      ["entry", "place", measure.key, "low", "high", "n"],
      ...drawn.flatMap(({ entry, name, points: own }) =>
        own.map(({ x, value, low, high, n }) => {
          return [name ?? data.entries[entry].name, x, value, low, high, n];
        }),
      ),
    ],
    ...options,
    traces: [...(options.extra ?? []), ...traces],
    layout: {
      xaxis: axis,
      yaxis: vertical.axis,
      margin: { l: 55, r: 12 + LABEL.width * (longest && longest + 2), t: 10, b: 45 },
      shapes: options.shapes,
      annotations: [
        ...endLabels(labels, pixels),
        ...(options.annotations ?? []),
        ...(once && repeat ? [insideMark(`one ${repeat}: no interval`, alone)] : []),
        ...(isEmpty ? [insideMark(options.empty ?? NO_ENTRY)] : []),
      ],
    },
  });
}
