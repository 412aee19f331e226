// Conveniences only: every page works without this file.
"use strict";

(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // The server writes times in the zone this cookie names.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && /^[A-Za-z0-9_+/-]{1,60}$/.test(zone) && !document.cookie.includes(`zone=${zone}`)) {
    document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  }

  // What a part of a page needs to work; parts that come later are made ready too.
  const ready = (root) => {
    for (const hidden of all("[data-needs-script]", root)) hidden.hidden = false;

    // The button is disabled after the form's data is taken, so that its own address still counts.
    for (const form of all("form[data-once]", root)) {
      form.addEventListener("submit", (event) => {
        if (form.dataset.sent) {
          event.preventDefault();
          return;
        }
        form.dataset.sent = "yes";
        form.setAttribute("aria-busy", "true");
        const busy = form.querySelector(".busy");
        if (busy && form.dataset.busy) busy.textContent = form.dataset.busy;
        setTimeout(() => all("button", form).forEach((button) => { button.disabled = true; }), 0);
      });
    }
    for (const button of all("[data-copy]", root)) {
      button.addEventListener("click", async () => {
        const box = document.getElementById(button.dataset.copy);
        try {
          await navigator.clipboard.writeText(box.value);
          button.textContent = "Copied";
        } catch {
          box.select();
        }
      });
    }
  };
  window.bridge = { ready };
  ready(document);

  // Screen readers announce what changes in a live region, not what was there when the page came.
  for (const region of all(".flashes")) {
    const inside = Array.from(region.children);
    if (!inside.length) continue;
    region.replaceChildren();
    setTimeout(() => region.append(...inside), 60);
  }

  for (const form of all("form[data-autosubmit]")) {
    form.classList.add("auto");
    form.addEventListener("change", () => form.requestSubmit());
  }

  // A page that comes back from the browser's memory is usable again.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  // A page somebody writes on is not taken away.
  if (document.querySelector("[data-refresh]")) {
    setInterval(() => { if (!document.querySelector("textarea, [aria-busy]")) location.reload(); }, 3000);
  }

  const offers = all("[data-offers] [data-offer]");
  if (!offers.length) return;
  const remembered = "bridge-offer";
  let current = -1;
  const select = (index) => {
    current = Math.max(0, Math.min(index, offers.length - 1));
    offers.forEach((offer, number) => offer.classList.toggle("current", number === current));
    if (offers.length > 1 || index >= 0) offers[current].focus();
  };
  try {
    const kept = sessionStorage.getItem(remembered);
    sessionStorage.removeItem(remembered);
    if (kept !== null && offers.length > 1) select(Number(kept));
  } catch { /* Storage may be forbidden; then nothing is remembered. */ }
  for (const [index, offer] of offers.entries()) {
    offer.addEventListener("focusin", () => { if (current !== index) { current = index; offers.forEach((one, number) => one.classList.toggle("current", number === index)); } });
    offer.addEventListener("submit", () => { try { sessionStorage.setItem(remembered, String(index)); } catch { /* As above. */ } });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.target;
    if (target.closest("textarea, select") || (target.matches("input") && target.type !== "checkbox")) return;
    if (event.key === "j") select(current + 1);
    else if (event.key === "k") select(current < 0 ? 0 : current - 1);
    else if (event.key === "a" || event.key === "d") {
      const chosen = offers.length === 1 ? offers[0] : offers[current];
      chosen?.querySelector(`[data-key="${event.key}"]`)?.click();
    }
  });
})();
