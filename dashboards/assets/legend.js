// The legend: a line of each entry in its colour, symbol and dash, and a box that shows or hides it.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Element} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** @param {Entry} entry */
function entrySample({ color, outline, dash }) {
  const dashes = dash === "solid" ? "none" : dash.replace(/px/g, "");
  const stroke = { stroke: color, "stroke-width": 2, "stroke-dasharray": dashes };
  return svg(
    "svg",
    { class: "sample", viewBox: "0 0 50 10", width: 50, height: 10, "aria-hidden": "true" },
    svg("line", { x1: 0, y1: 5, x2: 50, y2: 5, ...stroke }),
    svg("path", { d: outline, fill: color, transform: "translate(20 0)" }),
  );
}

/**
 * Returns the name of an entry, which says on hovering what it is; a control is in italics.
 * @param {Entry} entry
 */
const entryLabel = ({ name, control, about }) =>
  el(
    control ? "em" : "span",
    { title: about },
    ...name.split(/(?<=_)/).flatMap((part) => [part, el("wbr", {})]), // long names break there
  );

/** @param {Entry[]} entries */
function plainLegend(entries) {
  const items = entries.map((entry) => el("li", {}, entrySample(entry), entryLabel(entry)));
  return el("ul", { className: "legend", "aria-label": "Entries" }, ...items);
}

/**
 * @param {number[]} entries
 * @param {boolean} shown whether the entries are shown afterwards
 */
function showEntries(entries, shown) {
  const names = hiddenNames(state());
  for (const entry of entries) names[shown ? "delete" : "add"](data.entries[entry].name);
  change({ without: [...names].join("|") });
}

/**
 * Returns a legend with a box for each entry, and buttons for all.
 * @param {State} values
 * @param {number[]} entries
 * @param {number[]} [first] the entries that come first, in bold
 */
function legend(values, entries, first = []) {
  const hidden = hiddenEntries(values);
  const rest = entries.filter((entry) => !first.includes(entry));
  const boxes = [...first, ...rest].map((number) => {
    const entry = data.entries[number];
    const box = el("input", {
      type: "checkbox",
      name: `entry ${entry.name}`,
      checked: !hidden.has(number),
      onchange: (/** @type {Event} */ event) =>
        showEntries([number], /** @type {HTMLInputElement} */ (event.target).checked),
    });
    const className = first.includes(number) ? "first" : "";
    return el("label", { className }, box, entrySample(entry), entryLabel(entry));
  });
  const buttons = ["all", "none"].map((name) => {
    const isShown = name === "all";
    const label = `${isShown ? "Show" : "Hide"} all entries`;
    const onclick = () => showEntries(entries, isShown);
    const about = { type: "button", name: `${name} entries`, "aria-label": label, onclick };
    return el("button", about, name);
  });
  const title = el("legend", {}, "Entries; controls are in italics");
  return el("fieldset", { className: "legend" }, title, ...boxes, ...buttons);
}
