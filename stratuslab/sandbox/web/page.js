// Brings the page up to date in place. Only what has changed is touched, so that focus, selection and opened
// details stay as they are.
"use strict";

const PERIOD = 1000;
const button = document.getElementById("live");
const notice = document.getElementById("notice");

function alike(shown, fresh) {
  return shown !== null && shown.nodeName === fresh.nodeName && shown.id === fresh.id;
}

function renew(shown, fresh) {
  if (shown.nodeType === Node.TEXT_NODE) {
    if (shown.data !== fresh.data) {
      shown.data = fresh.data;
    }
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (shown.getAttribute(name) !== value) {
      shown.setAttribute(name, value);
    }
  }
  for (const { name } of [...shown.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) {
      shown.removeAttribute(name);
    }
  }
  renewChildren(shown, fresh);
}

function renewChildren(shown, fresh) {
  const remaining = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...shown.children]) {
    if (child.id && !remaining.has(child.id)) {
      child.remove();
    }
  }
  const byId = new Map([...shown.children].map((child) => [child.id, child]));
  let place = shown.firstChild;
  for (const child of [...fresh.childNodes]) {
    if (alike(place, child)) {
      const known = place;
      place = place.nextSibling;
      renew(known, child);
    } else if (child.id && byId.has(child.id)) {
      const known = byId.get(child.id);
      shown.insertBefore(known, place);
      renew(known, child);
    } else {
      shown.insertBefore(child, place);
    }
  }
  while (place !== null) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function say(text) {
  if (notice.textContent !== text) {
    notice.textContent = text;
  }
}

async function look() {
  if (button.getAttribute("aria-pressed") === "false" || document.hidden) {
    return;
  }
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) {
      throw new Error(answer.statusText);
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["now", "main"]) {
      renew(document.getElementById(id), fresh.getElementById(id));
    }
    say("");
  } catch {
    say("The sandbox does not answer: what is shown here is old.");
  }
}

async function watch() {
  await look();
  setTimeout(watch, PERIOD);
}

button.addEventListener("click", () => {
  const live = button.getAttribute("aria-pressed") === "false";
  button.setAttribute("aria-pressed", String(live));
  look();
});
button.hidden = false;
setTimeout(watch, PERIOD);
