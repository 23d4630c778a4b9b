// Before anything is painted: the theme that was chosen, else the system's.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  let chosen = null;
  try { chosen = localStorage.getItem("lengthwise-theme"); } catch { /* storage may be forbidden */ }
  document.documentElement.dataset.theme = chosen || (dark ? "dark" : "light");
})();
