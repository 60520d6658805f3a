/* Whatever is wider than the page scrolls inside its own frame: by touch, mouse and keyboard, and fades where it goes on.
   On a phone figures are in such frames, too, and the rows of a table of words that does not fit are stacked. */
(function () {
  "use strict";

  const FRAMES = ".bd-article div.math mjx-container, .bd-article .cell_output div:has(> table), " +
    ".bd-article .pst-scrollable-table-container, .report-table-frame, .figure-frame";

  function mark(frame) {
    const hidden = frame.scrollWidth - frame.clientWidth;
    frame.classList.toggle("goes-on", hidden - frame.scrollLeft > 1);
    if (hidden > 1) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }

  function markAll() {
    document.querySelectorAll(FRAMES).forEach(mark);
  }

  /* On a phone the style sheet stacks the cells of such a table below the first, each after the name of its column. */
  function stack(table) {
    const heads = Array.from(table.tHead.rows[0].cells, (head) => head.textContent.trim());
    for (const row of table.tBodies[0].rows) {
      Array.from(row.cells).forEach((cell, column) => {
        if (cell.textContent.trim()) cell.dataset.head = heads[column];
      });
    }
    table.classList.toggle("stacked", heads.length > 2);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".bd-article figure > img, .bd-article .cell_output > img").forEach((image) => {
      const frame = document.createElement("div");
      frame.className = "figure-frame";
      image.replaceWith(frame);
      frame.append(image);
    });
    const tables = Array.from(document.querySelectorAll(".bd-article table.table:has(> thead)"));
    tables.filter((table) => table.scrollWidth > table.parentElement.clientWidth).forEach(stack);
  });

  window.addEventListener("load", () => {
    const drawn = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(drawn).then(markAll);
    window.addEventListener("resize", markAll);
    document.querySelectorAll("details, .toggle-button").forEach((box) => box.addEventListener("click", () => setTimeout(markAll)));
    document.addEventListener("scroll", (event) => {
      if (event.target instanceof Element && event.target.matches(FRAMES)) mark(event.target);
    }, true);
  });
})();
