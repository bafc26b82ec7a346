// Filters and sorts the tables of the results page. Without this script they are plain tables.
(function () {
  "use strict";

  function text(cell) {
    return cell ? cell.textContent.trim() : "";
  }

  // Numbers come before words; "0.412 ± 0.010" sorts by its first number.
  function compare(a, b) {
    const x = parseFloat(a), y = parseFloat(b);
    const numeric = (s, n) => !Number.isNaN(n) && /^[-+−]?[\d.]/.test(s) && !/^\d+\/\d+/.test(s);
    if (numeric(a, x) && numeric(b, y)) return x - y;
    return a.localeCompare(b, "en", { numeric: true });
  }

  function makeSortable(table) {
    const body = table.tBodies[0];
    table.querySelectorAll("thead th").forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const rows = Array.from(body.rows);
        rows.sort((a, b) => compare(text(a.cells[column]), text(b.cells[column])) * (ascending ? 1 : -1));
        body.append(...rows);
      });
    });
  }

  function filter(rows, wanted, note) {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const hit = words.every((word) => row.words.includes(word));
      row.element.hidden = !hit;
      shown += hit ? 1 : 0;
    }
    note.textContent = shown + " of " + rows.length + " rows";
  }

  document.addEventListener("DOMContentLoaded", () => {
    const tables = Array.from(document.querySelectorAll("table.records"));
    if (!tables.length) return;
    tables.forEach(makeSortable);
    const rows = tables.flatMap((table) => Array.from(table.tBodies[0].rows)).map((element) => ({
      element, words: Array.from(element.cells).map(text).join(" ").toLowerCase(),
    }));
    const bar = document.createElement("div");
    bar.className = "records-filter";
    const label = document.createElement("label");
    label.textContent = "Filter all tables ";
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "words, in any order";
    const note = document.createElement("output");
    label.appendChild(input);
    bar.append(label, note);
    const place = document.querySelector(".records-download") || tables[0].parentNode;
    place.parentNode.insertBefore(bar, place.nextSibling);
    input.addEventListener("input", () => filter(rows, input.value, note));
    filter(rows, "", note);
  });
})();
