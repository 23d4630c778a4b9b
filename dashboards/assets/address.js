// The state of a page, which is kept in its address.
"use strict";

/** @returns {State} */
function state() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/**
 * Returns the address of a page in the given state. Empty values are left out.
 * @param {string} page
 * @param {Record<string, string | number | null | undefined>} values
 */
function address(page, values) {
  const kept = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== "" && value !== undefined && value !== null) kept.set(name, String(value));
  }
  return `${page}.html#${kept}`;
}

/**
 * Changes some values of the state and draws the page again. The browser's way back leads to the
 * state before.
 * @param {State} values
 */
function change(values) {
  const page = location.pathname.split("/").pop()?.replace(".html", "") || "index";
  history.pushState(null, "", address(page, { ...state(), ...values }));
  redraw();
}
