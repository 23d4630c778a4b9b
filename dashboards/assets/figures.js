// Figures: a title, a plot, a caption, and downloads as CSV, PNG and SVG.
"use strict";

/** An image is on white paper in both themes. */
const IMAGE_COLORS = { ink: "#1a1a1a", rule: "#d4d7dd", paper: "#ffffff" };
/** The size of an image in CSS pixels; a PNG has twice as many pixels on each side. */
const IMAGE_SIZE = { width: 960, height: 540, tallHeight: 680 };
/** The height of an entry in the legend of an image. */
const ENTRY_HEIGHT = 20;
/** The characters of a line of an image that says where its figures come from. */
const SOURCE_WIDTH = 140;
/** A line of a title that has more than the 100 characters that fit in the width of an image. */
const TITLE_LINE = /(?=.{101})(.{1,100}) /g;

/**
 * Downloads rows as a CSV file.
 * @param {string} name
 * @param {Value[][]} rows
 */
function downloadCsv(name, rows) {
  /** @param {Value} value */
  const quote = (value) => {
    const plain = String(value ?? "");
    // A spreadsheet would run a text that looks like a formula.
    const text = /^[=+\-@\t\r]/.test(plain) && Number.isNaN(Number(plain)) ? `'${plain}` : plain;
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const text = `${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Returns a colour of the theme that is shown.
 * @param {string} name
 */
function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * Returns the layout of a plot in some colours.
 * @param {Record<string, unknown>} layout
 * @param {{ ink: string, rule: string, paper: string }} colors
 */
function coloredLayout(layout, { ink, rule, paper }) {
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true };
  const yaxis = /** @type {{ title?: object }} */ (layout.yaxis ?? {});
  return {
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    font: { color: ink, size: 12 },
    margin: { l: 55, r: 15, t: 10, b: 45 },
    showlegend: false,
    hovermode: "closest",
    dragmode: false,
    ...layout,
    xaxis: { ...axis, .../** @type {object} */ (layout.xaxis) },
    yaxis: { ...axis, ...yaxis, title: { standoff: 8, ...yaxis.title } },
  };
}

/**
 * Returns where the figures of a plot come from, for its downloads.
 * @param {Comparison} about
 */
function sourceText({ subject, name, kind, split, batch, machine, protocol }) {
  const measured = kind === "costs" ? [batch, machine] : [`${split} split`];
  const further = measured.filter((part) => !name.includes(part));
  return ["Lengthwise", subject, name, ...further, `protocol ${protocol}`].join(" · ");
}

/**
 * Returns the lines below the title of an image: where its figures come from.
 * @param {Comparison | undefined} about
 */
function sourceLines(about) {
  if (!about) return [];
  /** @type {string[]} */
  const lines = [];
  for (const part of sourceText(about).split(/(?<=[·,]) /)) {
    const longer = `${lines.at(-1)} ${part}`;
    if (lines.length && longer.length <= SOURCE_WIDTH) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/**
 * Returns the name of a file.
 * @param {string} title
 */
const fileName = (title) => title.toLowerCase().replace(/\W+/g, "-");

/**
 * Downloads the plot of a figure as an image, with its title and source and with a legend of its
 * named traces, since the legend of the page is not part of the plot.
 * @param {FigureOptions} options
 * @param {"png" | "svg"} format
 */
function downloadImage({ title, traces, layout = {}, name, about, tall = false }, format) {
  const labelled = traces.map((trace, place) => {
    const last = traces.findLastIndex((other) => other.name === trace.name);
    return { ...trace, showlegend: Boolean(trace.name) && last === place };
  });
  const entries = labelled.filter(({ showlegend }) => showlegend).length;
  const { width, height, tallHeight } = IMAGE_SIZE;
  const source = sourceLines(about);
  const below = source.map((line) => `<br><sub>${plain(line)}</sub>`).join("");
  const text = plain(title).replace(TITLE_LINE, "$1<br>") + below;
  const image = {
    ...coloredLayout(layout, IMAGE_COLORS),
    title: { text, font: { size: 16 }, x: 0.02, xanchor: "left" },
    margin: { l: 75, r: 15, t: 45 + 15 * Math.max(1, source.length), b: 65 },
    showlegend: entries > 0,
    legend: {},
  };
  return Plotly.downloadImage(
    { data: labelled, layout: image },
    {
      format,
      filename: fileName(name),
      width,
      height: Math.max(tall ? tallHeight : height, ENTRY_HEIGHT * (entries + 6)),
      scale: format === "png" ? 2 : 1,
    },
  );
}

/**
 * Returns the rows of a figure's CSV file, with a column of their source.
 * @param {FigureOptions} options
 */
function rowsOf({ rows, about }) {
  if (!about) return rows;
  const source = sourceText(about);
  return rows.map((row, place) => [...row, place ? source : "source"]);
}

/**
 * Returns a figure.
 * @param {FigureOptions} options
 */
function figure(options) {
  const { title, reading = "", caption, traces, layout = {}, name, tall = false } = options;
  const plot = el("div", {
    className: tall ? "plot tall" : "plot",
    role: "img",
    "aria-label": [`${title}.`, reading, caption].filter(Boolean).join(" "),
  });
  /** @type {[format: string, download: () => unknown][]} */
  const downloads = [
    ["CSV", () => downloadCsv(fileName(name), rowsOf(options))],
    ["PNG", () => downloadImage(options, "png")],
    ["SVG", () => downloadImage(options, "svg")],
  ];
  const buttons = downloads.map(([format, onclick]) =>
    el(
      "button",
      { type: "button", "aria-label": `Download ${title} as ${format}`, onclick },
      format,
    ),
  );
  const colors = { ink: themeColor("ink"), rule: themeColor("rule"), paper: "rgba(0,0,0,0)" };
  // The plot is drawn when it is in the page, because only then does it have a size.
  queueMicrotask(() =>
    Plotly.newPlot(plot, traces, coloredLayout(layout, colors), {
      displayModeBar: false,
      responsive: true,
    }),
  );
  return el(
    "figure",
    {},
    el("h3", {}, title),
    plot,
    reading ? el("p", { className: "reading" }, reading) : null,
    el("figcaption", {}, ...withCode(caption)),
    el("div", { className: "tools" }, ...buttons),
  );
}

/**
 * Returns a colour "#RRGGBB" with an opacity.
 * @param {string} color
 * @param {number} alpha
 */
function translucent(color, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

/**
 * Returns a logarithmic axis of sequence lengths. Labels that would overlap are left out.
 * @param {number[]} lengths ascending
 */
function lengthAxis(lengths) {
  let last = 0;
  const text = lengths.map((length) => {
    if (length < last * 1.6) return "";
    last = length;
    return String(length);
  });
  const pad = 0.08;
  const ends = [Math.log10(lengths[0]) - pad, Math.log10(lengths[lengths.length - 1]) + pad];
  return {
    type: "log",
    tickvals: lengths,
    ticktext: text,
    title: { text: "sequence length, positions" },
    range: lengths.length ? ends : undefined,
  };
}

/**
 * Returns an axis of the values of a measure, logarithmic where the values span a factor of 5.
 * @param {number[]} values
 * @param {Measure} measure
 * @param {boolean} mayBeLogarithmic
 */
function valueAxis(values, measure, mayBeLogarithmic) {
  const positive = values.filter((value) => value > 0);
  const most = Math.max(...positive);
  const least = Math.min(...positive);
  const name = measure.title.replace(/^(Test|Validation) | \(.*\)$/g, "");
  const title = { text: measure.unit ? `${name}, ${measure.unit}` : name };
  if (!values.length) return { title, showticklabels: false }; // Plotly would invent a range
  if (!(mayBeLogarithmic && positive.length && most / least > 5)) {
    // Quality is drawn over its own range: on an axis from zero, all lines would coincide.
    return measure.key === "quality" ? { title } : { title, rangemode: "tozero" };
  }
  const ticks = [];
  const last = Math.ceil(Math.log10(most));
  for (let decade = Math.floor(Math.log10(least)); decade <= last; decade += 1) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** decade);
  }
  return { title, type: "log", tickvals: ticks, ticktext: ticks.map((tick) => formatNumber(tick)) };
}
