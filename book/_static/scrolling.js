/* Whatever scrolls inside its own frame can be scrolled with the keyboard, too. */
(function () {
  "use strict";

  const FRAMES = ".bd-article div.math mjx-container, .bd-article .cell_output .text_html, .bd-article .pst-scrollable-table-container, .report-table-frame";

  function reach() {
    document.querySelectorAll(FRAMES).forEach((frame) => {
      if (frame.scrollWidth > frame.clientWidth + 1) frame.tabIndex = 0;
      else frame.removeAttribute("tabindex");
    });
  }

  window.addEventListener("load", () => {
    const drawn = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(drawn).then(reach);
    window.addEventListener("resize", reach);
  });
})();
