// Refreshes every element with `data-live` every two seconds: it requests the page again and copies the changes.
// Without this script, the user reloads the page.
"use strict";

const REFRESH_INTERVAL = 2000; // milliseconds
const ANNOUNCE_INTERVAL = 15000; // milliseconds between two announcements to a screen reader, at least
const button = document.querySelector("[data-live-switch]");

let live = sessionStorage.getItem("live") !== "off";
let refreshing = false;
let announced = announcementOf(document);
let announcedAt = 0;

function showState(label, state) {
  button.querySelector("[data-live-label]").textContent = label;
  button.dataset.state = state;
  button.setAttribute("aria-pressed", String(live));
}

async function refresh() {
  if (!live || refreshing || document.hidden) return;
  refreshing = true;
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (response.status === 401) return location.reload();
    if (!response.ok) throw new Error(String(response.status));
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!live) return;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (next && !isSelected(part)) morph(part, next);
    }
    announce(announcementOf(fresh));
    showState("Live", "on");
  } catch {
    if (live) showState("Not reachable", "lost");
  } finally {
    refreshing = false;
  }
}

// An element with a text selection is not refreshed, so that the user can copy the text.
function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
}

function announcementOf(page) {
  return [...page.querySelectorAll("[data-announce]")].map((element) => element.dataset.announce).join(". ");
}

function announce(text) {
  const region = document.getElementById("announcement");
  if (!region || text === announced || Date.now() - announcedAt < ANNOUNCE_INTERVAL) return;
  announced = text;
  announcedAt = Date.now();
  region.textContent = text;
}

// Makes `old` equal to `fresh`. Elements with an id are kept, so that focus and scroll positions do not change.
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
    const existing = child.id && kept.get(child.id);
    if (existing) {
      if (existing === at) next();
      else old.insertBefore(existing, at);
      morph(existing, child);
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
  const show = () => showState(live ? "Live" : "Paused", live ? "on" : "off");
  show();
  button.addEventListener("click", () => {
    live = !live;
    sessionStorage.setItem("live", live ? "on" : "off");
    show();
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, REFRESH_INTERVAL);
}
