// Conveniences of the settings pages: each of them works without this file.
"use strict";

(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // A stored key is replaced as a whole, so a click into the field takes all of it.
  for (const key of all("[data-key]")) key.addEventListener("focus", () => key.select());

  for (const button of all("[data-sure]")) {
    button.addEventListener("click", (event) => {
      if (!window.confirm(button.dataset.sure)) event.preventDefault();
    });
  }

  for (const form of all("form[data-settings]")) {
    const note = form.querySelector("[data-dirty]");
    form.addEventListener("input", () => { if (note) note.hidden = false; });
  }

  // The answer comes into the page, so that a key that was just pasted stays where it is.
  for (const button of all("[data-test]")) {
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      const form = button.form;
      const busy = button.parentElement.querySelector(".busy");
      const place = document.getElementById(button.dataset.test || "tested");
      button.disabled = true;
      place.replaceChildren();
      if (busy) busy.textContent = "Asking. This can take some seconds.";
      try {
        const sent = new URLSearchParams(new FormData(form));
        if (button.name) sent.append(button.name, button.value);
        const answer = await fetch(button.formAction, {
          method: "POST", body: sent, headers: { Accept: "application/json" },
        });
        const told = await answer.json();
        for (const found of told.findings || [told]) {
          const line = document.createElement("p");
          const subject = document.createElement("b");
          subject.textContent = `${found.subject}: `;
          line.className = `flash ${{ ok: "good", warning: "warn" }[found.level] || "bad"}`;
          line.append(subject, found.text);
          place.append(line);
        }
      } catch {
        const line = document.createElement("p");
        line.className = "flash bad";
        line.textContent = "The test could not be made. Load the page again.";
        place.replaceChildren(line);
      }
      if (busy) busy.textContent = "";
      button.disabled = false;
    });
  }

  // The first ticket of the set-up: asked for every second until it is done, at most an hour.
  for (const place of all("[data-result]")) {
    let last = "";
    const look = async (left) => {
      let found = { found: false };
      try {
        const answer = await fetch(place.dataset.result, { headers: { Accept: "application/json" } });
        if (answer.ok) found = await answer.json();
      } catch { /* The next look may work. */ }
      const seen = JSON.stringify(found);
      if (found.found && seen !== last) {
        last = seen;
        const line = document.createElement("p");
        const pill = document.createElement("span");
        const link = document.createElement("a");
        pill.className = `pill ${found.tone}`;
        pill.textContent = found.status;
        link.href = found.url;
        link.textContent = `Ticket ${found.name}`;
        line.append(pill, " ", link);
        if (found.category) {
          const path = document.createElement("b");
          path.textContent = found.category;
          line.append(": ", path);
        }
        place.replaceChildren(line);
        if (found.reason) {
          const reason = document.createElement("p");
          reason.className = "reason";
          reason.textContent = found.reason;
          place.append(reason);
        }
      }
      if (!found.done && left > 0) setTimeout(() => look(left - 1), 1000);
    };
    look(3600);
  }

  // Fallbacks change places in the page, so that keys that were just pasted move along.
  for (const list of all(".fallbacks")) {
    const number = () => {
      const rows = all("[data-row]:not(.fresh)", list);
      rows.forEach((row, index) => {
        for (const button of all("[data-move]", row)) {
          button.value = `${button.dataset.move}:${index}`;
          button.disabled = (button.dataset.move === "up" && !index) || (button.dataset.move === "down" && index === rows.length - 1);
        }
        for (const button of all("[data-test]", row)) button.value = index;
        for (const label of all(".unseen", row)) label.textContent = label.textContent.replace(/\d+/, index + 1);
      });
    };
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-move]");
      if (!button) return;
      event.preventDefault();
      const row = button.closest("[data-row]");
      const move = button.dataset.move;
      const other = move === "up" ? row.previousElementSibling : row.nextElementSibling;
      if (move === "up") other.before(row);
      if (move === "down") other.after(row);
      if (move === "remove") row.remove();
      number();
      list.dispatchEvent(new Event("input", { bubbles: true }));
      const next = move === "remove" ? list.querySelector("select") : button.disabled ? row.querySelector("[data-move]:enabled") : button;
      if (next) next.focus();
    });
  }

  for (const set of all("[data-raised]")) {
    const how = set.querySelector("select");
    set.addEventListener("input", (event) => { if (event.target !== how && event.target.value) how.value = "own"; });
  }

  for (const button of all("[data-offer]")) {
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      const busy = button.parentElement.querySelector(".busy");
      const place = document.querySelector("[data-offered]");
      const say = (text) => { const line = document.createElement("p"); line.textContent = text; place.append(line); };
      place.replaceChildren();
      busy.textContent = "Asking the PSA. This can take some seconds.";
      button.disabled = true;
      try {
        const answer = await fetch(button.formAction, {
          method: "POST", body: new URLSearchParams(new FormData(button.form)), headers: { Accept: "application/json" },
        });
        const found = await answer.json();
        for (const [name, values] of Object.entries(found.names)) {
          const list = document.getElementById(`offer-${name}`) || document.createElement("datalist");
          list.id = `offer-${name}`;
          list.replaceChildren(...values.map((value) => Object.assign(document.createElement("option"), { value })));
          place.before(list);
          say(`${name[0].toUpperCase()}${name.slice(1)}: ${values.join(", ")}`);
        }
        found.troubles.forEach(say);
      } catch {
        say("The values could not be read. Load the page again.");
      }
      busy.textContent = "";
      button.disabled = false;
    });
  }

  for (const button of all("[data-add-row]")) {
    button.addEventListener("click", () => {
      const rows = button.parentElement.querySelector("[data-rows]");
      const row = rows.lastElementChild.cloneNode(true);
      for (const input of all("input", row)) input.value = "";
      const number = String(rows.children.length + 1);
      for (const label of all(".unseen", row)) label.textContent = label.textContent.replace(/\d+/, number);
      rows.append(row);
      row.querySelector("input:not([type=hidden])").focus();
    });
  }
})();
