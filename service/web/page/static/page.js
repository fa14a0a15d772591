// Renews what is marked `data-live` every two seconds, from the same page asked for again. Without this script
// a reload does that.
"use strict";

const EVERY = 2000; // milliseconds
const NEWS_EVERY = 15000; // a screen reader is told that often at most
const button = document.querySelector("[data-live-switch]");

let live = sessionStorage.getItem("live") !== "off";
let asking = false;
let told = newsOf(document);
let toldAt = 0;

function say(words, state) {
  button.querySelector("[data-live-words]").textContent = words;
  button.dataset.state = state;
  button.setAttribute("aria-pressed", String(live));
}

async function renew() {
  if (!live || asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!live) return;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (next && !isSelected(part)) morph(part, next);
    }
    tell(newsOf(fresh));
    say("Live", "on");
  } catch {
    if (live) say("Not reachable", "lost");
  } finally {
    asking = false;
  }
}

// What somebody is about to copy stands still.
function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
}

function newsOf(page) {
  return [...page.querySelectorAll("[data-news]")].map((element) => element.dataset.news).join(". ");
}

function tell(news) {
  const place = document.getElementById("news");
  if (!place || news === told || Date.now() - toldAt < NEWS_EVERY) return;
  told = news;
  toldAt = Date.now();
  place.textContent = news;
}

// Makes `old` like `fresh`, and keeps each element that has an id, so that focus and scrolling stay where they are.
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  const kept = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  const next = () => {
    const here = at;
    at = at.nextSibling;
    return here;
  };
  for (const child of [...fresh.childNodes]) {
    while (at && at.id && !wanted.has(at.id)) next().remove();
    const twin = child.id && kept.get(child.id);
    if (twin) {
      if (twin === at) next();
      else old.insertBefore(twin, at);
      morph(twin, child);
    } else if (!child.id && at && !at.id && at.nodeName === child.nodeName) {
      const here = next();
      if (here.nodeType === Node.ELEMENT_NODE) morph(here, child);
      else if (here.data !== child.data) here.data = child.data;
    } else {
      old.insertBefore(child, at);
      if (child.id) child.classList.add("new");
    }
  }
  while (at) next().remove();
}

if (button) {
  button.hidden = false;
  const show = () => say(live ? "Live" : "Paused", live ? "on" : "off");
  show();
  button.addEventListener("click", () => {
    live = !live;
    sessionStorage.setItem("live", live ? "on" : "off");
    show();
    renew();
  });
  document.addEventListener("visibilitychange", renew);
  setInterval(renew, EVERY);
}
