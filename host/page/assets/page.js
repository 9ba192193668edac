"use strict";
// Follows what changes: asks for this page again, and takes over what stands in `main`.
(() => {
  const live = document.getElementById("live");
  const said = document.getElementById("said");
  const main = document.getElementById("main");
  const SOON = 1000, LATEST = 15000;
  let edition = "", shown = "", at = live.textContent, known = Date.now(), failures = 0, wasLost = false;

  const rows = () => Array.from(main.querySelectorAll("tbody tr, .changes li"));

  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const next = page.getElementById("main");
    if (!next) throw new Error("this is not the page");
    at = page.getElementById("live").textContent;
    if (next.innerHTML === shown) return;
    const isFirst = shown === "";
    shown = next.innerHTML;
    if (isFirst && shown === main.innerHTML) return;
    const before = new Set(rows().map((row) => row.textContent));
    const focus = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
    const aside = Array.from(main.querySelectorAll(".scroll"), (part) => part.scrollLeft);
    main.replaceChildren(...next.childNodes);
    document.title = page.title;
    main.querySelectorAll(".scroll").forEach((part, number) => { part.scrollLeft = aside[number] || 0; });
    if (focus) main.querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    for (const row of rows()) if (!before.has(row.textContent)) row.classList.add("new");
  }

  function tell() {
    const seconds = Math.round((Date.now() - known) / 1000);
    const isLost = failures > 1;
    const text = isLost ? `connection lost, ${at}, ${seconds} s ago` : `live, ${at}`;
    if (live.textContent !== text) live.textContent = text;
    live.className = isLost ? "lost" : "live";
    // Read out when it turns, and not every second.
    if (isLost !== wasLost) said.textContent = isLost ? "The connection is lost." : "The connection is back.";
    wasLost = isLost;
  }

  async function look() {
    const began = Date.now();
    // Whoever marks a text wants to keep it.
    const isMarking = !getSelection().isCollapsed && main.contains(getSelection().anchorNode);
    if (!document.hidden && !isMarking) {
      try {
        const headers = edition ? { "If-None-Match": edition } : {};
        const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(20000) });
        if (answer.status === 200) {
          take(await answer.text());
          edition = answer.headers.get("ETag") || "";
        } else if (answer.status !== 304) {
          throw new Error(answer.statusText);
        }
        known = Date.now();
        failures = 0;
      } catch {
        failures += 1;
      }
    }
    tell();
    // A page that takes long to make is asked for more rarely.
    setTimeout(look, Math.min(LATEST, Math.max(SOON, 10 * (Date.now() - began))));
  }
  look();
})();
