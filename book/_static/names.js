/* Names for those who hear the page: the theme gives none to some controls, and to others another than the text shown. */
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const all = (selector, change) => document.querySelectorAll(selector).forEach(change);
  all("details > summary[aria-label], button.search-button__button", (control) => {
    if (control.textContent.trim()) control.removeAttribute("aria-label");
  });
  all(".bd-sidebar li > details > summary", (summary) => {
    const link = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", `Pages below ${link.textContent.trim()}`);
  });
  all(".citation-list, .citation-list [role=doc-biblioentry]", (part) => part.removeAttribute("role"));
});
