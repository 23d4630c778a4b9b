// Sets the chosen theme, otherwise the system's, before the page is painted.
"use strict";

(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  let chosen = null;
  try {
    chosen = localStorage.getItem("lengthwise-theme");
  } catch {
    // The browser forbids storage: the system's theme is used.
  }
  document.documentElement.dataset.theme = chosen || (dark ? "dark" : "light");
})();
