/* Sorting and filtering for tables of class "report-table", without a server or other code.
   Each tbody is one entry and moves as a whole. Without this script the tables are complete, only not interactive. */
(function () {
  "use strict";

  function key(body, column) {
    const cell = body.rows[0].cells[column];
    const text = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
    const number = text === "" ? NaN : Number(text);
    return { text: text, number: number };
  }

  /* Numbers first, by size; then texts; entries without a value last, whatever the direction. */
  function compare(a, b, direction) {
    const missing = [a, b].map((each) => each.text === "" || each.text === "–");
    if (missing[0] || missing[1]) return missing[0] - missing[1];
    const isText = [a, b].map((each) => Number.isNaN(each.number));
    if (isText[0] !== isText[1]) return isText[0] - isText[1];
    const order = isText[0] ? a.text.localeCompare(b.text, "en") : a.number - b.number;
    return order * direction;
  }

  function sort(table, column, direction) {
    const keyed = Array.from(table.tBodies, (body) => ({ body: body, key: key(body, column) }));
    keyed.sort((a, b) => compare(a.key, b.key, direction));
    keyed.forEach((each) => table.append(each.body));
  }

  function makeSortable(table) {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sort(table, column, ascending ? 1 : -1);
      });
    });
  }

  function labelled(text, control) {
    const label = document.createElement("label");
    label.append(text + " ", control);
    return label;
  }

  function choice(table, attribute) {
    const select = document.createElement("select");
    const values = Array.from(table.tBodies, (body) => body.dataset[attribute]);
    const options = Array.from(new Set(values)).sort();
    select.append(new Option("all", ""), ...options.map((value) => new Option(value, value)));
    return select;
  }

  function makeFilterable(table) {
    const bar = document.createElement("div");
    bar.className = "report-table-bar";
    const search = document.createElement("input");
    search.type = "search";
    const count = document.createElement("output");
    const attribute = table.dataset.filter;
    const select = attribute ? choice(table, attribute) : null;
    bar.append(labelled("Rows that contain", search));
    if (select) bar.append(labelled("with the " + attribute, select));
    bar.append(count);

    function update() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const body of table.tBodies) {
        const text = body.rows[0].textContent.toLowerCase();
        const wanted = words.every((word) => text.includes(word));
        body.hidden = !wanted || Boolean(select && select.value && body.dataset[attribute] !== select.value);
        shown += body.hidden ? 0 : 1;
      }
      count.value = shown + " of " + table.tBodies.length + " rows";
    }

    search.addEventListener("input", update);
    if (select) select.addEventListener("change", update);
    update();
    table.parentNode.before(bar);
  }

  function start() {
    document.querySelectorAll("table.report-table").forEach((table) => {
      makeSortable(table);
      makeFilterable(table);
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
