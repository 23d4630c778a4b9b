// The legend: a line of each entry in its colour, symbol and dash, and a box that shows or hides it.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
/** The width of a page in pixels up to which it is that of a phone. */
const PHONE = 640;
/** What the address names if no entry is chosen. */
const NO_ENTRIES = "-";

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

/**
 * Returns the entries that have colours: those that the reader chose; otherwise the ranked entries
 * if all fit, then the best models and the controls.
 * @param {State} values
 * @param {number[]} entries
 * @param {number[]} best the ranked entries, the best first; others may only have costs
 */
function chosenEntries(values, entries, best = []) {
  const named = values.entries?.split("|").map((name) => entryNumber.get(name) ?? -1);
  if (named) return new Set(named.slice(0, MOST_COLORED));
  if (entries.length <= MOST_COLORED) return new Set(entries);
  const known = new Set(entries);
  const ranked = [...new Set(best)].filter((entry) => known.has(entry));
  const ordered = [...new Set([...ranked, ...entries])];
  // An entry with methods is compared with its architecture, also if that is a control.
  const isControl = (/** @type {number} */ entry) =>
    data.entries[entry].control && !data.entries[entry].name.includes(" + ");
  const models = ordered.filter((entry) => !isControl(entry)).slice(0, BEST);
  const controls = ordered.filter(isControl);
  const fitting = ranked.length <= MOST_COLORED ? ranked : [];
  const preferred = new Set([...fitting, ...models, ...controls]);
  return new Set([...preferred].slice(0, MOST_COLORED));
}

/**
 * Returns a legend with a box for each entry, which gives it a colour, and buttons for all. It is
 * folded on a phone.
 * @param {number[]} entries
 * @param {Set<number>} chosen
 * @param {number[]} [first] the entries that come first, in bold
 */
function legend(entries, chosen, first = []) {
  /** @param {number[]} numbers */
  const choose = (numbers) =>
    change({ entries: numbers.map((number) => data.entries[number].name).join("|") || NO_ENTRIES });
  const rest = entries.filter((entry) => !first.includes(entry));
  const boxes = [...first, ...rest].map((number) => {
    const entry = data.entries[number];
    const isChosen = chosen.has(number);
    const box = el("input", {
      type: "checkbox",
      name: `entry ${entry.name}`,
      checked: isChosen,
      disabled: !isChosen && chosen.size >= MOST_COLORED,
      onchange: () =>
        choose(isChosen ? [...chosen].filter((one) => one !== number) : [...chosen, number]),
    });
    const className = first.includes(number) ? "first" : "";
    return el("label", { className }, box, entrySample(entry), entryLabel(entry));
  });
  const clear = { type: "button", name: "no entries", onclick: () => choose([]) };
  const reset = { type: "button", name: "best entries", onclick: () => change({ entries: "" }) };
  const told = `Lines with a colour: ${chosen.size} of ${entries.length}, at most ${MOST_COLORED}`;
  const isWide = window.innerWidth > PHONE;
  return el(
    "details",
    { className: "legend", open: isWide || document.querySelector(".legend[open]") !== null },
    el("summary", {}, told),
    el(
      "fieldset",
      { className: "legend", "aria-label": `${told}; controls are in italics` },
      ...boxes,
      el("button", clear, "none"),
      el("button", reset, "the best"),
    ),
  );
}
