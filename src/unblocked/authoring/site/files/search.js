// Looks for all words of the query in every section; sections whose heading has them come first.
"use strict";
(function () {
  const query = document.getElementById("query");
  const found = document.getElementById("found");
  const MOST = 12;
  const AROUND = 60;

  function wordsOf(text) {
    return text.toLowerCase().split(/\s+/).filter(Boolean);
  }

  function score(section, words) {
    const heading = (section.page + " " + section.heading).toLowerCase();
    const text = section.text.toLowerCase();
    if (!words.every((word) => heading.includes(word) || text.includes(word))) return 0;
    return 1 + 10 * words.filter((word) => heading.includes(word)).length;
  }

  function excerpt(section, words) {
    const text = section.text.toLowerCase();
    const places = words.map((word) => text.indexOf(word)).filter((place) => place >= 0);
    const start = Math.max(0, Math.min(...places, section.text.length) - AROUND);
    return section.text.slice(start, start + 3 * AROUND);
  }

  function entry(section, words) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = window.up + section.url;
    link.textContent = section.page + (section.heading ? ": " + section.heading : "");
    const text = document.createElement("p");
    text.textContent = excerpt(section, words);
    item.append(link, text);
    return item;
  }

  function show() {
    const words = wordsOf(query.value);
    found.hidden = words.length === 0;
    if (found.hidden) return found.replaceChildren();
    const hits = window.sections
      .map((section) => ({ section, points: score(section, words) }))
      .filter((hit) => hit.points > 0)
      .sort((a, b) => b.points - a.points)
      .slice(0, MOST);
    const items = hits.map((hit) => entry(hit.section, words));
    if (!items.length) {
      const none = document.createElement("li");
      none.textContent = "Nothing has all of these words.";
      items.push(none);
    }
    found.replaceChildren(...items);
  }

  query.addEventListener("input", show);
  found.addEventListener("click", (event) => {
    if (event.target.closest("a")) found.hidden = true;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== query) {
      event.preventDefault();
      query.focus();
    }
    if (event.key === "Escape") found.hidden = true;
  });
})();
