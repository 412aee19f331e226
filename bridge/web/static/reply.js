// Shows how a reply draft comes along, and lets it be cancelled. Without this file the page waits for its answer.
"use strict";

(() => {
  const SLOW = 15;

  const wire = (section) => {
    const form = section.querySelector("form[data-draft]");
    const [start, cancel] = form.querySelectorAll("button");
    const status = form.querySelector("[role=status]");
    const clock = form.querySelector("[data-seconds]");
    const box = section.querySelector("textarea");

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.hasAttribute("aria-busy")) return;
      const stop = new AbortController();
      const began = performance.now();
      const show = () => {
        const seconds = Math.floor((performance.now() - began) / 1000);
        clock.textContent = `${seconds} s`;
        if (seconds === SLOW) status.textContent = "The AI is slow. You can wait, or cancel and try later; nothing is sent either way.";
      };
      form.setAttribute("aria-busy", "true");
      status.textContent = "Reading the conversation and asking the AI …";
      show();
      start.disabled = true;
      cancel.hidden = false;
      cancel.onclick = () => stop.abort();
      const ticking = setInterval(show, 1000);
      let said = "";
      try {
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), signal: stop.signal });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("#reply");
        if (fresh) replace(fresh, answer.ok ? box : null);
        else said = answer.status === 429 ? "Too many requests at once. Try again in a minute." : "No draft came. Load the page again; you may have been signed out.";
      } catch {
        said = stop.signal.aborted ? "Cancelled. If the AI still answers, its draft is thrown away." : "The bridge did not answer. Nothing was sent; try again.";
      } finally {
        clearInterval(ticking);
        form.removeAttribute("aria-busy");
        clock.textContent = "";
        status.textContent = said;
        start.disabled = false;
        cancel.hidden = true;
        if (said) start.focus();
      }
    });

    // Puts the server's new section in this one's place; what a person had typed can be had back.
    const replace = (fresh, typed) => {
      // Focus is given below; the browser would refuse to, and complain, where something has it already.
      for (const found of fresh.querySelectorAll("[autofocus]")) found.removeAttribute("autofocus");
      section.replaceWith(fresh);
      window.bridge.ready(fresh);
      // Where no draft came, the box stays; it is ready already.
      if (box && !fresh.querySelector("textarea")) fresh.querySelector("form[data-draft]").before(box.closest("form"));
      wire(fresh);
      const written = fresh.querySelector("textarea");
      if (typed && written && typed.value !== typed.defaultValue) {
        const back = document.createElement("button");
        back.type = "button";
        back.textContent = "Bring back my text";
        back.onclick = () => { [written.value, typed.value] = [typed.value, written.value]; written.focus(); };
        fresh.querySelector("[data-copy]").after(" ", back);
      }
      (fresh.querySelector("[role=alert]") ? fresh.querySelector("h2") : written || fresh.querySelector("h2")).focus();
    };
  };

  const section = document.getElementById("reply");
  if (section) wire(section);
})();
