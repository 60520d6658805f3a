/* Whatever is wider than the page scrolls inside its own frame: by touch, mouse and keyboard, and fades where it goes on. */
(function () {
  "use strict";

  const FRAMES = ".bd-article div.math mjx-container, .bd-article .cell_output div:has(> table), " +
    ".bd-article .pst-scrollable-table-container, .report-table-frame";

  function mark(frame) {
    const hidden = frame.scrollWidth - frame.clientWidth;
    frame.classList.toggle("goes-on", hidden - frame.scrollLeft > 1);
    if (hidden > 1) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }

  function markAll() {
    document.querySelectorAll(FRAMES).forEach(mark);
  }

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
